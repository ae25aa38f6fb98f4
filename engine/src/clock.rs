//! Time and new ids: the only file that may ask the system for either.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use uuid::Uuid;

/// Later than any instant that is kept, and as long a text as one: SQLite compares instants as texts.
pub(crate) const FAR: DateTime<Utc> = DateTime::from_timestamp(253_370_764_800, 0).expect("the year 9999");

/// Where time comes from.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    /// Milliseconds since the epoch, moved by a test.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is moved.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.timestamp_millis()))))
    }

    /// Now, cut to milliseconds: what both databases keep alike.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => {
                let now = Utc::now();
                now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now)
            }
            Source::Manual(at) => {
                DateTime::from_timestamp_millis(at.load(Ordering::SeqCst)).expect("a test keeps its clock in range")
            }
        }
    }

    /// Moves a manual clock; the system's cannot be moved.
    pub fn advance(&self, by: std::time::Duration) {
        if let Source::Manual(at) = &self.0 {
            at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// Sets a manual clock; the system's cannot be set.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Source::Manual(at) = &self.0 {
            at.store(to.timestamp_millis(), Ordering::SeqCst);
        }
    }

    /// A new id, which sorts after all earlier ones of this process.
    pub fn new_id<T: From<Uuid>>(&self) -> T {
        Uuid::now_v7().into()
    }
}
