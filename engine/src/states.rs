//! The rows of `messages`: read under lock, moved by the one statement that changes a state, and counted.
//!
//! A move names the state and the attempt that it leaves, so that of two writers one wins; the balance changes in the
//! same transaction, by what really moved.

use crate::{
    Engine, Result, cells,
    db::{self, Kind, Rows},
    feed::{self, News},
    values,
};
use domain::{
    feed::EventType,
    ids::{CampaignId, MessageKey, UserId},
    message::{Outcome, State},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// A message's row, as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// Its key.
    pub key: MessageKey,
    /// Whose it is.
    pub user: UserId,
    /// Its state.
    pub state: State,
    /// How often it was tried.
    pub attempt: i16,
    /// The provider's id; nil while there is none.
    pub sid: Uuid,
    /// The last attempt that the provider gave up; 0 if there is none.
    pub given_up: i16,
}

#[derive(FromQueryResult)]
struct CurrentRow {
    campaign_id: Uuid,
    seq: i64,
    user_id: Uuid,
    state: i16,
    attempt: i16,
    sid: Uuid,
    given_up: i16,
}

/// Reads and locks messages, always in the order of their keys, so that two batches never wait for each other in a ring.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn lock<C: ConnectionTrait>(conn: &C, keys: &[MessageKey]) -> Result<HashMap<MessageKey, Current>> {
    let lock = db::lock_messages(conn);
    let rows: Vec<CurrentRow> = db::of_rows(conn, Rows::keys(keys), values![], |table| {
        format!(
            "SELECT m.campaign_id, m.seq, m.user_id, m.state, m.attempt, m.sid, m.given_up FROM {table}
             JOIN messages m ON m.campaign_id = r.campaign_id AND m.seq = r.seq
             ORDER BY m.campaign_id, m.seq{lock}"
        )
    })
    .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let key = MessageKey { campaign: CampaignId(row.campaign_id), seq: row.seq };
        let state = State::from_rank(row.state)
            .ok_or_else(|| crate::Error::internal(format!("message {key} has the unknown state {}", row.state)))?;
        let current = Current {
            key,
            user: UserId(row.user_id),
            state,
            attempt: row.attempt,
            sid: row.sid,
            given_up: row.given_up,
        };
        found.insert(key, current);
    }
    Ok(found)
}

/// A move of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which.
    pub key: MessageKey,
    /// From which state.
    pub from: State,
    /// To which state.
    pub to: State,
    /// The attempt it belongs to before the move.
    pub attempt: i16,
    /// Whether the move begins a new attempt.
    pub claims: bool,
    /// The provider's id, if the move binds one.
    pub sid: Option<Uuid>,
    /// Flags to raise.
    pub flags: i16,
    /// The provider's error code; 0 leaves what is there.
    pub error_code: i32,
}

impl Move {
    /// A move that binds nothing.
    pub fn plain(current: &Current, to: State) -> Self {
        Self {
            key: current.key,
            from: current.state,
            to,
            attempt: current.attempt,
            claims: false,
            sid: None,
            flags: 0,
            error_code: 0,
        }
    }
}

/// Moves messages, and keeps the balance. Answers the keys that moved; one that was moved by somebody else meanwhile is not
/// among them.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn apply<C: ConnectionTrait>(engine: &Engine, conn: &C, moves: &[Move]) -> Result<HashSet<MessageKey>> {
    let columns = [
        ("campaign_id", Kind::Id),
        ("seq", Kind::Int),
        ("from_state", Kind::Small),
        ("to_state", Kind::Small),
        ("from_attempt", Kind::Small),
        ("to_attempt", Kind::Small),
        ("sid", Kind::Id),
        ("flags", Kind::Small),
        ("error_code", Kind::Int),
    ];
    let rows = Rows::of(columns, moves, |m| {
        let (from, to, next) = (m.from.rank(), m.to.rank(), m.attempt + i16::from(m.claims));
        cells![m.key.campaign.0, m.key.seq, from, to, m.attempt, next, m.sid, m.flags, m.error_code]
    });
    let moved: Vec<MovedRow> = db::of_rows(conn, rows, values![engine.clock.now()], |table| {
        format!(
            "UPDATE messages SET state = r.to_state, attempt = r.to_attempt, sid = COALESCE(r.sid, messages.sid),
                flags = messages.flags | r.flags,
                error_code = CASE WHEN r.error_code = 0 THEN messages.error_code ELSE r.error_code END, updated_at = $1
             FROM {table}
             WHERE messages.campaign_id = r.campaign_id AND messages.seq = r.seq
               AND messages.state = r.from_state AND messages.attempt = r.from_attempt
             RETURNING messages.campaign_id, messages.seq, messages.user_id"
        )
    })
    .await?;
    let moved: HashMap<MessageKey, Uuid> = moved.into_iter().map(MovedRow::pair).collect();
    let mut news = Vec::new();
    let mut balance = Balance::default();
    let mut days = DayFigures::default();
    let mut failed: BTreeMap<(CampaignId, i32), i64> = BTreeMap::new();
    for m in moves {
        let Some(user) = moved.get(&m.key) else { continue };
        if let Some(kind) = told(m.from, m.to) {
            news.push(News::message(kind, m.key, *user, m.error_code));
        }
        balance.add(m.key.campaign, m.from, -1);
        balance.add(m.key.campaign, m.to, 1);
        days.moved(m.from, m.to);
        if m.error_code != 0 {
            *failed.entry((m.key.campaign, m.error_code)).or_default() += 1;
        }
    }
    let writer = if moves.iter().any(|m| m.claims) { Writer::Claims } else { Writer::Others };
    balance.store(engine, conn, writer).await?;
    days.store(engine, conn).await?;
    count_errors(conn, &failed).await?;
    feed::tell(engine, conn, news).await?;
    Ok(moved.into_keys().collect())
}

/// What the event stream tells of a move.
fn told(from: State, to: State) -> Option<EventType> {
    EventType::of_message(to).filter(|kind| EventType::of_message(from) != Some(*kind))
}

#[derive(FromQueryResult)]
struct MovedRow {
    campaign_id: Uuid,
    seq: i64,
    user_id: Uuid,
}

impl MovedRow {
    fn pair(self) -> (MessageKey, Uuid) {
        (MessageKey { campaign: CampaignId(self.campaign_id), seq: self.seq }, self.user_id)
    }
}

/// Marks the attempts that these messages stand at as given up by the provider, and frees the messages for the next.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn give_up<C: ConnectionTrait>(conn: &C, keys: &[MessageKey]) -> Result<()> {
    db::bulk(conn, Rows::keys(keys), values![Outcome::GivenUp.code()], |table| {
        format!(
            "UPDATE attempts SET outcome = $1 FROM {table}
             JOIN messages m ON m.campaign_id = r.campaign_id AND m.seq = r.seq
             WHERE attempts.campaign_id = r.campaign_id AND attempts.seq = r.seq AND attempts.attempt = m.attempt"
        )
    })
    .await?;
    db::bulk(conn, Rows::keys(keys), values![Uuid::nil()], |table| {
        format!(
            "UPDATE messages SET given_up = messages.attempt, sid = $1, error_code = 0 FROM {table}
             WHERE messages.campaign_id = r.campaign_id AND messages.seq = r.seq"
        )
    })
    .await?;
    Ok(())
}

/// Who changes the balance. A worker claims while it settles, and neither should wait until the other is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The claims of a worker.
    Claims,
    /// Everything else.
    Others,
}

/// Changes to the balance that are not stored yet.
#[derive(Debug, Default)]
pub struct Balance(BTreeMap<(CampaignId, State), i64>);

impl Balance {
    /// So many more, or fewer, in this state.
    pub fn add(&mut self, campaign: CampaignId, state: State, count: i64) {
        *self.0.entry((campaign, state)).or_default() += count;
    }

    /// Stores the changes, in the transaction of what they count. Each process has shards of its own, so that writers do not
    /// queue on one row.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] when the database is away.
    pub async fn store<C: ConnectionTrait>(self, engine: &Engine, conn: &C, writer: Writer) -> Result<()> {
        let shard = match writer {
            Writer::Claims => shard(&engine.limits.worker) + SHARDS,
            Writer::Others => shard(&engine.limits.worker),
        };
        let columns = [("campaign_id", Kind::Id), ("state", Kind::Small), ("count", Kind::Int)];
        let changes = self.0.into_iter().filter(|(_, count)| *count != 0);
        let changes = Rows::of(columns, changes, |((campaign, state), count)| cells![campaign.0, state.rank(), count]);
        db::bulk(conn, changes, values![shard], |table| {
            format!(
                "INSERT INTO campaign_stats (campaign_id, state, shard, count)
                 SELECT campaign_id, state, $1, count FROM {table} WHERE true ORDER BY campaign_id, state
                 ON CONFLICT (campaign_id, state, shard) DO UPDATE SET count = campaign_stats.count + excluded.count"
            )
        })
        .await?;
        Ok(())
    }
}

/// Counts a campaign's messages by state from the rows themselves: what the rollup must equal.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn recount<C: ConnectionTrait>(conn: &C, campaign: CampaignId) -> Result<Vec<(State, i64)>> {
    let rows: Vec<CountRow> = db::all(
        conn,
        "SELECT state, COUNT(*) AS count FROM messages WHERE campaign_id = $1 GROUP BY state ORDER BY state",
        crate::values![campaign.0],
    )
    .await?;
    Ok(rows.iter().filter_map(|row| Some((State::from_rank(row.state)?, row.count))).collect())
}

#[derive(FromQueryResult)]
struct CountRow {
    state: i16,
    count: i64,
}

/// How many shards a counter has: processes that share one wait for each other's commits.
const SHARDS: i16 = 32;

/// The shard of a process, below [`SHARDS`].
fn shard(worker: &str) -> i16 {
    let hash = worker.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    (hash % SHARDS.unsigned_abs() as u32) as i16
}

/// The day's figures that are not stored yet.
#[derive(Debug, Default)]
pub struct DayFigures(BTreeMap<&'static str, i64>);

impl DayFigures {
    /// So many more of a figure: `sent`, `delivered`, `read`, `failed`, `replies` or `opt_outs`.
    pub fn add(&mut self, figure: &'static str, count: i64) {
        *self.0.entry(figure).or_default() += count;
    }

    /// Counts what a message's move means for the day.
    fn moved(&mut self, from: State, to: State) {
        let reached = |state: State, least: State| i64::from(state.rank() >= least.rank());
        let failed = |state: State| i64::from(state.bucket() == domain::message::Bucket::Failed);
        self.add("sent", reached(to, State::Accepted) - reached(from, State::Accepted));
        self.add("delivered", reached(to, State::Delivered) - reached(from, State::Delivered));
        self.add("read", reached(to, State::Read) - reached(from, State::Read));
        self.add("failed", failed(to) - failed(from));
    }

    /// Stores the figures under today (UTC).
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] when the database is away.
    pub async fn store<C: ConnectionTrait>(self, engine: &Engine, conn: &C) -> Result<()> {
        let day = engine.clock.now().date_naive().to_string();
        let changes = self.0.into_iter().filter(|(_, count)| *count != 0);
        let changes =
            Rows::of([("figure", Kind::Text), ("count", Kind::Int)], changes, |(figure, count)| cells![figure, count]);
        db::bulk(conn, changes, values![day, shard(&engine.limits.worker)], |table| {
            format!(
                "INSERT INTO day_stats (day, figure, shard, count)
                 SELECT $1, figure, $2, count FROM {table} WHERE true ORDER BY figure
                 ON CONFLICT (day, figure, shard) DO UPDATE SET count = day_stats.count + excluded.count"
            )
        })
        .await?;
        Ok(())
    }
}

/// Counts messages that the provider took, in the running second. Sharded like the balance.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn count_taken<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    taken: &BTreeMap<CampaignId, i64>,
) -> Result<()> {
    let columns = [("campaign_id", Kind::Id), ("count", Kind::Int)];
    let counts = Rows::of(columns, taken, |(campaign, count)| cells![campaign.0, *count]);
    db::bulk(conn, counts, values![engine.clock.now().timestamp(), shard(&engine.limits.worker)], |table| {
        format!(
            "INSERT INTO throughput (campaign_id, second, shard, count)
             SELECT campaign_id, $1, $2, count FROM {table} WHERE true ORDER BY campaign_id
             ON CONFLICT (campaign_id, second, shard) DO UPDATE SET count = throughput.count + excluded.count"
        )
    })
    .await?;
    Ok(())
}

async fn count_errors<C: ConnectionTrait>(conn: &C, failed: &BTreeMap<(CampaignId, i32), i64>) -> Result<()> {
    let columns = [("campaign_id", Kind::Id), ("code", Kind::Int), ("count", Kind::Int)];
    let counts = Rows::of(columns, failed, |((campaign, code), count)| cells![campaign.0, *code, *count]);
    db::bulk(conn, counts, values![], |table| {
        format!(
            "INSERT INTO error_stats (campaign_id, code, count)
             SELECT campaign_id, code, count FROM {table} WHERE true ORDER BY campaign_id, code
             ON CONFLICT (campaign_id, code) DO UPDATE SET count = error_stats.count + excluded.count"
        )
    })
    .await?;
    Ok(())
}

/// Binds provider ids to messages. An id that is bound already stays where it is.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn bind<C: ConnectionTrait>(engine: &Engine, conn: &C, sids: &[(Uuid, MessageKey, i16)]) -> Result<()> {
    let columns = [("sid", Kind::Id), ("campaign_id", Kind::Id), ("seq", Kind::Int), ("attempt", Kind::Small)];
    let sids = Rows::of(columns, sids, |(sid, key, attempt)| cells![*sid, key.campaign.0, key.seq, *attempt]);
    db::bulk(conn, sids, values![engine.clock.now()], |table| {
        format!(
            "INSERT INTO provider_messages (sid, campaign_id, seq, attempt, at)
             SELECT sid, campaign_id, seq, attempt, $1 FROM {table} WHERE true ORDER BY sid
             ON CONFLICT (sid) DO NOTHING"
        )
    })
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct BoundRow {
    sid: Uuid,
    campaign_id: Uuid,
    seq: i64,
    attempt: i16,
}

/// Which messages these provider ids belong to.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn bound<C: ConnectionTrait>(conn: &C, sids: &[Uuid]) -> Result<HashMap<Uuid, (MessageKey, i16)>> {
    let rows: Vec<BoundRow> = db::of_rows(conn, Rows::ids(sids.iter().copied()), values![], |table| {
        format!("SELECT p.sid, p.campaign_id, p.seq, p.attempt FROM {table} JOIN provider_messages p ON p.sid = r.id")
    })
    .await?;
    let key = |row: &BoundRow| MessageKey { campaign: CampaignId(row.campaign_id), seq: row.seq };
    Ok(rows.iter().map(|row| (row.sid, (key(row), row.attempt))).collect())
}

/// A message that waits: it has one row in `waits`.
#[derive(Debug, Clone)]
pub struct Wait {
    /// Which.
    pub key: MessageKey,
    /// `retry`, `deferral` or `unknown`.
    pub why: &'static str,
    /// Until when.
    pub due_at: chrono::DateTime<chrono::Utc>,
    /// How often it has waited for this.
    pub tries: i32,
}

/// Lets messages wait; one that waits already waits anew.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn wait<C: ConnectionTrait>(conn: &C, waits: &[Wait]) -> Result<()> {
    let columns = [
        ("campaign_id", Kind::Id),
        ("seq", Kind::Int),
        ("due_at", Kind::Time),
        ("why", Kind::Text),
        ("tries", Kind::Int),
    ];
    let waits =
        Rows::of(columns, waits, |wait| cells![wait.key.campaign.0, wait.key.seq, wait.due_at, wait.why, wait.tries]);
    db::bulk(conn, waits, values![], |table| {
        format!(
            "INSERT INTO waits (campaign_id, seq, due_at, why, tries)
             SELECT campaign_id, seq, due_at, why, tries FROM {table} WHERE true ORDER BY campaign_id, seq
             ON CONFLICT (campaign_id, seq) DO UPDATE
             SET due_at = excluded.due_at, why = excluded.why, tries = excluded.tries"
        )
    })
    .await?;
    Ok(())
}

/// Ends the wait of these messages.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn stop_waiting<C: ConnectionTrait>(conn: &C, keys: &[MessageKey]) -> Result<()> {
    db::bulk(conn, Rows::keys(keys), values![], |table| {
        format!("DELETE FROM waits WHERE (campaign_id, seq) IN (SELECT campaign_id, seq FROM {table})")
    })
    .await?;
    Ok(())
}
