//! When something is tried again: exponential, capped, with full jitter.

use chrono::Duration;

/// A schedule of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The first gap, in milliseconds.
    pub base_ms: u64,
    /// The longest gap, in milliseconds.
    pub cap_ms: u64,
    /// How many tries there are in all, the first one counted.
    pub tries_max: u32,
}

/// After 429, or when nothing was written: TWILIO.md 6 asks for 100 ms, doubled, capped at 30 s.
pub const NOT_PROCESSED: Schedule = Schedule { base_ms: 100, cap_ms: 30_000, tries_max: 200 };

/// Later, bounded, by rate: queues that are full (TWILIO.md 8).
pub const LATER: Schedule = Schedule { base_ms: 5_000, cap_ms: 600_000, tries_max: 20 };

/// Once or twice later (TWILIO.md 8).
pub const ONCE_OR_TWICE: Schedule = Schedule { base_ms: 60_000, cap_ms: 600_000, tries_max: 3 };

/// The day's allowance is spent (TWILIO.md 8): once a day, with half a day of jitter so that not everyone comes back at
/// once.
pub const NEXT_DAY: Schedule = Schedule { base_ms: 86_400_000, cap_ms: 86_400_000, tries_max: 3 };

/// How long after its launch a campaign's messages are still worth another attempt.
pub const WANTED_FOR: Duration = Duration::hours(72);

/// How long to wait after this many tries; `None` once they are spent. `random` is in 0..1; `asked` is what the other
/// side asked for at least, in seconds.
pub fn next(schedule: Schedule, tries: u32, random: f64, asked: Option<u32>) -> Option<Duration> {
    if tries >= schedule.tries_max {
        return None;
    }
    let doubled = schedule.base_ms.saturating_mul(1u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX));
    let ceiling = doubled.min(schedule.cap_ms);
    // Half is kept, half is jitter: a crowd spreads out, and nobody comes back at once.
    let jittered = ceiling / 2 + (random.clamp(0.0, 1.0) * (ceiling - ceiling / 2) as f64) as u64;
    let asked_ms = u64::from(asked.unwrap_or(0)).saturating_mul(1_000).min(3_600_000);
    Some(Duration::milliseconds(i64::try_from(jittered.max(asked_ms)).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_stay_within_bounds(tries in 1u32..500, random in 0.0f64..1.0, asked in proptest::option::of(0u32..10_000)) {
            match next(NOT_PROCESSED, tries, random, asked) {
                None => prop_assert!(tries >= NOT_PROCESSED.tries_max),
                Some(wait) => {
                    prop_assert!(wait >= Duration::milliseconds(50));
                    prop_assert!(wait <= Duration::hours(1));
                    let floor = Duration::seconds(i64::from(asked.unwrap_or(0)).min(3_600));
                    prop_assert!(wait >= floor);
                }
            }
        }
    }

    #[test]
    fn it_doubles_to_its_cap() {
        let at = |tries| next(NOT_PROCESSED, tries, 1.0, None).map(|d| d.num_milliseconds());
        assert_eq!([at(1), at(2), at(3), at(20), at(200)], [Some(100), Some(200), Some(400), Some(30_000), None]);
    }
}
