//! The pace at which a claim's messages leave.
//!
//! The rate grants units ahead of time, each with its turn: one gap after the other, whichever worker it went to. A message
//! leaves in its turn, so that the provider sees the limit in any second and never a claim's worth at once.

use crate::rate_limit::Key;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What a message may be late by before it is worth a nap of its own; timers go by milliseconds.
const SLACK: Duration = Duration::from_millis(2);

/// Turns, one gap after the other. What is late moves what follows: time that nobody used is not made up for.
#[derive(Debug, Clone, Copy)]
struct Turns {
    /// The time that one unit takes.
    gap: Duration,
    next: Option<Instant>,
}

impl Turns {
    /// The turn of a message of so many units: not before `earliest`, and not before those of earlier messages are over.
    fn take(&mut self, earliest: Instant, units: u32) -> Instant {
        let turn = self.next.map_or(earliest, |next| next.max(earliest));
        self.next = Some(turn + self.gap * units);
        turn
    }
}

/// The pace of one run. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// The turns as the rate gave them out.
    granted: Turns,
    /// The turns as they were used.
    used: Arc<Mutex<Turns>>,
}

impl Pace {
    /// As the tightest of these limits has it.
    pub fn of(keys: &[Key]) -> Self {
        let gap_us = keys.iter().map(|key| key.limit.gap_us()).max().unwrap_or(0);
        let turns = Turns { gap: Duration::from_micros(gap_us), next: None };
        Self { granted: turns, used: Arc::new(Mutex::new(turns)) }
    }

    /// The turn of the next message of a grant whose first turn is at `start`.
    pub fn next(&mut self, start: Instant, units: u32) -> Instant {
        self.granted.take(start, units)
    }

    /// Waits for the turn that a message was given.
    pub async fn wait(turn: Instant) {
        if turn > Instant::now() {
            tokio::time::sleep_until(turn.into()).await;
        }
    }

    /// Waits, where many were kept from their turns and all could leave now, until this one may.
    pub async fn line_up(&self, units: u32) {
        let now = Instant::now();
        let turn = self.used.lock().unwrap_or_else(PoisonError::into_inner).take(now, units);
        if turn > now + SLACK {
            tokio::time::sleep_until(turn.into()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::rate::Limit;

    fn key(per_second: u32) -> Key {
        Key { name: per_second.to_string(), limit: Limit::per_second(per_second) }
    }

    #[test]
    fn messages_leave_as_far_apart_as_the_tightest_limit_has_them() {
        let mut pace = Pace::of(&[key(400), key(100)]);
        let start = Instant::now();
        let turns: Vec<u128> = [1, 1, 3, 1].map(|units| (pace.next(start, units) - start).as_millis()).to_vec();
        assert_eq!(turns, [0, 10, 20, 50]);
        let later = start + Duration::from_secs(9);
        assert_eq!(pace.next(later, 1), later, "time that nobody used is not made up for");
        assert_eq!(Pace::of(&[]).next(start, 5), start);
    }

    #[test]
    fn those_that_were_kept_from_their_turns_do_not_leave_all_at_once() {
        let pace = Pace::of(&[key(100)]);
        let now = Instant::now();
        let turns: Vec<u128> = (0..4).map(|_| (pace.used.lock().unwrap().take(now, 1) - now).as_millis()).collect();
        assert_eq!(turns, [0, 10, 20, 30]);
    }
}
