//! Where people stand, locked.
//!
//! Everything that locks people does so in one order, so that no two wait for each other: first their rows of `consents`, in the
//! order of the people's ids, then their rows of `users`, in the same order, then the import that they came with.

use super::{Entry, Row};
use crate::{
    Error, Result,
    db::{self, Rows},
    values,
};
use domain::{
    consent::{Folded, fold},
    ids::UserId,
    phone::Channel,
};
use sea_orm::ConnectionTrait;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// Locks the standing of a person until the transaction ends, and answers who that is: someone who was merged into another is
/// that other, also if it happens while this waits.
///
/// # Errors
/// [`Error::NotFound`] for someone who is gone, also if that happens while this waits.
pub(crate) async fn hold<C: ConnectionTrait>(conn: &C, user: UserId) -> Result<UserId> {
    let find = || {
        let sql = "SELECT coalesce(merged_into, id) AS value FROM users WHERE id = $1";
        db::scalar::<Uuid, _>(conn, sql, values![user.0])
    };
    let mut found = find().await?;
    while let Some(id) = found {
        db::mark(conn).await?;
        lock_people(conn, [UserId(id)]).await?;
        found = find().await?;
        if found == Some(id) {
            db::forget_mark(conn).await?;
            return Ok(UserId(id));
        }
        // Whoever it became may come before this one in the order of locks.
        db::back_to_mark(conn).await?;
    }
    Err(Error::NotFound { what: "user" })
}

/// Where one person stands while a batch is folded.
pub(super) struct Standing {
    pub folded: Folded,
    pub latest: Option<Uuid>,
    pub touched: bool,
    /// There is no row yet.
    pub new: bool,
}

/// Where the people of a batch stand.
pub(crate) struct Held {
    standings: BTreeMap<(UserId, Channel), Standing>,
    people: BTreeSet<UserId>,
}

impl Held {
    /// Those who are locked, in the order of their ids.
    pub fn people(&self) -> &BTreeSet<UserId> {
        &self.people
    }

    /// The same with people who have no rows yet.
    pub(super) fn with(self, newcomers: &[UserId]) -> BTreeMap<(UserId, Channel), Standing> {
        let mut standings = self.standings;
        for user in newcomers {
            for channel in Channel::ALL {
                let standing = Standing { folded: Folded::default(), latest: None, touched: false, new: true };
                standings.insert((*user, *channel), standing);
            }
        }
        standings
    }
}

/// Looks where everyone stands whom the entries are about, and locks those whom they may move, and `also` these.
///
/// Whom nothing moves is not locked: what an import repeats would be as true a moment before whatever happens meanwhile.
/// Newcomers are people whom the transaction makes.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn hold_many<C: ConnectionTrait>(
    conn: &C,
    entries: &[Entry<'_>],
    also: impl IntoIterator<Item = UserId>,
    newcomers: &[UserId],
) -> Result<Held> {
    let new: HashSet<UserId> = newcomers.iter().copied().collect();
    let known: Vec<&Entry<'_>> = entries.iter().filter(|entry| !new.contains(&entry.user)).collect();
    let seen = standing_of(conn, known.iter().map(|entry| entry.user)).await?;
    let moves = |entry: &&&Entry<'_>| {
        let standing = seen.get(&(entry.user, entry.channel)).cloned().unwrap_or_default();
        entry.source.is_own_act() || fold(standing, entry.kind, entry.source, entry.sender).is_ok()
    };
    let people: BTreeSet<UserId> = known.iter().filter(moves).map(|entry| entry.user).chain(also).collect();
    let mut standings: BTreeMap<(UserId, Channel), Standing> = read(conn, people.iter().copied(), db::lock(conn))
        .await?
        .into_iter()
        .map(|row| {
            let standing = Standing { folded: row.folded()?, latest: row.event_id, touched: false, new: false };
            Ok(((UserId(row.user_id), row.channel.parse()?), standing))
        })
        .collect::<Result<_>>()?;
    for (key, folded) in seen {
        standings.entry(key).or_insert(Standing { folded, latest: None, touched: false, new: false });
    }
    Ok(Held { standings, people })
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

/// Locks people's standing until the transaction ends, whoever they became meanwhile.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn lock_people<C: ConnectionTrait>(conn: &C, people: impl IntoIterator<Item = UserId>) -> Result<()> {
    read(conn, people, db::lock(conn)).await.map(|_| ())
}
