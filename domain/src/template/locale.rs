//! Which language someone reads.

use super::TemplateForm;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many languages a version may have beside its default.
pub const LOCALES_MAX: usize = 50;
/// The longest language tag, in bytes.
const TAG_MAX_BYTES: usize = 35;

/// What a version says in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LocaleText {
    /// The text.
    pub body: String,
    /// The provider's content id; empty for free text.
    #[serde(default)]
    pub content_sid: String,
    /// The content's variables.
    #[serde(default)]
    pub content_variables: BTreeMap<String, String>,
}

/// A language tag as it is stored: lower-case subtags, joined by `-`; `None` for what is no tag.
pub fn locale_tag(text: &str) -> Option<String> {
    let tag = text.trim().replace('_', "-").to_lowercase();
    let mut parts = tag.split('-');
    let language = parts.next()?;
    let is_language = (2..=8).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic());
    let rest = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    (tag.len() <= TAG_MAX_BYTES && is_language && parts.all(rest)).then_some(tag)
}

/// Of the languages that there are, the one for a person: the person's own, else that without its last parts
/// (`de-at` → `de`); `None` for the default.
pub fn choose_locale<'t, T>(locales: &'t BTreeMap<String, T>, wanted: Option<&str>) -> Option<(&'t str, &'t T)> {
    let tag = locale_tag(wanted?)?;
    let mut tag = tag.as_str();
    loop {
        if let Some((found, text)) = locales.get_key_value(tag) {
            return Some((found, text));
        }
        tag = tag.rsplit_once('-')?.0;
    }
}

impl TemplateForm {
    /// What it says in a language; the default, for a tag that it lacks.
    pub fn in_locale(&self, tag: Option<&str>) -> (Option<&str>, LocaleText) {
        match choose_locale(&self.locales, tag) {
            Some((tag, text)) => (Some(tag), text.clone()),
            None => {
                let (content_sid, content_variables) = (self.content_sid.clone(), self.content_variables.clone());
                (None, LocaleText { body: self.body.clone(), content_sid, content_variables })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read() {
        for (text, expected) in [
            ("de", Some("de")),
            (" pt_BR ", Some("pt-br")),
            ("zh-Hant-TW", Some("zh-hant-tw")),
            ("", None),
            ("d", None),
            ("de-", None),
            ("english!", None),
            ("12", None),
        ] {
            assert_eq!(locale_tag(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_chain_is_locale_then_language_then_default() {
        let locales: BTreeMap<String, i32> =
            [("de", 1), ("de-at", 2), ("pt-br", 3)].map(|(tag, n)| (tag.to_owned(), n)).into();
        for (wanted, expected) in [
            (Some("de-AT"), Some(2)),
            (Some("de_at_1996"), Some(2)),
            (Some("de-CH"), Some(1)),
            (Some("DE"), Some(1)),
            (Some("pt-BR"), Some(3)),
            (Some("pt"), None),
            (Some("en"), None),
            (Some("?"), None),
            (None, None),
        ] {
            assert_eq!(choose_locale(&locales, wanted).map(|(_, n)| *n), expected, "{wanted:?}");
        }
    }
}
