//! The simulator's phones, as the dashboard shows them.

use crate::phone::{Channel, Phone};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A phone of the simulator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handset {
    /// Its number.
    pub phone: Phone,
    /// The last text on it.
    pub last_text: String,
    /// When that came.
    pub last_at: DateTime<Utc>,
    /// How many messages it holds.
    pub count: i64,
}

/// A message on a phone of the simulator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandsetMessage {
    /// The provider's id.
    pub sid: String,
    /// Whether the person wrote it.
    pub from_person: bool,
    /// Our side's address.
    pub sender: String,
    /// By which channel.
    pub channel: Channel,
    /// The text.
    pub text: String,
    /// The provider's status word.
    pub status: String,
    /// When.
    pub at: DateTime<Utc>,
}
