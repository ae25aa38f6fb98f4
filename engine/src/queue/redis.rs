//! Doorbells between processes: apalis-redis, kept far from where it jams.
//!
//! What it does by itself is worked around here, as seen in its source (1.0.0): every push goes through a sorted set whose
//! promotion fails at some 8,000 entries, so a queue that holds [`QUEUE_MAX`] bells takes no more; a finished task's id stays
//! in a set for ever, so [`RedisRing::tidy`] empties it; its idempotency keys never expire or are gone at once, so a bell
//! that still rings is known by a key of our own.

use super::{Doorbell, QUEUE_MAX, QUEUES, Ring};
use crate::error::{Error, Result};
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use async_trait::async_trait;
use redis::{
    Client, RedisError,
    aio::{ConnectionManagerConfig, PubSub},
};
use std::time::Duration;

/// How long Redis may take to answer. redis-rs gives up after half a second by default, and one slow moment would end every
/// worker.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an idle queue is looked at, and a living worker says so.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// After so many silent heartbeats, a worker's tasks are given to others.
const MISSED_HEARTBEATS: usize = 30;
/// How long a bell counts as ringing, if nobody hears it: then it may be rung again.
const RINGING_MS: u64 = 30_000;

/// A connection to Redis that comes back by itself. Cheap to clone.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    manager: ConnectionManager,
    /// Before every key: `{ese}` unless a test says otherwise. The braces keep the keys of one installation together.
    prefix: String,
}

impl Redis {
    /// Connects to `redis://…` or `unix://…`; `prefix` goes before every key.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn connect(url: &str, prefix: &str) -> Result<Self> {
        let client = Client::open(url).map_err(away)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT));
        let manager = client.get_connection_manager_with_config(config).await.map_err(away)?;
        Ok(Self { client, manager, prefix: prefix.to_owned() })
    }

    /// Asks for an answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<()> {
        redis::cmd("PING").exec_async(&mut self.manager()).await.map_err(away)
    }

    /// A connection for commands.
    pub(crate) fn manager(&self) -> ConnectionManager {
        self.manager.clone()
    }

    /// A new connection for listening.
    pub(crate) async fn pubsub(&self) -> Result<PubSub, RedisError> {
        self.client.get_async_pubsub().await
    }

    /// A key of ours.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }
}

/// Redis failed: nothing that is kept there is dear.
pub(crate) fn away(error: RedisError) -> Error {
    Error::Unavailable { what: "Redis", source: Box::new(error) }
}

/// Rings across processes.
#[derive(Clone)]
pub struct RedisRing {
    redis: Redis,
}

impl RedisRing {
    /// Rings through this connection.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// What apalis takes a queue's bells from, `batch` at a time.
    pub fn storage(&self, queue: &str, batch: usize) -> RedisStorage<Doorbell> {
        RedisStorage::new(self.redis.manager()).with_config(self.config(queue).batch_size(batch.max(1)))
    }

    /// To be called as soon as a bell is taken, before its work begins: what happens from then on may ring it again.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; then it is rung again half a minute later at the earliest.
    pub async fn heard(&self, bell: Doorbell) -> Result<()> {
        redis::cmd("DEL").arg(self.ringing(bell)).exec_async(&mut self.redis.manager()).await.map_err(away)
    }

    /// How many bells wait, by queue.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn depths(&self) -> Result<Vec<(&'static str, usize)>> {
        let mut depths = Vec::with_capacity(QUEUES.len());
        for (queue, _) in QUEUES {
            depths.push((queue, self.depth(queue).await?));
        }
        Ok(depths)
    }

    /// Removes what finished tasks left behind.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn tidy(&self) -> Result<()> {
        use apalis_core::backend::Vacuum as _;
        for (queue, _) in QUEUES {
            let config = self.config(queue);
            self.storage(queue, 1)
                .vacuum()
                .await
                .map_err(|error| Error::Unavailable { what: "Redis", source: Box::new(error) })?;
            redis::cmd("DEL")
                .arg(config.done_jobs_set())
                .arg(config.dead_jobs_set())
                .exec_async(&mut self.redis.manager())
                .await
                .map_err(away)?;
        }
        Ok(())
    }

    async fn depth(&self, queue: &str) -> Result<usize> {
        let config = self.config(queue);
        let (active, scheduled): (usize, usize) = redis::pipe()
            .llen(config.active_jobs_list())
            .zcard(config.scheduled_jobs_set())
            .query_async(&mut self.redis.manager())
            .await
            .map_err(away)?;
        Ok(active + scheduled)
    }

    fn config(&self, queue: &str) -> Config {
        Config::default()
            .queue(self.redis.key(queue))
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            .lock_tasks(false)
            .emit_events(false)
            .persist_results(true)
    }

    fn ringing(&self, bell: Doorbell) -> String {
        let id = match bell {
            Doorbell::Expand(campaign)
            | Doorbell::Deliver(campaign)
            | Doorbell::Overtake(campaign)
            | Doorbell::Forecast(campaign) => campaign.to_string(),
            Doorbell::Import(import) => import.to_string(),
            Doorbell::Bulk(id) => id.to_string(),
            Doorbell::Reconcile | Doorbell::Compare | Doorbell::Backfill | Doorbell::Webhooks | Doorbell::Sweep => {
                String::new()
            }
        };
        self.redis.key(&format!("ringing:{}:{id}", bell.queue()))
    }
}

#[async_trait]
impl Ring for RedisRing {
    async fn ring(&self, bell: Doorbell) -> Result<()> {
        use apalis_core::backend::TaskSink as _;
        let key = self.ringing(bell);
        let first: Option<String> = redis::cmd("SET")
            .arg(&key)
            .arg(1)
            .arg("NX")
            .arg("PX")
            .arg(RINGING_MS)
            .query_async(&mut self.redis.manager())
            .await
            .map_err(away)?;
        if first.is_none() {
            return Ok(());
        }
        let rung = if self.depth(bell.queue()).await? >= QUEUE_MAX {
            tracing::warn!(queue.name = bell.queue(), "the queue is full; the sweep will ring again");
            Ok(false)
        } else {
            let pushed = self.storage(bell.queue(), 1).push(bell).await;
            pushed.map(|()| true).map_err(|error| Error::Unavailable { what: "Redis", source: Box::new(error) })
        };
        if !matches!(rung, Ok(true)) {
            // It does not ring after all: the next try must not be taken for a repeat.
            self.heard(bell).await?;
        }
        rung.map(|_| ())
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn ping(&self) -> Result<()> {
        self.redis.ping().await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use domain::ids::CampaignId;
    use std::process::{Child, Command, Stdio};
    use uuid::Uuid;

    /// A Redis of the test's own, on a socket in a folder that goes with it.
    pub(crate) struct Server {
        child: Child,
        folder: tempfile::TempDir,
    }

    impl Server {
        pub(crate) async fn start() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let child = Command::new("redis-server")
                .args(["--port", "0", "--save", "", "--unixsocket"])
                .arg(folder.path().join("socket"))
                .current_dir(folder.path())
                .stdout(Stdio::null())
                .spawn()
                .expect("these tests need redis-server: install Redis");
            Self { child, folder }
        }

        pub(crate) async fn redis(&self) -> Redis {
            let url = format!("unix://{}", self.folder.path().join("socket").display());
            let up = async {
                while tokio::net::UnixStream::connect(self.folder.path().join("socket")).await.is_err() {
                    tokio::task::yield_now().await;
                }
                Redis::connect(&url, "{test}").await.unwrap()
            };
            tokio::time::timeout(Duration::from_secs(10), up).await.expect("Redis is up within ten seconds")
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            // It is ours alone, and holds nothing.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn deliver(n: u128) -> Doorbell {
        Doorbell::Deliver(CampaignId(Uuid::from_u128(n)))
    }

    #[tokio::test]
    async fn a_bell_that_still_rings_is_not_rung_twice() {
        let server = Server::start().await;
        let ring = RedisRing::new(server.redis().await);
        let depth = || async { ring.depth("deliver").await.unwrap() };
        for _ in 0..3 {
            ring.ring(deliver(1)).await.unwrap();
        }
        assert_eq!(depth().await, 1);
        ring.ring(deliver(2)).await.unwrap();
        assert_eq!(depth().await, 2);
        ring.heard(deliver(1)).await.unwrap();
        ring.ring(deliver(1)).await.unwrap();
        assert_eq!(depth().await, 3);
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_more_and_forgets_nothing_when_there_is_room_again() {
        let server = Server::start().await;
        let redis = server.redis().await;
        let ring = RedisRing::new(redis.clone());
        for n in 0..QUEUE_MAX as u128 + 10 {
            ring.ring(deliver(n)).await.unwrap();
        }
        assert_eq!(ring.depth("deliver").await.unwrap(), QUEUE_MAX);
        redis::cmd("FLUSHALL").exec_async(&mut redis.manager()).await.unwrap();
        ring.ring(deliver(QUEUE_MAX as u128 + 5)).await.unwrap();
        assert_eq!(ring.depth("deliver").await.unwrap(), 1, "what was refused may be rung again");
    }
}
