//! The suppression list: addresses that nobody messages, whoever they belong to. It holds keyed hashes and names nobody.

use crate::phone::Channel;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suppression {
    /// The keyed hash of channel and address, in hexadecimal: what names the entry.
    pub hash: String,
    /// The channel.
    pub channel: Channel,
    /// Why it is there, in words.
    pub reason: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

impl Suppression {
    /// The first characters of the hash, enough to tell entries apart on a page.
    pub fn short(&self) -> &str {
        self.hash.get(..12).unwrap_or(&self.hash)
    }
}
