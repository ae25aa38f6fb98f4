//! What became of each event on its way to an endpoint, and the ways to send one again.

use super::{load, record};
use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    cells,
    db::{self, Kind, Rows},
    feed, values,
};
use chrono::{DateTime, Utc};
use domain::{
    feed::{FeedEvent, Position},
    ids::WebhookId,
    operator::Operation,
    page::{Page, PageRequest},
    webhook::{DeliveryState, WebhookAttempt, WebhookDelivery},
};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::collections::HashMap;

#[derive(FromQueryResult)]
struct DeliveryRow {
    event_tx: i64,
    event_id: i64,
    state: String,
    due_at: Option<DateTime<Utc>>,
}

impl DeliveryRow {
    fn position(&self) -> Position {
        Position { tx: self.event_tx, id: self.event_id }
    }
}

#[derive(FromQueryResult)]
struct AttemptRow {
    event_tx: i64,
    event_id: i64,
    at: DateTime<Utc>,
    status: Option<i32>,
    error: Option<String>,
    took_ms: i32,
    response: String,
}

/// An endpoint's deliveries with their attempts, newest first, of one state if that is given.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] for a cursor that is none.
pub async fn deliveries(
    engine: &Engine,
    actor: &Actor,
    id: WebhookId,
    state: Option<DeliveryState>,
    page: &PageRequest,
) -> Result<Page<WebhookDelivery>> {
    authorize(Operation::WebhookWrite, actor)?;
    let conn = engine.db.read();
    load(conn, id).await?;
    let before: Position = match &page.after {
        Some(text) => text.parse().map_err(|_| Error::invalid("after", "this is not a cursor"))?,
        None => Position { tx: i64::MAX, id: i64::MAX },
    };
    let rows: Vec<DeliveryRow> = db::all(
        conn,
        "SELECT event_tx, event_id, state, due_at FROM webhook_deliveries
         WHERE webhook_id = $1 AND (event_tx, event_id) < ($2, $3) AND ($4 = '' OR state = $4)
         ORDER BY event_tx DESC, event_id DESC LIMIT $5",
        values![id.0, before.tx, before.id, state.map_or("", DeliveryState::as_str), i64::from(page.limit()) + 1],
    )
    .await?;
    let page = Page::cut(rows, page.limit(), |row| row.position().to_string());
    let places: Vec<Position> = page.rows.iter().map(DeliveryRow::position).collect();
    let events: HashMap<String, FeedEvent> =
        feed::of(conn, &places).await?.into_iter().map(|event| (event.id.clone(), event)).collect();
    let mut attempts = attempts(engine, id, &places).await?;
    let mut found = Vec::with_capacity(page.rows.len());
    for row in page.rows {
        let place = row.position();
        // Events and their deliveries are forgotten together; one in between is left out.
        let Some(event) = events.get(&place.to_string()).cloned() else { continue };
        let state: DeliveryState = row.state.parse()?;
        let due_at = row.due_at.filter(|_| state == DeliveryState::Pending);
        found.push(WebhookDelivery { event, state, due_at, attempts: attempts.remove(&place).unwrap_or_default() });
    }
    Ok(Page { rows: found, next: page.next })
}

async fn attempts(
    engine: &Engine,
    id: WebhookId,
    places: &[Position],
) -> Result<HashMap<Position, Vec<WebhookAttempt>>> {
    let places = Rows::of([("tx", Kind::Int), ("id", Kind::Int)], places, |place| cells![place.tx, place.id]);
    let rows: Vec<AttemptRow> = db::of_rows(engine.db.read(), places, values![id.0], |table| {
        format!(
            "SELECT a.event_tx, a.event_id, a.at, a.status, a.error, a.took_ms, a.response FROM {table}
             JOIN webhook_attempts a ON a.webhook_id = $1 AND a.event_tx = r.tx AND a.event_id = r.id ORDER BY a.id DESC"
        )
    })
    .await?;
    let mut found: HashMap<Position, Vec<WebhookAttempt>> = HashMap::new();
    for row in rows {
        found.entry(Position { tx: row.event_tx, id: row.event_id }).or_default().push(WebhookAttempt {
            at: row.at,
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            error: row.error,
            took_ms: u32::try_from(row.took_ms).unwrap_or(0),
            response: row.response,
        });
    }
    Ok(found)
}

/// Sends one event again, whatever became of it, with all attempts anew.
///
/// # Errors
/// [`Error::NotFound`] for an endpoint or event that there is not (any more), [`Error::Forbidden`].
pub async fn resend(engine: &Engine, actor: &Actor, id: WebhookId, event: &str) -> Result<()> {
    authorize(Operation::WebhookWrite, actor)?;
    let place: Position = event.parse().map_err(|_| Error::NotFound { what: "event" })?;
    let tx = engine.db.begin().await?;
    load(&tx, id).await?;
    let event = feed::of(&tx, &[place]).await?.pop().ok_or(Error::NotFound { what: "event" })?;
    db::exec(
        &tx,
        "INSERT INTO webhook_deliveries (webhook_id, event_tx, event_id, state, tries, due_at, at)
         VALUES ($1, $2, $3, 'pending', 0, $4, $5)
         ON CONFLICT (webhook_id, event_tx, event_id) DO UPDATE SET state = 'pending', tries = 0, due_at = excluded.due_at",
        values![id.0, place.tx, place.id, engine.clock.now(), event.timestamp],
    )
    .await?;
    record(engine, &tx, actor, "webhook.resend", id.0, None, Some(json!({ "event": event.id }))).await?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Webhooks).await;
    Ok(())
}

/// Sends everything again that failed for good, of what happened since an instant; answers how many there are.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn recover(engine: &Engine, actor: &Actor, id: WebhookId, since: DateTime<Utc>) -> Result<u64> {
    authorize(Operation::WebhookWrite, actor)?;
    let tx = engine.db.begin().await?;
    load(&tx, id).await?;
    let count = db::exec(
        &tx,
        "UPDATE webhook_deliveries SET state = 'pending', tries = 0, due_at = $2
         WHERE webhook_id = $1 AND state = 'failed' AND at >= $3",
        values![id.0, engine.clock.now(), since],
    )
    .await?;
    record(engine, &tx, actor, "webhook.recover", id.0, None, Some(json!({ "since": since, "events": count }))).await?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Webhooks).await;
    Ok(count)
}
