//! Outgoing webhooks: endpoints that are told of the event stream, signed as Standard Webhooks has it.
//!
//! An endpoint remembers how far it was told. [`deliver`] takes what comes behind, a bounded number at a time, so that what an
//! endpoint cannot take waits in the stream and costs nothing. Each event is posted until the endpoint takes it or its attempts
//! are used up: at least once, in no promised order, always under the same `webhook-id`.

mod deliver;
mod deliveries;
mod post;

pub use deliver::run;
pub(crate) use deliver::{is_due, troubled};
pub use deliveries::{deliveries, recover, resend};
pub use post::Poster;

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize, unchanged},
    audit::{self, Act},
    db, feed,
    signing::LinkKey,
    values,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Duration, Utc};
use domain::{
    feed::EventType,
    ids::{CampaignId, WebhookId},
    operator::Operation,
    problem::FieldProblem,
    webhook::{
        DESCRIPTION_MAX_CHARS, ENDPOINTS_MAX, ROTATION_HOURS, SignedWebhook, URL_MAX_CHARS, Webhook, WebhookForm,
    },
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};
use uuid::Uuid;

/// What endpoints' secrets are derived for.
const PURPOSE: &str = "webhook";

#[derive(Debug, Clone, FromQueryResult)]
struct Record {
    id: Uuid,
    url: String,
    description: String,
    types: Value,
    campaign_id: Option<Uuid>,
    enabled: bool,
    disabled_because: Option<String>,
    failing_since: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    secret_version: i32,
    rotated_at: Option<DateTime<Utc>>,
    told_tx: i64,
    told_id: i64,
    created_by: String,
    created_at: DateTime<Utc>,
    waiting: i64,
}

const SELECT: &str =
    "SELECT w.id, w.url, w.description, w.types, w.campaign_id, w.enabled, w.disabled_because, w.failing_since,
        w.delivered_at, w.secret_version, w.rotated_at, w.told_tx, w.told_id, w.created_by, w.created_at,
        (SELECT COUNT(*) FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending') AS waiting
    FROM webhooks w";

impl Record {
    fn types(&self) -> Vec<EventType> {
        // A type that a later version knew and this one does not is none that this one tells.
        let words: Vec<String> = serde_json::from_value(self.types.clone()).unwrap_or_default();
        words.iter().filter_map(|word| word.parse().ok()).collect()
    }

    fn view(self) -> Webhook {
        Webhook {
            id: WebhookId(self.id),
            types: self.types(),
            url: self.url,
            description: self.description,
            campaign: self.campaign_id.map(CampaignId),
            enabled: self.enabled,
            disabled_because: self.disabled_because,
            failing_since: self.failing_since,
            delivered_at: self.delivered_at,
            waiting: self.waiting,
            rotated_at: self.rotated_at,
            created_by: self.created_by,
            created_at: self.created_at,
        }
    }

    /// The secrets that sign now: the present one, and for a day the one before.
    fn secrets(&self, key: &LinkKey, now: DateTime<Utc>) -> Vec<Vec<u8>> {
        let fresh = self.rotated_at.is_some_and(|at| now - at < Duration::hours(ROTATION_HOURS));
        let versions =
            if fresh { vec![self.secret_version, self.secret_version - 1] } else { vec![self.secret_version] };
        versions.into_iter().map(|version| secret(key, self.id, version)).collect()
    }
}

/// An endpoint's secret. It is derived from the installation's key, so it is kept nowhere.
fn secret(key: &LinkKey, id: Uuid, version: i32) -> Vec<u8> {
    key.derive(PURPOSE, format!("{id}:{version}").as_bytes()).to_vec()
}

fn shown(secret: &[u8]) -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(secret))
}

async fn load<C: ConnectionTrait>(conn: &C, id: WebhookId) -> Result<Record> {
    let row = db::one(conn, &format!("{SELECT} WHERE w.id = $1"), values![id.0]).await?;
    row.ok_or(Error::NotFound { what: "webhook" })
}

/// All endpoints, newest first.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Webhook>> {
    authorize(Operation::WebhookWrite, actor)?;
    let rows: Vec<Record> =
        db::all(engine.db.read(), &format!("{SELECT} ORDER BY w.id DESC LIMIT 200"), values![]).await?;
    Ok(rows.into_iter().map(Record::view).collect())
}

/// One endpoint.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: WebhookId) -> Result<Webhook> {
    authorize(Operation::WebhookWrite, actor)?;
    Ok(load(engine.db.read(), id).await?.view())
}

/// Makes an endpoint, which is told of what happens from now on.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] beyond [`ENDPOINTS_MAX`], [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, form: &WebhookForm) -> Result<SignedWebhook> {
    authorize(Operation::WebhookWrite, actor)?;
    check(engine, form).await?;
    let id: Uuid = engine.clock.new_id();
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let key = LinkKey::load(engine, &tx).await?;
    let count: Option<i64> = db::scalar(&tx, "SELECT COUNT(*) AS value FROM webhooks", values![]).await?;
    if count.is_some_and(|count| count.unsigned_abs() >= ENDPOINTS_MAX as u64) {
        return Err(Error::conflict(format!("there are {ENDPOINTS_MAX} webhooks already, which is the limit")));
    }
    let told = feed::latest(&tx).await?;
    db::exec(
        &tx,
        "INSERT INTO webhooks (id, url, description, types, campaign_id, enabled, secret_version, told_tx, told_id,
            created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10)",
        values![
            id,
            form.url.trim(),
            form.description.trim(),
            json!(form.types),
            form.campaign.map(Uuid::from),
            form.enabled,
            told.tx,
            told.id,
            actor.label(),
            now
        ],
    )
    .await?;
    record(engine, &tx, actor, "webhook.create", id, None, Some(json!(form))).await?;
    let webhook = load(&tx, WebhookId(id)).await?.view();
    tx.commit().await?;
    Ok(SignedWebhook { webhook, secret: shown(&secret(&key, id, 1)) })
}

/// Changes an endpoint. One that is enabled again is told of what happened meanwhile.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(engine: &Engine, actor: &Actor, id: WebhookId, form: &WebhookForm) -> Result<Webhook> {
    authorize(Operation::WebhookWrite, actor)?;
    check(engine, form).await?;
    let tx = engine.db.begin().await?;
    db::lock_row(&tx, "webhooks", id.0).await?;
    let before = load(&tx, id).await?;
    let before = before.view();
    unchanged(actor, &before)?;
    let revived = form.enabled && !before.enabled;
    db::exec(
        &tx,
        "UPDATE webhooks SET url = $2, description = $3, types = $4, campaign_id = $5, enabled = $6,
            disabled_because = NULL, failing_since = CASE WHEN $7 THEN NULL ELSE failing_since END WHERE id = $1",
        values![
            id.0,
            form.url.trim(),
            form.description.trim(),
            json!(form.types),
            form.campaign.map(Uuid::from),
            form.enabled,
            revived
        ],
    )
    .await?;
    record(engine, &tx, actor, "webhook.update", id.0, Some(json!(before)), Some(json!(form))).await?;
    let webhook = load(&tx, id).await?.view();
    tx.commit().await?;
    Ok(webhook)
}

/// Removes an endpoint, with what waits for it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(engine: &Engine, actor: &Actor, id: WebhookId) -> Result<()> {
    authorize(Operation::WebhookWrite, actor)?;
    let tx = engine.db.begin().await?;
    let before = load(&tx, id).await?.view();
    for table in ["webhook_attempts", "webhook_deliveries"] {
        db::exec(&tx, &format!("DELETE FROM {table} WHERE webhook_id = $1"), values![id.0]).await?;
    }
    db::exec(&tx, "DELETE FROM webhooks WHERE id = $1", values![id.0]).await?;
    record(engine, &tx, actor, "webhook.delete", id.0, Some(json!(before)), None).await?;
    tx.commit().await
}

/// Gives an endpoint a new secret. For a day both sign, so that receivers can change over.
///
/// # Errors
/// [`Error::Conflict`] within that day, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn rotate(engine: &Engine, actor: &Actor, id: WebhookId) -> Result<SignedWebhook> {
    authorize(Operation::WebhookWrite, actor)?;
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let before = load(&tx, id).await?;
    if before.rotated_at.is_some_and(|at| now - at < Duration::hours(ROTATION_HOURS)) {
        return Err(Error::conflict("its secret was changed within a day: the one before would stop to sign at once"));
    }
    let version = before.secret_version + 1;
    db::exec(
        &tx,
        "UPDATE webhooks SET secret_version = $2, rotated_at = $3 WHERE id = $1",
        values![id.0, version, now],
    )
    .await?;
    record(engine, &tx, actor, "webhook.rotate", id.0, None, None).await?;
    let key = LinkKey::load(engine, &tx).await?;
    let webhook = load(&tx, id).await?.view();
    tx.commit().await?;
    Ok(SignedWebhook { webhook, secret: shown(&secret(&key, id.0, version)) })
}

async fn check(engine: &Engine, form: &WebhookForm) -> Result<()> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| errors.push(FieldProblem { pointer: format!("/{field}"), detail });
    if form.url.trim().chars().count() > URL_MAX_CHARS {
        wrong("url", format!("a URL has at most {URL_MAX_CHARS} characters"));
    } else if let Err(why) = engine.poster.target(form.url.trim()) {
        wrong("url", why);
    }
    if form.description.chars().count() > DESCRIPTION_MAX_CHARS {
        wrong("description", format!("at most {DESCRIPTION_MAX_CHARS} characters"));
    }
    if let Some(campaign) = form.campaign {
        let found: Option<i32> =
            db::scalar(engine.db.read(), "SELECT 1 AS value FROM campaigns WHERE id = $1", values![campaign.0]).await?;
        if found.is_none() {
            wrong("campaign", "there is no such campaign".to_owned());
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid { errors }) }
}

async fn record<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    actor: &Actor,
    action: &str,
    id: Uuid,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<()> {
    audit::record(engine, conn, actor, Act { action, target: format!("webhook:{id}"), before, after }).await
}
