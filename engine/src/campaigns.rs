//! Campaigns: written, launched, watched, stopped.

mod approvals;
mod checks;
mod progress;
mod rows;
mod stalls;
mod why;

pub use approvals::{approval_required, approve, decline, propose, require_approval};
pub use checks::preview;
pub(crate) use progress::{read_progress, shown_progress};
pub(crate) use rows::{CampaignRecord, load, load_beside_claims, load_for_update};
pub use why::why;

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize, unchanged},
    audit::{self, Act},
    brakes, db,
    feed::{self, News},
    segments, values,
};
use chrono::{DateTime, Utc};
use domain::{
    campaign::{
        Audience, Campaign, CampaignForm, CampaignRow, CampaignStatus, EXCLUDED_MAX, Event, Listed, Progress, Start,
        may_archive, transition,
    },
    feed::EventType,
    filter::Filter,
    ids::CampaignId,
    operator::Operation,
    page::{Page, PageRequest},
};
use sea_orm::ConnectionTrait;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::str::FromStr;
use uuid::Uuid;

/// Campaigns that people made, newest first; the standing ones are left out, and those put away unless asked for.
///
/// # Errors
/// [`Error::Forbidden`], and [`Error::Invalid`] for a cursor that is none.
pub async fn list(engine: &Engine, actor: &Actor, listed: Listed, page: &PageRequest) -> Result<Page<CampaignRow>> {
    authorize(Operation::CampaignRead, actor)?;
    let before = match &page.after {
        Some(cursor) => Uuid::from_str(cursor).map_err(|_| Error::invalid("after", "this is not a cursor"))?,
        None => Uuid::max(),
    };
    let records = rows::list(engine.db.read(), listed, before, i64::from(page.limit()) + 1).await?;
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
    let progress = shown_progress(engine, &record).await?;
    let approval = approvals::standing(engine.db.read(), &record).await?;
    Ok(CampaignRow { campaign: Campaign { approval, ..record.into_campaign()? }, progress })
}

/// A campaign after a change of it.
async fn shown(engine: &Engine, id: CampaignId) -> Result<Campaign> {
    let record = load(engine.db.read(), id).await?;
    let approval = approvals::standing(engine.db.read(), &record).await?;
    Ok(Campaign { approval, ..record.into_campaign()? })
}

/// A campaign's counters.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn progress(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Progress> {
    authorize(Operation::CampaignRead, actor)?;
    let record = load(engine.db.read(), id).await?;
    shown_progress(engine, &record).await
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

/// Changes a draft, or a scheduled campaign, which keeps its time unless the form names another. A change of what was
/// approved voids the approval; a scheduled campaign is then a draft again.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Conflict`] once it was launched, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(engine: &Engine, actor: &Actor, id: CampaignId, form: &CampaignForm) -> Result<Campaign> {
    authorize(Operation::CampaignWrite, actor)?;
    checks::form(engine, form).await?;
    let tx = engine.db.begin().await?;
    let before = load_for_update(&tx, id).await?;
    if actor.client.if_match.is_some() {
        let approval = approvals::standing(&tx, &before).await?;
        unchanged(actor, &Campaign { approval, ..before.clone().into_campaign()? })?;
    }
    if !matches!(before.status()?, CampaignStatus::Draft | CampaignStatus::Scheduled) {
        return Err(Error::conflict("a campaign can be changed only before it is launched"));
    }
    let form = match (before.status()?, form.start) {
        (CampaignStatus::Scheduled, Start::Now) => &CampaignForm { start: before.start()?, ..form.clone() },
        (CampaignStatus::Scheduled, start) => {
            checks::start(engine, start)?;
            form
        }
        _ => form,
    };
    let was_scheduled = before.status()? == CampaignStatus::Scheduled;
    rows::update(engine, &tx, id, form).await?;
    let old = json!(before.into_campaign()?.form);
    audit::record(engine, &tx, actor, act("campaign.update", id, Some(old), Some(json!(form)))).await?;
    if approvals::void(engine, &tx, actor, id).await? && was_scheduled {
        let record = load(&tx, id).await?;
        let why = Some("it was changed after its approval".to_owned());
        move_status(engine, &tx, actor, &record, Event::Unschedule, why, None).await?;
    }
    tx.commit().await?;
    engine.live.changed("campaigns");
    shown(engine, id).await
}

/// Puts a campaign away, or takes it out again: it keeps its page and its figures and leaves the lists.
///
/// # Errors
/// [`Error::Conflict`] for one that may still send, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn archive(engine: &Engine, actor: &Actor, id: CampaignId, away: bool) -> Result<Campaign> {
    authorize(Operation::CampaignWrite, actor)?;
    let tx = engine.db.begin().await?;
    let record = load_for_update(&tx, id).await?;
    let status = record.status()?;
    if away && !may_archive(status) {
        return Err(Error::conflict(format!("a campaign that is {status} cannot be put away")));
    }
    if away != record.archived_at.is_some() {
        let at = away.then(|| engine.clock.now());
        db::exec(&tx, "UPDATE campaigns SET archived_at = $2 WHERE id = $1", values![id.0, at]).await?;
        let action = if away { "campaign.archive" } else { "campaign.unarchive" };
        audit::record(engine, &tx, actor, act(action, id, None, None)).await?;
    }
    tx.commit().await?;
    engine.live.changed("campaigns");
    shown(engine, id).await
}

/// Deletes a draft. What was ever launched is on record, and can only be put away.
///
/// # Errors
/// [`Error::Conflict`] for anything but a draft, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<()> {
    authorize(Operation::CampaignWrite, actor)?;
    let tx = engine.db.begin().await?;
    let before = load_for_update(&tx, id).await?;
    let status = before.status()?;
    if status != CampaignStatus::Draft {
        return Err(Error::conflict(format!("a campaign that is {status} cannot be deleted: only drafts can")));
    }
    for table in ["approvals WHERE campaign_id", "forecasts WHERE campaign_id", "campaigns WHERE id"] {
        db::exec(&tx, &format!("DELETE FROM {table} = $1"), values![id.0]).await?;
    }
    let old = json!(before.into_campaign()?.form);
    audit::record(engine, &tx, actor, act("campaign.delete", id, Some(old), None)).await?;
    tx.commit().await?;
    engine.live.changed("campaigns");
    Ok(())
}

/// Makes a draft like this campaign.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn clone_as_draft(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignWrite, actor)?;
    let mut form = load(engine.db.read(), id).await?.into_campaign()?.form;
    form.name = copy_name(&form.name);
    form.start = Start::Now;
    create(engine, actor, &form).await
}

/// The name of a copy, within the longest that a name may be.
fn copy_name(name: &str) -> String {
    let copied: String = format!("Copy of {name}").chars().take(checks::NAME_MAX_CHARS).collect();
    copied.trim_end().to_owned()
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
    launchable(engine, id).await?;
    let tx = engine.db.begin().await?;
    let record = load_for_update(&tx, id).await?;
    let status = transition(record.status()?, event)?;
    not_away(&record)?;
    let begins = approvals::start_of(&record, event == Event::Launch)?;
    let frozen = pinned(&tx, &record, begins).await?;
    approvals::check(&tx, &record, &frozen.hash).await?;
    if begins == Start::Now {
        rows::set_start(engine, &tx, id, begins).await?;
    }
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
    tell(engine, &tx, &record, status, None, None).await?;
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

/// What stands against a launch, as a failure.
pub(crate) async fn launchable(engine: &Engine, id: CampaignId) -> Result<()> {
    let problems = checks::problems(engine, &load(engine.db.read(), id).await?.form()?).await?;
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { errors: problems }) }
}

fn not_away(record: &CampaignRecord) -> Result<()> {
    match record.archived_at {
        None => Ok(()),
        Some(_) => Err(Error::conflict("this campaign was put away: take it out of the archive first")),
    }
}

/// Starts a campaign at an instant, or at a time of day where each person lives.
///
/// # Errors
/// As [`launch`]; [`Error::Invalid`] for a time that has passed, everywhere on earth if it is a local one.
pub async fn schedule(engine: &Engine, actor: &Actor, id: CampaignId, start: impl Into<Start>) -> Result<Campaign> {
    authorize(Operation::CampaignLaunch, actor)?;
    let start: Start = start.into();
    checks::start(engine, start)?;
    launchable(engine, id).await?;
    let tx = engine.db.begin().await?;
    let record = load_for_update(&tx, id).await?;
    not_away(&record)?;
    rows::set_start(engine, &tx, id, start).await?;
    move_status(engine, &tx, actor, &record, Event::Schedule, None, None).await?;
    let record = load(&tx, id).await?;
    let hash = pinned(&tx, &record, record.start()?).await?.hash;
    approvals::check(&tx, &record, &hash).await?;
    tx.commit().await?;
    engine.live.campaign(id);
    engine.live.changed("campaigns");
    shown(engine, id).await
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
    let tx = engine.db.begin().await?;
    let record = load_for_update(&tx, id).await?;
    move_status(engine, &tx, actor, &record, Event::Resume, None, None).await?;
    // Whoever lets it go on has seen what was before: the brake counts from here.
    brakes::begin_anew(engine, &tx, &record).await?;
    tx.commit().await?;
    engine.live.campaign(id);
    engine.live.changed("campaigns");
    let campaign = shown(engine, id).await?;
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
    shown(engine, id).await
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
    tell(engine, conn, record, status, why.as_deref(), scheduled_at).await?;
    let action = format!("campaign.{}", event.verb());
    let before = Some(json!({ "status": record.status }));
    let after = Some(json!({ "status": status, "why": why, "scheduled_at": scheduled_at }));
    audit::record(engine, conn, actor, act(&action, CampaignId(record.id), before, after)).await
}

/// Tells the event stream of a campaign that came to this status.
async fn tell<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    record: &CampaignRecord,
    status: CampaignStatus,
    why: Option<&str>,
    scheduled_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let kind = match status {
        CampaignStatus::Draft => return Ok(()),
        CampaignStatus::Scheduled => EventType::CampaignScheduled,
        CampaignStatus::Running => EventType::CampaignRunning,
        CampaignStatus::Paused => EventType::CampaignPaused,
        CampaignStatus::Held => EventType::CampaignHeld,
        CampaignStatus::Completed => EventType::CampaignCompleted,
        CampaignStatus::Canceled => EventType::CampaignCanceled,
    };
    let data = json!({ "name": record.name, "status": status, "reason": why, "scheduled_at": scheduled_at });
    feed::tell(engine, conn, vec![News::campaign(kind, CampaignId(record.id), data)]).await
}

fn one_row(changed: u64) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(Error::conflict("somebody else changed this campaign at the same time")) }
}

fn act(action: &str, id: CampaignId, before: Option<serde_json::Value>, after: Option<serde_json::Value>) -> Act<'_> {
    Act { action, target: format!("campaign:{id}"), before, after }
}

/// What a launch pins down.
pub(crate) struct Pinned {
    filter: String,
    template_version: i32,
    /// SHA-256 over audience, content, schedule and limits, in hex.
    pub(crate) hash: String,
}

pub(crate) async fn pinned<C: ConnectionTrait>(conn: &C, record: &CampaignRecord, start: Start) -> Result<Pinned> {
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
        "start": start,
        "start_deadline_minutes": record.start_deadline_minutes,
        "rate_per_second": record.rate_per_second,
        "frequency_cap": record.form()?.frequency_cap,
        "canary": record.canary,
        "not_before": record.not_before,
        "not_after": record.not_after,
        "unknown_policy": record.unknown_policy,
    });
    let hash = hex::encode(Sha256::digest(definition.to_string().as_bytes()));
    Ok(Pinned { filter, template_version, hash })
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
