//! Message templates: text with `{{ variable }}` and `{{ variable | default("friend") }}`, and nothing else.
//!
//! The syntax is a small part of minijinja's, so what people know of Jinja holds and a template can be moved elsewhere.
//! The parser and the renderer are nevertheless our own, for three reasons: they run in the browser, where the editor
//! must say the same as the server; a campaign compiles its template once into literals and slots and then only
//! concatenates, hundreds of thousands of times a minute; and a language without calls, loops and lookups cannot be
//! turned against the server by whoever writes a template or chooses a name. With the `server` feature minijinja stays
//! the authority: `reference` asks it whether it accepts each template, and a property test holds that both render
//! the same.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

mod content;
mod lint;
mod locale;
mod parse;
#[cfg(feature = "server")]
pub mod reference;
mod view;

pub use content::{ContentError, ContentTemplate, content_variables};
pub use lint::{Finding, LintOptions, Severity};
pub use locale::{LOCALES_MAX, LocaleText, choose_locale, locale_tag};
pub use view::{TemplateForm, TemplatePreview, TemplateView};

/// The most characters of a template's text.
pub const MAX_TEMPLATE_CHARS: usize = 4096;
/// The most variables in one template, repetitions included.
pub const MAX_SLOTS: usize = 100;
/// The most bytes of a variable's name.
pub const MAX_NAME_BYTES: usize = 80;

/// A compiled template: literals and slots, in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Slot(Slot),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    name: String,
    default: Option<String>,
    /// The byte offset of its `{{` in the source.
    at: usize,
}

/// Where and why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("line {line}, column {column}: {kind}")]
pub struct TemplateError {
    /// In bytes from 0.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// In characters from 1.
    pub column: usize,
    /// Why.
    pub kind: TemplateErrorKind,
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateErrorKind {
    /// Longer than [`MAX_TEMPLATE_CHARS`].
    #[error("the text is longer than {MAX_TEMPLATE_CHARS} characters")]
    TooLong,
    /// More variables than [`MAX_SLOTS`].
    #[error("there are more than {MAX_SLOTS} variables")]
    TooManyVariables,
    /// `{{` without `}}`.
    #[error("\"{{{{\" is not closed by \"}}}}\"")]
    Unclosed,
    /// `{{ }}`.
    #[error("there is no variable between the braces")]
    EmptyVariable,
    /// Not a name: letters, digits and `_`, with at most one dot as in `attributes.city`.
    #[error("\"{0}\" is not a variable's name: use letters, digits and \"_\", and one dot as in attributes.city")]
    BadName(String),
    /// A word of the template language.
    #[error("\"{0}\" is a word of the template language and cannot be a variable")]
    ReservedName(String),
    /// A filter other than `default`.
    #[error("the only filter is default(\"…\")")]
    UnknownFilter,
    /// `default` without exactly one text in quotes.
    #[error("write the fallback as default(\"text\")")]
    BadDefault,
    /// Anything else between the braces.
    #[error("only a variable and its fallback may stand between the braces")]
    Unexpected,
    /// `{% … %}`.
    #[error("blocks ({{% … %}}) are not allowed")]
    Block,
    /// `{# … #}`.
    #[error("comments ({{# … #}}) are not allowed")]
    Comment,
    /// Refused by minijinja though our parser took it. No such text is known.
    #[error("the template language refuses it: {0}")]
    Refused(String),
}

/// A variable has no value and no fallback. The message is not sent, rather than sent as "Hi ,".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" has no value and no fallback")]
pub struct MissingVariable {
    /// The variable.
    pub name: String,
}

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self { source: text.to_owned(), segments: parse::parse(text)? };
        #[cfg(feature = "server")]
        reference::check(text).map_err(|why| TemplateError {
            offset: 0,
            line: 1,
            column: 1,
            kind: TemplateErrorKind::Refused(why),
        })?;
        Ok(template)
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names of its variables, each once, in the order of their first appearance.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for slot in self.slots() {
            if !names.contains(&slot.name.as_str()) {
                names.push(slot.name.as_str());
            }
        }
        names
    }

    /// The names of the variables that a person must have to receive it: those with a place where no fallback stands.
    pub fn required(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for slot in self.slots().filter(|slot| slot.default.is_none()) {
            if !names.contains(&slot.name.as_str()) {
                names.push(slot.name.as_str());
            }
        }
        names
    }

    /// Fills in the slots. A value of white space only counts as none; a value that holds `{{…}}` stays text.
    ///
    /// # Errors
    /// [`MissingVariable`] for the first slot without value and fallback.
    pub fn render<'v>(&self, vars: impl Fn(&str) -> Option<Cow<'v, str>>) -> Result<String, MissingVariable> {
        let mut out = String::with_capacity(self.source.len() + 32);
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Slot(slot) => match vars(&slot.name).filter(|value| !value.trim().is_empty()) {
                    Some(value) => out.push_str(&value),
                    None => match &slot.default {
                        Some(default) => out.push_str(default),
                        None => return Err(MissingVariable { name: slot.name.clone() }),
                    },
                },
            }
        }
        Ok(out)
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Slot(slot) => Some(slot),
            Segment::Literal(_) => None,
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, vars: &[(&str, &str)], expected: Result<&str, &str>) {
        let found = Template::parse(text)
            .expect("a well-formed example")
            .render(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| Cow::Borrowed(*value)));
        assert_eq!(found.as_deref().map_err(|missing| missing.name.as_str()), expected, "{text:?} with {vars:?}");
    }

    #[test]
    fn slots_are_filled() {
        let ann = &[("name", "Ann"), ("attributes.city", "Bonn")];
        check("", &[], Ok(""));
        check("Hi", &[], Ok("Hi"));
        check("Hi {{ name }}!", ann, Ok("Hi Ann!"));
        check("{{name}}{{ name }}{{\nname\t}}", ann, Ok("AnnAnnAnn"));
        check("{{ attributes.city }}", ann, Ok("Bonn"));
        check("Hi {{ name | default(\"you\") }}", ann, Ok("Hi Ann"));
        check("Hi {{ name|default('you')}}", &[], Ok("Hi you"));
        check("Hi {{ name | default( \"\" ) }}!", &[], Ok("Hi !"));
        check(r#"{{ x | default("a \"b\" \\ 'c' }} \n") }}"#, &[], Ok("a \"b\" \\ 'c' }} \n"));
        check("50 % off } {x} }} \n", &[], Ok("50 % off } {x} }} \n"));
    }

    #[test]
    fn a_missing_value_is_an_error_and_never_a_gap() {
        check("Hi {{ name }},", &[], Err("name"));
        check("Hi {{ name }},", &[("name", "")], Err("name"));
        check("Hi {{ name }},", &[("name", " \n")], Err("name"));
        check("{{ a | default('x') }} {{ b }}", &[], Err("b"));
        check("Hi {{ name | default('you') }},", &[("name", " ")], Ok("Hi you,"));
    }

    #[test]
    fn values_are_never_evaluated() {
        check(
            "Hi {{ name }}",
            &[("name", "{{ secret }}{% if x %}"), ("secret", "no")],
            Ok("Hi {{ secret }}{% if x %}"),
        );
        check("{{ a | default('{{ b }}') }}", &[("b", "no")], Ok("{{ b }}"));
    }

    #[test]
    fn variables_are_listed_once() {
        let template =
            Template::parse("{{ a }} {{ b | default('x') }} {{ a }} {{ c.d }} {{ b }}").expect("a well-formed example");
        assert_eq!(template.variables(), ["a", "b", "c.d"]);
        assert_eq!(template.required(), ["a", "c.d", "b"]);
    }
}
