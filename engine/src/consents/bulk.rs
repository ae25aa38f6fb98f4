//! Many entries at once, for imports: a few statements, whatever their number.

use super::{Entry, hold::Held, next_id};
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
use uuid::Uuid;

/// Records entries as [`super::append`] does, in their order, and answers for each the new state or why there is none.
/// `held` is what [`super::hold_many`] answered for these entries. Newcomers are people whom this transaction made, and who have
/// no rows yet: they get them here.
///
/// # Errors
/// [`Error::NotFound`] if someone has no row, [`Error::Unavailable`].
pub(crate) async fn append_many<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    held: Held,
    entries: &[Entry<'_>],
    newcomers: &[UserId],
) -> Result<Vec<Result<Folded, Unmoved>>> {
    let mut standings = held.with(newcomers);
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
