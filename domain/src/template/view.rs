//! Templates as operators see and enter them.

use crate::{ids::TemplateId, phone::Channel};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A template in its newest version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// When the newest version was made.
    pub updated_at: DateTime<Utc>,
}

/// What an operator enters for a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
}
