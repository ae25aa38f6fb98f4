//! How many messages someone may get in a time.

use crate::phone::Channel;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// How many caps a workspace may have.
pub const CAPS_MAX: usize = 10;
/// The most messages that a cap may allow.
pub const CAP_MESSAGES_MAX: u32 = 1_000;
/// The longest time of a cap, in days.
pub const CAP_DAYS_MAX: u32 = 365;

/// At most so many messages in so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cap {
    /// How many.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, maximum = 4_294_967_295u64))]
    pub messages: u32,
    /// In how many days, each of 24 hours.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, maximum = 4_294_967_295u64))]
    pub days: u32,
}

/// A cap of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelCap {
    /// On which channel.
    pub channel: Channel,
    /// The cap.
    pub cap: Cap,
}

/// A cap cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cap allows 1 to {CAP_MESSAGES_MAX} messages in 1 to {CAP_DAYS_MAX} days")]
pub struct BadCap;

impl Cap {
    /// A cap within bounds.
    ///
    /// # Errors
    /// [`BadCap`].
    pub fn new(messages: u32, days: u32) -> Result<Self, BadCap> {
        let fits = (1..=CAP_MESSAGES_MAX).contains(&messages) && (1..=CAP_DAYS_MAX).contains(&days);
        fits.then_some(Self { messages, days }).ok_or(BadCap)
    }

    /// In words.
    pub fn describe(self) -> String {
        let plural = |n: u32, noun: &str| if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") };
        format!("{} in {}", plural(self.messages, "message"), plural(self.days, "day"))
    }

    /// When the cap has room again: `None`, if it has room now. `got` are the instants of messages, also of planned ones,
    /// which count as if they were sent now.
    pub fn full_until(self, got: &[DateTime<Utc>], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let length = Duration::days(self.days.into());
        let mut counted: Vec<DateTime<Utc>> = got.iter().copied().filter(|at| *at > now - length).collect();
        counted.sort_unstable();
        let over = counted.len().checked_sub(self.messages as usize)?;
        // Once this one and those before it have left, one place is free.
        counted.get(over).map(|at| *at + length)
    }
}

/// Of several caps the one that is full for longest, with the instant at which it has room again.
pub fn fullest(caps: &[Cap], got: &[DateTime<Utc>], now: DateTime<Utc>) -> Option<(Cap, DateTime<Utc>)> {
    caps.iter().filter_map(|cap| Some((*cap, cap.full_until(got, now)?))).max_by_key(|(_, until)| *until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_counts_what_lies_within_its_days() {
        let now = DateTime::from_timestamp(1_780_000_000, 0).expect("a fixed instant");
        let ago = |hours: i64| now - Duration::hours(hours);
        let check = |messages, days, got: &[DateTime<Utc>], expected: Option<DateTime<Utc>>| {
            let cap = Cap::new(messages, days).expect("a sound cap");
            assert_eq!(cap.full_until(got, now), expected, "{cap:?} {got:?}");
        };
        check(1, 1, &[], None);
        check(1, 1, &[ago(24)], None);
        check(1, 1, &[ago(23)], Some(now + Duration::hours(1)));
        check(2, 7, &[ago(23)], None);
        check(2, 7, &[ago(1), ago(100)], Some(now + Duration::hours(68)));
        // More than it allows: two must leave.
        check(2, 7, &[ago(1), ago(100), ago(50)], Some(now + Duration::hours(118)));
        check(1, 1, &[now], Some(now + Duration::days(1)));
    }

    #[test]
    fn of_several_the_longest_decides() {
        let now = DateTime::from_timestamp(1_780_000_000, 0).expect("a fixed instant");
        let caps = [Cap { messages: 1, days: 1 }, Cap { messages: 2, days: 7 }];
        assert_eq!(fullest(&caps, &[now], now), Some((caps[0], now + Duration::days(1))));
        assert_eq!(fullest(&caps, &[now, now], now), Some((caps[1], now + Duration::days(7))));
        assert_eq!(fullest(&caps, &[], now), None);
        assert_eq!(caps[0].describe(), "1 message in 1 day");
    }

    #[test]
    fn bounds_hold() {
        for (messages, days, good) in [(0, 1, false), (1, 0, false), (1, 1, true), (1_001, 1, false), (1, 366, false)] {
            assert_eq!(Cap::new(messages, days).is_ok(), good, "{messages} in {days}");
        }
    }
}
