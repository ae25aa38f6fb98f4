//! The event stream: what integrations are told, written in the transaction of what it tells.
//!
//! On PostgreSQL a transaction that stays open, in any database of the server, holds the stream back until it ends.
//!
//! It is read in the order (transaction, number), and only as far as no transaction that still runs could add anything before. A
//! reader that remembers the last event it saw therefore misses none and sees none twice.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    cells,
    db::{self, Kind, Rows},
    twilio::codes,
    values,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    feed::{EventType, FeedEvent, KEPT_DAYS, Position},
    ids::{CampaignId, MessageKey},
    operator::Operation,
    page::{Page, PageRequest},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use uuid::Uuid;

/// How many old events one sweep forgets.
const EXPIRED_STEP: i64 = 5_000;

/// Something to tell.
#[derive(Debug, Clone)]
pub(crate) struct News {
    kind: EventType,
    user: Option<Uuid>,
    campaign: Option<Uuid>,
    seq: Option<i64>,
    subject: Option<Uuid>,
    error_code: i32,
    data: Option<Value>,
}

impl News {
    fn of(kind: EventType) -> Self {
        Self { kind, user: None, campaign: None, seq: None, subject: None, error_code: 0, data: None }
    }

    /// What became of a message.
    pub fn message(kind: EventType, key: MessageKey, user: Uuid, error_code: i32) -> Self {
        Self { user: Some(user), campaign: Some(key.campaign.0), seq: Some(key.seq), error_code, ..Self::of(kind) }
    }

    /// What a person wrote: its text is read when it is told.
    pub fn inbound(id: Uuid, user: Uuid) -> Self {
        Self { user: Some(user), subject: Some(id), ..Self::of(EventType::InboundReceived) }
    }

    /// Where a person stands now, and by which entry of the ledger.
    pub fn consent(kind: EventType, user: Uuid, entry: Uuid, data: Value) -> Self {
        Self { user: Some(user), subject: Some(entry), data: Some(data), ..Self::of(kind) }
    }

    /// What became of a campaign.
    pub fn campaign(kind: EventType, id: CampaignId, data: Value) -> Self {
        Self { campaign: Some(id.0), data: Some(data), ..Self::of(kind) }
    }

    /// What became of an import.
    pub fn import(kind: EventType, id: Uuid, data: Value) -> Self {
        Self { subject: Some(id), data: Some(data), ..Self::of(kind) }
    }
}

/// Tells, in the caller's transaction.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away.
pub(crate) async fn tell<C: ConnectionTrait>(engine: &Engine, conn: &C, news: Vec<News>) -> Result<()> {
    let columns = [
        ("kind", Kind::Text),
        ("user_id", Kind::Id),
        ("campaign_id", Kind::Id),
        ("seq", Kind::Int),
        ("subject_id", Kind::Id),
        ("error_code", Kind::Int),
        ("data", Kind::Json),
    ];
    let rows = Rows::of(columns, news, |one| {
        cells![one.kind.as_str(), one.user, one.campaign, one.seq, one.subject, i64::from(one.error_code), one.data]
    });
    let tx = db::this_transaction(conn);
    db::bulk(conn, rows, values![engine.clock.now()], |table| {
        format!(
            "INSERT INTO feed (tx, kind, at, user_id, campaign_id, seq, subject_id, error_code, data)
             SELECT {tx}, kind, $1, user_id, campaign_id, seq, subject_id, CAST(error_code AS integer), data FROM {table} WHERE true"
        )
    })
    .await?;
    Ok(())
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct FeedQuery {
    /// Only of these types; none named means all.
    pub types: Vec<EventType>,
    /// Only what concerns this campaign.
    pub campaign: Option<CampaignId>,
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    tx: i64,
    kind: String,
    at: DateTime<Utc>,
    user_id: Option<Uuid>,
    campaign_id: Option<Uuid>,
    seq: Option<i64>,
    subject_id: Option<Uuid>,
    error_code: i32,
    data: Option<Value>,
    inbound: Option<String>,
    channel: Option<String>,
    from_address: Option<String>,
    to_address: Option<String>,
    body: Option<String>,
}

/// The columns of an event with what it tells by name: `f` is the event, `i` what a person wrote.
const SELECT: &str =
    "SELECT f.id, f.tx, f.kind, f.at, f.user_id, f.campaign_id, f.seq, f.subject_id, f.error_code, f.data,
        i.kind AS inbound, i.channel, i.from_address, i.to_address, i.body
    FROM feed f LEFT JOIN inbound_messages i ON f.kind = 'inbound.received' AND i.id = f.subject_id";

impl Row {
    fn event(self) -> Result<FeedEvent> {
        let kind: EventType = self.kind.parse().map_err(Error::internal)?;
        let mut data = match self.data {
            Some(Value::Object(data)) => data,
            _ => Map::new(),
        };
        let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
        if let Some(user) = self.user_id {
            put("user", json!(user));
        }
        match kind.noun() {
            "message" => {
                if let (Some(campaign), Some(seq)) = (self.campaign_id, self.seq) {
                    put("message", json!(MessageKey { campaign: CampaignId(campaign), seq }.to_string()));
                }
                if self.error_code != 0 {
                    put("error_code", json!(self.error_code));
                    put("error", json!(codes::text(self.error_code)));
                }
            }
            "inbound" => {
                put("inbound", json!(self.subject_id));
                put("channel", json!(self.channel));
                put("from", json!(self.from_address));
                put("to", json!(self.to_address));
                put("kind", json!(self.inbound));
                put("body", json!(self.body));
            }
            "consent" => put("entry", json!(self.subject_id)),
            "import" => put("import", json!(self.subject_id)),
            _ => {}
        }
        if let Some(campaign) = self.campaign_id {
            put("campaign", json!(campaign));
        }
        let id = Position { tx: self.tx, id: self.id }.to_string();
        Ok(FeedEvent { id, kind, timestamp: self.at, data: Value::Object(data) })
    }
}

/// The events after this one, in their order, at most `limit`.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away.
pub(crate) async fn after<C: ConnectionTrait>(
    conn: &C,
    query: &FeedQuery,
    after: Position,
    limit: u32,
) -> Result<Vec<FeedEvent>> {
    let mut sql = format!("{SELECT} WHERE (f.tx, f.id) > ($1, $2) AND {}", db::settled_transactions(conn, "f.tx"));
    let mut values = values![after.tx, after.id];
    if !query.types.is_empty() {
        let words: Vec<String> = query.types.iter().map(|kind| format!("'{kind}'")).collect();
        let _ = write!(sql, " AND f.kind IN ({})", words.join(", "));
    }
    if let Some(campaign) = query.campaign {
        values.push(campaign.0.into());
        let _ = write!(sql, " AND f.campaign_id = ${}", values.len());
    }
    let _ = write!(sql, " ORDER BY f.tx, f.id LIMIT {limit}");
    let rows: Vec<Row> = db::all(conn, &sql, values).await?;
    rows.into_iter().map(Row::event).collect()
}

/// These events, in their order; those that were forgotten are not among them.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away.
pub(crate) async fn of<C: ConnectionTrait>(conn: &C, positions: &[Position]) -> Result<Vec<FeedEvent>> {
    let places = Rows::of([("tx", Kind::Int), ("id", Kind::Int)], positions, |place| cells![place.tx, place.id]);
    let rows: Vec<Row> = db::of_rows(conn, places, values![], |table| {
        format!("{SELECT} JOIN {table} ON r.tx = f.tx AND r.id = f.id ORDER BY f.tx, f.id")
    })
    .await?;
    rows.into_iter().map(Row::event).collect()
}

/// One page of the stream, oldest first.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor, query: &FeedQuery, page: &PageRequest) -> Result<Page<FeedEvent>> {
    authorize(Operation::EventRead, actor)?;
    let from: Position = match &page.after {
        Some(text) => text.parse().map_err(|_| Error::invalid("after", "this is not an event's id"))?,
        None => Position::default(),
    };
    let rows = after(engine.db.read(), query, from, page.limit() + 1).await?;
    Ok(Page::cut(rows, page.limit(), |event| event.id.clone()))
}

#[derive(FromQueryResult)]
struct Place {
    tx: i64,
    id: i64,
}

/// Behind everything that is committed now.
///
/// # Errors
/// [`Error::Unavailable`], [`Error::Forbidden`].
pub async fn end(engine: &Engine, actor: &Actor) -> Result<Position> {
    authorize(Operation::EventRead, actor)?;
    latest(engine.db.read()).await
}

pub(crate) async fn latest<C: ConnectionTrait>(conn: &C) -> Result<Position> {
    let sql = format!(
        "SELECT f.tx, f.id FROM feed f WHERE {} ORDER BY f.tx DESC, f.id DESC LIMIT 1",
        db::settled_transactions(conn, "f.tx")
    );
    let place: Option<Place> = db::one(conn, &sql, values![]).await?;
    Ok(place.map_or_else(Position::default, |place| Position { tx: place.tx, id: place.id }))
}

/// Forgets events that are older than [`KEPT_DAYS`], and what was delivered of them. The sweep calls it.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn expire(engine: &Engine) -> Result<()> {
    let old = engine.clock.now() - Duration::days(KEPT_DAYS);
    let second: Option<DateTime<Utc>> =
        db::scalar(engine.db.read(), "SELECT at AS value FROM feed ORDER BY tx, id LIMIT 1 OFFSET 1", values![])
            .await?;
    if second.is_none_or(|at| at >= old) {
        return Ok(());
    }
    let tx = engine.db.begin_bulk().await?;
    // The newest stays, so that numbers never begin anew.
    let sql = "DELETE FROM feed WHERE id IN (SELECT o.id FROM (SELECT id, at FROM feed ORDER BY tx, id LIMIT $1) o WHERE o.at < $2)
        AND id < (SELECT MAX(id) FROM feed)";
    db::exec(&tx, sql, values![EXPIRED_STEP, old]).await?;
    for table in ["webhook_deliveries", "webhook_attempts"] {
        let sql = format!(
            "DELETE FROM {table} WHERE (event_tx, event_id) < (SELECT tx, id FROM feed ORDER BY tx, id LIMIT 1)"
        );
        db::exec(&tx, &sql, values![]).await?;
    }
    tx.commit().await
}

/// Makes sure that new events come after all that are there: after a restore into another server, transactions count from
/// lower numbers than those in the table. Every process calls it when it starts.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn rebase(engine: &Engine) -> Result<()> {
    db::rebase_feed(&engine.db).await
}
