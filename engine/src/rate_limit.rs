//! Rate limits shared by all workers: in process when embedded, through Redis when scaled.

pub mod redis;

use crate::error::Result;
use async_trait::async_trait;
use domain::rate::{Cell, Grant, Limit, adjust, room, take};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// One limit that a claim must keep: its key and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `account`, `sender:…` or `campaign:…`.
    pub name: String,
    /// The limit.
    pub limit: Limit,
}

/// Gives out units.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Takes up to `wanted` units from all keys at once: as many as the tightest has room for, or none.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] when the shared state is away.
    async fn take(&self, keys: &[Key], wanted: u32) -> Result<Grant>;

    /// Charges further units that turned out to be needed (a text of three segments), or gives back those that were not
    /// (a message that a gate stopped). What is charged beyond the limit is owed.
    ///
    /// # Errors
    /// As [`Limiter::take`].
    async fn adjust(&self, keys: &[Key], units: i64) -> Result<()>;
}

/// The limiter in use. Cheap to clone.
pub type Rates = Arc<dyn Limiter>;

/// Limits of one process.
pub struct LocalLimiter {
    started: Instant,
    cells: Mutex<HashMap<String, Cell>>,
}

impl Default for LocalLimiter {
    fn default() -> Self {
        Self { started: Instant::now(), cells: Mutex::default() }
    }
}

impl LocalLimiter {
    fn now_us(&self) -> u64 {
        // One second is added so that 0 keeps its meaning of "never used".
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX - 1_000_000) + 1_000_000
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn take(&self, keys: &[Key], wanted: u32) -> Result<Grant> {
        let now_us = self.now_us();
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut granted, mut starts_us) = (wanted.max(1), 0);
        for key in keys {
            match room(cells.get(&key.name).copied().unwrap_or_default(), key.limit, now_us, granted) {
                Grant::Granted { units, in_us } => {
                    granted = granted.min(units);
                    starts_us = in_us.max(starts_us);
                }
                wait @ Grant::Wait(_) => return Ok(wait),
            }
        }
        for key in keys {
            let cell = cells.entry(key.name.clone()).or_default();
            *cell = take(*cell, key.limit, now_us, granted);
        }
        Ok(Grant::Granted { units: granted, in_us: starts_us })
    }

    async fn adjust(&self, keys: &[Key], units: i64) -> Result<()> {
        if units == 0 {
            return Ok(());
        }
        let now_us = self.now_us();
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let cell = cells.entry(key.name.clone()).or_default();
            *cell = adjust(*cell, key.limit, now_us, units);
        }
        Ok(())
    }
}
