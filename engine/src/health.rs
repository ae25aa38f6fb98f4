//! How the engine is: what holds sending up, who works, and what waits for a person. Every figure is the database's.

use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    breakers, db, kill_switch, spool, values, webhooks, workers,
};
use chrono::{DateTime, Utc};
use domain::{
    health::{Bells, Health, Unsure},
    ids::CampaignId,
    message::State,
    operator::Operation,
};
use sea_orm::FromQueryResult;
use std::time::Duration;
use uuid::Uuid;

/// How many campaigns with messages of unknown fate are named.
const UNSURE_MAX: i64 = 20;
/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the page on the engine's health shows.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away, [`crate::Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor) -> Result<Health> {
    authorize(Operation::CampaignRead, actor)?;
    let conn = engine.db.read();
    // By the rollup: messages are never counted.
    let pending: Option<i64> = db::scalar(
        conn,
        "SELECT CAST(COALESCE(SUM(s.count), 0) AS bigint) AS value
         FROM campaign_stats s JOIN campaigns c ON c.id = s.campaign_id WHERE c.status = 'running' AND s.state = $1",
        values![State::Pending.rank()],
    )
    .await?;
    let dead_letters: Option<i64> =
        db::scalar(conn, "SELECT COUNT(*) AS value FROM dead_letters WHERE resolved_at IS NULL", values![]).await?;
    Ok(Health {
        stop: kill_switch::read(conn).await?,
        breakers: breakers::list(conn).await?,
        troubled_webhooks: webhooks::troubled(conn).await?,
        spooled: spool::total(conn).await?,
        workers: workers::list(engine).await?,
        pending: pending.unwrap_or(0),
        overdue_since: overdue_since(engine).await?,
        unsure: unsure(engine).await?,
        dead_letters: dead_letters.unwrap_or(0),
        database: engine.db.name().to_owned(),
        bells: bells(engine).await,
    })
}

/// The earliest time at which a message of a running campaign was due that still waits. For each campaign one look at an
/// index.
async fn overdue_since(engine: &Engine) -> Result<Option<DateTime<Utc>>> {
    let mut earliest: Option<DateTime<Utc>> = None;
    for why in ["retry", "deferral"] {
        let due: Option<DateTime<Utc>> = db::scalar(
            engine.db.read(),
            "SELECT w.due_at AS value FROM campaigns c JOIN waits w ON w.campaign_id = c.id AND w.why = $1
                AND w.due_at = (SELECT v.due_at FROM waits v WHERE v.campaign_id = c.id AND v.why = $1
                                ORDER BY v.due_at LIMIT 1)
             WHERE c.status = 'running' AND w.due_at <= $2 ORDER BY w.due_at LIMIT 1",
            values![why, engine.clock.now()],
        )
        .await?;
        earliest = match (earliest, due) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(earliest)
}

#[derive(FromQueryResult)]
struct UnsureRow {
    id: Uuid,
    name: String,
    unknown: i64,
    needs_review: i64,
}

async fn unsure(engine: &Engine) -> Result<Vec<Unsure>> {
    let rows: Vec<UnsureRow> = db::all(
        engine.db.read(),
        "SELECT c.id, c.name,
            CAST(SUM(CASE WHEN s.state = $1 THEN s.count ELSE 0 END) AS bigint) AS unknown,
            CAST(SUM(CASE WHEN s.state = $2 THEN s.count ELSE 0 END) AS bigint) AS needs_review
         FROM campaign_stats s JOIN campaigns c ON c.id = s.campaign_id
         WHERE s.state IN ($1, $2) GROUP BY c.id, c.name HAVING SUM(s.count) > 0 ORDER BY c.id DESC LIMIT $3",
        values![State::Unknown.rank(), State::NeedsReview.rank(), UNSURE_MAX],
    )
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Unsure {
            campaign: CampaignId(row.id),
            name: row.name,
            unknown: row.unknown,
            needs_review: row.needs_review,
        })
        .collect())
}

async fn bells(engine: &Engine) -> Bells {
    if !engine.queue.is_shared() {
        return Bells::Local;
    }
    match tokio::time::timeout(PATIENCE, engine.queue.ping()).await {
        Ok(Ok(())) => Bells::Shared,
        Ok(Err(_)) | Err(_) => Bells::Away,
    }
}
