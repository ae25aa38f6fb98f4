//! Segments: saved filters over users.

use crate::{ids::SegmentId, user::User};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A saved filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// Its name.
    pub name: String,
    /// The filter, in canonical text.
    pub filter: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a filter matches now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentCount {
    /// How many people match.
    pub total: i64,
    /// Some of them.
    pub sample: Vec<User>,
    /// The filter in canonical text.
    pub canonical: String,
}
