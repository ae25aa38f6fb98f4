//! Segments: saved filters over users.

use crate::{filter::Explanation, ids::SegmentId, user::User};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A saved filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// Whether a person matches a filter, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SegmentMatch {
    /// Whether they do.
    pub matches: bool,
    /// What each condition says of them, in the order of the text.
    pub conditions: Vec<Explanation>,
}

/// What a filter matches now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SegmentCount {
    /// How many people match.
    pub total: i64,
    /// Some of them.
    pub sample: Vec<User>,
    /// The filter in canonical text.
    pub canonical: String,
}

/// About how many people a filter matches now: what can be said at once, before all were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SegmentEstimate {
    /// The likeliest number.
    pub about: i64,
    /// Hardly fewer than these.
    pub least: i64,
    /// Hardly more than these.
    pub most: i64,
    /// Whether all were counted, as there are few people.
    pub exact: bool,
}
