//! The brake and the canary of campaigns that run: judged by the sweep, from the rollups.

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    campaigns::{self, CampaignRecord},
    db::{self, Tx},
    settings,
    twilio::codes::{self, Class},
    values,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    brake::{Bounds, CANARY_KNOWN, CANARY_PATIENCE_MINUTES, Tally, judge},
    campaign::{Event, Progress},
    ids::CampaignId,
    message::{Bucket, State},
    operator::Operation,
    problem::FieldProblem,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

/// The workspace's bounds.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn bounds(engine: &Engine, actor: &Actor) -> Result<Bounds> {
    authorize(Operation::CampaignRead, actor)?;
    load(engine.db.read()).await
}

/// Sets the workspace's bounds. They hold from the next look on.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Forbidden`].
pub async fn set_bounds(engine: &Engine, actor: &Actor, bounds: &Bounds) -> Result<()> {
    authorize(Operation::SettingWrite, actor)?;
    let faults = bounds.faults();
    if !faults.is_empty() {
        let problem = |(field, bad): (&str, _)| FieldProblem { pointer: format!("/{field}"), detail: format!("{bad}") };
        return Err(Error::Invalid { errors: faults.into_iter().map(problem).collect() });
    }
    let tx = engine.db.begin().await?;
    let before = load(&tx).await?;
    settings::put(engine, &tx, settings::BRAKE, bounds).await?;
    let act = Act {
        action: "setting.brake",
        target: "workspace".to_owned(),
        before: Some(json!(before)),
        after: Some(json!(bounds)),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

async fn load<C: ConnectionTrait>(conn: &C) -> Result<Bounds> {
    Ok(settings::get(conn, settings::BRAKE).await?.unwrap_or_default())
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

/// Looks at every campaign that runs: pauses one that goes wrong, and lets one go on whose canary came through.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away: the next sweep looks again.
pub(crate) async fn run(engine: &Engine) -> Result<()> {
    let running: Vec<IdRow> =
        db::all(engine.db.read(), "SELECT id FROM campaigns WHERE status = 'running' AND kind = 'bulk'", values![])
            .await?;
    if running.is_empty() {
        return Ok(());
    }
    let bounds = load(engine.db.read()).await?;
    for row in running {
        match look(engine, CampaignId(row.id), &bounds).await {
            // It was paused, canceled or completed at the same moment.
            Ok(()) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn look(engine: &Engine, id: CampaignId, bounds: &Bounds) -> Result<()> {
    let record = campaigns::load(engine.db.read(), id).await?;
    let now = tally(&campaigns::read_progress(engine, &record).await?);
    let base: Tally = record.brake_base.clone().map(serde_json::from_value).transpose()?.unwrap_or_default();
    let canary = record.awaited_canary();
    let known = match canary {
        Some(first) => came_to_an_end(engine, id, first).await?,
        None => false,
    };
    let actor = Actor::system();
    if let Some(why) = judge(bounds, now.since(base), known) {
        let who = if canary.is_some() { "the canary" } else { "the brake" };
        let why = format!("paused by {who}: {why}");
        tracing::warn!(campaign.id = %id, why, "a campaign paused by itself");
        return campaigns::change(engine, &actor, id, Event::Pause, Some(why), None).await.map(drop);
    }
    if known {
        let tx = engine.db.begin().await?;
        let sql = "UPDATE campaigns SET canary_passed_at = $2 WHERE id = $1 AND canary_passed_at IS NULL AND status = 'running'";
        if db::exec(&tx, sql, values![id.0, engine.clock.now()]).await? > 0 {
            let after = Some(json!({ "first": canary, "tally": now }));
            let act = Act { action: "campaign.canary", target: format!("campaign:{id}"), after, ..Act::default() };
            audit::record(engine, &tx, &actor, act).await?;
            tx.commit().await?;
            engine.queue.ring(Doorbell::Deliver(id)).await;
            engine.live.campaign(id);
        }
    }
    Ok(())
}

/// What the rollups say, as the brake counts it.
fn tally(progress: &Progress) -> Tally {
    let with = |class: Class| -> i64 {
        progress.errors.iter().filter(|error| codes::class(error.code) == class).map(|error| error.count).sum()
    };
    let failed = progress.bucket(Bucket::Failed);
    Tally {
        answered: progress.reached(State::Accepted) + failed,
        filtered: with(Class::Filtered),
        opted_out: with(Class::OptedOut) + progress.opted_out,
        failed,
    }
}

#[derive(FromQueryResult)]
struct Stand {
    state: i16,
    count: i64,
    updated_at: Option<DateTime<Utc>>,
}

/// Whether it is known what became of a campaign's first messages: nobody of them can be claimed, and most came to an end, or
/// nothing more was heard for a while. Those who wait for their own time are not waited for.
async fn came_to_an_end(engine: &Engine, id: CampaignId, first: i64) -> Result<bool> {
    let conn = engine.db.read();
    let rows: Vec<Stand> = db::all(
        conn,
        "SELECT state, COUNT(*) AS count, MAX(updated_at) AS updated_at FROM messages
         WHERE campaign_id = $1 AND seq <= $2 GROUP BY state",
        values![id.0, first],
    )
    .await?;
    let waiting: i64 = db::scalar(
        conn,
        "SELECT COUNT(*) AS value FROM waits WHERE campaign_id = $1 AND seq <= $2 AND why <> 'unknown'",
        values![id.0, first],
    )
    .await?
    .unwrap_or(0);
    let count = |wanted: &dyn Fn(State) -> bool| -> i64 {
        let known = rows.iter().filter_map(|row| Some((State::from_rank(row.state)?, row.count)));
        known.filter(|(state, _)| wanted(*state)).map(|(_, count)| count).sum()
    };
    let pending = count(&|state| state == State::Pending);
    let out = count(&|state| state.rank() > State::Pending.rank());
    let ended = count(&State::is_end);
    if pending > waiting || out == 0 {
        return Ok(false);
    }
    let last = rows.iter().filter(|row| row.state > 0).filter_map(|row| row.updated_at).max();
    let patience = Duration::minutes(CANARY_PATIENCE_MINUTES);
    let silent = last.is_some_and(|at| engine.clock.now() - at >= patience);
    Ok(ended as f64 >= CANARY_KNOWN * out as f64 || silent)
}

/// Lets the brake count from now on, in the transaction that lets the campaign go on. A canary that paused it has been looked
/// at by a person.
pub(crate) async fn begin_anew(engine: &Engine, tx: &Tx, record: &CampaignRecord) -> Result<()> {
    let base = tally(&campaigns::read_progress(engine, record).await?);
    let braked = record.status_reason.as_deref().is_some_and(|why| why.starts_with("paused by the canary"));
    let passed = braked.then(|| engine.clock.now());
    db::exec(
        tx,
        "UPDATE campaigns SET brake_base = $2, canary_passed_at = COALESCE(canary_passed_at, $3) WHERE id = $1",
        values![record.id, json!(base), passed],
    )
    .await?;
    Ok(())
}
