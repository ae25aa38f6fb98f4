//! The content registry: the named texts that `ContentSid` refers to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::twilio_error::TwilioError;

/// A pre-seeded offer: `{{1}}` is the person's name, `{{2}}` what is offered.
pub const OFFER_CONTENT: &str = "HX0000000000000000000000000000000f";
/// A pre-seeded order update: `{{1}}` is the order's number, `{{2}}` its state.
pub const ORDER_UPDATE_CONTENT: &str = "HX000000000000000000000000000000ad";

/// Contents that the registry holds at most.
pub(crate) const CONTENTS_MAX: usize = 1_000;
/// Variables of one message at most.
const VARIABLES_MAX: usize = 100;

/// A text with `{{name}}` placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// `HX` and 32 hexadecimal digits.
    pub sid: String,
    /// The name that its author gave it.
    pub friendly_name: String,
    /// A language code such as `en`.
    pub language: String,
    /// The text, with placeholders such as `{{1}}`.
    pub body: String,
}

/// What every simulator knows from the start.
pub(crate) fn seeded() -> BTreeMap<String, Content> {
    let content = |sid: &str, friendly_name: &str, body: &str| Content {
        sid: sid.to_owned(),
        friendly_name: friendly_name.to_owned(),
        language: "en".to_owned(),
        body: body.to_owned(),
    };
    [
        content(OFFER_CONTENT, "offer", "Hello {{1}}, this week only: {{2}}. Reply STOP to hear no more from us."),
        content(ORDER_UPDATE_CONTENT, "order_update", "Your order {{1}} is now {{2}}. Thank you for shopping with us."),
    ]
    .into_iter()
    .map(|content| (content.sid.clone(), content))
    .collect()
}

/// Reads `ContentVariables`: a JSON object, written as a string, of strings that are not empty.
/// Anything else is refused with 21656.
pub(crate) fn variables(json: Option<&str>) -> Result<BTreeMap<String, String>, TwilioError> {
    let Some(json) = json else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_str::<BTreeMap<String, String>>(json)
        .ok()
        .filter(|map| {
            map.len() <= VARIABLES_MAX
                && map.iter().all(|(key, value)| !value.is_empty() && (1..=16).contains(&key.len()))
        })
        .ok_or_else(|| TwilioError::bad_request(21656, "The ContentVariables Parameter is invalid"))
}

/// Fills the placeholders of `body`; `Err` names the first one without a value.
pub(crate) fn render(body: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut rendered = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("{{") {
        rendered.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            rendered.push_str("{{");
            rest = after;
            continue;
        };
        match variables.get(name.trim()) {
            Some(value) => rendered.push_str(value),
            None => return Err(name.trim().to_owned()),
        }
        rest = after;
    }
    rendered.push_str(rest);
    Ok(rendered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once() {
        let values = variables(Some(r#"{"1": "Ada", "2": "{{1}} off"}"#)).expect("variables");
        assert_eq!(render("Hi {{1}}: {{ 2 }}.", &values), Ok("Hi Ada: {{1}} off.".to_owned()));
        assert_eq!(render("{{3}}", &values), Err("3".to_owned()));
        assert_eq!(render("a {{ b", &values), Ok("a {{ b".to_owned()));
    }

    #[test]
    fn variables_are_strings_and_not_empty() {
        for bad in ["", "{", "[]", r#"{"1": 2}"#, r#"{"1": null}"#, r#"{"1": ""}"#] {
            let code = variables(Some(bad)).map_err(|refusal| refusal.code);
            assert_eq!(code, Err(21656), "{bad}");
        }
        assert_eq!(variables(None), Ok(BTreeMap::new()));
    }
}
