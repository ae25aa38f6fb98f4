//! Why a campaign that runs does not move: the facts for `domain::stall`, read only while nothing moves.

use super::CampaignRecord;
use crate::{Engine, Result, breakers, db, kill_switch, spool, values, workers};
use chrono::{DateTime, Utc};
use domain::{
    breaker::Scope,
    campaign::{CampaignStatus, Progress},
    compliance::Gate,
    ids::SenderId,
    message::Bucket,
    stall::{Facts, Stall, cause},
};
use sea_orm::FromQueryResult;

#[derive(FromQueryResult)]
struct Next {
    due_at: DateTime<Utc>,
    gate: Option<String>,
}

/// What holds the campaign up; `None` while it moves, or does not run.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub(super) async fn of(engine: &Engine, record: &CampaignRecord, progress: &Progress) -> Result<Option<Stall>> {
    let open = [Bucket::Pending, Bucket::Sending, Bucket::Unknown].map(|bucket| progress.bucket(bucket));
    let idle = progress.rate_now == 0.0 && (open.iter().sum::<i64>() > 0 || progress.expanding);
    if record.status()? != CampaignStatus::Running || !idle {
        return Ok(None);
    }
    let conn = engine.db.read();
    let scopes: Vec<Scope> =
        [Some(Scope::Account), record.sender_id.map(|id| Scope::Sender(SenderId(id)))].into_iter().flatten().collect();
    let enabled: Option<bool> =
        db::scalar(conn, "SELECT enabled AS value FROM senders WHERE id = $1", values![record.sender_id]).await?;
    let first_open: Option<i64> = db::scalar(
        conn,
        "SELECT next AS value FROM campaign_chunks WHERE campaign_id = $1 AND NOT done ORDER BY no LIMIT 1",
        values![record.id],
    )
    .await?;
    let canary = record.awaited_canary();
    let next: Option<Next> = db::one(
        conn,
        "SELECT w.due_at, (SELECT d.gate FROM decisions d WHERE d.campaign_id = w.campaign_id AND d.seq = w.seq
                           ORDER BY d.id DESC LIMIT 1) AS gate
         FROM waits w WHERE w.campaign_id = $1 AND w.why IN ('retry', 'deferral') ORDER BY w.due_at LIMIT 1",
        values![record.id],
    )
    .await?;
    let taken: Option<i64> = db::scalar(
        conn,
        "SELECT second AS value FROM throughput WHERE campaign_id = $1 ORDER BY second DESC LIMIT 1",
        values![record.id],
    )
    .await?;
    let facts = Facts {
        stop: kill_switch::read(conn).await?,
        workers: workers::list(engine).await?.iter().filter(|worker| worker.is_alive).count(),
        spooled: spool::holds_claims(engine, conn).await?,
        sender_enabled: enabled.unwrap_or(false),
        breaker: breakers::why(conn, &scopes).await?,
        expanding: progress.expanding,
        canary: canary.filter(|first| first_open.is_some_and(|next| next > *first)),
        claimable: first_open.is_some_and(|next| canary.is_none_or(|first| next <= first)),
        sending: progress.bucket(Bucket::Sending),
        unknown: progress.bucket(Bucket::Unknown),
        next: next
            .map(|row| Ok::<_, crate::Error>((row.due_at, row.gate.map(|gate| gate.parse::<Gate>()).transpose()?)))
            .transpose()?,
        moved_at: taken.and_then(|second| DateTime::from_timestamp(second, 0)).or(record.launched_at),
    };
    Ok(cause(&facts, engine.clock.now()))
}
