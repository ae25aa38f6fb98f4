//! Campaigns: written, launched, watched, stopped.

mod checks;
mod rows;

pub use checks::preview;
pub(crate) use rows::{CampaignRecord, load, load_for_update};

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db, segments, values,
};
use chrono::{DateTime, Utc};
use domain::{
    campaign::{
        Audience, Campaign, CampaignForm, CampaignRow, CampaignStatus, EXCLUDED_MAX, ErrorCount, Event, GateCount,
        Progress, transition,
    },
    filter::Filter,
    ids::CampaignId,
    message::State,
    operator::Operation,
    page::{Page, PageRequest},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::str::FromStr;
use uuid::Uuid;

/// Campaigns that people made, newest first; the standing ones are left out.
///
/// # Errors
/// [`Error::Forbidden`], and [`Error::Invalid`] for a cursor that is none.
pub async fn list(
    engine: &Engine,
    actor: &Actor,
    status: Option<CampaignStatus>,
    page: &PageRequest,
) -> Result<Page<CampaignRow>> {
    authorize(Operation::CampaignRead, actor)?;
    let before = match &page.after {
        Some(cursor) => Uuid::from_str(cursor).map_err(|_| Error::invalid("after", "this is not a cursor"))?,
        None => Uuid::max(),
    };
    let records = rows::list(engine.db.read(), status, before, i64::from(page.limit()) + 1).await?;
    let page = Page::cut(records, page.limit(), |record| record.id.to_string());
    let mut list = Vec::with_capacity(page.rows.len());
    for record in page.rows {
        let progress = read_progress(engine, &record).await?;
        list.push(CampaignRow { campaign: record.into_campaign()?, progress });
    }
    Ok(Page { rows: list, next: page.next })
}

/// One campaign with its counters.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<CampaignRow> {
    authorize(Operation::CampaignRead, actor)?;
    let record = load(engine.db.read(), id).await?;
    let progress = read_progress(engine, &record).await?;
    Ok(CampaignRow { campaign: record.into_campaign()?, progress })
}

/// A campaign's counters.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn progress(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Progress> {
    authorize(Operation::CampaignRead, actor)?;
    let record = load(engine.db.read(), id).await?;
    read_progress(engine, &record).await
}

/// Makes a draft.
///
/// # Errors
/// [`Error::Invalid`] with each field that is wrong, [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, form: &CampaignForm) -> Result<Campaign> {
    authorize(Operation::CampaignWrite, actor)?;
    checks::form(engine, form).await?;
    let id: CampaignId = engine.clock.new_id();
    let tx = engine.db.begin().await?;
    rows::insert(engine, &tx, id, form).await?;
    audit::record(engine, &tx, actor, act("campaign.create", id, None, Some(json!(form)))).await?;
    tx.commit().await?;
    engine.live.changed("campaigns");
    load(engine.db.read(), id).await?.into_campaign()
}

/// Changes a draft, or a scheduled campaign.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Conflict`] once it was launched, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(engine: &Engine, actor: &Actor, id: CampaignId, form: &CampaignForm) -> Result<Campaign> {
    authorize(Operation::CampaignWrite, actor)?;
    checks::form(engine, form).await?;
    let tx = engine.db.begin().await?;
    let before = load_for_update(&tx, id).await?;
    if !matches!(before.status()?, CampaignStatus::Draft | CampaignStatus::Scheduled) {
        return Err(Error::conflict("a campaign can be changed only before it is launched"));
    }
    rows::update(engine, &tx, id, form).await?;
    let old = json!(before.into_campaign()?.form);
    audit::record(engine, &tx, actor, act("campaign.update", id, Some(old), Some(json!(form)))).await?;
    tx.commit().await?;
    engine.live.changed("campaigns");
    load(engine.db.read(), id).await?.into_campaign()
}

/// Makes a draft like this campaign.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn clone_as_draft(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignWrite, actor)?;
    let mut form = load(engine.db.read(), id).await?.into_campaign()?.form;
    form.name = format!("Copy of {}", form.name);
    create(engine, actor, &form).await
}

/// Starts a campaign now: freezes audience and template version, and rings for the audience to be read.
///
/// # Errors
/// [`Error::Invalid`] with each field that stands against it, [`Error::Conflict`] from a status that cannot be launched,
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn launch(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignLaunch, actor)?;
    start(engine, actor, id, Event::Launch).await
}

/// Starts a campaign on this event. The sweep calls it for scheduled ones.
pub(crate) async fn start(engine: &Engine, actor: &Actor, id: CampaignId, event: Event) -> Result<Campaign> {
    let record = load(engine.db.read(), id).await?;
    let problems = checks::problems(engine, &record.form()?).await?;
    if !problems.is_empty() {
        return Err(Error::Invalid { errors: problems });
    }
    let tx = engine.db.begin().await?;
    let record = load_for_update(&tx, id).await?;
    let status = transition(record.status()?, event)?;
    let frozen = freeze(&tx, &record).await?;
    let now = engine.clock.now();
    let changed = db::exec(
        &tx,
        "UPDATE campaigns SET status = $2, status_reason = NULL, frozen_filter = $3, audience_hash = $4,
            template_version = $5, launched_at = $6, updated_at = $6
         WHERE id = $1 AND status = $7",
        values![
            id.0,
            status.as_str(),
            frozen.filter.clone(),
            frozen.hash.clone(),
            frozen.template_version,
            now,
            record.status.clone()
        ],
    )
    .await?;
    one_row(changed)?;
    let after = json!({ "status": status, "filter": frozen.filter, "hash": frozen.hash });
    audit::record(
        engine,
        &tx,
        actor,
        act("campaign.launch", id, Some(json!({ "status": record.status })), Some(after)),
    )
    .await?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Expand(id)).await;
    engine.live.campaign(id);
    load(engine.db.read(), id).await?.into_campaign()
}

/// Starts a campaign at an instant.
///
/// # Errors
/// As [`launch`]; [`Error::Invalid`] for an instant that has passed.
pub async fn schedule(engine: &Engine, actor: &Actor, id: CampaignId, at: DateTime<Utc>) -> Result<Campaign> {
    authorize(Operation::CampaignLaunch, actor)?;
    if at <= engine.clock.now() {
        return Err(Error::invalid("scheduled_at", "this time has passed"));
    }
    let record = load(engine.db.read(), id).await?;
    let problems = checks::problems(engine, &record.form()?).await?;
    if !problems.is_empty() {
        return Err(Error::Invalid { errors: problems });
    }
    change(engine, actor, id, Event::Schedule, None, Some(at)).await
}

/// Makes a scheduled or held campaign a draft again.
///
/// # Errors
/// [`Error::Conflict`], [`Error::NotFound`], [`Error::Forbidden`].
pub async fn unschedule(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignLaunch, actor)?;
    change(engine, actor, id, Event::Unschedule, None, None).await
}

/// Stops a campaign for now. Whatever was claimed before is still sent; nothing is claimed after.
///
/// # Errors
/// [`Error::Conflict`], [`Error::NotFound`], [`Error::Forbidden`].
pub async fn pause(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignLaunch, actor)?;
    let why = format!("paused by {}", actor.label());
    change(engine, actor, id, Event::Pause, Some(why), None).await
}

/// Lets a paused campaign go on.
///
/// # Errors
/// [`Error::Conflict`], [`Error::NotFound`], [`Error::Forbidden`].
pub async fn resume(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignLaunch, actor)?;
    let campaign = change(engine, actor, id, Event::Resume, None, None).await?;
    engine.queue.ring(Doorbell::Expand(id)).await;
    engine.queue.ring(Doorbell::Deliver(id)).await;
    Ok(campaign)
}

/// Stops a campaign for good. Whatever still waits becomes canceled in the sweep; what was claimed before is settled.
///
/// # Errors
/// [`Error::Conflict`], [`Error::NotFound`], [`Error::Forbidden`].
pub async fn cancel(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignLaunch, actor)?;
    let why = format!("canceled by {}", actor.label());
    let campaign = change(engine, actor, id, Event::Cancel, Some(why), None).await?;
    engine.queue.ring(Doorbell::Sweep).await;
    Ok(campaign)
}

/// Moves a campaign on an event, with an audit entry.
pub(crate) async fn change(
    engine: &Engine,
    actor: &Actor,
    id: CampaignId,
    event: Event,
    why: Option<String>,
    scheduled_at: Option<DateTime<Utc>>,
) -> Result<Campaign> {
    let tx = engine.db.begin().await?;
    let record = load_for_update(&tx, id).await?;
    move_status(engine, &tx, actor, &record, event, why, scheduled_at).await?;
    tx.commit().await?;
    engine.live.campaign(id);
    engine.live.changed("campaigns");
    load(engine.db.read(), id).await?.into_campaign()
}

/// The one statement that changes a campaign's status, besides the launch: it names the status that it leaves.
pub(crate) async fn move_status<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    actor: &Actor,
    record: &CampaignRecord,
    event: Event,
    why: Option<String>,
    scheduled_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let status = transition(record.status()?, event)?;
    let now = engine.clock.now();
    let finished = matches!(status, CampaignStatus::Completed | CampaignStatus::Canceled).then_some(now);
    let changed = db::exec(
        conn,
        "UPDATE campaigns SET status = $2, status_reason = $3, scheduled_at = COALESCE($4, scheduled_at),
            finished_at = $5, updated_at = $6
         WHERE id = $1 AND status = $7",
        values![record.id, status.as_str(), why.clone(), scheduled_at, finished, now, record.status.clone()],
    )
    .await?;
    one_row(changed)?;
    let action = format!("campaign.{}", event.verb());
    let before = Some(json!({ "status": record.status }));
    let after = Some(json!({ "status": status, "why": why, "scheduled_at": scheduled_at }));
    audit::record(engine, conn, actor, act(&action, CampaignId(record.id), before, after)).await
}

fn one_row(changed: u64) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(Error::conflict("somebody else changed this campaign at the same time")) }
}

fn act(action: &str, id: CampaignId, before: Option<serde_json::Value>, after: Option<serde_json::Value>) -> Act<'_> {
    Act { action, target: format!("campaign:{id}"), before, after }
}

/// What a launch pins down.
struct Frozen {
    filter: String,
    template_version: i32,
    hash: String,
}

async fn freeze<C: ConnectionTrait>(conn: &C, record: &CampaignRecord) -> Result<Frozen> {
    let filter = audience_filter(conn, &record.form()?.audience).await?.to_string();
    let template_version: i32 =
        db::scalar(conn, "SELECT version AS value FROM templates WHERE id = $1", values![record.template_id])
            .await?
            .ok_or(Error::NotFound { what: "template" })?;
    let definition = json!({
        "filter": filter,
        "sender": record.sender_id,
        "template": record.template_id,
        "template_version": template_version,
        "topic": record.topic_id,
        "rate_per_second": record.rate_per_second,
        "not_before": record.not_before,
        "not_after": record.not_after,
        "unknown_policy": record.unknown_policy,
    });
    let hash = hex::encode(Sha256::digest(definition.to_string().as_bytes()));
    Ok(Frozen { filter, template_version, hash })
}

/// The filter of an audience: the segment's and the campaign's own, without those who are left out.
pub(crate) async fn audience_filter<C: ConnectionTrait>(conn: &C, audience: &Audience) -> Result<Filter> {
    if audience.exclusions.segments.len() > EXCLUDED_MAX {
        let why = format!("at most {EXCLUDED_MAX} segments can be left out");
        return Err(Error::invalid("audience/exclusions/segments", why));
    }
    let segment = match audience.segment {
        Some(id) => Some(segments::filter_of(conn, id, "audience/segment").await?),
        None => None,
    };
    let mut excluded = Vec::new();
    for id in &audience.exclusions.segments {
        excluded.push(segments::filter_of(conn, *id, "audience/exclusions/segments").await?);
    }
    let excluded: Vec<&str> = excluded.iter().map(String::as_str).collect();
    let filter = domain::campaign::audience_filter(audience, segment.as_deref(), &excluded);
    let filter = filter.map_err(|(field, error)| Error::invalid(field, error.to_string()))?;
    // A segment may be older than the declaration of an attribute that it names: the audience is what lists show now.
    segments::fitted(conn, &filter, "audience/filter").await
}

#[derive(FromQueryResult)]
struct StateCount {
    state: i16,
    count: i64,
}

#[derive(FromQueryResult)]
struct GateRow {
    gate: String,
    verdict: String,
    count: i64,
}

#[derive(FromQueryResult)]
struct ErrorRow {
    code: i32,
    count: i64,
}

/// How long the figure "messages a second" looks back, in seconds.
const RATE_WINDOW_S: i64 = 5;

/// Reads a campaign's counters from the rollups.
pub(crate) async fn read_progress(engine: &Engine, record: &CampaignRecord) -> Result<Progress> {
    let conn = engine.db.read();
    let states: Vec<StateCount> = db::all(
        conn,
        "SELECT state, CAST(SUM(count) AS bigint) AS count FROM campaign_stats WHERE campaign_id = $1
         GROUP BY state HAVING SUM(count) <> 0 ORDER BY state",
        values![record.id],
    )
    .await?;
    let states: Vec<(State, i64)> =
        states.iter().filter_map(|row| Some((State::from_rank(row.state)?, row.count))).collect();
    let gates: Vec<GateRow> = db::all(
        conn,
        "SELECT gate, verdict, count FROM decision_stats WHERE campaign_id = $1 ORDER BY count DESC, gate",
        values![record.id],
    )
    .await?;
    let errors: Vec<ErrorRow> = db::all(
        conn,
        "SELECT code, count FROM error_stats WHERE campaign_id = $1 ORDER BY count DESC, code LIMIT 20",
        values![record.id],
    )
    .await?;
    let status = record.status()?;
    let mut progress = Progress {
        status: Some(status),
        expanding: status == CampaignStatus::Running && !record.expanded,
        audience: states.iter().map(|(_, count)| count).sum(),
        states,
        gates: gates
            .into_iter()
            .map(|row| Ok(GateCount { gate: row.gate.parse()?, verdict: row.verdict, count: row.count }))
            .collect::<Result<_>>()?,
        errors: errors
            .into_iter()
            .map(|row| ErrorCount {
                code: row.code,
                count: row.count,
                text: crate::twilio::codes::text(row.code).to_owned(),
                advice: crate::twilio::codes::advice(row.code).to_owned(),
            })
            .collect(),
        ..Progress::default()
    };
    if record.launched_at.is_some() {
        (progress.replied, progress.opted_out) = reactions(engine, record).await?;
        progress.next_due_at = db::scalar(
            conn,
            "SELECT due_at AS value FROM waits WHERE campaign_id = $1 AND why IN ('retry', 'deferral')
             ORDER BY due_at LIMIT 1",
            values![record.id],
        )
        .await?;
    }
    if status == CampaignStatus::Running {
        progress.rate_now = rate_now(engine, record.id).await?;
    }
    Ok(progress)
}

/// Messages that the provider took in the last few seconds, per second. The running second is left out: it is not over.
async fn rate_now(engine: &Engine, id: Uuid) -> Result<f64> {
    let second = engine.clock.now().timestamp();
    let taken: i64 = db::scalar(
        engine.db.read(),
        "SELECT CAST(COALESCE(SUM(count), 0) AS bigint) AS value FROM throughput
         WHERE campaign_id = $1 AND second >= $2 AND second < $3",
        values![id, second - RATE_WINDOW_S, second],
    )
    .await?
    .unwrap_or(0);
    Ok(taken as f64 / RATE_WINDOW_S as f64)
}

#[derive(FromQueryResult)]
struct Reactions {
    replied: i64,
    opted_out: i64,
}

/// The lowest id that can have been made at this instant or after it: ids begin with their milliseconds (UUIDv7), so that
/// the primary key finds what is younger.
fn first_id_of(at: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::try_from(at.timestamp_millis()).unwrap_or(0) << 80)
}

/// How many people of the audience wrote back after the launch, and how many of them opted out.
async fn reactions(engine: &Engine, record: &CampaignRecord) -> Result<(i64, i64)> {
    let found: Option<Reactions> = db::one(
        engine.db.read(),
        "SELECT COUNT(DISTINCT i.user_id) AS replied,
                COUNT(DISTINCT CASE WHEN i.kind = 'stop' THEN i.user_id END) AS opted_out
         FROM inbound_messages i JOIN messages m ON m.user_id = i.user_id AND m.campaign_id = $1
         WHERE i.id > $3 AND i.received_at > $2 AND m.state >= 100",
        values![record.id, record.launched_at, record.launched_at.map(first_id_of)],
    )
    .await?;
    Ok(found.map_or((0, 0), |row| (row.replied, row.opted_out)))
}
