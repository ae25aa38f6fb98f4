//! Many entries at once, for imports: a few statements, whatever their number.

use super::{Entry, Row, next_id};
use crate::{
    Engine, Error, Result, cells,
    db::{self, Kind, Rows},
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    consent::{ConsentState, Folded, Unmoved, fold},
    ids::UserId,
    phone::Channel,
};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// Where one person stands while a batch is folded.
struct Standing {
    folded: Folded,
    latest: Option<Uuid>,
    touched: bool,
    /// There is no row yet.
    new: bool,
}

/// Records entries as [`super::append`] does, in their order, and answers for each the new state or why there is none.
/// Newcomers are people whom this transaction made, and who have no rows yet: they get them here.
///
/// Whom nothing moves is not locked: what an import repeats would be as true a moment before whatever happens meanwhile.
/// The rows of the others are locked in the order of their ids, so that two batches never wait for each other.
///
/// # Errors
/// [`Error::NotFound`] if someone has no row, [`Error::Unavailable`].
pub(crate) async fn append_many<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    entries: &[Entry<'_>],
    newcomers: &[UserId],
) -> Result<Vec<Result<Folded, Unmoved>>> {
    let mut standings = standings(conn, entries, newcomers).await?;
    let now = engine.clock.now();
    let mut outcomes = Vec::with_capacity(entries.len());
    let mut events = Vec::new();
    for entry in entries {
        let standing = standings.get_mut(&(entry.user, entry.channel)).ok_or(Error::NotFound { what: "user" })?;
        let outcome = fold(standing.folded.clone(), entry.kind, entry.source, entry.sender);
        if outcome.is_ok() || entry.source.is_own_act() {
            let id = next_id(engine, standing.latest);
            standing.latest = Some(id);
            standing.touched = true;
            events.push((id, entry));
        }
        if let Ok(folded) = &outcome {
            standing.folded = folded.clone();
        }
        outcomes.push(outcome);
    }
    insert(conn, events, now).await?;
    let (mut new, mut touched) = (Vec::new(), Vec::new());
    for ((user, channel), standing) in standings {
        if !standing.new && !standing.touched {
            continue;
        }
        let stops = serde_json::to_value(&standing.folded.stops)?;
        let row = (user, channel, standing.folded.state, stops, standing.latest);
        if standing.new { &mut new } else { &mut touched }.push(row);
    }
    begin_many(conn, new, now).await?;
    update(conn, touched, now).await?;
    Ok(outcomes)
}

/// Where everyone stands whom the entries are about; those whom they may move are locked.
async fn standings<C: ConnectionTrait>(
    conn: &C,
    entries: &[Entry<'_>],
    newcomers: &[UserId],
) -> Result<BTreeMap<(UserId, Channel), Standing>> {
    let new: HashSet<UserId> = newcomers.iter().copied().collect();
    let known: Vec<&Entry<'_>> = entries.iter().filter(|entry| !new.contains(&entry.user)).collect();
    let seen = standing_of(conn, known.iter().map(|entry| entry.user)).await?;
    let moves = |entry: &&&Entry<'_>| {
        let standing = seen.get(&(entry.user, entry.channel)).cloned().unwrap_or_default();
        entry.source.is_own_act() || fold(standing, entry.kind, entry.source, entry.sender).is_ok()
    };
    let mut standings = lock(conn, known.iter().filter(moves).map(|entry| entry.user)).await?;
    for (key, folded) in seen {
        standings.entry(key).or_insert(Standing { folded, latest: None, touched: false, new: false });
    }
    for user in newcomers {
        for channel in Channel::ALL {
            let standing = Standing { folded: Folded::default(), latest: None, touched: false, new: true };
            standings.insert((*user, *channel), standing);
        }
    }
    Ok(standings)
}

/// The rows of `consents` of these people; `lock` is one of `db`'s or empty, and takes them in the order of their ids.
async fn read<C: ConnectionTrait>(
    conn: &C,
    people: impl IntoIterator<Item = UserId>,
    lock: &'static str,
) -> Result<Vec<Row>> {
    let people: BTreeSet<UserId> = people.into_iter().collect();
    if people.is_empty() {
        return Ok(Vec::new());
    }
    db::of_rows(conn, Rows::ids(people.iter().map(|user| user.0)), values![], |table| {
        format!(
            "SELECT user_id, channel, state, stops, event_id FROM consents
             WHERE user_id IN (SELECT r.id FROM {table}) ORDER BY user_id, channel{lock}"
        )
    })
    .await
}

/// Where people stand on each channel, to look at: nothing is locked.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn standing_of<C: ConnectionTrait>(
    conn: &C,
    people: impl IntoIterator<Item = UserId>,
) -> Result<BTreeMap<(UserId, Channel), Folded>> {
    let rows = read(conn, people, "").await?;
    rows.into_iter().map(|row| Ok(((UserId(row.user_id), row.channel.parse()?), row.folded()?))).collect()
}

/// Locks people's standing until the transaction ends.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn lock_people<C: ConnectionTrait>(conn: &C, people: impl IntoIterator<Item = UserId>) -> Result<()> {
    read(conn, people, db::lock(conn)).await.map(|_| ())
}

async fn lock<C: ConnectionTrait>(
    conn: &C,
    people: impl IntoIterator<Item = UserId>,
) -> Result<BTreeMap<(UserId, Channel), Standing>> {
    let rows = read(conn, people, db::lock(conn)).await?;
    rows.into_iter()
        .map(|row| {
            let standing = Standing { folded: row.folded()?, latest: row.event_id, touched: false, new: false };
            Ok(((UserId(row.user_id), row.channel.parse()?), standing))
        })
        .collect()
}

async fn insert<C: ConnectionTrait>(conn: &C, events: Vec<(Uuid, &Entry<'_>)>, at: DateTime<Utc>) -> Result<()> {
    let columns = [
        ("id", Kind::Id),
        ("user_id", Kind::Id),
        ("channel", Kind::Text),
        ("kind", Kind::Text),
        ("source", Kind::Text),
        ("sender", Kind::Text),
        ("evidence", Kind::Text),
    ];
    let events = Rows::of(columns, events, |(id, entry)| {
        let (channel, kind, source) = (entry.channel.as_str(), entry.kind.as_str(), entry.source.as_str());
        cells![id, entry.user.0, channel, kind, source, entry.sender.map(str::to_owned), entry.evidence]
    });
    db::bulk(conn, events, values![at], |table| {
        format!(
            "INSERT INTO consent_events (id, user_id, channel, topic_id, kind, source, sender, evidence, at)
             SELECT r.id, r.user_id, r.channel, NULL, r.kind, r.source, r.sender, r.evidence, $1 FROM {table}"
        )
    })
    .await?;
    Ok(())
}

/// A row of `consents`: whose, of which channel, the state, the stops, and the entry that it follows from.
type Stored = (UserId, Channel, ConsentState, Value, Option<Uuid>);

fn rows(stored: Vec<Stored>) -> Rows {
    let columns = [
        ("user_id", Kind::Id),
        ("channel", Kind::Text),
        ("state", Kind::Text),
        ("stops", Kind::Json),
        ("event_id", Kind::Id),
    ];
    Rows::of(columns, stored, |(user, channel, state, stops, event)| {
        cells![user.0, channel.as_str(), state.as_str(), stops, event]
    })
}

async fn begin_many<C: ConnectionTrait>(conn: &C, stored: Vec<Stored>, at: DateTime<Utc>) -> Result<()> {
    db::bulk(conn, rows(stored), values![at], |table| {
        format!(
            "INSERT INTO consents (user_id, channel, state, stops, event_id, updated_at)
             SELECT r.user_id, r.channel, r.state, r.stops, r.event_id, $1 FROM {table}"
        )
    })
    .await?;
    Ok(())
}

async fn update<C: ConnectionTrait>(conn: &C, stored: Vec<Stored>, at: DateTime<Utc>) -> Result<()> {
    // Only a state that moved has a new instant: a repeated STOP is in the ledger, and changed nothing here.
    db::bulk(conn, rows(stored), values![at], |table| {
        format!(
            "UPDATE consents AS c SET state = r.state, stops = r.stops, event_id = r.event_id,
                 updated_at = CASE WHEN c.state <> r.state OR c.stops <> r.stops THEN $1 ELSE c.updated_at END
             FROM {table} WHERE c.user_id = r.user_id AND c.channel = r.channel"
        )
    })
    .await?;
    Ok(())
}
