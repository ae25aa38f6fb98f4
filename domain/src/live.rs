//! What travels to open pages.

use crate::{campaign::Progress, ids::CampaignId};
use serde::{Deserialize, Serialize};

/// A hint to open pages. Campaign counters travel in it; all else says only that a noun changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hint {
    /// A campaign's counters.
    Campaign {
        /// Which.
        id: CampaignId,
        /// The counters.
        progress: Box<Progress>,
    },
    /// Something of this noun changed: fetch again.
    Changed {
        /// The noun: `users`, `imports`, `inbound`, `messages`, `campaigns`, `phones`, `health`.
        noun: String,
    },
}
