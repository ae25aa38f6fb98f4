//! Messages as lists, pages and the API show them.

use super::State;
use crate::{
    compliance::Gate,
    ids::{CampaignId, EventId, MessageKey, SenderId, TemplateId, TopicId, UserId},
    phone::{Channel, Phone},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One row of the messages list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageRow {
    /// Its key.
    pub key: MessageKey,
    /// The campaign's name.
    pub campaign_name: String,
    /// To whom.
    pub user_id: UserId,
    /// The person's name, if known.
    pub user_name: Option<String>,
    /// The address, if the person has a phone number.
    pub phone: Option<Phone>,
    /// By which channel.
    pub channel: Channel,
    /// Where it stands.
    pub state: State,
    /// The provider's error code, if it gave one.
    pub error_code: Option<i32>,
    /// What the code means, in words.
    pub error_text: Option<String>,
    /// Why it waits or was skipped: the deciding gate in words.
    pub reason: Option<String>,
    /// How often it was tried.
    pub attempts: i16,
    /// When its state last changed.
    pub updated_at: DateTime<Utc>,
}

/// One message, with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageDetail {
    /// The row of the list.
    pub row: MessageRow,
    /// The provider's id, if it took the message.
    pub provider_sid: Option<String>,
    /// The text, as it is or would be sent; `None` where it cannot be rendered now.
    pub text: Option<String>,
    /// Whether contradicting ends were reported.
    pub conflict: bool,
    /// Whether the provider holds it twice.
    pub duplicate: bool,
    /// What happened, oldest first: the state line.
    pub history: Vec<HistoryEntry>,
    /// Every gate that deferred or skipped it, oldest first.
    pub decisions: Vec<Decision>,
    /// Every exchange with the provider and every callback, verbatim, oldest first.
    pub exchanges: Vec<Exchange>,
}

/// A step in a message's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// A short title: a state or an act.
    pub title: String,
    /// More, if there is more to say.
    pub detail: Option<String>,
    /// The state it stands for, if it is one.
    pub state: Option<State>,
}

/// A stored verdict of the gates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decision {
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// `defer` or `skip`.
    pub verdict: String,
    /// The gate that decided.
    pub gate: Gate,
    /// The fact it used, in words.
    pub fact: String,
    /// When the message is eligible next, if it was deferred.
    pub next_at: Option<DateTime<Utc>>,
}

/// One line of the ledger of decisions: the verdict, and on whose message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecisionEntry {
    /// On which message.
    pub key: MessageKey,
    /// The campaign's name.
    pub campaign_name: String,
    /// Whose message.
    pub user_id: UserId,
    /// Their name; `None` without one, or once they were erased.
    pub user_name: Option<String>,
    /// Their number; `None` without one, or once they were erased.
    pub phone: Option<Phone>,
    /// The verdict.
    #[serde(flatten)]
    pub decision: Decision,
}

/// Which decisions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DecisionQuery {
    /// Only of this campaign.
    pub campaign: Option<CampaignId>,
    /// Only on this user's messages.
    pub user: Option<UserId>,
    /// Only of this gate.
    pub gate: Option<Gate>,
}

/// Something that went over the wire, verbatim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Exchange {
    /// The event's id.
    pub id: EventId,
    /// When it was stored.
    pub at: DateTime<Utc>,
    /// What it is: `create`, `list`, `status`, `inbound`.
    pub kind: String,
    /// What was stored, as text; `None` once it was erased.
    pub payload: Option<String>,
    /// SHA-256 of the payload, in hex.
    pub sha256: String,
}

/// One message to one person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SingleSendForm {
    /// To whom.
    pub user: UserId,
    /// From whom; it decides the channel.
    pub sender: SenderId,
    /// What: the template's newest version.
    pub template: TemplateId,
    /// On which topic: only if it reaches the person.
    #[serde(default)]
    pub topic: Option<TopicId>,
}

/// What the messages list can be filtered by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageQuery {
    /// Only this campaign's.
    pub campaign: Option<CampaignId>,
    /// Only this user's.
    pub user: Option<UserId>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only stopped by this gate.
    pub gate: Option<Gate>,
    /// Only with this error code of the provider.
    #[serde(default)]
    pub error: Option<i32>,
    /// Only changed at or after this instant.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// Only changed before this instant.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
}
