//! Who did what: written in the same transaction as the act itself.

use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    db, idempotency, values,
};
use chrono::{DateTime, Utc};
use domain::{
    audit::AuditEntry,
    ids::{AuditId, OperatorId},
    operator::Operation,
    page::{Page, PageRequest},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value;
use uuid::Uuid;

/// Something worth an entry.
#[derive(Debug, Clone, Default)]
pub struct Act<'a> {
    /// `noun.verb`.
    pub action: &'a str,
    /// To what: `noun:id`.
    pub target: String,
    /// How it was.
    pub before: Option<Value>,
    /// How it is now.
    pub after: Option<Value>,
}

/// Records an act, in the act's own transaction.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away; then the act does not happen either.
pub async fn record<C: ConnectionTrait>(engine: &Engine, conn: &C, actor: &Actor, act: Act<'_>) -> Result<()> {
    db::exec(
        conn,
        "INSERT INTO audit (id, at, actor, operator_id, action, target, before, after, address, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        values![
            engine.clock.new_id::<Uuid>(),
            engine.clock.now(),
            actor.label(),
            actor.operator_id().map(Uuid::from),
            act.action,
            act.target.as_str(),
            act.before,
            act.after,
            actor.client.address.clone(),
            actor.client.request_id.clone(),
        ],
    )
    .await?;
    // The act is done once this transaction is: a repeated request must find that.
    idempotency::mark(conn, actor, &act.target).await
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    operator_id: Option<Uuid>,
    action: String,
    target: String,
    before: Option<Value>,
    after: Option<Value>,
    address: Option<String>,
}

/// The log, newest first.
///
/// # Errors
/// [`crate::Error::Forbidden`], and [`crate::Error::Invalid`] for a cursor that is none.
pub async fn list(engine: &Engine, actor: &Actor, page: &PageRequest) -> Result<Page<AuditEntry>> {
    authorize(Operation::AuditRead, actor)?;
    let before = match &page.after {
        Some(cursor) => cursor.parse::<Uuid>().map_err(|_| crate::Error::invalid("after", "this is not a cursor"))?,
        None => Uuid::max(),
    };
    let rows: Vec<Row> = db::all(
        engine.db.read(),
        "SELECT id, at, actor, operator_id, action, target, before, after, address FROM audit
         WHERE id < $1 ORDER BY id DESC LIMIT $2",
        values![before, i64::from(page.limit()) + 1],
    )
    .await?;
    Ok(Page::cut(rows, page.limit(), |row| row.id.to_string()).map(|row| AuditEntry {
        id: AuditId(row.id),
        at: row.at,
        actor: row.actor,
        operator_id: row.operator_id.map(OperatorId),
        action: row.action,
        target: row.target,
        before: row.before,
        after: row.after,
        address: row.address,
    }))
}
