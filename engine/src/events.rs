//! The raw event log: what came over the wire, verbatim, stored before it is understood.
//!
//! An event is an envelope that never changes (ids, time, SHA-256) and a payload beside it that can be erased.

use crate::{
    Engine, Result, cells,
    db::{self, Kind, Rows},
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    ids::{EventId, MessageKey},
    message::Exchange,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use uuid::Uuid;

/// What kind of thing came over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// We asked the provider to send.
    Create,
    /// We asked the provider what it holds.
    List,
    /// The provider reported a status.
    Status,
    /// A person wrote.
    Inbound,
}

impl EventKind {
    /// The word, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::List => "list",
            Self::Status => "status",
            Self::Inbound => "inbound",
        }
    }
}

/// An event to store.
#[derive(Debug, Clone)]
pub struct RawEvent {
    /// What it is.
    pub kind: EventKind,
    /// Two events with the same key are one; `None` for what cannot be repeated.
    pub dedupe_key: Option<String>,
    /// The provider's id, if it names one.
    pub sid: Option<Uuid>,
    /// The message it belongs to, if that is known.
    pub message: Option<(MessageKey, i16)>,
    /// What came, as text.
    pub payload: String,
}

/// Stores events in the caller's transaction, and says for each under which id; `None` for one that was stored before.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn append<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    events: &[RawEvent],
) -> Result<Vec<Option<EventId>>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let at = engine.clock.now();
    let ids: Vec<Uuid> = events.iter().map(|_| engine.clock.new_id()).collect();
    let columns = [
        ("id", Kind::Id),
        ("kind", Kind::Text),
        ("dedupe_key", Kind::Text),
        ("sid", Kind::Id),
        ("campaign_id", Kind::Id),
        ("seq", Kind::Int),
        ("attempt", Kind::Small),
        ("sha256", Kind::Bytes),
    ];
    let envelopes = Rows::of(columns, events.iter().zip(&ids), |(event, id)| {
        let campaign = event.message.map(|(key, _)| key.campaign.0);
        let (seq, attempt) = (event.message.map(|(key, _)| key.seq), event.message.map(|(_, attempt)| attempt));
        let sha256 = Sha256::digest(event.payload.as_bytes()).to_vec();
        cells![*id, event.kind.as_str(), event.dedupe_key.clone(), event.sid, campaign, seq, attempt, sha256]
    });
    let stored: Vec<Id> = db::of_rows(conn, envelopes, values![at], |table| {
        format!(
            "INSERT INTO events (id, kind, dedupe_key, sid, campaign_id, seq, attempt, sha256, at)
             SELECT id, kind, dedupe_key, sid, campaign_id, seq, attempt, sha256, $1 FROM {table} WHERE true
             ON CONFLICT DO NOTHING RETURNING id"
        )
    })
    .await?;
    let stored: std::collections::HashSet<Uuid> = stored.into_iter().map(|row| row.id).collect();
    let payloads = events.iter().zip(&ids).filter(|(_, id)| stored.contains(id));
    let columns = [("id", Kind::Id), ("payload", Kind::Text)];
    let payloads = Rows::of(columns, payloads, |(event, id)| cells![*id, clean(&event.payload)]);
    let sql = |table: &str| format!("INSERT INTO event_payloads (event_id, payload) SELECT id, payload FROM {table}");
    db::bulk(conn, payloads, values![], sql).await?;
    Ok(ids.into_iter().map(|id| stored.contains(&id).then_some(EventId(id))).collect())
}

/// PostgreSQL's text cannot hold NUL; it is kept visibly.
fn clean(payload: &str) -> std::borrow::Cow<'_, str> {
    if payload.contains('\0') { payload.replace('\0', "\\u0000").into() } else { payload.into() }
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    kind: String,
    sha256: Vec<u8>,
    at: DateTime<Utc>,
    payload: Option<String>,
}

/// Everything that went over the wire for one message, oldest first, at most 500 events.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn of_message<C: ConnectionTrait>(conn: &C, key: MessageKey) -> Result<Vec<Exchange>> {
    let rows: Vec<Row> = db::all(
        conn,
        "SELECT e.id, e.kind, e.sha256, e.at, p.payload FROM events e
         LEFT JOIN event_payloads p ON p.event_id = e.id
         WHERE e.campaign_id = $1 AND e.seq = $2 ORDER BY e.id LIMIT 500",
        crate::values![key.campaign.0, key.seq],
    )
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Exchange {
            id: EventId(row.id),
            at: row.at,
            kind: row.kind,
            payload: row.payload,
            sha256: hex::encode(row.sha256),
        })
        .collect())
}

/// Groups anything by a message's key.
pub(crate) fn by_key<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> MessageKey,
) -> HashMap<MessageKey, Vec<T>> {
    let mut groups: HashMap<MessageKey, Vec<T>> = HashMap::new();
    for item in items {
        groups.entry(key(&item)).or_default().push(item);
    }
    groups
}
