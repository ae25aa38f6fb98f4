//! What an operator enters for a person, read into what is stored.

use super::NAME_MAX_CHARS;
use crate::{Error, Result, attributes, entity::user};
use domain::{
    attribute::shown,
    filter::AttributeKind,
    phone::{self, Phone},
    problem::FieldProblem,
    user::UserForm,
    zone::Zone,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The longest language tag, in bytes (RFC 5646, 4.4.1).
const LOCALE_MAX_BYTES: usize = 35;

/// A form's fields, each checked; empty ones are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    pub phone: Option<Phone>,
    pub name: Option<String>,
    pub locale: Option<String>,
    pub zone: Option<String>,
    /// Attributes; `None` leaves them as they are.
    pub attributes: Option<Map<String, Value>>,
}

impl Entered {
    /// Reads a form, and reports everything that is wrong with it at once. Attributes are held against what is declared;
    /// one that is not, and reads as the value that is there, keeps that value and its type.
    pub fn read(form: &UserForm, declared: &BTreeMap<String, AttributeKind>, there: &Value) -> Result<Self> {
        let mut errors = Vec::new();
        let mut wrong =
            |field: &str, detail: String| errors.push(FieldProblem { pointer: format!("/{field}"), detail });
        let phone = filled(&form.phone)
            .and_then(|text| phone::normalise(text, None).map_err(|error| wrong("phone", error.to_string())).ok());
        let name = filled(&form.name).map(str::to_owned);
        if name.as_ref().is_some_and(|name| name.chars().count() > NAME_MAX_CHARS) {
            wrong("name", format!("a name has at most {NAME_MAX_CHARS} characters"));
        }
        let locale = filled(&form.locale).map(str::to_owned);
        if locale.as_ref().is_some_and(|tag| !is_language_tag(tag)) {
            wrong("locale", "this is not a language tag; write it like de or pt-BR".to_owned());
        }
        let zone = filled(&form.zone).and_then(|text| {
            let zone = Zone::parse(text).map_err(|error| wrong("zone", error.to_string())).ok()?;
            Some(zone.name().to_owned())
        });
        let attributes = form.attributes.as_ref().and_then(|given| {
            let given = given.iter().map(|(name, value)| match there.get(name) {
                Some(now) if value.as_str().is_some_and(|text| text == shown(now)) => (name.clone(), now.clone()),
                _ => (name.clone(), value.clone()),
            });
            attributes::fitted(declared, &given.collect()).map_err(|problems| errors.extend(problems)).ok()
        });
        if errors.is_empty() {
            Ok(Self { phone, name, locale, zone, attributes })
        } else {
            Err(Error::Invalid { errors })
        }
    }

    /// What is stored of someone.
    pub fn of(row: &user::Model) -> Result<Self> {
        let phone = row.phone.as_deref().map(Phone::parse_e164).transpose().map_err(Error::internal)?;
        let attributes = Some(serde_json::from_value(row.attributes.clone())?);
        Ok(Self { phone, name: row.name.clone(), locale: row.locale.clone(), zone: row.zone.clone(), attributes })
    }

    /// What the audit log may keep for ever: it is append-only, so names and numbers, which may have to be erased, are
    /// only hinted at.
    pub fn for_audit(&self) -> Value {
        json!({
            "phone": self.phone.as_ref().map(Phone::masked),
            "name_chars": self.name.as_ref().map(|name| name.chars().count()),
            "locale": self.locale,
            "zone": self.zone,
            "attributes": self.attributes.as_ref().map(|all| all.keys().collect::<Vec<_>>()),
        })
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// Whether a text has the form of a BCP 47 tag: a language of 2 or 3 letters, and parts of at most 8 letters or digits.
fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    text.len() <= LOCALE_MAX_BYTES
        && matches!(language.len(), 2 | 3)
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(phone: &str, name: &str, locale: &str, zone: &str) -> UserForm {
        UserForm { phone: phone.into(), name: name.into(), locale: locale.into(), zone: zone.into(), attributes: None }
    }

    fn read(form: &UserForm) -> Result<Entered> {
        Entered::read(form, &BTreeMap::new(), &Value::Null)
    }

    #[test]
    fn a_form_is_read_and_cleaned() {
        let entered = read(&form(" +49 1512 3456789 ", " Ann ", "pt-BR", "europe/berlin")).unwrap();
        assert_eq!(entered.phone.as_ref().map(Phone::as_str), Some("+4915123456789"));
        assert_eq!(entered.name.as_deref(), Some("Ann"));
        assert_eq!(entered.zone.as_deref(), Some("Europe/Berlin"));
        let empty = read(&form("", " ", "", "")).unwrap();
        assert_eq!(empty, Entered { phone: None, name: None, locale: None, zone: None, attributes: None });
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let long = "x".repeat(NAME_MAX_CHARS + 1);
        let Err(Error::Invalid { errors }) = read(&form("12", &long, "german!", "Berlin")) else {
            panic!("a wrong form was taken")
        };
        let fields: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(fields, ["/phone", "/name", "/locale", "/zone"]);
    }

    #[test]
    fn the_audit_log_keeps_neither_name_nor_number() {
        let entered = read(&form("+4915123456789", "Ann", "", "")).unwrap();
        let kept = entered.for_audit().to_string();
        assert!(!kept.contains("Ann") && !kept.contains("15123456789"), "{kept}");
    }

    #[test]
    fn attributes_are_of_their_kinds_or_as_they_were() {
        let declared = BTreeMap::from([("age".to_owned(), AttributeKind::Number)]);
        let there = json!({ "age": 3, "room": 12 });
        let with = |given: Value| {
            let attributes = given.as_object().cloned();
            let form = UserForm { attributes, ..form("+4915123456789", "Ann", "", "") };
            Entered::read(&form, &declared, &there).map(|entered| Value::Object(entered.attributes.unwrap()))
        };
        assert_eq!(with(json!({ "age": "30", "room": "12", "city": "" })).unwrap(), json!({ "age": 30, "room": 12 }));
        assert_eq!(with(json!({ "room": "14" })).unwrap(), json!({ "room": "14" }));
        let Err(Error::Invalid { errors }) = with(json!({ "age": "old" })) else { panic!("a wrong value was taken") };
        assert_eq!(errors[0].pointer, "/attributes/age");
    }
}
