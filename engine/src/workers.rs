//! Processes that are alive: they say so every few seconds, and are counted out after half a minute of silence.

use crate::{Engine, Result, db, values};
use chrono::{DateTime, TimeDelta, Utc};
use domain::health::Worker;
use sea_orm::FromQueryResult;

/// How long a silent process counts as alive.
const SILENCE_MAX: TimeDelta = TimeDelta::seconds(30);
/// When a silent process is forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::minutes(10);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers requests, and works as well.
    Serve,
    /// Works.
    Worker,
}

impl Kind {
    /// The word, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Worker => "worker",
        }
    }
}

/// Says that this process works, and forgets those that have long been silent.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub async fn beat(engine: &Engine, kind: Kind) -> Result<()> {
    let now = engine.clock.now();
    let tx = engine.db.begin_bulk().await?;
    db::exec(
        &tx,
        "INSERT INTO workers (name, kind, started_at, seen_at) VALUES ($1, $2, $3, $3)
         ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at",
        values![engine.limits.worker.as_str(), kind.as_str(), now],
    )
    .await?;
    db::exec(&tx, "DELETE FROM workers WHERE seen_at < $1", values![now - FORGOTTEN]).await?;
    tx.commit().await?;
    Ok(())
}

/// Says that this process has ended its work.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub async fn leave(engine: &Engine) -> Result<()> {
    let tx = engine.db.begin_bulk().await?;
    db::exec(&tx, "DELETE FROM workers WHERE name = $1", values![engine.limits.worker.as_str()]).await?;
    tx.commit().await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Row {
    name: String,
    kind: String,
    started_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
}

/// Every process that is not forgotten, newest first, within a use case.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub(crate) async fn list(engine: &Engine) -> Result<Vec<Worker>> {
    let since = engine.clock.now() - SILENCE_MAX;
    let rows: Vec<Row> = db::all(
        engine.db.read(),
        "SELECT name, kind, started_at, seen_at FROM workers ORDER BY started_at DESC, name",
        values![],
    )
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Worker {
            serves: row.kind == Kind::Serve.as_str(),
            name: row.name,
            started_at: row.started_at,
            seen_at: row.seen_at,
            is_alive: row.seen_at >= since,
        })
        .collect())
}

/// How many processes work.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub async fn alive(engine: &Engine) -> Result<i64> {
    let since: DateTime<Utc> = engine.clock.now() - SILENCE_MAX;
    let alive =
        db::scalar(engine.db.read(), "SELECT count(*) AS value FROM workers WHERE seen_at >= $1", values![since])
            .await?;
    Ok(alive.unwrap_or(0))
}
