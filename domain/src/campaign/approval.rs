//! The word of a second operator.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a campaign stands between being written and being allowed to start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Approval {
    /// The workspace asks for none.
    #[default]
    NotNeeded,
    /// One is needed, and nobody asked for it yet.
    Missing,
    /// Someone asked for it.
    Proposed {
        /// Who.
        by: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// A second operator agreed to exactly this audience, content, schedule and these limits.
    Approved {
        /// Who asked.
        proposed_by: String,
        /// Who agreed.
        by: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Something that was proposed or approved has changed since: it must be proposed again.
    Void,
}

impl Approval {
    /// Whether it lets a campaign start.
    pub const fn permits(&self) -> bool {
        matches!(self, Self::NotNeeded | Self::Approved { .. })
    }

    /// In words, for people.
    pub fn describe(&self) -> String {
        match self {
            Self::NotNeeded => String::new(),
            Self::Missing => "it needs the approval of a second operator".to_owned(),
            Self::Proposed { by, .. } => format!("it waits for the approval that {by} asked for"),
            Self::Approved { by, .. } => format!("approved by {by}"),
            Self::Void => "it has changed since it was proposed: ask for approval again".to_owned(),
        }
    }
}
