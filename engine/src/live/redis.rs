//! Hints between processes, through Redis' publish and subscribe: a hint that is lost costs a late page.

use super::{Live, Nudge, Relay};
use crate::queue::redis::Redis;
use futures::StreamExt as _;
use redis::RedisError;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Hints that may wait to be sent; beyond it they are dropped.
const WAITING_MAX: usize = 1_024;
/// How long to wait before listening anew.
const RECONNECT: Duration = Duration::from_secs(1);

struct RedisRelay {
    outgoing: mpsc::Sender<Nudge>,
}

impl Relay for RedisRelay {
    fn send(&self, nudge: &Nudge) {
        // Full: pages are late until the next hint.
        let _ = self.outgoing.try_send(nudge.clone());
    }
}

/// Hints that reach the pages of all processes. Its two tasks end with `shutdown`.
pub fn relay(redis: Redis, shutdown: CancellationToken) -> Live {
    let (outgoing, waiting) = mpsc::channel(WAITING_MAX);
    let live = Live::with_relay(Arc::new(RedisRelay { outgoing }));
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(publish(redis.clone(), waiting)));
    tokio::spawn(shutdown.run_until_cancelled_owned(listen(redis, live.clone())));
    live
}

async fn publish(redis: Redis, mut waiting: mpsc::Receiver<Nudge>) {
    let (mut connection, channel) = (redis.manager(), redis.key("live"));
    while let Some(nudge) = waiting.recv().await {
        let Ok(text) = serde_json::to_string(&nudge) else { continue };
        if let Err(error) = redis::cmd("PUBLISH").arg(&channel).arg(text).exec_async(&mut connection).await {
            tracing::debug!(error = %error, "a hint was lost");
        }
    }
}

async fn listen(redis: Redis, live: Live) {
    loop {
        if let Err(error) = listen_once(&redis, &live).await {
            tracing::warn!(error = %error, "hints from other processes are not heard; listening anew");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen_once(redis: &Redis, live: &Live) -> Result<(), RedisError> {
    let mut pubsub = redis.pubsub().await?;
    pubsub.subscribe(redis.key("live")).await?;
    let mut messages = pubsub.into_on_message();
    while let Some(message) = messages.next().await {
        match serde_json::from_slice(message.get_payload_bytes()) {
            Ok(nudge) => live.deliver(nudge),
            Err(error) => tracing::warn!(error = %error, "a hint could not be read; do all processes run one version?"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::CampaignId;
    use uuid::Uuid;

    #[tokio::test]
    async fn a_hint_reaches_the_pages_of_another_process() {
        let server = crate::queue::redis::tests::Server::start().await;
        let shutdown = CancellationToken::new();
        let (one, other) =
            (relay(server.redis().await, shutdown.clone()), relay(server.redis().await, shutdown.clone()));
        let mut pages = other.listen();
        let nudge = Nudge::Campaign { id: CampaignId(Uuid::from_u128(7)) };
        // It may go out before the other listens: so it is repeated until it is heard.
        let heard = async {
            loop {
                one.send(nudge.clone());
                if let Ok(heard) = tokio::time::timeout(Duration::from_millis(50), pages.recv()).await {
                    break heard;
                }
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(10), heard).await.expect("heard within ten seconds");
        assert_eq!(heard.unwrap(), nudge);
        shutdown.cancel();
    }
}
