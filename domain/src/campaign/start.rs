//! When a campaign starts, and where it is listed.

use super::CampaignStatus;
use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

/// How far ahead of universal time the first clocks on earth are, in hours.
const FIRST_ZONE_HOURS: i64 = 14;
/// How far behind it the last are, in hours.
const LAST_ZONE_HOURS: i64 = 12;

/// When a campaign starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Start {
    /// When it is launched.
    #[default]
    Now,
    /// For everyone at once.
    Instant {
        /// When.
        at: DateTime<Utc>,
    },
    /// For each person when the clock on that person's wall shows this. Where a person may live in several zones, when
    /// the last of them shows it.
    Local {
        /// What the clock shows.
        at: NaiveDateTime,
    },
}

impl Start {
    /// When the campaign begins: for a local time, when the first clocks on earth show it. `None` for [`Start::Now`].
    pub fn begins_at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Now => None,
            Self::Instant { at } => Some(at),
            Self::Local { at } => Some(at.and_utc() - Duration::hours(FIRST_ZONE_HOURS)),
        }
    }

    /// From when on nobody is waited for any more. `None` for [`Start::Now`].
    pub fn passed_at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Local { at } => Some(at.and_utc() + Duration::hours(LAST_ZONE_HOURS)),
            other => other.begins_at(),
        }
    }

    /// The word in the database.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Instant { .. } => "instant",
            Self::Local { .. } => "local",
        }
    }

    /// The words of [`Start::kind`].
    pub const KINDS: [&'static str; 3] = ["now", "instant", "local"];
}

impl From<DateTime<Utc>> for Start {
    fn from(at: DateTime<Utc>) -> Self {
        Self::Instant { at }
    }
}

impl From<NaiveDateTime> for Start {
    fn from(at: NaiveDateTime) -> Self {
        Self::Local { at }
    }
}

/// Which campaigns a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// All that are not put away.
    #[default]
    All,
    /// Those that stand so, and are not put away.
    Status(CampaignStatus),
    /// Those that wait for an approval.
    ToApprove,
    /// Those that are put away.
    Archived,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_begins_in_the_first_zone_and_passes_in_the_last() {
        let at = "2026-06-03T10:00:00".parse::<NaiveDateTime>().expect("a well-formed example");
        let start = Start::from(at);
        assert_eq!(start.begins_at().map(|at| at.to_rfc3339()).as_deref(), Some("2026-06-02T20:00:00+00:00"));
        assert_eq!(start.passed_at().map(|at| at.to_rfc3339()).as_deref(), Some("2026-06-03T22:00:00+00:00"));
        assert_eq!((Start::Now.begins_at(), Start::Now.passed_at()), (None, None));
        let instant = Start::from(at.and_utc());
        assert_eq!(instant.begins_at(), instant.passed_at());
    }

    #[test]
    fn kinds_are_what_json_says() {
        let at = "2026-06-03T10:00:00".parse::<NaiveDateTime>().expect("a well-formed example");
        for (start, kind) in [Start::Now, at.and_utc().into(), at.into()].into_iter().zip(Start::KINDS) {
            assert_eq!(serde_json::json!(start)["kind"], kind);
            assert_eq!(start.kind(), kind);
        }
    }
}
