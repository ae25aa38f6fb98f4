//! Requests that an integration may repeat under an `Idempotency-Key`: what was done once is not done again.
//!
//! The key's row is marked in the very transaction that does the work (every write records an audit row there), so a crash between
//! the commit and the answer is told from one before the commit.

use crate::{
    Engine, Error, Result,
    actor::{Actor, Identity},
    db, values,
};
use chrono::{DateTime, Duration, Utc};
use domain::ids::ApiKeyId;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::hours(24);
/// How long a request may take before another under the same key may take its place.
pub const LOCKED_FOR: Duration = Duration::seconds(60);
/// The longest key, in characters.
pub const KEY_MAX_CHARS: usize = 255;

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers that belong to it, by name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The hash of the file that the request brought, which is not part of the request's own.
    pub payload_hash: Option<Vec<u8>>,
}

/// What is known of a request under its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it is to be done now.
    Fresh,
    /// It was done, and answered so.
    Answered(Answer),
    /// It was done, but a crash took the answer: this is what it made or changed, as `noun:id`.
    Committed(String),
    /// Somebody does it at this moment.
    UnderWay,
    /// The key was used for another request.
    Mismatch,
}

#[derive(FromQueryResult)]
struct Row {
    request_hash: Vec<u8>,
    state: String,
    target: Option<String>,
    status: Option<i32>,
    headers: Option<Value>,
    body: Option<String>,
    payload_hash: Option<Vec<u8>>,
    created_at: DateTime<Utc>,
    locked_until: DateTime<Utc>,
}

fn names(actor: &Actor) -> Option<(ApiKeyId, &str)> {
    match (&actor.identity, &actor.client.idempotency_key) {
        (Identity::Key { id, .. }, Some(key)) => Some((*id, key)),
        _ => None,
    }
}

/// Begins a request under the actor's idempotency key. `hash` stands for the request: method, address and body.
///
/// # Errors
/// [`Error::Internal`] for an actor without such a key, [`Error::Unavailable`].
pub async fn begin(engine: &Engine, actor: &Actor, hash: &[u8]) -> Result<Begun> {
    let (id, key) = names(actor).ok_or_else(|| Error::internal("no idempotency key"))?;
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    db::exec(
        &tx,
        "DELETE FROM api_requests WHERE key_id = $1 AND idempotency_key = $2 AND created_at < $3",
        values![id.0, key, now - KEPT_FOR],
    )
    .await?;
    let fresh = db::exec(
        &tx,
        "INSERT INTO api_requests (key_id, idempotency_key, request_hash, state, created_at, locked_until)
         VALUES ($1, $2, $3, 'open', $4, $5) ON CONFLICT (key_id, idempotency_key) DO NOTHING",
        values![id.0, key, hash.to_vec(), now, now + LOCKED_FOR],
    )
    .await?;
    if fresh > 0 {
        tx.commit().await?;
        return Ok(Begun::Fresh);
    }
    let sql = format!(
        "SELECT request_hash, state, target, status, headers, body, payload_hash, created_at, locked_until FROM api_requests
         WHERE key_id = $1 AND idempotency_key = $2{}",
        db::lock(&tx)
    );
    let row: Row = db::one(&tx, &sql, values![id.0, key]).await?.ok_or_else(|| Error::internal("a key vanished"))?;
    if row.request_hash != hash {
        return Ok(Begun::Mismatch);
    }
    match (row.state.as_str(), row.target, row.status) {
        ("done", _, Some(status)) => {
            let headers = row.headers.map(serde_json::from_value).transpose()?.unwrap_or_default();
            let status = u16::try_from(status).map_err(Error::internal)?;
            let (body, payload_hash) = (row.body.unwrap_or_default(), row.payload_hash);
            Ok(Begun::Answered(Answer { status, headers, body, payload_hash }))
        }
        // Between the commit and the answer, its process is still at it, or it crashed.
        _ if row.locked_until > now => Ok(Begun::UnderWay),
        ("committed", Some(target), _) => Ok(Begun::Committed(target)),
        _ => {
            tracing::info!(request.since = %row.created_at, "a request that nobody finished is taken up again");
            db::exec(
                &tx,
                "UPDATE api_requests SET locked_until = $3 WHERE key_id = $1 AND idempotency_key = $2",
                values![id.0, key, now + LOCKED_FOR],
            )
            .await?;
            tx.commit().await?;
            Ok(Begun::Fresh)
        }
    }
}

/// Marks the actor's request as done, in the transaction that does it; only its first act counts.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn mark<C: ConnectionTrait>(conn: &C, actor: &Actor, target: &str) -> Result<()> {
    let Some((id, key)) = names(actor) else { return Ok(()) };
    db::exec(
        conn,
        "UPDATE api_requests SET state = 'committed', target = $3
         WHERE key_id = $1 AND idempotency_key = $2 AND state = 'open'",
        values![id.0, key, target],
    )
    .await?;
    Ok(())
}

/// Keeps the answer.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn finish(engine: &Engine, actor: &Actor, answer: &Answer) -> Result<()> {
    let Some((id, key)) = names(actor) else { return Ok(()) };
    let tx = engine.db.begin().await?;
    db::exec(
        &tx,
        "UPDATE api_requests SET state = 'done', status = $3, headers = $4, body = $5, payload_hash = $6
         WHERE key_id = $1 AND idempotency_key = $2",
        values![
            id.0,
            key,
            i32::from(answer.status),
            json!(answer.headers),
            answer.body.as_str(),
            answer.payload_hash.clone()
        ],
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Holds a request that takes long against its repetitions for [`LOCKED_FOR`] from now.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn hold(engine: &Engine, actor: &Actor) -> Result<()> {
    let Some((id, key)) = names(actor) else { return Ok(()) };
    let tx = engine.db.begin().await?;
    db::exec(
        &tx,
        "UPDATE api_requests SET locked_until = $3 WHERE key_id = $1 AND idempotency_key = $2",
        values![id.0, key, engine.clock.now() + LOCKED_FOR],
    )
    .await?;
    tx.commit().await
}

/// Forgets a request that failed before it did anything, so that it may be tried again at once.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn forget(engine: &Engine, actor: &Actor) -> Result<()> {
    let Some((id, key)) = names(actor) else { return Ok(()) };
    let tx = engine.db.begin().await?;
    db::exec(
        &tx,
        "DELETE FROM api_requests WHERE key_id = $1 AND idempotency_key = $2 AND state = 'open'",
        values![id.0, key],
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Forgets what is older than a day. The sweep calls it.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn expire(engine: &Engine) -> Result<()> {
    let before = engine.clock.now() - KEPT_FOR;
    let sql = "SELECT 1 AS value FROM api_requests WHERE created_at < $1 LIMIT 1";
    if db::scalar::<i32, _>(engine.db.read(), sql, values![before]).await?.is_some() {
        let tx = engine.db.begin_bulk().await?;
        db::exec(&tx, "DELETE FROM api_requests WHERE created_at < $1", values![before]).await?;
        tx.commit().await?;
    }
    Ok(())
}
