//! What people write to us.

use crate::{
    consent::words,
    ids::{InboundId, UserId},
    phone::{Channel, Phone},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words! {
    /// What an inbound message was taken for.
    InboundKind {
        /// STOP and its kin.
        Stop = "stop", "Opt-out";
        /// START and its kin.
        Start = "start", "Opt-in";
        /// HELP and its kin.
        Help = "help", "Help";
        /// SUBSCRIBE with a topic.
        Subscribe = "subscribe", "Subscribe";
        /// UNSUBSCRIBE with a topic.
        Unsubscribe = "unsubscribe", "Unsubscribe";
        /// Reads like an opt-out, but is not the keyword: a person looks.
        ProbableOptOut = "probable_opt_out", "Probable opt-out";
        /// Anything else.
        Message = "message", "Message";
    }
}

/// A message that a person wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InboundMessage {
    /// The id.
    pub id: InboundId,
    /// The provider's id.
    pub provider_sid: String,
    /// Who wrote.
    pub user_id: UserId,
    /// The person's name, if known.
    pub user_name: Option<String>,
    /// From which number.
    pub phone: Option<Phone>,
    /// By which channel.
    pub channel: Channel,
    /// To which of our senders.
    pub to: String,
    /// The text.
    pub body: String,
    /// How many media came with it.
    pub media_count: i32,
    /// What it was taken for.
    pub kind: InboundKind,
    /// What it did, in words: "opted out of SMS", "subscribed to offers".
    pub effect: Option<String>,
    /// What we answered.
    pub reply: Option<String>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}
