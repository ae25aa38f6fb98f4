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

/// The turns as they were used.
#[derive(Debug)]
struct Used {
    turns: Turns,
    /// By how much the latest message missed its turn.
    late: Duration,
    /// How much of that was charged to the rate.
    charged: Duration,
}

impl Used {
    /// When a message of so many units that had this turn may leave.
    fn leave(&mut self, now: Instant, turn: Instant, units: u32) -> Instant {
        let leaves = self.turns.take(now, units);
        self.late = leaves.saturating_duration_since(turn);
        leaves
    }

    /// The units whose time passed unused since the last call.
    fn lost(&mut self) -> u32 {
        let rose = self.late.saturating_sub(self.charged);
        let units = rose.as_micros().checked_div(self.turns.gap.as_micros()).unwrap_or(0);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        // What is less than a unit is charged when it has grown to one.
        self.charged = (self.charged + self.turns.gap * units).min(self.late);
        units
    }
}

/// The pace of one run. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// The turns as the rate gave them out.
    granted: Turns,
    used: Arc<Mutex<Used>>,
}

impl Pace {
    /// As the tightest of these limits has it.
    pub fn of(keys: &[Key]) -> Self {
        let gap_us = keys.iter().map(|key| key.limit.gap_us()).max().unwrap_or(0);
        let turns = Turns { gap: Duration::from_micros(gap_us), next: None };
        let used = Used { turns, late: Duration::ZERO, charged: Duration::ZERO };
        Self { granted: turns, used: Arc::new(Mutex::new(used)) }
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
    pub async fn line_up(&self, turn: Instant, units: u32) {
        let now = Instant::now();
        let leaves = self.used.lock().unwrap_or_else(PoisonError::into_inner).leave(now, turn, units);
        if leaves > now + SLACK {
            tokio::time::sleep_until(leaves.into()).await;
        }
    }

    /// The units whose time passed unused since the last call, because messages missed their turns: they leave in the time
    /// of others, in this process or another, so that the rate must have that much less to give.
    pub fn lost(&self) -> u32 {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).lost()
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
        let turns: Vec<u128> =
            (0..4).map(|_| (pace.used.lock().unwrap().leave(now, now, 1) - now).as_millis()).collect();
        assert_eq!(turns, [0, 10, 20, 30]);
    }

    #[test]
    fn time_that_messages_missed_is_charged_once() {
        let pace = Pace::of(&[key(100)]);
        let start = Instant::now();
        // In tenths of the time that a message takes.
        let at = |tenths: u32| start + pace.granted.gap * tenths / 10;
        let left = |now: u32, turn: u32| {
            pace.used.lock().unwrap().leave(at(now), at(turn), 1);
            pace.lost()
        };
        assert_eq!(left(0, 0), 0);
        assert_eq!(left(10, 10), 0, "in its turn");
        assert_eq!(left(59, 20), 3, "3.9 turns late");
        assert_eq!(left(69, 30), 0, "as late as before");
        assert_eq!(left(81, 40), 1, "4.1 turns late, of which 3 were charged");
        assert_eq!(left(100, 100), 0, "in time again");
        assert_eq!(left(131, 110), 2, "late again");
    }
}
