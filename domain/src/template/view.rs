//! Templates as operators see and enter them.

use super::LocaleText;
use crate::{ids::TemplateId, phone::Channel};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A template in its newest version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateView {
    /// Its id.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// For which channel.
    pub channel: Channel,
    /// The newest version.
    pub version: i32,
    /// The text. Of a WhatsApp template it is what the provider's content says, for previews.
    pub body: String,
    /// The provider's content id (`HX…`), for WhatsApp templates.
    pub content_sid: Option<String>,
    /// The values of the content's variables, each a template text, by their number.
    pub content_variables: BTreeMap<String, String>,
    /// What it says in other languages, by tag.
    pub locales: BTreeMap<String, LocaleText>,
    /// When the newest version was made.
    pub updated_at: DateTime<Utc>,
}

/// What an operator enters for a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TemplateForm {
    /// The name.
    pub name: String,
    /// The channel.
    pub channel: Channel,
    /// The text.
    pub body: String,
    /// The provider's content id; empty for free text.
    pub content_sid: String,
    /// The content's variables.
    pub content_variables: BTreeMap<String, String>,
    /// What it says in other languages, by tag. Who reads none of them gets the text above.
    #[serde(default)]
    pub locales: BTreeMap<String, LocaleText>,
}

impl From<&TemplateView> for TemplateForm {
    fn from(view: &TemplateView) -> Self {
        Self {
            name: view.name.clone(),
            channel: view.channel,
            body: view.body.clone(),
            content_sid: view.content_sid.clone().unwrap_or_default(),
            content_variables: view.content_variables.clone(),
            locales: view.locales.clone(),
        }
    }
}

/// What somebody would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplatePreview {
    /// Who, in words.
    pub person: String,
    /// In which language; `None` for the default.
    pub locale: Option<String>,
    /// The text; `None` where something is missing.
    pub text: Option<String>,
    /// The variable without a value.
    pub missing: Option<String>,
    /// The values that were filled in, by variable.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<String>>))]
    pub values: Vec<(String, String)>,
    /// How many parts it takes; 1 for WhatsApp.
    pub segments: u32,
    /// Whether a character makes it UCS-2.
    pub is_ucs2: bool,
}
