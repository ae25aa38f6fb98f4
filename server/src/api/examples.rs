//! Examples of answers, made from their descriptions: whatever a field is described as, an example of it can be shown.

use serde_json::{Map, Value, json};

/// How deep a description is followed into itself.
const DEPTH_MAX: usize = 12;

/// An example of what a schema of this document describes.
pub fn example(document: &Value, schema: &Value) -> Value {
    of(document, schema, "", DEPTH_MAX)
}

fn of(document: &Value, schema: &Value, name: &str, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let inner = |schema: &Value, name: &str| of(document, schema, name, depth - 1);
    if let Some(place) = schema["$ref"].as_str() {
        return document.pointer(place.trim_start_matches('#')).map_or(Value::Null, |schema| inner(schema, name));
    }
    if let Some(given) = schema.get("example").or_else(|| schema["examples"].get(0)).or_else(|| schema["enum"].get(0)) {
        return given.clone();
    }
    if let Some(fixed) = schema.get("const") {
        return fixed.clone();
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let told = choices.iter().find(|choice| choice["type"] != "null");
        return told.map_or(Value::Null, |choice| inner(choice, name));
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            match inner(part, name) {
                Value::Object(fields) => whole.extend(fields),
                // A description of one thing with words around it.
                other => return other,
            }
        }
        return Value::Object(whole);
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        one => vec![one.clone()],
    };
    let kind = kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
    match kind {
        Some("array") => json!([inner(&schema["items"], name)]),
        Some("string") => text(schema, name),
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
        Some("boolean") => json!(true),
        _ => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            Value::Object(fields.map(|(name, field)| (name.clone(), inner(field, name))).collect())
        }
    }
}

/// A text as its format has it, or as a field of this name mostly reads.
fn text(schema: &Value, name: &str) -> Value {
    let by_format = match schema["format"].as_str() {
        Some("uuid") => Some("01a21b02-efa0-720a-991b-f0bccf771898"),
        Some("date-time") => Some("2026-06-02T17:00:00Z"),
        Some("date") => Some("2026-06-02"),
        Some("uri") => Some("https://example.org/hook"),
        _ => None,
    };
    let by_name = || match name {
        "id" | "campaign" | "user" | "template" | "sender" | "topic" | "segment" => {
            "01a21b02-efa0-720a-991b-f0bccf771898"
        }
        "phone" | "number" | "from" | "to" | "address" => "+12025550143",
        "name" | "user_name" => "Ann",
        "campaign_name" => "Spring sale",
        "locale" => "en-US",
        "zone" => "America/New_York",
        "body" | "text" => "Hi Ann! Reply STOP to opt out.",
        "url" => "https://example.org/hook",
        "filter" => "city = \"Boston\"",
        "evidence" => "web form 12",
        "reason" => "asked by letter",
        "key" => "news",
        "next" | "prev" => "kq3Zt8k2T1m5c0F7xVv6bQ",
        _ => "…",
    };
    json!(by_format.unwrap_or_else(by_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_what_its_description_says() {
        let document = json!({ "components": { "schemas": {
            "Row": { "type": "object", "properties": {
                "id": { "type": "string", "format": "uuid" }, "phone": { "type": ["string", "null"] },
                "state": { "$ref": "#/components/schemas/State" }, "children": { "type": "array", "items": { "$ref": "#/components/schemas/Row" } },
            } },
            "State": { "type": "string", "enum": ["sent", "read"] },
        } } });
        let schema = json!({ "allOf": [{ "$ref": "#/components/schemas/Row" }, { "type": "object", "properties": { "at": { "oneOf": [{ "type": "null" }, { "type": "string", "format": "date" }] } } }] });
        let made = example(&document, &schema);
        assert_eq!(
            (&made["phone"], &made["state"], &made["at"]),
            (&json!("+12025550143"), &json!("sent"), &json!("2026-06-02"))
        );
        assert_eq!(made["children"][0]["state"], "sent");
    }
}
