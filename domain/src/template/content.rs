//! The variables of a template that the provider holds: Twilio's `ContentVariables`.

use super::{MissingVariable, Template, TemplateError};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeMap};

/// The most variables (TWILIO.md 9).
pub const MAX_CONTENT_VARIABLES: usize = 100;
/// The most characters of a variable's key (TWILIO.md 9).
pub const MAX_KEY_CHARS: usize = 16;
/// The most characters of all values together (TWILIO.md 9).
pub const MAX_TOTAL_CHARS: usize = 1024;

/// Why content variables would be refused by the provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// More than [`MAX_CONTENT_VARIABLES`].
    #[error("there are {0} variables, and {MAX_CONTENT_VARIABLES} are allowed")]
    TooMany(usize),
    /// Empty, longer than [`MAX_KEY_CHARS`], or not letters, digits and `_`.
    #[error("\"{0}\" is not a variable's key: 1 to {MAX_KEY_CHARS} letters, digits or \"_\"")]
    BadKey(String),
    /// Numbers must run from 1 without a gap.
    #[error("variable {0} is missing: numbered variables run from 1 without a gap")]
    Gap(usize),
    /// The text for a variable is not a template.
    #[error("variable {key}: {error}")]
    Template {
        /// The variable.
        key: String,
        /// Why.
        error: TemplateError,
    },
    /// A value would be empty, because the person lacks something.
    #[error("variable {key}: {missing}")]
    Missing {
        /// The variable.
        key: String,
        /// What is lacking.
        missing: MissingVariable,
    },
    /// A value is empty.
    #[error("variable {0} is empty")]
    Empty(String),
    /// The values are longer than [`MAX_TOTAL_CHARS`] together.
    #[error("the values have {0} characters together, and {MAX_TOTAL_CHARS} are allowed")]
    TooLong(usize),
}

/// The texts for a provider template's variables, compiled once for a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTemplate {
    entries: Vec<(String, Template)>,
}

impl ContentTemplate {
    /// Compiles the texts by variable, as in `"1"` → `{{ name | default("friend") }}`.
    ///
    /// # Errors
    /// The first rule that the keys or texts break.
    pub fn parse(texts: &BTreeMap<String, String>) -> Result<Self, ContentError> {
        check_keys(texts)?;
        let compile = |(key, text): (&String, &String)| {
            if text.trim().is_empty() {
                return Err(ContentError::Empty(key.clone()));
            }
            match Template::parse(text) {
                Ok(template) => Ok((key.clone(), template)),
                Err(error) => Err(ContentError::Template { key: key.clone(), error }),
            }
        };
        Ok(Self { entries: texts.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// The names of all variables of people that it uses, each once.
    pub fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.entries.iter().flat_map(|(_, template)| template.variables()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The values for one person.
    ///
    /// # Errors
    /// What the person lacks, or a limit that the person's values break.
    pub fn render<'v>(&self, vars: impl Fn(&str) -> Option<Cow<'v, str>>) -> Result<Map<String, Value>, ContentError> {
        let mut values = Map::new();
        let mut total_chars = 0;
        for (key, template) in &self.entries {
            let value =
                template.render(&vars).map_err(|missing| ContentError::Missing { key: key.clone(), missing })?;
            if value.trim().is_empty() {
                return Err(ContentError::Empty(key.clone()));
            }
            total_chars += value.chars().count();
            values.insert(key.clone(), Value::String(value));
        }
        if total_chars > MAX_TOTAL_CHARS {
            return Err(ContentError::TooLong(total_chars));
        }
        Ok(values)
    }
}

/// The values of a provider template's variables for one person. Campaigns keep the [`ContentTemplate`] instead.
///
/// # Errors
/// [`ContentError`]: the first rule that keys, texts or values break.
pub fn content_variables<'v>(
    texts: &BTreeMap<String, String>,
    vars: impl Fn(&str) -> Option<Cow<'v, str>>,
) -> Result<Map<String, Value>, ContentError> {
    ContentTemplate::parse(texts)?.render(vars)
}

fn check_keys(texts: &BTreeMap<String, String>) -> Result<(), ContentError> {
    if texts.len() > MAX_CONTENT_VARIABLES {
        return Err(ContentError::TooMany(texts.len()));
    }
    let well_formed = |key: &str| {
        (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if let Some(key) = texts.keys().find(|key| !well_formed(key)) {
        return Err(ContentError::BadKey(key.clone()));
    }
    let numbered = texts.keys().filter(|key| key.bytes().all(|b| b.is_ascii_digit())).count();
    match (1..=numbered).find(|n| !texts.contains_key(&n.to_string())) {
        Some(gap) => Err(ContentError::Gap(gap)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[(&str, &str)], expected: Result<&str, ContentError>) {
        let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let found = content_variables(&texts, |name| match name {
            "name" => Some(Cow::Borrowed("Ann")),
            "long" => Some(Cow::Owned("ä".repeat(1024))),
            _ => None,
        });
        let found = found.map(|values| Value::Object(values).to_string());
        assert_eq!(
            found.as_deref().map_err(Clone::clone),
            expected.as_ref().map(|e| *e).map_err(Clone::clone),
            "{texts:?}"
        );
    }

    #[test]
    fn the_providers_rules_hold() {
        use ContentError::*;
        check(&[], Ok("{}"));
        check(&[("1", "{{ name }}"), ("2", "x")], Ok(r#"{"1":"Ann","2":"x"}"#));
        check(&[("first_name", "{{ name }}")], Ok(r#"{"first_name":"Ann"}"#));
        check(&[("1", "{{ name }}"), ("3", "x")], Err(Gap(2)));
        check(&[("01", "x")], Err(Gap(1)));
        check(&[("0", "x")], Err(Gap(1)));
        check(&[("", "x")], Err(BadKey(String::new())));
        check(&[("a-b", "x")], Err(BadKey("a-b".into())));
        check(&[("a2345678901234567", "x")], Err(BadKey("a2345678901234567".into())));
        check(&[("a234567890123456", "x")], Ok(r#"{"a234567890123456":"x"}"#));
        check(&[("1", " ")], Err(Empty("1".into())));
        check(&[("1", "{{ city | default('') }}")], Err(Empty("1".into())));
        check(
            &[("1", "{{ city }}")],
            Err(Missing { key: "1".into(), missing: MissingVariable { name: "city".into() } }),
        );
        check(&[("1", "{{ long }}"), ("2", "x")], Err(TooLong(1025)));
        assert!(matches!(
            content_variables(&[("1".to_owned(), "{{".to_owned())].into(), |_| None),
            Err(Template { key, .. }) if key == "1"
        ));
        let numbered = |n: usize| (1..=n).map(|i| (i.to_string(), "x".to_owned())).collect::<BTreeMap<_, _>>();
        assert_eq!(content_variables(&numbered(100), |_| None).map(|values| values.len()), Ok(100));
        assert_eq!(content_variables(&numbered(101), |_| None), Err(TooMany(101)));
    }
}
