//! Work that was given up, kept until a person decides.

use crate::{consent::words, ids::DeadLetterId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

words! {
    /// What became of work that was given up.
    Resolution {
        /// It was given back to the workers.
        Redriven = "redriven", "Tried again";
        /// It was thrown away.
        Discarded = "discarded", "Discarded";
    }
}

/// A piece of work that was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// What kind of work it was: the name of its queue.
    pub kind: String,
    /// What it was about, as `noun:id`.
    pub subject: String,
    /// Why it was given up, in words for people.
    pub reason: String,
    /// What is needed to look into it.
    pub payload: Value,
    /// When it was given up.
    pub at: DateTime<Utc>,
    /// When a person decided.
    pub resolved_at: Option<DateTime<Utc>>,
    /// What was decided.
    pub resolution: Option<Resolution>,
}
