//! Senders: the numbers and messaging services that messages leave from.

use crate::{ids::SenderId, phone::Channel};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A sender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sender {
    /// Its id.
    pub id: SenderId,
    /// What it sends.
    pub channel: Channel,
    /// A number in E.164, or a messaging service's SID.
    pub address: String,
    /// What people call it.
    pub name: String,
    /// How many message segments it may send a second.
    pub rate_per_second: u32,
    /// Whether it may send.
    pub enabled: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}
