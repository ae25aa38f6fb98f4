//! Doorbells: "there is work". A job carries an id and nothing else; the work itself is in the database, and the sweep
//! rings again for whatever was not heard.

pub mod redis;

use crate::error::Result;
use async_trait::async_trait;
use domain::ids::{BulkId, CampaignId, ImportId};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// A doorbell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "job", content = "id", rename_all = "snake_case")]
pub enum Doorbell {
    /// Read a campaign's audience.
    Expand(CampaignId),
    /// Send a campaign's messages.
    Deliver(CampaignId),
    /// Send a standing campaign's messages, ahead of bulk.
    Overtake(CampaignId),
    /// Go on with a dry run.
    Forecast(CampaignId),
    /// Read an import's rows.
    Import(ImportId),
    /// Go on with a change of many users.
    Bulk(BulkId),
    /// Find out what became of messages whose outcome is unknown.
    Reconcile,
    /// Compare whole days with the provider's list.
    Compare,
    /// Ask the provider for what people wrote and that never came.
    Backfill,
    /// Tell endpoints of what happened.
    Webhooks,
    /// Look for everything that is due.
    Sweep,
}

/// The names of the queues, and how many of each may run at once in one process.
pub const QUEUES: [(&str, usize); 11] = [
    ("overtake", 4),
    ("expand", 2),
    ("deliver", 16),
    ("forecast", 1),
    ("import", 1),
    ("bulk", 1),
    ("reconcile", 1),
    ("compare", 1),
    ("backfill", 1),
    ("webhooks", 1),
    ("sweep", 1),
];

/// How many doorbells one queue holds; more are dropped, and the sweep rings them again (apalis-redis jams at 8,000).
pub const QUEUE_MAX: usize = 500;

impl Doorbell {
    /// The queue it rings in.
    pub const fn queue(self) -> &'static str {
        match self {
            Self::Expand(_) => "expand",
            Self::Deliver(_) => "deliver",
            Self::Overtake(_) => "overtake",
            Self::Forecast(_) => "forecast",
            Self::Import(_) => "import",
            Self::Bulk(_) => "bulk",
            Self::Reconcile => "reconcile",
            Self::Compare => "compare",
            Self::Backfill => "backfill",
            Self::Webhooks => "webhooks",
            Self::Sweep => "sweep",
        }
    }
}

/// Something that can ring.
#[async_trait]
pub trait Ring: Send + Sync {
    /// Rings; the same bell that still rings unheard is not rung twice.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`]; the caller logs it and goes on, since the sweep rings again.
    async fn ring(&self, bell: Doorbell) -> Result<()>;

    /// Whether other processes hear it too.
    fn is_shared(&self) -> bool;

    /// Asks for an answer of what carries the bells.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`].
    async fn ping(&self) -> Result<()>;
}

/// The doorbells. Cheap to clone.
#[derive(Clone)]
pub struct Queue(Arc<dyn Ring>);

impl Queue {
    /// Rings through this.
    pub fn new(ring: Arc<dyn Ring>) -> Self {
        Self(ring)
    }

    /// Whether other processes hear the bells too.
    pub fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    /// Asks for an answer of what carries the bells.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`].
    pub async fn ping(&self) -> Result<()> {
        self.0.ping().await
    }

    /// Rings, after the commit that made the work. A bell that cannot be rung is logged: the sweep rings again.
    pub async fn ring(&self, bell: Doorbell) {
        if let Err(error) = self.0.ring(bell).await {
            tracing::warn!(queue.name = bell.queue(), error = %error, "a doorbell could not be rung; the sweep will");
        }
    }
}

/// Doorbells within one process: bounded, without repeats.
#[derive(Default)]
pub struct LocalRing {
    queues: Mutex<BTreeMap<&'static str, VecDeque<Doorbell>>>,
    rung: Notify,
}

#[async_trait]
impl Ring for LocalRing {
    async fn ring(&self, bell: Doorbell) -> Result<()> {
        {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            let queue = queues.entry(bell.queue()).or_default();
            if queue.contains(&bell) {
                return Ok(());
            }
            if queue.len() >= QUEUE_MAX {
                tracing::warn!(queue.name = bell.queue(), "the queue is full; the sweep will ring again");
                return Ok(());
            }
            queue.push_back(bell);
        }
        self.rung.notify_waiters();
        Ok(())
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

impl LocalRing {
    /// The next bell of a queue, as soon as there is one.
    pub async fn next(&self, queue: &str) -> Doorbell {
        loop {
            let rung = self.rung.notified();
            tokio::pin!(rung);
            // Registered before looking, so that a bell between the look and the wait is heard.
            rung.as_mut().enable();
            if let Some(bell) = self.take(queue) {
                return bell;
            }
            rung.await;
        }
    }

    /// The next bell of a queue, if there is one.
    pub fn take(&self, queue: &str) -> Option<Doorbell> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).get_mut(queue)?.pop_front()
    }

    /// The next bell of any queue, if there is one.
    pub fn take_any(&self) -> Option<Doorbell> {
        QUEUES.iter().find_map(|(name, _)| self.take(name))
    }

    /// How many bells wait, by queue.
    pub fn depths(&self) -> Vec<(&'static str, usize)> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        QUEUES.iter().map(|(name, _)| (*name, queues.get(name).map_or(0, VecDeque::len))).collect()
    }
}
