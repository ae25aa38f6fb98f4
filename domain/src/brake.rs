//! The brake: a campaign that goes wrong pauses by itself, and says why. A person lets it go on.

use serde::{Deserialize, Serialize};

/// How many messages a canary has at the most.
pub const CANARY_MAX: u32 = 10_000;
/// A canary is judged once this share of its messages has come to an end.
pub const CANARY_KNOWN: f64 = 0.9;
/// How long a canary waits for that at the most, from its last news on, in minutes: some carriers never report an end.
pub const CANARY_PATIENCE_MINUTES: i64 = 10;
/// How many outcomes of a canary are enough to judge it.
const CANARY_LEAST: i64 = 5;

/// What pauses a campaign: shares of the messages that the provider answered for, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Below so many messages nothing is judged: a few failures say little.
    pub least_messages: u32,
    /// Filtered by a carrier or by Meta (such as 30007 and 63049).
    pub filtered_percent: f64,
    /// People who opted out: by the provider's word (21610) or by their own, after the message.
    pub opted_out_percent: f64,
    /// Refused, failed or undelivered, for whatever reason.
    pub failed_percent: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { least_messages: 50, filtered_percent: 2.0, opted_out_percent: 3.0, failed_percent: 30.0 }
    }
}

/// A bound is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBound {
    /// A percentage is not one.
    #[error("a percentage is above 0 and at most 100")]
    Percent,
    /// Nothing would ever be judged.
    #[error("at least 1 message, and at most 1,000,000")]
    Messages,
}

impl Bounds {
    /// What is wrong with them, by field.
    pub fn faults(&self) -> Vec<(&'static str, BadBound)> {
        let percents = [
            ("filtered_percent", self.filtered_percent),
            ("opted_out_percent", self.opted_out_percent),
            ("failed_percent", self.failed_percent),
        ];
        // Written so that NaN is a fault too.
        let bad = percents.into_iter().filter(|(_, percent)| !(*percent > 0.0 && *percent <= 100.0));
        let mut faults: Vec<_> = bad.map(|(field, _)| (field, BadBound::Percent)).collect();
        if !(1..=1_000_000).contains(&self.least_messages) {
            faults.push(("least_messages", BadBound::Messages));
        }
        faults
    }
}

/// What became of a campaign's messages, as far as the brake looks at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Those that the provider answered for: taken, or refused.
    pub answered: i64,
    /// Filtered.
    pub filtered: i64,
    /// Opted out.
    pub opted_out: i64,
    /// Refused, failed or undelivered.
    pub failed: i64,
}

impl Tally {
    /// What came since an earlier look: an operator who lets a campaign go on has seen what was before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let less = |now: i64, then: i64| (now - then).max(0);
        Self {
            answered: less(self.answered, earlier.answered),
            filtered: less(self.filtered, earlier.filtered),
            opted_out: less(self.opted_out, earlier.opted_out),
            failed: less(self.failed, earlier.failed),
        }
    }
}

/// Which figure passed its bound, in words; `None` if the campaign may go on. A canary is judged from few messages on.
pub fn judge(bounds: &Bounds, tally: Tally, is_canary: bool) -> Option<String> {
    let least = if is_canary { CANARY_LEAST } else { i64::from(bounds.least_messages) };
    if tally.answered < least {
        return None;
    }
    let figures = [
        ("filtered by carriers", tally.filtered, bounds.filtered_percent),
        ("opted out", tally.opted_out, bounds.opted_out_percent),
        ("failed", tally.failed, bounds.failed_percent),
    ];
    let passed = figures.into_iter().find(|(_, count, bound)| *count as f64 * 100.0 > bound * tally.answered as f64)?;
    let (what, count, bound) = passed;
    let share = count as f64 * 100.0 / tally.answered as f64;
    Some(format!("{count} of {} messages {what} ({share:.1} %; the bound is {bound} %)", tally.answered))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(answered: i64, filtered: i64, opted_out: i64, failed: i64) -> Tally {
        Tally { answered, filtered, opted_out, failed }
    }

    #[test]
    fn a_figure_beyond_its_bound_is_named() {
        let check = |tally, is_canary, expected: Option<&str>| {
            let found = judge(&Bounds::default(), tally, is_canary);
            assert_eq!(
                found.as_deref().map(|why| why.contains(expected.unwrap_or("?"))),
                expected.map(|_| true),
                "{found:?}"
            );
        };
        check(tally(49, 49, 0, 49), false, None);
        check(tally(50, 1, 1, 15), false, None);
        check(tally(50, 2, 0, 2), false, Some("2 of 50 messages filtered by carriers (4.0 %; the bound is 2 %)"));
        check(tally(100, 2, 4, 0), false, Some("opted out"));
        check(tally(100, 0, 0, 31), false, Some("failed"));
        check(tally(4, 4, 4, 4), true, None);
        check(tally(5, 0, 0, 2), true, Some("failed"));
    }

    #[test]
    fn what_was_seen_before_a_resume_does_not_count_again() {
        let now = tally(200, 10, 5, 50);
        assert_eq!(now.since(tally(150, 10, 5, 50)), tally(50, 0, 0, 0));
        // A message that was tried again leaves the failures.
        assert_eq!(tally(10, 0, 0, 1).since(tally(10, 0, 0, 3)), tally(0, 0, 0, 0));
    }

    #[test]
    fn bounds_are_percentages() {
        assert_eq!(Bounds::default().faults(), []);
        let bad =
            Bounds { least_messages: 0, filtered_percent: 0.0, opted_out_percent: f64::NAN, failed_percent: 101.0 };
        assert_eq!(bad.faults().len(), 4);
    }
}
