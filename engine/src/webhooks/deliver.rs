//! The way from the event stream to an endpoint: what is behind it becomes deliveries, what is due is posted, and what came of
//! it is written down. Safe to run twice, and in several processes at once.

use super::{Record, SELECT, record};
use crate::{
    Actor, Engine, Result, cells,
    db::{self, Kind, Rows, Tx},
    feed::{self, FeedQuery},
    signing::LinkKey,
    values,
    webhooks::post::Posted,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    feed::{FeedEvent, Position},
    health::TroubledWebhook,
    ids::{CampaignId, WebhookId},
    webhook::{DeliveryState, FAILING_DAYS, retry_after},
};
use futures::future::join_all;
use rand::Rng as _;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Signer};
use std::{collections::HashMap, time::Instant};
use uuid::Uuid;

/// How many deliveries may wait for one endpoint; what comes behind them waits in the stream.
const WAITING_MAX: i64 = 1_000;
/// How many events one step takes from the stream.
const STEP_EVENTS: u32 = 500;
/// How many posts to one endpoint are under way at once. One that fails is asked with one at a time.
const AT_ONCE: i64 = 8;
/// How long a claimed delivery is left to whoever claimed it; well over what a post may take.
const LEASE: Duration = Duration::seconds(60);

/// Tells endpoints what there is to tell, for one slice of time.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away; then what was posted may be posted again.
pub async fn run(engine: &Engine) -> Result<()> {
    let deadline = Instant::now() + engine.limits.slice;
    let sql = format!("{SELECT} WHERE w.enabled ORDER BY w.id");
    let endpoints: Vec<Record> = db::all(engine.db.read(), &sql, values![]).await?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let key = LinkKey::load(engine, engine.db.read()).await?;
    // Side by side, so that a slow receiver holds nobody up.
    let served = join_all(endpoints.into_iter().map(|endpoint| serve(engine, &key, endpoint, deadline))).await;
    served.into_iter().collect()
}

/// Whether there is anything to tell.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub(crate) async fn is_due(engine: &Engine) -> Result<bool> {
    let conn = engine.db.read();
    let sql = format!(
        "SELECT 1 AS value FROM webhooks w WHERE w.enabled AND (
             EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.due_at <= $1)
             OR EXISTS (SELECT 1 FROM feed f WHERE (f.tx, f.id) > (w.told_tx, w.told_id) AND {}))
         LIMIT 1",
        db::settled_transactions(conn, "f.tx")
    );
    let found: Option<i32> = db::scalar(conn, &sql, values![engine.clock.now()]).await?;
    Ok(found.is_some())
}

async fn serve(engine: &Engine, key: &LinkKey, mut endpoint: Record, deadline: Instant) -> Result<()> {
    loop {
        take_from_stream(engine, endpoint.id).await?;
        let claimed = claim(engine, &endpoint).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let events = feed::of(engine.db.read(), &claimed.iter().map(Claimed::position).collect::<Vec<_>>()).await?;
        let events: HashMap<String, FeedEvent> = events.into_iter().map(|event| (event.id.clone(), event)).collect();
        let posts = claimed.iter().map(|one| attempt(engine, key, &endpoint, one, &events));
        let outcomes = join_all(posts).await;
        match settle(engine, &endpoint, &claimed, outcomes).await? {
            Some(now) if Instant::now() < deadline => endpoint = now,
            _ => return Ok(()),
        }
    }
}

/// Makes deliveries of what the endpoint was not told of.
async fn take_from_stream(engine: &Engine, id: Uuid) -> Result<()> {
    let tx = engine.db.begin_bulk().await?;
    let lock = if db::lock_free(&tx).is_empty() { "" } else { " FOR UPDATE OF w SKIP LOCKED" };
    let endpoint: Option<Record> =
        db::one(&tx, &format!("{SELECT} WHERE w.id = $1 AND w.enabled{lock}"), values![id]).await?;
    let Some(endpoint) = endpoint else { return Ok(()) };
    if endpoint.waiting >= WAITING_MAX {
        return Ok(());
    }
    let told = Position { tx: endpoint.told_tx, id: endpoint.told_id };
    // Read first: whatever is up to here is seen by the statement that follows.
    let end = feed::latest(&tx).await?;
    if end <= told {
        return Ok(());
    }
    let query = FeedQuery { types: endpoint.types(), campaign: endpoint.campaign_id.map(CampaignId) };
    let found = feed::after(&tx, &query, told, STEP_EVENTS).await?;
    let last = found.last().and_then(|event| event.id.parse::<Position>().ok());
    let is_all = found.len() < STEP_EVENTS as usize;
    let reached = match last {
        Some(last) if !is_all => last,
        Some(last) => last.max(end),
        None => end,
    };
    let columns = [("event_tx", Kind::Int), ("event_id", Kind::Int), ("at", Kind::Time)];
    let places = found.iter().filter_map(|event| Some((event.id.parse::<Position>().ok()?, event.timestamp)));
    let rows = Rows::of(columns, places, |(place, at)| cells![place.tx, place.id, at]);
    db::bulk(&tx, rows, values![id, engine.clock.now()], |table| {
        format!(
            "INSERT INTO webhook_deliveries (webhook_id, event_tx, event_id, state, tries, due_at, at)
             SELECT $1, event_tx, event_id, 'pending', 0, $2, at FROM {table} WHERE true
             ON CONFLICT (webhook_id, event_tx, event_id) DO NOTHING"
        )
    })
    .await?;
    let sql = "UPDATE webhooks SET told_tx = $2, told_id = $3 WHERE id = $1";
    db::exec(&tx, sql, values![id, reached.tx, reached.id]).await?;
    tx.commit().await
}

#[derive(Debug, FromQueryResult)]
struct Claimed {
    event_tx: i64,
    event_id: i64,
    tries: i32,
}

impl Claimed {
    fn position(&self) -> Position {
        Position { tx: self.event_tx, id: self.event_id }
    }
}

/// Takes what is due. The attempt counts from here on, so that one that kills its process is not made for ever.
async fn claim(engine: &Engine, endpoint: &Record) -> Result<Vec<Claimed>> {
    let now = engine.clock.now();
    let at_once = if endpoint.failing_since.is_some() { 1 } else { AT_ONCE };
    let tx = engine.db.begin().await?;
    let lock = db::lock_free(&tx);
    let sql = format!(
        "UPDATE webhook_deliveries SET tries = tries + 1, due_at = $3
         WHERE webhook_id = $1 AND (event_tx, event_id) IN (
             SELECT event_tx, event_id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'pending' AND due_at <= $2
             ORDER BY due_at, event_tx, event_id LIMIT {at_once}{lock})
         RETURNING event_tx, event_id, tries"
    );
    let claimed = db::all(&tx, &sql, values![endpoint.id, now, now + LEASE]).await?;
    tx.commit().await?;
    Ok(claimed)
}

async fn attempt(
    engine: &Engine,
    key: &LinkKey,
    endpoint: &Record,
    claimed: &Claimed,
    events: &HashMap<String, FeedEvent>,
) -> (DateTime<Utc>, Option<Posted>) {
    let at = engine.clock.now();
    let id = claimed.position().to_string();
    let Some(event) = events.get(&id) else { return (at, None) };
    let Ok(body) = serde_json::to_vec(event) else { return (at, None) };
    let sign = |secret: Vec<u8>| Signer::from_bytes(secret).and_then(|signer| signer.sign(&id, at.timestamp(), &body));
    let signatures: Vec<String> =
        endpoint.secrets(key, at).into_iter().filter_map(|secret| sign(secret).ok()).collect();
    let headers = [
        (HEADER_WEBHOOK_ID, id.clone()),
        (HEADER_WEBHOOK_TIMESTAMP, at.timestamp().to_string()),
        (HEADER_WEBHOOK_SIGNATURE, signatures.join(" ")),
    ];
    (at, Some(engine.poster.post(&endpoint.url, &headers, body).await))
}

/// Writes down what came of attempts; answers the endpoint as it is then, `None` if it is to be told no more.
async fn settle(
    engine: &Engine,
    endpoint: &Record,
    claimed: &[Claimed],
    outcomes: Vec<(DateTime<Utc>, Option<Posted>)>,
) -> Result<Option<Record>> {
    let tx = engine.db.begin().await?;
    let now = engine.clock.now();
    let sql = format!("{SELECT} WHERE w.id = $1{}", if db::lock(&tx).is_empty() { "" } else { " FOR UPDATE OF w" });
    let current: Option<Record> = db::one(&tx, &sql, values![endpoint.id]).await?;
    let Some(current) = current else { return Ok(None) };
    let (mut delivered, mut failed, mut gone) = (false, false, false);
    for (one, (at, posted)) in claimed.iter().zip(outcomes) {
        let (state, due_at) = match &posted {
            None => (DeliveryState::Failed, None),
            Some(Posted { error: None, .. }) => (DeliveryState::Delivered, None),
            Some(posted) => {
                let tries = u32::try_from(one.tries).unwrap_or(u32::MAX);
                let wait = retry_after(tries, rand::rng().random::<f64>(), posted.retry_after_s);
                let wait = wait.and_then(|wait| Duration::from_std(wait).ok());
                wait.map_or((DeliveryState::Failed, None), |wait| (DeliveryState::Pending, Some(now + wait)))
            }
        };
        delivered |= state == DeliveryState::Delivered;
        failed |= posted.as_ref().is_some_and(|posted| posted.error.is_some());
        gone |= posted.as_ref().is_some_and(|posted| posted.status == Some(410));
        store(engine, &tx, endpoint.id, one, (state, due_at), at, posted).await?;
    }
    let failing_since = match (delivered, failed) {
        (true, _) => None,
        (false, true) => Some(current.failing_since.unwrap_or(now)),
        (false, false) => current.failing_since,
    };
    db::exec(
        &tx,
        "UPDATE webhooks SET failing_since = $2, delivered_at = CASE WHEN $3 THEN $4 ELSE delivered_at END WHERE id = $1",
        values![endpoint.id, failing_since, delivered, now],
    )
    .await?;
    let why = if gone {
        Some("its receiver says that it is gone for good (410)".to_owned())
    } else {
        let over = failing_since.is_some_and(|since| now - since >= Duration::days(FAILING_DAYS));
        over.then(|| format!("nothing was delivered for {FAILING_DAYS} days"))
    };
    if let Some(why) = &why {
        disable(engine, &tx, &current, why).await?;
    }
    tx.commit().await?;
    engine.live.changed("webhooks");
    if why.is_some() {
        engine.live.changed("health");
        return Ok(None);
    }
    Ok(Some(Record { failing_since, ..current }))
}

async fn store(
    engine: &Engine,
    tx: &Tx,
    endpoint: Uuid,
    claimed: &Claimed,
    (state, due_at): (DeliveryState, Option<DateTime<Utc>>),
    at: DateTime<Utc>,
    posted: Option<Posted>,
) -> Result<()> {
    let lost = || Posted {
        status: None,
        error: Some("the event is kept no more".to_owned()),
        retry_after_s: None,
        took: std::time::Duration::ZERO,
        response: String::new(),
    };
    let posted = posted.unwrap_or_else(lost);
    db::exec(
        tx,
        "UPDATE webhook_deliveries SET state = $4, due_at = $5 WHERE webhook_id = $1 AND event_tx = $2 AND event_id = $3",
        values![endpoint, claimed.event_tx, claimed.event_id, state.as_str(), due_at],
    )
    .await?;
    db::exec(
        tx,
        "INSERT INTO webhook_attempts (webhook_id, event_tx, event_id, id, at, status, error, took_ms, response)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        values![
            endpoint,
            claimed.event_tx,
            claimed.event_id,
            engine.clock.new_id::<Uuid>(),
            at,
            posted.status.map(i32::from),
            posted.error,
            i32::try_from(posted.took.as_millis()).unwrap_or(i32::MAX),
            posted.response
        ],
    )
    .await?;
    Ok(())
}

async fn disable<C: ConnectionTrait>(engine: &Engine, conn: &C, endpoint: &Record, why: &str) -> Result<()> {
    let sql = "UPDATE webhooks SET enabled = $2, disabled_because = $3 WHERE id = $1";
    db::exec(conn, sql, values![endpoint.id, false, why]).await?;
    tracing::warn!(webhook.id = %endpoint.id, why, "a webhook was disabled");
    record(engine, conn, &Actor::system(), "webhook.disable", endpoint.id, None, Some(json!({ "why": why }))).await
}

#[derive(FromQueryResult)]
struct TroubledRow {
    id: Uuid,
    url: String,
    enabled: bool,
    disabled_because: Option<String>,
    failing_since: Option<DateTime<Utc>>,
}

/// Endpoints that nothing reaches, or that were disabled for it.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub(crate) async fn troubled<C: ConnectionTrait>(conn: &C) -> Result<Vec<TroubledWebhook>> {
    let rows: Vec<TroubledRow> = db::all(
        conn,
        "SELECT id, url, enabled, disabled_because, failing_since FROM webhooks
         WHERE disabled_because IS NOT NULL OR (enabled AND failing_since IS NOT NULL) ORDER BY id",
        values![],
    )
    .await?;
    let host = |url: &str| url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    Ok(rows
        .into_iter()
        .map(|row| TroubledWebhook {
            id: WebhookId(row.id),
            host: host(&row.url).unwrap_or_default(),
            enabled: row.enabled,
            because: row.disabled_because,
            failing_since: row.failing_since,
        })
        .collect())
}
