//! A campaign's row, and its two ways: in and out.

use crate::{Engine, Error, Result, db, values};
use chrono::{DateTime, NaiveDateTime, Utc};
use domain::{
    campaign::{Approval, Audience, Campaign, CampaignForm, CampaignKind, CampaignStatus, Listed, Start},
    frequency::Cap,
    ids::{CampaignId, SegmentId, SenderId, TemplateId, TopicId},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use uuid::Uuid;

/// A campaign's row, with the names of what it points to.
#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct CampaignRecord {
    pub id: Uuid,
    pub name: String,
    pub kind: String,
    pub status: String,
    pub status_reason: Option<String>,
    pub sender_id: Option<Uuid>,
    pub template_id: Option<Uuid>,
    pub template_version: Option<i32>,
    pub topic_id: Option<Uuid>,
    pub segment_id: Option<Uuid>,
    pub filter: String,
    pub exclusions: serde_json::Value,
    pub frozen_filter: Option<String>,
    pub audience_hash: Option<String>,
    pub rate_per_second: Option<i32>,
    pub cap_messages: Option<i32>,
    pub cap_days: Option<i32>,
    pub canary: Option<i32>,
    pub canary_passed_at: Option<DateTime<Utc>>,
    pub brake_base: Option<serde_json::Value>,
    pub not_before: Option<String>,
    pub not_after: Option<String>,
    pub unknown_policy: String,
    pub start_deadline_minutes: i32,
    pub start_kind: String,
    pub scheduled_at: Option<DateTime<Utc>>,
    pub local_at: Option<String>,
    pub archived_at: Option<DateTime<Utc>>,
    pub launched_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub expansion_cursor: Option<Uuid>,
    pub expansion_seq: i64,
    pub expanded: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub channel: Option<String>,
    pub sender_name: Option<String>,
    pub template_name: Option<String>,
    pub approval_required: bool,
    pub approval_hash: Option<String>,
    pub proposed_label: Option<String>,
    pub proposed_at: Option<DateTime<Utc>>,
    pub approved_label: Option<String>,
    pub approved_at: Option<DateTime<Utc>>,
}

const SELECT: &str =
    "SELECT c.id, c.name, c.kind, c.status, c.status_reason, c.sender_id, c.template_id, c.template_version,
        c.topic_id, c.segment_id, c.filter, c.exclusions, c.frozen_filter, c.audience_hash, c.rate_per_second, c.cap_messages, c.cap_days, c.canary, c.canary_passed_at, c.brake_base, c.not_before,
        c.not_after, c.unknown_policy, c.start_deadline_minutes, c.start_kind, c.scheduled_at, c.local_at, c.archived_at,
        c.launched_at, c.finished_at,
        c.expansion_cursor, c.expansion_seq, c.expanded, c.created_at, c.updated_at,
        s.channel AS channel, s.name AS sender_name, t.name AS template_name,
        EXISTS (SELECT 1 FROM settings e WHERE e.key = 'approval_required' AND CAST(e.value AS text) = 'true')
            AS approval_required,
        a.hash AS approval_hash, a.proposed_label, a.proposed_at, a.approved_label, a.approved_at
    FROM campaigns c LEFT JOIN senders s ON s.id = c.sender_id LEFT JOIN templates t ON t.id = c.template_id
        LEFT JOIN approvals a ON a.campaign_id = c.id";

/// Reads one campaign.
pub(crate) async fn load<C: ConnectionTrait>(conn: &C, id: CampaignId) -> Result<CampaignRecord> {
    db::one(conn, &format!("{SELECT} WHERE c.id = $1"), values![id.0])
        .await?
        .ok_or(Error::NotFound { what: "campaign" })
}

/// Locks one campaign against change, then reads it.
pub(crate) async fn load_for_update<C: ConnectionTrait>(conn: &C, id: CampaignId) -> Result<CampaignRecord> {
    db::lock_row(conn, "campaigns", id.0).await?;
    load(conn, id).await
}

/// The same for what moves no status: claims go on meanwhile.
pub(crate) async fn load_beside_claims<C: ConnectionTrait>(conn: &C, id: CampaignId) -> Result<CampaignRecord> {
    db::lock_row_as(conn, "campaigns", id.0, db::lock_beside_users(conn)).await?;
    load(conn, id).await
}

/// Reads a page of campaigns, newest first.
pub(crate) async fn list<C: ConnectionTrait>(
    conn: &C,
    listed: Listed,
    before: Uuid,
    limit: i64,
) -> Result<Vec<CampaignRecord>> {
    let (status, shown) = match listed {
        Listed::All => (None, "c.archived_at IS NULL"),
        Listed::Status(status) => (Some(status.as_str()), "c.archived_at IS NULL"),
        Listed::ToApprove => (
            Some(CampaignStatus::Draft.as_str()),
            "c.archived_at IS NULL AND a.proposed_at IS NOT NULL AND a.approved_at IS NULL",
        ),
        Listed::Archived => (None, "c.archived_at IS NOT NULL"),
    };
    db::all(
        conn,
        &format!(
            "{SELECT} WHERE c.kind = 'bulk' AND c.id < $1 AND ($2 IS NULL OR c.status = $2) AND {shown}
             ORDER BY c.id DESC LIMIT $3"
        ),
        values![before, status, limit],
    )
    .await
}

/// Stores a new draft.
pub(crate) async fn insert<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    id: CampaignId,
    form: &CampaignForm,
) -> Result<()> {
    db::exec(
        conn,
        "INSERT INTO campaigns (id, name, kind, status, sender_id, template_id, topic_id, segment_id, filter,
            rate_per_second, not_before, not_after, unknown_policy, start_deadline_minutes, created_at, updated_at, exclusions,
            start_kind, scheduled_at, local_at, cap_messages, cap_days, canary)
         VALUES ($1, $2, 'bulk', 'draft', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15, $16, $17, $18, $19, $20)",
        stored(engine, id, form),
    )
    .await?;
    Ok(())
}

/// Stores what an operator changed.
pub(crate) async fn update<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    id: CampaignId,
    form: &CampaignForm,
) -> Result<()> {
    db::exec(
        conn,
        "UPDATE campaigns SET name = $2, sender_id = $3, template_id = $4, topic_id = $5, segment_id = $6, filter = $7,
            rate_per_second = $8, not_before = $9, not_after = $10, unknown_policy = $11, start_deadline_minutes = $12,
            updated_at = $13, exclusions = $14, start_kind = $15, scheduled_at = $16, local_at = $17,
            cap_messages = $18, cap_days = $19, canary = $20
         WHERE id = $1",
        stored(engine, id, form),
    )
    .await?;
    Ok(())
}

/// What both statements store, in the order of their columns: `$1` is the id, `$13` the time, `$14` the exclusions, then the start.
fn stored(engine: &Engine, id: CampaignId, form: &CampaignForm) -> Vec<Value> {
    values![
        id.0,
        form.name.trim(),
        form.sender.map(Uuid::from),
        form.template.map(Uuid::from),
        form.topic.map(Uuid::from),
        form.audience.segment.map(Uuid::from),
        form.audience.filter.trim(),
        rate(form),
        form.not_before.clone(),
        form.not_after.clone(),
        form.unknown_policy.as_str(),
        deadline(form),
        engine.clock.now(),
        serde_json::json!(form.audience.exclusions),
        form.start.kind(),
        begins(engine, form.start),
        local_at(form.start),
        form.frequency_cap.map(|cap| number(cap.messages)),
        form.frequency_cap.map(|cap| number(cap.days)),
        form.canary.map(number),
    ]
}

/// Stores when a campaign starts.
pub(crate) async fn set_start<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    id: CampaignId,
    start: Start,
) -> Result<()> {
    db::exec(
        conn,
        "UPDATE campaigns SET start_kind = $2, scheduled_at = $3, local_at = $4 WHERE id = $1",
        values![id.0, start.kind(), begins(engine, start), local_at(start)],
    )
    .await?;
    Ok(())
}

/// When the sweep starts it. A time of day that the first zones show already begins now; others wait for theirs.
fn begins(engine: &Engine, start: Start) -> Option<DateTime<Utc>> {
    match start {
        Start::Local { .. } => start.begins_at().map(|at| at.max(engine.clock.now())),
        Start::Now | Start::Instant { .. } => start.begins_at(),
    }
}

fn local_at(start: Start) -> Option<String> {
    match start {
        Start::Local { at } => Some(at.format("%Y-%m-%dT%H:%M:%S").to_string()),
        Start::Now | Start::Instant { .. } => None,
    }
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn rate(form: &CampaignForm) -> Option<i32> {
    form.rate_per_second.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX))
}

fn deadline(form: &CampaignForm) -> i32 {
    i32::try_from(form.start_deadline_minutes).unwrap_or(i32::MAX)
}

impl CampaignRecord {
    /// The id.
    pub fn campaign_id(&self) -> CampaignId {
        CampaignId(self.id)
    }

    /// The status.
    pub fn status(&self) -> Result<CampaignStatus> {
        Ok(self.status.parse()?)
    }

    /// When it starts.
    pub fn start(&self) -> Result<Start> {
        Ok(match (self.start_kind.as_str(), self.scheduled_at, &self.local_at) {
            ("local", _, Some(at)) => Start::Local { at: at.parse::<NaiveDateTime>().map_err(Error::internal)? },
            ("instant", Some(at), _) => Start::Instant { at },
            _ => Start::Now,
        })
    }

    /// How many people get it first, until it is known what became of them.
    pub fn awaited_canary(&self) -> Option<i64> {
        self.canary.filter(|_| self.canary_passed_at.is_none()).map(i64::from)
    }

    fn cap(&self) -> Option<Cap> {
        let number = |n: i32| u32::try_from(n).ok();
        Some(Cap { messages: number(self.cap_messages?)?, days: number(self.cap_days?)? })
    }

    /// Where its approval stands, as far as its row tells.
    pub fn approval(&self) -> Approval {
        match (&self.proposed_label, self.proposed_at, &self.approved_label, self.approved_at) {
            (Some(proposed_by), _, Some(by), Some(at)) => {
                Approval::Approved { proposed_by: proposed_by.clone(), by: by.clone(), at }
            }
            _ if !self.approval_required || self.kind != CampaignKind::Bulk.as_str() => Approval::NotNeeded,
            (Some(by), Some(at), _, _) => Approval::Proposed { by: by.clone(), at },
            _ => Approval::Missing,
        }
    }

    /// What the operator entered.
    pub fn form(&self) -> Result<CampaignForm> {
        Ok(CampaignForm {
            name: self.name.clone(),
            sender: self.sender_id.map(SenderId),
            template: self.template_id.map(TemplateId),
            topic: self.topic_id.map(TopicId),
            audience: Audience {
                segment: self.segment_id.map(SegmentId),
                filter: self.filter.clone(),
                exclusions: serde_json::from_value(self.exclusions.clone())?,
            },
            start: self.start()?,
            rate_per_second: self.rate_per_second.and_then(|rate| u32::try_from(rate).ok()),
            frequency_cap: self.cap(),
            canary: self.canary.and_then(|canary| u32::try_from(canary).ok()),
            not_before: self.not_before.clone(),
            not_after: self.not_after.clone(),
            start_deadline_minutes: u32::try_from(self.start_deadline_minutes).unwrap_or(0),
            unknown_policy: self.unknown_policy.parse()?,
        })
    }

    /// As the rest of the system knows it.
    pub fn into_campaign(self) -> Result<Campaign> {
        Ok(Campaign {
            id: self.campaign_id(),
            kind: self.kind.parse()?,
            status: self.status()?,
            form: self.form()?,
            approval: self.approval(),
            archived_at: self.archived_at,
            channel: self.channel.as_deref().map(str::parse).transpose().map_err(Error::internal)?,
            status_reason: self.status_reason,
            sender_name: self.sender_name,
            template_name: self.template_name,
            template_version: self.template_version,
            audience_hash: self.audience_hash,
            scheduled_at: self.scheduled_at,
            launched_at: self.launched_at,
            finished_at: self.finished_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
