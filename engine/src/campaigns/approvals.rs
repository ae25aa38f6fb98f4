//! The word of a second operator, bound to exactly what was proposed.

use super::{act, one_row, pinned, rows, rows::CampaignRecord};
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db, settings, values,
};
use domain::{
    campaign::{Approval, Campaign, CampaignStatus, Start},
    ids::CampaignId,
    operator::Operation,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

/// The longest reason, in characters.
const REASON_MAX_CHARS: usize = 500;

#[derive(FromQueryResult)]
struct Row {
    hash: String,
    proposed_by: Option<Uuid>,
    proposed_label: String,
}

/// Whether campaigns of this workspace start only by the word of a second operator.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn approval_required(engine: &Engine, actor: &Actor) -> Result<bool> {
    authorize(Operation::CampaignRead, actor)?;
    Ok(settings::get(engine.db.read(), settings::APPROVAL_REQUIRED).await?.unwrap_or(false))
}

/// Says whether campaigns start only by the word of a second operator. Campaigns that run go on.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn require_approval(engine: &Engine, actor: &Actor, required: bool) -> Result<()> {
    authorize(Operation::SettingWrite, actor)?;
    let tx = engine.db.begin().await?;
    let before: Option<bool> = settings::get(&tx, settings::APPROVAL_REQUIRED).await?;
    settings::put(engine, &tx, settings::APPROVAL_REQUIRED, &required).await?;
    let act = Act {
        action: "setting.approval_required",
        target: "workspace".to_owned(),
        before: Some(json!(before.unwrap_or(false))),
        after: Some(json!(required)),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.live.changed("campaigns");
    Ok(())
}

/// Asks for the word of a second operator on a draft as it is now.
///
/// # Errors
/// [`Error::Invalid`] with each field that stands against a launch, [`Error::Conflict`] for what is no draft,
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn propose(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignWrite, actor)?;
    super::launchable(engine, id).await?;
    let tx = engine.db.begin().await?;
    let record = draft(&tx, id).await?;
    let hash = pinned(&tx, &record, record.start()?).await?.hash;
    db::exec(&tx, "DELETE FROM approvals WHERE campaign_id = $1", values![id.0]).await?;
    db::exec(
        &tx,
        "INSERT INTO approvals (campaign_id, hash, proposed_by, proposed_label, proposed_at) VALUES ($1, $2, $3, $4, $5)",
        values![id.0, hash.clone(), actor.operator_id().map(Uuid::from), actor.label(), engine.clock.now()],
    )
    .await?;
    tell(engine, &tx, id, None).await?;
    let after = json!({ "hash": hash });
    audit::record(engine, &tx, actor, act("campaign.propose", id, None, Some(after))).await?;
    tx.commit().await?;
    changed(engine, id).await
}

/// Agrees to what was proposed. Whoever proposed it cannot.
///
/// # Errors
/// [`Error::Conflict`] for one's own proposal, if nothing was proposed, or if it has changed since; [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn approve(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    authorize(Operation::CampaignApprove, actor)?;
    let tx = engine.db.begin().await?;
    let record = draft(&tx, id).await?;
    let row = proposal(&tx, id).await?;
    if row.proposed_label == actor.label() || row.proposed_by == actor.operator_id().map(Uuid::from) {
        return Err(Error::conflict("whoever proposed a campaign cannot approve it: a second operator must"));
    }
    if pinned(&tx, &record, record.start()?).await?.hash != row.hash {
        return Err(Error::conflict(Approval::Void.describe()));
    }
    let changed_rows = db::exec(
        &tx,
        "UPDATE approvals SET approved_by = $2, approved_label = $3, approved_at = $4
         WHERE campaign_id = $1 AND approved_at IS NULL",
        values![id.0, actor.operator_id().map(Uuid::from), actor.label(), engine.clock.now()],
    )
    .await?;
    one_row(changed_rows)?;
    let (before, after) = (json!({ "proposed_by": row.proposed_label }), json!({ "hash": row.hash }));
    audit::record(engine, &tx, actor, act("campaign.approve", id, Some(before), Some(after))).await?;
    tx.commit().await?;
    changed(engine, id).await
}

/// Refuses what was proposed, or takes an approval back before the start; the reason is shown on the campaign.
///
/// # Errors
/// [`Error::Invalid`] without a reason, [`Error::Conflict`] if nothing was proposed, [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn decline(engine: &Engine, actor: &Actor, id: CampaignId, reason: &str) -> Result<Campaign> {
    authorize(Operation::CampaignApprove, actor)?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX_CHARS {
        return Err(Error::invalid("reason", format!("say why, in 1 to {REASON_MAX_CHARS} characters")));
    }
    let tx = engine.db.begin().await?;
    draft(&tx, id).await?;
    let row = proposal(&tx, id).await?;
    db::exec(&tx, "DELETE FROM approvals WHERE campaign_id = $1", values![id.0]).await?;
    tell(engine, &tx, id, Some(format!("declined by {}: {reason}", actor.label()))).await?;
    let (before, after) = (json!({ "proposed_by": row.proposed_label, "hash": row.hash }), json!({ "reason": reason }));
    audit::record(engine, &tx, actor, act("campaign.decline", id, Some(before), Some(after))).await?;
    tx.commit().await?;
    changed(engine, id).await
}

/// A change of a campaign voids what was proposed before it; `true` if there was something to void.
pub(super) async fn void<C: ConnectionTrait>(engine: &Engine, conn: &C, actor: &Actor, id: CampaignId) -> Result<bool> {
    let Some(row) = find(conn, id).await? else { return Ok(false) };
    let record = rows::load(conn, id).await?;
    let still = match pinned(conn, &record, record.start()?).await {
        Ok(pinned) => pinned.hash == row.hash,
        // What cannot be launched any more is not what was proposed.
        Err(Error::Invalid { .. } | Error::NotFound { .. }) => false,
        Err(other) => return Err(other),
    };
    if still {
        return Ok(false);
    }
    db::exec(conn, "DELETE FROM approvals WHERE campaign_id = $1", values![id.0]).await?;
    let before = json!({ "proposed_by": row.proposed_label, "hash": row.hash });
    audit::record(engine, conn, actor, act("campaign.void_approval", id, Some(before), None)).await?;
    Ok(true)
}

/// Refuses a start that needs an approval and has none for exactly this.
pub(super) async fn check<C: ConnectionTrait>(conn: &C, record: &CampaignRecord, hash: &str) -> Result<()> {
    if record.approval().permits() && (!record.approval_required || record.approval_hash.as_deref() == Some(hash)) {
        return Ok(());
    }
    let approval = standing(conn, record).await?;
    let why = if approval.permits() { Approval::Void.describe() } else { approval.describe() };
    Err(Error::invalid("approval", why))
}

/// Where a campaign's approval stands, with a look at whether what was proposed is still what is there.
pub(super) async fn standing<C: ConnectionTrait>(conn: &C, record: &CampaignRecord) -> Result<Approval> {
    let approval = record.approval();
    let Some(hash) = record.approval_hash.as_deref() else { return Ok(approval) };
    if record.launched_at.is_some() {
        return Ok(approval);
    }
    match pinned(conn, record, record.start()?).await {
        Ok(pinned) if pinned.hash == hash => Ok(approval),
        Ok(_) | Err(Error::Invalid { .. } | Error::NotFound { .. }) => Ok(Approval::Void),
        Err(other) => Err(other),
    }
}

async fn draft<C: ConnectionTrait>(conn: &C, id: CampaignId) -> Result<CampaignRecord> {
    let record = rows::load_for_update(conn, id).await?;
    match record.status()? {
        CampaignStatus::Draft => Ok(record),
        status => Err(Error::conflict(format!("only a draft is proposed and approved; this campaign is {status}"))),
    }
}

async fn find<C: ConnectionTrait>(conn: &C, id: CampaignId) -> Result<Option<Row>> {
    db::one(conn, "SELECT hash, proposed_by, proposed_label FROM approvals WHERE campaign_id = $1", values![id.0]).await
}

async fn proposal<C: ConnectionTrait>(conn: &C, id: CampaignId) -> Result<Row> {
    find(conn, id).await?.ok_or_else(|| Error::conflict("nobody asked for an approval of this campaign"))
}

async fn tell<C: ConnectionTrait>(engine: &Engine, conn: &C, id: CampaignId, reason: Option<String>) -> Result<()> {
    let sql = "UPDATE campaigns SET status_reason = $2, updated_at = $3 WHERE id = $1";
    db::exec(conn, sql, values![id.0, reason, engine.clock.now()]).await?;
    Ok(())
}

async fn changed(engine: &Engine, id: CampaignId) -> Result<Campaign> {
    engine.live.campaign(id);
    engine.live.changed("campaigns");
    super::shown(engine, id).await
}

/// What a launch now would be, for what was approved to start at a time: only a campaign that missed it may start late.
pub(super) fn start_of(record: &CampaignRecord, launches_now: bool) -> Result<Start> {
    match (launches_now, record.status()?) {
        (true, CampaignStatus::Draft | CampaignStatus::Scheduled) => Ok(Start::Now),
        _ => record.start(),
    }
}
