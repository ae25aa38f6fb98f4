//! The time of day, which a test may hold in its hand.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

/// Tells the simulator what time it is: dates in answers, the 24-hour window and the release of
/// scheduled messages follow it. Delays (latency, the steps of a message's life) follow tokio's
/// own clock instead.
#[derive(Clone)]
pub struct Clock {
    /// Milliseconds since the Unix epoch; `None` follows the system.
    manual_ms: Option<Arc<AtomicI64>>,
    /// Rung when a manual clock moves, so that what became due is released at once.
    pub(crate) moved: Arc<Notify>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self { manual_ms: None, moved: Arc::default() }
    }

    /// A clock that stands at `now` until [`Clock::set`] moves it.
    pub fn manual(now: DateTime<Utc>) -> Self {
        Self { manual_ms: Some(Arc::new(AtomicI64::new(now.timestamp_millis()))), moved: Arc::default() }
    }

    /// Moves a manual clock. A system clock stays as it is.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Some(manual) = &self.manual_ms {
            manual.store(now.timestamp_millis(), Ordering::SeqCst);
            self.moved.notify_one();
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.manual_ms {
            Some(manual) => manual.load(Ordering::SeqCst),
            None => Utc::now().timestamp_millis(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.manual_ms.is_some() { "Clock(manual)" } else { "Clock(system)" })
    }
}

/// The instant of a timestamp that came out of a [`Clock`].
pub(crate) fn date(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// RFC 2822 as Twilio writes it: `Thu, 24 Aug 2023 05:01:45 +0000`.
pub(crate) fn rfc2822(ms: i64) -> String {
    date(ms).format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}
