//! Custom attributes: declared once, with a kind that every value has.

use crate::{
    filter::{AttributeKind, MAX_NUMBER, is_plain_decimal},
    ids::AttributeId,
};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// The longest text of a value, in characters.
pub const VALUE_MAX_CHARS: usize = 1_000;
/// The most entries of a list.
pub const LIST_MAX_ITEMS: usize = 100;
/// The longest description, in characters.
pub const DESCRIPTION_MAX_CHARS: usize = 200;

/// A declared attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attribute {
    /// Its id.
    pub id: AttributeId,
    /// Its name: what filters, templates and files call it.
    pub name: String,
    /// What its values are.
    pub kind: AttributeKind,
    /// What it means, for colleagues; may be empty.
    pub description: String,
    /// When it was declared.
    pub created_at: DateTime<Utc>,
}

/// What an operator enters for an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AttributeForm {
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: AttributeKind,
    /// What it means.
    pub description: String,
}

/// Why a value is not of its attribute's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ValueError {
    /// Not text.
    #[error("this attribute holds text")]
    Text,
    /// Not a number.
    #[error("this attribute holds a number, written like 42 or -1.5")]
    Number,
    /// Neither true nor false.
    #[error("this attribute holds true or false")]
    Boolean,
    /// Not a day.
    #[error("this attribute holds a date, written like 2026-03-31")]
    Date,
    /// Not a list of texts.
    #[error("this attribute holds a list of at most {LIST_MAX_ITEMS} texts")]
    List,
    /// Over the limit.
    #[error("the value is longer than {VALUE_MAX_CHARS} characters")]
    TooLong,
}

/// A value as its attribute holds it: what means the same is brought to the one form (`"30"` is the number 30, a date
/// loses its time of day, `a, b` is a list), and anything else is refused. Null stays null: no value.
///
/// # Errors
/// Which kind was wanted.
pub fn fit(kind: AttributeKind, value: &Value) -> Result<Value, ValueError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    match kind {
        AttributeKind::Text => text(value).ok_or(ValueError::Text).and_then(bounded),
        AttributeKind::Number => number(value).ok_or(ValueError::Number),
        AttributeKind::Boolean => boolean(value).map(Value::Bool).ok_or(ValueError::Boolean),
        AttributeKind::Date => date(value).map(|day| Value::String(day.to_string())).ok_or(ValueError::Date),
        AttributeKind::List => list(value),
    }
}

/// A value as a form shows it, which [`fit`] reads back.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn bounded(text: String) -> Result<Value, ValueError> {
    if text.chars().count() > VALUE_MAX_CHARS { Err(ValueError::TooLong) } else { Ok(Value::String(text)) }
}

fn number(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => number.as_f64().filter(|number| number.abs() < MAX_NUMBER).map(|_| value.clone()),
        Value::String(text) => {
            let text = text.trim();
            if !is_plain_decimal(text) {
                return None;
            }
            let real: f64 = text.parse().ok().filter(|real: &f64| real.abs() < MAX_NUMBER)?;
            match text.parse::<i64>() {
                Ok(whole) => Some(Value::from(whole)),
                Err(_) => Number::from_f64(real).map(Value::Number),
            }
        }
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => Some(true),
            "false" | "no" | "n" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn date(value: &Value) -> Option<NaiveDate> {
    let text = value.as_str()?.trim();
    let day = text.get(..10)?;
    let rest = &text[10..];
    let with_time = rest.is_empty() || rest.starts_with(['T', ' ']);
    let day: NaiveDate = with_time.then(|| day.parse().ok())??;
    // Other forms that chrono reads, such as a year of three digits, are not the one that is stored.
    (day.to_string() == text[..10]).then_some(day)
}

fn list(value: &Value) -> Result<Value, ValueError> {
    let items: Vec<String> = match value {
        Value::Array(items) => items.iter().map(text).collect::<Option<_>>().ok_or(ValueError::List)?,
        Value::String(text) => text.split([',', ';', '|']).map(|item| item.trim().to_owned()).collect(),
        other => vec![text(other).ok_or(ValueError::List)?],
    };
    let mut kept: Vec<Value> = Vec::new();
    for item in items.into_iter().filter(|item| !item.is_empty()) {
        let item = bounded(item)?;
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    if kept.len() > LIST_MAX_ITEMS { Err(ValueError::List) } else { Ok(Value::Array(kept)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_take_the_form_of_their_kind() {
        use AttributeKind::{Boolean, Date, List, Number, Text};
        let cases: &[(AttributeKind, Value, Result<Value, ValueError>)] = &[
            (Text, json!("Bonn"), Ok(json!("Bonn"))),
            (Text, json!(12), Ok(json!("12"))),
            (Text, json!(["a"]), Err(ValueError::Text)),
            (Text, json!("x".repeat(VALUE_MAX_CHARS + 1)), Err(ValueError::TooLong)),
            (Number, json!(1.5), Ok(json!(1.5))),
            (Number, json!("30"), Ok(json!(30))),
            (Number, json!(" -0.5 "), Ok(json!(-0.5))),
            (Number, json!("1e5"), Err(ValueError::Number)),
            (Number, json!("thirty"), Err(ValueError::Number)),
            (Boolean, json!("Yes"), Ok(json!(true))),
            (Boolean, json!(0), Ok(json!(false))),
            (Boolean, json!("maybe"), Err(ValueError::Boolean)),
            (Date, json!("2026-03-31"), Ok(json!("2026-03-31"))),
            (Date, json!("2026-03-31T10:00:00Z"), Ok(json!("2026-03-31"))),
            (Date, json!("31.03.2026"), Err(ValueError::Date)),
            (Date, json!("2026-02-30"), Err(ValueError::Date)),
            (List, json!("a, b;a"), Ok(json!(["a", "b"]))),
            (List, json!(["a", 1]), Ok(json!(["a", "1"]))),
            (List, json!([["a"]]), Err(ValueError::List)),
            (Number, Value::Null, Ok(Value::Null)),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(fit(*kind, value), *expected, "{kind} {value}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z0-9 ,.-]{0,12}".prop_map(Value::from),
            prop::collection::vec("[a-z]{0,4}", 0..4).prop_map(Value::from),
        ]
    }

    proptest! {
        /// What was fitted once stays as it is, and what a form shows is read back as the same.
        #[test]
        fn fitting_is_idempotent(value in values(), kind in prop::sample::select(AttributeKind::ALL)) {
            if let Ok(fitted) = fit(kind, &value) {
                prop_assert_eq!(fit(kind, &fitted), Ok(fitted.clone()));
                let text = Value::String(shown(&fitted));
                prop_assert_eq!(fit(kind, &text), Ok(fitted));
            }
        }
    }
}
