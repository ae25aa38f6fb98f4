//! A version of a template, compiled once and rendered for many people.

use super::variables::{ATTRIBUTES_PREFIX, PREFERENCES_URL};
use crate::{Error, Result, entity::template_version};
use domain::{
    ids::TemplateId,
    template::{ContentError, ContentTemplate, LocaleText, MissingVariable, Template, TemplateForm, choose_locale},
};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeMap};

/// What a template can say of one person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// The name.
    pub name: Option<String>,
    /// The number, in E.164.
    pub phone: Option<String>,
    /// The language, as a BCP 47 tag.
    pub locale: Option<String>,
    /// Custom attributes.
    pub attributes: Map<String, Value>,
    /// The link to the person's preference page, where the template has a use for it.
    pub preferences_url: Option<String>,
}

impl Person {
    /// The value of a variable, as text: `name`, `first_name` (the name's first word), `phone`, `locale`, or a custom
    /// attribute by its bare name or as `attributes.…`. A list is joined by commas; null and objects are no value.
    pub fn value(&self, variable: &str) -> Option<Cow<'_, str>> {
        match variable {
            "name" => self.name.as_deref().map(Cow::Borrowed),
            "first_name" => self.name.as_deref()?.split_whitespace().next().map(Cow::Borrowed),
            "phone" => self.phone.as_deref().map(Cow::Borrowed),
            "locale" => self.locale.as_deref().map(Cow::Borrowed),
            PREFERENCES_URL => self.preferences_url.as_deref().map(Cow::Borrowed),
            other => text(self.attributes.get(other.strip_prefix(ATTRIBUTES_PREFIX).unwrap_or(other))?),
        }
    }
}

impl From<&domain::user::User> for Person {
    fn from(user: &domain::user::User) -> Self {
        Self {
            name: user.name.clone(),
            phone: user.phone.as_ref().map(ToString::to_string),
            locale: user.locale.clone(),
            attributes: user.attributes.clone(),
            preferences_url: None,
        }
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(text).map(Cow::into_owned).collect();
            (!items.is_empty()).then(|| Cow::Owned(items.join(", ")))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// A version of a template, compiled.
#[derive(Debug, Clone)]
pub struct Compiled {
    default: CompiledText,
    /// By language tag.
    locales: BTreeMap<String, CompiledText>,
}

/// What it says in one language.
#[derive(Debug, Clone)]
struct CompiledText {
    body: Template,
    content: Option<(String, ContentTemplate)>,
}

impl CompiledText {
    fn of(text: &LocaleText) -> Result<Self> {
        let body = Template::parse(&text.body).map_err(|error| Error::invalid("body", error.to_string()))?;
        let content = match text.content_sid.as_str() {
            "" => None,
            sid => {
                let content = ContentTemplate::parse(&text.content_variables)
                    .map_err(|error| Error::invalid("content_variables", error.to_string()))?;
                Some((sid.to_owned(), content))
            }
        };
        Ok(Self { body, content })
    }

    fn variables(&self) -> impl Iterator<Item = &str> {
        let of_content = self.content.iter().flat_map(|(_, content)| content.variables());
        self.body.variables().into_iter().chain(of_content)
    }
}

/// What one person gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The text. With a provider's content it is what the content says, as far as we know.
    pub text: String,
    /// The provider's content id and the values of its variables.
    pub content: Option<(String, Map<String, Value>)>,
}

/// Reads and compiles a version.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Internal`] if what was stored does not compile any more.
pub async fn load_version<C: ConnectionTrait>(conn: &C, id: TemplateId, version: i32) -> Result<Compiled> {
    let row = template_version::Entity::find_by_id((id.0, version)).one(conn).await?;
    let row = row.ok_or(Error::NotFound { what: "template" })?;
    let default = LocaleText {
        body: row.body,
        content_sid: row.content_sid.unwrap_or_default(),
        content_variables: serde_json::from_value(row.content_variables)?,
    };
    Compiled::build(&default, &serde_json::from_value(row.locales)?).map_err(Error::internal)
}

impl Compiled {
    fn build(default: &LocaleText, locales: &BTreeMap<String, LocaleText>) -> Result<Self> {
        let compile = |(tag, text): (&String, &LocaleText)| Ok((tag.clone(), CompiledText::of(text)?));
        Ok(Self { default: CompiledText::of(default)?, locales: locales.iter().map(compile).collect::<Result<_>>()? })
    }

    /// Compiles a template that is not stored, for previews.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what does not compile.
    pub fn of_form(form: &TemplateForm) -> Result<Self> {
        Self::build(&form.in_locale(None).1, &form.locales)
    }

    /// Compiles a text that is not stored, for previews and single messages.
    ///
    /// # Errors
    /// [`Error::Invalid`] on `body`.
    pub fn of_text(body: &str) -> Result<Self> {
        Self::build(&LocaleText { body: body.to_owned(), ..LocaleText::default() }, &BTreeMap::new())
    }

    /// The id of the content that the provider holds, if it does; such a message may be sent outside WhatsApp's 24 hours.
    /// A version has one in every language, or in none.
    pub fn content_sid(&self) -> Option<&str> {
        self.default.content.as_ref().map(|(sid, _)| sid.as_str())
    }

    /// The default text as it was written, for hashes and previews.
    pub fn source(&self) -> &str {
        self.default.body.source()
    }

    /// Every variable that it uses in any language, each once.
    pub fn variables(&self) -> Vec<String> {
        let texts = std::iter::once(&self.default).chain(self.locales.values());
        let mut names: Vec<String> = texts.flat_map(CompiledText::variables).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The language in which this person gets it; `None` for the default.
    pub fn locale_of(&self, person: &Person) -> Option<&str> {
        choose_locale(&self.locales, person.locale.as_deref()).map(|(tag, _)| tag)
    }

    /// What this person gets, in the person's language if the version has it. Of a provider's content only the variables
    /// are sent; the text beside it is our copy, and one that lacks a variable is shown as it was written.
    ///
    /// # Errors
    /// [`MissingVariable`]: what the person lacks, or which of the content's variables has no value that may be sent.
    pub fn render(&self, person: &Person) -> Result<Rendered, MissingVariable> {
        let value = |name: &str| person.value(name);
        let text = choose_locale(&self.locales, person.locale.as_deref()).map_or(&self.default, |(_, text)| text);
        let Some((sid, content)) = &text.content else {
            return Ok(Rendered { text: text.body.render(value)?, content: None });
        };
        let values = content.render(value).map_err(missing)?;
        let text = text.body.render(value).unwrap_or_else(|_| text.body.source().to_owned());
        Ok(Rendered { text, content: Some((sid.clone(), values)) })
    }
}

/// The gate on content asks for a variable without a value; a value that the provider would refuse is none.
fn missing(error: ContentError) -> MissingVariable {
    match error {
        ContentError::Missing { missing, .. } => missing,
        ContentError::Empty(key) => MissingVariable { name: format!("content variable {key}") },
        other => MissingVariable { name: format!("content ({other})") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ann() -> Person {
        let Value::Object(attributes) =
            json!({ "city": "Bonn", "age": 30, "vip": true, "tags": ["a", "b"], "none": null, "name": "no" })
        else {
            unreachable!("an object was written")
        };
        Person {
            name: Some(" Ann Lee ".into()),
            phone: None,
            locale: Some("de".into()),
            attributes,
            preferences_url: None,
        }
    }

    #[test]
    fn variables_are_found_by_bare_and_full_names() {
        let cases = [
            ("name", Some(" Ann Lee ")),
            ("first_name", Some("Ann")),
            ("phone", None),
            ("locale", Some("de")),
            ("city", Some("Bonn")),
            ("attributes.city", Some("Bonn")),
            ("attributes.name", Some("no")),
            ("age", Some("30")),
            ("vip", Some("true")),
            ("tags", Some("a, b")),
            ("none", None),
            ("other", None),
        ];
        let ann = ann();
        for (variable, expected) in cases {
            assert_eq!(ann.value(variable).as_deref(), expected, "{variable}");
        }
    }

    #[test]
    fn content_is_sent_by_its_variables() {
        let content = |text: &str| {
            let default = LocaleText {
                body: "Hi {{ first_name }}, {{ phone }}".to_owned(),
                content_sid: "HX1".to_owned(),
                content_variables: [("1".to_owned(), text.to_owned())].into(),
            };
            Compiled::build(&default, &BTreeMap::new()).unwrap()
        };
        let rendered = content("{{ first_name }}").render(&ann()).unwrap();
        assert_eq!(rendered.text, "Hi {{ first_name }}, {{ phone }}");
        assert_eq!(rendered.content.map(|(_, values)| Value::Object(values)), Some(json!({ "1": "Ann" })));
        assert_eq!(content("{{ phone }}").render(&ann()).map_err(|missing| missing.name), Err("phone".to_owned()));
        let empty = content("{{ phone | default('') }}").render(&ann());
        assert_eq!(empty.map_err(|missing| missing.name), Err("content variable 1".to_owned()));
    }

    #[test]
    fn everyone_reads_their_own_language() {
        let text = |body: &str| LocaleText { body: body.to_owned(), ..LocaleText::default() };
        let locales = [("de".to_owned(), text("Hallo {{ first_name }}"))].into();
        let compiled = Compiled::build(&text("Hi {{ city }}"), &locales).unwrap();
        assert_eq!(compiled.variables(), ["city", "first_name"]);
        let said = |locale: Option<&str>| {
            compiled.render(&Person { locale: locale.map(str::to_owned), ..ann() }).unwrap().text
        };
        assert_eq!(said(Some("de-AT")), "Hallo Ann");
        assert_eq!(said(Some("fr")), "Hi Bonn");
        assert_eq!(said(None), "Hi Bonn");
    }
}
