//! The page on which a person decides for themselves: what it shows, and what it sends.

use crate::{consent::ConsentState, ids::TopicId, phone::Channel, topic::SubscriptionView};
use serde::{Deserialize, Serialize};

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreferenceView {
    /// The person's number or WhatsApp id, masked.
    pub address: String,
    /// Channels on which the person can be reached, and where they stand.
    pub channels: Vec<(Channel, ConsentState)>,
    /// Topics, and whether they reach the person.
    pub topics: Vec<SubscriptionView>,
    /// What the form must send back: it is good for 15 minutes, and for one change.
    pub token: String,
}

/// What the page sends: the whole of what the person wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PreferenceForm {
    /// The page's token.
    pub token: String,
    /// Channels on which the person wants to hear from us.
    pub channels: Vec<Channel>,
    /// Topics that the person wants to hear about.
    pub topics: Vec<TopicId>,
    /// Whether the person wants to hear nothing at all, whatever else is chosen.
    pub nothing: bool,
}

/// What a person agreed to, as a document that the installation signs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedReceipt {
    /// The receipt: the very text that is signed, itself a JSON document.
    pub payload: String,
    /// An Ed25519 signature (RFC 8032) over the bytes of the payload, in base64.
    pub signature: String,
    /// The public key that it verifies with, in base64.
    pub public_key: String,
}
