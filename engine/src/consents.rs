//! The consent ledger: what people allowed, appended and folded in one transaction.
//!
//! An entry is written when it moves the state, or when it is the person's own act: a second STOP changes nothing, and
//! is still evidence of what the person wants. An import that repeats what is known, or that may not lift an opt-out,
//! writes nothing: it would fill the ledger with statements that never had an effect; its report counts them instead.
//!
//! Entries of one person and channel are ordered by the lock on the row of `consents`. Ids come from the clocks of
//! several processes, so an id that would sort before the row's latest entry is moved past it: the order of ids is the
//! order in which entries took effect, and a fold of the ledger always gives the state.

mod bulk;
mod hold;
mod receipt;
mod refold;

pub(crate) use bulk::append_many;
pub(crate) use hold::{Held, hold, hold_many, lock_people, standing_of};
pub use receipt::{receipt, verify_receipt};
pub use refold::{Difference, Subject, refold};

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db,
    feed::{self, News},
    users, values,
};
use chrono::{DateTime, Utc};
use domain::{
    consent::{ConsentKind, ConsentSource, ConsentState, Folded, fold},
    feed::EventType,
    ids::{TopicId, UserId},
    operator::Operation,
    phone::Channel,
    user::User,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The longest evidence, in characters.
pub const EVIDENCE_MAX_CHARS: usize = 2_000;

/// What is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Whose.
    pub user: UserId,
    /// On which channel; of a topic's entry, by which channel the choice came.
    pub channel: Channel,
    /// On which topic, for topic entries.
    pub topic: Option<TopicId>,
    /// What.
    pub kind: ConsentKind,
    /// By whom or what.
    pub source: ConsentSource,
    /// The sender's address that a keyword was written to.
    pub sender: Option<&'a str>,
    /// The evidence; never empty.
    pub evidence: &'a str,
}

/// A row of `consents`.
#[derive(Debug, Clone, FromQueryResult)]
struct Row {
    user_id: Uuid,
    channel: String,
    state: String,
    stops: Value,
    event_id: Option<Uuid>,
}

impl Row {
    fn folded(&self) -> Result<Folded> {
        Ok(Folded {
            state: self.state.parse()?,
            stops: serde_json::from_value::<BTreeSet<String>>(self.stops.clone())?,
        })
    }
}

/// The rows that every person has from the start: no consent on any channel. Those that are there stay.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn begin<C: ConnectionTrait>(conn: &C, user: UserId, now: DateTime<Utc>) -> Result<()> {
    for channel in Channel::ALL {
        db::exec(
            conn,
            "INSERT INTO consents (user_id, channel, state, stops, event_id, updated_at)
             VALUES ($1, $2, $3, $4, NULL, $5) ON CONFLICT (user_id, channel) DO NOTHING",
            values![user.0, channel.as_str(), ConsentState::None.as_str(), json!([]), now],
        )
        .await?;
    }
    Ok(())
}

/// Records an entry on a channel, in the caller's transaction, and answers the new state; `None` when the entry left it
/// as it was. Of someone who was merged into another it is that other's.
///
/// # Errors
/// [`Error::NotFound`] without such a person, [`Error::Internal`] for a topic's entry, which
/// [`crate::subscriptions::append`] takes.
pub async fn append<C: ConnectionTrait>(engine: &Engine, conn: &C, entry: Entry<'_>) -> Result<Option<Folded>> {
    if entry.topic.is_some() || matches!(entry.kind, ConsentKind::Subscribe | ConsentKind::Unsubscribe) {
        return Err(Error::internal("a topic's entry does not move the consent to a channel"));
    }
    let entry = Entry { user: hold(conn, entry.user).await?, ..entry };
    let sql = "SELECT user_id, channel, state, stops, event_id FROM consents WHERE user_id = $1 AND channel = $2";
    let row: Option<Row> = db::one(conn, sql, values![entry.user.0, entry.channel.as_str()]).await?;
    let row = row.ok_or(Error::NotFound { what: "user" })?;
    let moved = fold(row.folded()?, entry.kind, entry.source, entry.sender).ok();
    if moved.is_none() && !entry.source.is_own_act() {
        return Ok(None);
    }
    let event = next_id(engine, row.event_id);
    let now = engine.clock.now();
    insert(conn, &entry, event, now).await?;
    match &moved {
        Some(folded) => {
            db::exec(
                conn,
                "UPDATE consents SET state = $3, stops = $4, event_id = $5, updated_at = $6
                 WHERE user_id = $1 AND channel = $2",
                values![
                    entry.user.0,
                    entry.channel.as_str(),
                    folded.state.as_str(),
                    serde_json::to_value(&folded.stops)?,
                    event,
                    now
                ],
            )
            .await?;
            tell(engine, conn, &entry, event, folded.state.as_str()).await?;
        }
        None => {
            db::exec(
                conn,
                "UPDATE consents SET event_id = $3 WHERE user_id = $1 AND channel = $2",
                values![entry.user.0, entry.channel.as_str(), event],
            )
            .await?;
        }
    }
    Ok(moved)
}

/// Writes an entry to the ledger; whoever calls holds the lock, and folds.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn insert<C: ConnectionTrait>(
    conn: &C,
    entry: &Entry<'_>,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    db::exec(
        conn,
        "INSERT INTO consent_events (id, user_id, channel, topic_id, kind, source, sender, evidence, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        values![
            id,
            entry.user.0,
            entry.channel.as_str(),
            entry.topic.map(Uuid::from),
            entry.kind.as_str(),
            entry.source.as_str(),
            entry.sender,
            entry.evidence,
            now
        ],
    )
    .await?;
    Ok(())
}

/// Tells the event stream of an entry that changed where a person stands: on the channel, or on the topic that it names. What
/// imports and changes of many people do is told by their own events.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn tell<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    entry: &Entry<'_>,
    id: Uuid,
    state: &str,
) -> Result<()> {
    let kind = match entry.kind {
        ConsentKind::OptIn => EventType::ConsentOptedIn,
        ConsentKind::OptOut => EventType::ConsentOptedOut,
        ConsentKind::Withdraw => EventType::ConsentWithdrawn,
        ConsentKind::Subscribe => EventType::ConsentSubscribed,
        ConsentKind::Unsubscribe => EventType::ConsentUnsubscribed,
    };
    let data = json!({ "channel": entry.channel, "topic": entry.topic, "source": entry.source, "state": state });
    feed::tell(engine, conn, vec![News::consent(kind, entry.user.0, id, data)]).await
}

/// A new id that sorts after the latest entry.
pub(crate) fn next_id(engine: &Engine, latest: Option<Uuid>) -> Uuid {
    let fresh: Uuid = engine.clock.new_id();
    match latest {
        Some(latest) if fresh <= latest => Uuid::from_u128(latest.as_u128().saturating_add(1)),
        _ => fresh,
    }
}

/// Records what a person said to an operator, with the operator's evidence.
///
/// # Errors
/// [`Error::Invalid`] without evidence or for a kind that is a topic's, [`Error::Conflict`] when it says so already,
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn record(
    engine: &Engine,
    actor: &Actor,
    user: UserId,
    channel: Channel,
    kind: ConsentKind,
    evidence: &str,
) -> Result<User> {
    authorize(Operation::ConsentWrite, actor)?;
    let evidence = check_evidence(evidence)?;
    if !matches!(kind, ConsentKind::OptIn | ConsentKind::OptOut | ConsentKind::Withdraw) {
        return Err(Error::invalid("kind", "consent to a channel is an opt-in, an opt-out, or evidence withdrawn"));
    }
    let tx = engine.db.begin().await?;
    let before = users::load(&tx, user).await?;
    let source = actor.consent_source();
    let entry = Entry { user, channel, topic: None, kind, source, sender: None, evidence };
    let standing = before.consents.iter().find(|view| view.channel == channel).map(|view| view.state);
    let Some(folded) = append(engine, &tx, entry).await? else {
        if kind == ConsentKind::OptIn && standing == Some(ConsentState::OptedOut) {
            return Err(Error::conflict(
                "this person opted out: only their own word, or an operator's, brings them back",
            ));
        }
        return Err(Error::conflict(format!(
            "nothing to change: {} is recorded for {}",
            kind.label(),
            channel.label()
        )));
    };
    let act = Act {
        action: "consent.record",
        target: format!("user:{user}"),
        before: Some(json!({ "channel": channel, "state": standing })),
        after: Some(json!({ "channel": channel, "state": folded.state, "evidence": evidence })),
    };
    audit::record(engine, &tx, actor, act).await?;
    let after = users::load(&tx, user).await?;
    tx.commit().await?;
    engine.live.changed("users");
    Ok(after)
}

/// Evidence without spaces around it.
///
/// # Errors
/// [`Error::Invalid`] on `evidence`.
pub(crate) fn check_evidence(evidence: &str) -> Result<&str> {
    let evidence = evidence.trim();
    if evidence.is_empty() {
        return Err(Error::invalid("evidence", "say how you know: when, where and how the person said so"));
    }
    if evidence.chars().count() > EVIDENCE_MAX_CHARS {
        return Err(Error::invalid("evidence", format!("evidence has at most {EVIDENCE_MAX_CHARS} characters")));
    }
    Ok(evidence)
}
