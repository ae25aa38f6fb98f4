//! One person with everything that is known.

use super::{THEIRS, load, timeline};
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    attributes,
    clock::FAR,
    db,
    messages::rows::{self, Record},
    subscriptions, suppressions, values,
};
use chrono::{DateTime, Utc};
use domain::{
    consent::ConsentEvent,
    ids::{ConsentEventId, TopicId, UserId},
    message::MessageRow,
    operator::Operation,
    page::{Page, PageRequest},
    user::{User, UserDetail},
    zone::{Zone, zones_of},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

/// How many messages a page of a person shows.
const MESSAGES_ROWS: i64 = 50;
/// How many entries of the ledger it shows.
const LEDGER_ROWS: i64 = 200;
/// How many things its timeline shows.
const TIMELINE_ROWS: u32 = 100;

/// A person, with consent, subscriptions, messages and timeline.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: UserId) -> Result<UserDetail> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    let user = load(conn, id).await?;
    let possible_zones = match (&user.zone, &user.phone) {
        (None, Some(phone)) => zones_of(phone).iter().map(Zone::to_string).collect(),
        _ => Vec::new(),
    };
    let subscriptions = subscriptions::of_user(conn, id).await?;
    let suppressed = suppressions::of_user(conn, &user).await?;
    let ledger = ledger_before(conn, id, None, LEDGER_ROWS).await?;
    let messages = messages(conn, &user, FAR, MESSAGES_ROWS).await?;
    let timeline = timeline::of(conn, &user, &PageRequest { after: None, limit: TIMELINE_ROWS }).await?.rows;
    let declared = attributes::list(engine, actor).await?;
    Ok(UserDetail { user, possible_zones, suppressed, subscriptions, declared, ledger, messages, timeline })
}

#[derive(FromQueryResult)]
struct Event {
    id: Uuid,
    channel: String,
    topic_id: Option<Uuid>,
    kind: String,
    source: String,
    sender: Option<String>,
    evidence: String,
    at: DateTime<Utc>,
}

impl Event {
    fn of(self, id: UserId) -> Result<ConsentEvent> {
        Ok(ConsentEvent {
            id: ConsentEventId(self.id),
            user_id: id,
            channel: self.channel.parse()?,
            topic_id: self.topic_id.map(TopicId),
            kind: self.kind.parse()?,
            source: self.source.parse()?,
            sender: self.sender,
            evidence: self.evidence,
            at: self.at,
        })
    }
}

/// What is read of the ledger; whose, follows.
const LEDGER: &str =
    "SELECT id, channel, topic_id, kind, source, sender, evidence, at FROM consent_events WHERE user_id";

/// One page of a person's consent ledger, newest first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn ledger(engine: &Engine, actor: &Actor, id: UserId, page: &PageRequest) -> Result<Page<ConsentEvent>> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    load(conn, id).await?;
    let before = page.after.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| Error::invalid("after", "this is not a cursor"))?;
    let rows = ledger_before(conn, id, before, i64::from(page.limit()) + 1).await?;
    Ok(Page::cut(rows, page.limit(), |event| event.id.to_string()))
}

async fn ledger_before<C: ConnectionTrait>(
    conn: &C,
    id: UserId,
    before: Option<ConsentEventId>,
    rows: i64,
) -> Result<Vec<ConsentEvent>> {
    let before = before.map_or(Uuid::max(), |before| before.0);
    let sql = format!("{LEDGER} {THEIRS} AND id < $2 ORDER BY id DESC LIMIT $3");
    let rows: Vec<Event> = db::all(conn, &sql, values![id.0, before, rows]).await?;
    rows.into_iter().map(|row| row.of(id)).collect()
}

/// Entries up to an instant, in the order of their time, newest first.
pub(super) async fn ledger_until<C: ConnectionTrait>(
    conn: &C,
    id: UserId,
    until: DateTime<Utc>,
    rows: i64,
) -> Result<Vec<ConsentEvent>> {
    let sql = format!("{LEDGER} {THEIRS} AND at <= $2 ORDER BY at DESC, id DESC LIMIT $3");
    let rows: Vec<Event> = db::all(conn, &sql, values![id.0, until, rows]).await?;
    rows.into_iter().map(|row| row.of(id)).collect()
}

/// Messages that last changed by an instant, newest first.
pub(super) async fn messages<C: ConnectionTrait>(
    conn: &C,
    user: &User,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<MessageRow>> {
    let sql = format!(
        "{} WHERE m.user_id {THEIRS} AND m.updated_at <= $2
         ORDER BY m.updated_at DESC, m.campaign_id DESC, m.seq DESC LIMIT $3",
        rows::select("")
    );
    let records: Vec<Record> = db::all(conn, &sql, values![user.id.0, until, limit]).await?;
    // Also what went to someone who was merged into them is theirs.
    let theirs = |row: MessageRow| MessageRow {
        user_id: user.id,
        user_name: user.name.clone(),
        phone: user.phone.clone(),
        ..row
    };
    records.into_iter().map(|record| Ok(theirs(record.view()?))).collect()
}
