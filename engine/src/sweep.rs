//! The sweep: no input, safe at any time. It starts what is due, takes back what a dead worker held, ends what is done,
//! and rings every bell whose work is in the database, so that a lost doorbell costs a moment and never a message.

use crate::{
    Actor, Doorbell, Engine, Result, brakes, campaigns, cells,
    db::{self, Kind, Rows, Tx},
    feed, forecasts, idempotency, imports, receipts, spool,
    states::{self, Move, Wait},
    values, webhooks,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    campaign::{CampaignKind, CampaignStatus, Event},
    ids::{BulkId, CampaignId, ImportId, MessageKey},
    message::{self, Outcome, State, transition},
    retry,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// How many rows one step takes.
const STEP_ROWS: i64 = 1_000;

/// Looks for everything that is due, unless another process does so now. What becomes due behind that one's back is for the next
/// sweep, which comes within moments.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away: the next sweep looks again.
pub async fn run(engine: &Engine) -> Result<()> {
    let Some(lead) = engine.db.lead().await? else { return Ok(()) };
    let looked = look(engine).await;
    lead.end().await;
    looked
}

async fn look(engine: &Engine) -> Result<()> {
    start_scheduled(engine).await?;
    take_back_expired(engine).await?;
    receipts::bind_waiting(engine).await?;
    reopen(engine).await?;
    brakes::run(engine).await?;
    cancel_rest(engine).await?;
    imports::expire(engine).await?;
    idempotency::expire(engine).await?;
    spool::expire(engine).await?;
    feed::expire(engine).await?;
    ring(engine).await
}

#[derive(FromQueryResult)]
struct ScheduledRow {
    id: Uuid,
    scheduled_at: Option<DateTime<Utc>>,
    start_deadline_minutes: i32,
}

/// Starts campaigns whose time has come; one whose deadline has passed is held and asks.
async fn start_scheduled(engine: &Engine) -> Result<()> {
    let now = engine.clock.now();
    let due: Vec<ScheduledRow> = db::all(
        engine.db.read(),
        "SELECT id, scheduled_at, start_deadline_minutes FROM campaigns
         WHERE status = 'scheduled' AND scheduled_at <= $1 ORDER BY scheduled_at LIMIT 20",
        values![now],
    )
    .await?;
    let actor = Actor::system();
    for row in due {
        let id = CampaignId(row.id);
        let late = row.scheduled_at.map_or(Duration::zero(), |at| now - at);
        let outcome = if late > Duration::minutes(i64::from(row.start_deadline_minutes)) {
            let due = row.scheduled_at.map(|at| at.format("%F %R UTC").to_string()).unwrap_or_default();
            let why = format!("it was due {due}, {} minutes ago: start it now, or cancel it?", late.num_minutes());
            campaigns::change(engine, &actor, id, Event::Hold, Some(why), None).await
        } else {
            match campaigns::start(engine, &actor, id, Event::Start).await {
                Err(crate::Error::Invalid { errors }) => {
                    let why = errors.first().map_or_else(String::new, |error| error.detail.clone());
                    campaigns::change(engine, &actor, id, Event::Hold, Some(format!("it cannot start: {why}")), None)
                        .await
                }
                other => other,
            }
        };
        match outcome {
            Ok(_) | Err(crate::Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct ClaimRow {
    id: Uuid,
    campaign_id: Uuid,
}

#[derive(FromQueryResult)]
struct AttemptRow {
    seq: i64,
    attempt: i16,
}

/// Claims whose lease ran out: what their worker was sending becomes `unknown`. It is never sent again on its own.
async fn take_back_expired(engine: &Engine) -> Result<()> {
    let now = engine.clock.now();
    loop {
        let tx = engine.db.begin().await?;
        db::pin_plans(&tx).await?;
        let lock = db::lock_free(&tx);
        let claim: Option<ClaimRow> = db::one(
            &tx,
            &format!("SELECT id, campaign_id FROM claims WHERE lease_until < $1 ORDER BY lease_until LIMIT 1{lock}"),
            values![now],
        )
        .await?;
        let Some(claim) = claim else { return Ok(()) };
        let lost = lose_track(engine, &tx, &claim).await?;
        db::exec(&tx, "DELETE FROM claims WHERE id = $1", values![claim.id]).await?;
        tx.commit().await?;
        if lost > 0 {
            tracing::warn!(campaign.id = %claim.campaign_id, messages = lost, "a worker vanished; its messages are unknown");
            engine.live.campaign(CampaignId(claim.campaign_id));
        }
    }
}

async fn lose_track(engine: &Engine, tx: &Tx, claim: &ClaimRow) -> Result<usize> {
    let open: Vec<AttemptRow> = db::all(
        tx,
        "SELECT seq, attempt FROM attempts WHERE claim_id = $1 AND outcome = 0 ORDER BY seq",
        values![claim.id],
    )
    .await?;
    let campaign = CampaignId(claim.campaign_id);
    let keys: Vec<MessageKey> = open.iter().map(|row| MessageKey { campaign, seq: row.seq }).collect();
    let current = states::lock(tx, &keys).await?;
    let mut moves = Vec::new();
    let mut waits = Vec::new();
    let delay = Duration::from_std(engine.limits.reconcile_delay).map_err(crate::Error::internal)?;
    let due_at = engine.clock.now() + delay;
    for row in &open {
        let key = MessageKey { campaign, seq: row.seq };
        let Some(current) = current.get(&key) else { continue };
        if current.state == State::Sending && current.attempt == row.attempt {
            moves.push(Move::plain(current, transition(State::Sending, message::Event::LoseTrack)?));
            waits.push(Wait { key, why: "unknown", due_at, tries: 0 });
        }
    }
    let moved = states::apply(engine, tx, &moves).await?;
    states::wait(tx, &waits).await?;
    db::exec(
        tx,
        "UPDATE attempts SET outcome = $2, settled_at = $3 WHERE claim_id = $1 AND outcome = 0",
        values![claim.id, Outcome::LeaseExpired.code(), engine.clock.now()],
    )
    .await?;
    Ok(moved.len())
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct PendingRow {
    seq: i64,
    user_id: Uuid,
    attempt: i16,
    sid: Uuid,
}

/// Campaigns that were complete run again where messages went back to the queue.
async fn reopen(engine: &Engine) -> Result<()> {
    let since = engine.clock.now() - retry::WANTED_FOR * 2;
    let rows: Vec<IdRow> = db::all(
        engine.db.read(),
        "SELECT c.id FROM campaigns c WHERE c.status = 'completed' AND c.finished_at > $1 AND EXISTS (
             SELECT 1 FROM campaign_stats s WHERE s.campaign_id = c.id AND s.state = 0
             GROUP BY s.campaign_id HAVING SUM(s.count) > 0)",
        values![since],
    )
    .await?;
    for row in rows {
        let why = Some("messages that were not delivered are tried again".to_owned());
        match campaigns::change(engine, &Actor::system(), CampaignId(row.id), Event::Reopen, why, None).await {
            Ok(_) | Err(crate::Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Messages that still wait in a canceled campaign become canceled, slice by slice.
async fn cancel_rest(engine: &Engine) -> Result<()> {
    let canceled: Vec<IdRow> = db::all(
        engine.db.read(),
        "SELECT c.id FROM campaigns c WHERE c.status = 'canceled' AND EXISTS (
             SELECT 1 FROM campaign_stats s WHERE s.campaign_id = c.id AND s.state = 0
             GROUP BY s.campaign_id HAVING SUM(s.count) > 0)",
        values![],
    )
    .await?;
    for row in canceled {
        while cancel_slice(engine, CampaignId(row.id)).await? {}
        engine.live.campaign(CampaignId(row.id));
    }
    Ok(())
}

/// Cancels one slice; `false` once there is none.
async fn cancel_slice(engine: &Engine, id: CampaignId) -> Result<bool> {
    let tx = engine.db.begin().await?;
    let lock = db::lock_messages(&tx);
    let rows: Vec<PendingRow> = db::all(
        &tx,
        &format!(
            "SELECT m.seq, m.user_id, m.attempt, m.sid FROM messages m WHERE m.campaign_id = $1 AND m.state = 0
             ORDER BY m.seq LIMIT $2{lock}"
        ),
        values![id.0, STEP_ROWS],
    )
    .await?;
    let to = transition(State::Pending, message::Event::Cancel)?;
    let moves: Vec<Move> = rows
        .iter()
        .map(|row| {
            let key = MessageKey { campaign: id, seq: row.seq };
            let current = states::Current {
                key,
                user: row.user_id.into(),
                state: State::Pending,
                attempt: row.attempt,
                sid: row.sid,
                given_up: 0,
            };
            Move::plain(&current, to)
        })
        .collect();
    states::apply(engine, &tx, &moves).await?;
    let keys: Vec<MessageKey> = moves.iter().map(|m| m.key).collect();
    states::stop_waiting(&tx, &keys).await?;
    tx.commit().await?;
    Ok(!rows.is_empty())
}

#[derive(FromQueryResult)]
struct RunningRow {
    id: Uuid,
    kind: String,
    expanded: bool,
    chunks: i64,
    due: i64,
}

/// Rings for running campaigns with work, for imports and changes of many users that stand still, and for unknown outcomes that are due.
async fn ring(engine: &Engine) -> Result<()> {
    let now = engine.clock.now();
    let running: Vec<RunningRow> = db::all(
        engine.db.read(),
        "SELECT c.id, c.kind, c.expanded,
            (SELECT COUNT(*) FROM campaign_chunks k WHERE k.campaign_id = c.id AND NOT k.done) AS chunks,
            (SELECT COUNT(*) FROM (SELECT 1 FROM waits w WHERE w.campaign_id = c.id AND w.why IN ('retry', 'deferral')
                AND w.due_at <= $1 LIMIT 1) AS d) AS due
         FROM campaigns c WHERE c.status = 'running'",
        values![now],
    )
    .await?;
    for row in running {
        let id = CampaignId(row.id);
        if !row.expanded {
            engine.queue.ring(Doorbell::Expand(id)).await;
        }
        if row.chunks > 0 || row.due > 0 {
            let is_bulk = row.kind == CampaignKind::Bulk.as_str();
            engine.queue.ring(if is_bulk { Doorbell::Deliver(id) } else { Doorbell::Overtake(id) }).await;
        } else if row.expanded {
            complete(engine, id).await?;
        }
    }
    forecasts::ring(engine).await?;
    if webhooks::is_due(engine).await? {
        engine.queue.ring(Doorbell::Webhooks).await;
    }
    let imports: Vec<IdRow> = db::all(
        engine.db.read(),
        "SELECT id FROM imports WHERE status IN ('checking', 'running', 'undoing')",
        values![],
    )
    .await?;
    for row in imports {
        engine.queue.ring(Doorbell::Import(ImportId(row.id))).await;
    }
    let bulk: Vec<IdRow> =
        db::all(engine.db.read(), "SELECT id FROM bulk_changes WHERE status = 'running'", values![]).await?;
    for row in bulk {
        engine.queue.ring(Doorbell::Bulk(BulkId(row.id))).await;
    }
    let unknown: Option<i32> = db::scalar(
        engine.db.read(),
        "SELECT 1 AS value FROM waits WHERE why = 'unknown' AND due_at <= $1 LIMIT 1",
        values![now],
    )
    .await?;
    if unknown.is_some() {
        engine.queue.ring(Doorbell::Reconcile).await;
    }
    Ok(())
}

/// Completes a campaign if all its messages are settled. Standing campaigns never end.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn complete(engine: &Engine, id: CampaignId) -> Result<()> {
    if open_messages(engine.db.read(), id).await? > 0 {
        return Ok(());
    }
    let tx = engine.db.begin().await?;
    let record = campaigns::load_for_update(&tx, id).await?;
    let done = record.status()? == CampaignStatus::Running
        && record.kind == CampaignKind::Bulk.as_str()
        && record.expanded
        && open_messages(&tx, id).await? == 0;
    if !done {
        return Ok(());
    }
    campaigns::move_status(engine, &tx, &Actor::system(), &record, Event::Complete, None, None).await?;
    tx.commit().await?;
    engine.live.campaign(id);
    engine.live.changed("campaigns");
    Ok(())
}

/// How many messages of a campaign are not settled, by the rollup.
async fn open_messages<C: sea_orm::ConnectionTrait>(conn: &C, id: CampaignId) -> Result<i64> {
    let open = State::ALL.iter().filter(|state| !state.is_settled());
    let mut values = values![id.0];
    let table = Rows::of([("state", Kind::Small)], open, |state| cells![state.rank()]).table(conn, &mut values)?;
    let count: Option<i64> = db::scalar(
        conn,
        &format!(
            "SELECT CAST(COALESCE(SUM(count), 0) AS bigint) AS value FROM campaign_stats
             WHERE campaign_id = $1 AND state IN (SELECT state FROM {table})"
        ),
        values,
    )
    .await?;
    Ok(count.unwrap_or(0))
}
