//! Users: the people who receive messages.

mod bulk;
mod list;
mod view;

pub use bulk::{Bulk, BulkAct, BulkForm, BulkPreview, BulkStatus};
pub use list::{COLUMNS_MAX, NoColumn, UserColumn, UserColumns, UserSort};
pub use view::{UserView, UserViewForm};

use crate::{
    attribute::Attribute,
    consent::{ConsentEvent, ConsentView},
    ids::{ImportId, UserId},
    message::MessageRow,
    phone::Phone,
    suppression::Suppression,
    topic::SubscriptionView,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The phone number; missing for people known only by a WhatsApp id.
    pub phone: Option<Phone>,
    /// The WhatsApp id (BSUID), if that is known.
    pub whatsapp_id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The language, as a BCP 47 tag.
    pub locale: Option<String>,
    /// The IANA zone, if known.
    pub zone: Option<String>,
    /// Custom attributes.
    pub attributes: Map<String, Value>,
    /// Consent per channel.
    pub consents: Vec<ConsentView>,
    /// Whom this row was merged into: that person goes on, and this row keeps its history.
    #[serde(default)]
    pub merged_into: Option<UserId>,
    /// When the person was first known.
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

impl User {
    /// What to call the person on a page: name, else masked number, else the WhatsApp id.
    pub fn label(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        match (&self.phone, &self.whatsapp_id) {
            (Some(phone), _) => phone.masked(),
            (None, Some(id)) => id.clone(),
            (None, None) => self.id.to_string(),
        }
    }
}

/// What an operator enters for a user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct UserForm {
    /// The number, as typed.
    pub phone: String,
    /// The name.
    pub name: String,
    /// The language.
    pub locale: String,
    /// The zone.
    pub zone: String,
    /// Attributes by name; `None` leaves them as they are. Empty values are taken away.
    pub attributes: Option<Map<String, Value>>,
}

/// A user with everything that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserDetail {
    /// The person.
    pub user: User,
    /// The zones that the number allows, where the person's own is not known.
    pub possible_zones: Vec<String>,
    /// What the suppression list holds of the person's addresses.
    pub suppressed: Vec<Suppression>,
    /// Topics, with the person's choice.
    pub subscriptions: Vec<SubscriptionView>,
    /// The attributes that are declared, whether the person has a value or not.
    pub declared: Vec<Attribute>,
    /// The consent ledger, newest first.
    pub ledger: Vec<ConsentEvent>,
    /// Messages, newest first.
    pub messages: Vec<MessageRow>,
    /// Everything that happened, newest first.
    pub timeline: Vec<TimelineEntry>,
}

/// A thing that happened to a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of thing.
    pub kind: TimelineKind,
    /// In a few words.
    pub title: String,
    /// More, if there is more to say.
    pub detail: Option<String>,
    /// The page that shows it, as a path of the dashboard.
    pub link: Option<String>,
}

/// A kind of thing on a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// The person became known.
    Joined,
    /// A consent entry.
    Consent,
    /// We sent, or did not.
    Outbound,
    /// The person wrote.
    Inbound,
    /// An operator changed something.
    Edited,
    /// An import entered or changed the person.
    Imported,
}

/// Which import a person came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Origin {
    /// The import.
    pub import_id: ImportId,
    /// Its line.
    pub line: i64,
}
