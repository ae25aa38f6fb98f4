//! Subscriptions: people's choices on topics, each with its entry in the consent ledger.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    cells,
    consents::{self, Entry},
    db::{self, Kind, Rows},
    users, values,
};
use domain::{
    consent::ConsentKind,
    ids::{TopicId, UserId},
    operator::Operation,
    phone::Channel,
    topic::{SubscriptionState, SubscriptionView, TopicKind, reaches},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use std::collections::HashSet;
use uuid::Uuid;

/// The state that an entry of this kind leads to; `None` for entries on channels.
pub(crate) const fn state_of(kind: ConsentKind) -> Option<SubscriptionState> {
    match kind {
        ConsentKind::Subscribe => Some(SubscriptionState::Subscribed),
        ConsentKind::Unsubscribe => Some(SubscriptionState::Unsubscribed),
        ConsentKind::OptIn | ConsentKind::OptOut | ConsentKind::Withdraw => None,
    }
}

#[derive(FromQueryResult)]
struct Current {
    state: String,
    event_id: Option<Uuid>,
}

/// Records a choice on a topic, in the caller's transaction, and says whether it changed anything. The entry must name a
/// topic; of someone who was merged into another it is that other's choice. As on channels, one that changes nothing is written only when it is the person's own act.
///
/// # Errors
/// [`Error::NotFound`] without such a person or topic, [`Error::Conflict`] for someone who left it, unless it is their own act or an
/// operator's, [`Error::Internal`] for an entry that is not a topic's.
pub async fn append<C: ConnectionTrait>(engine: &Engine, conn: &C, entry: Entry<'_>) -> Result<bool> {
    let (Some(topic), Some(state)) = (entry.topic, state_of(entry.kind)) else {
        return Err(Error::internal("an entry on a channel is not a choice on a topic"));
    };
    // The person's rows of `consents` exist from the start: holding them orders choices that come at the same time.
    let entry = Entry { user: consents::hold(conn, entry.user).await?, ..entry };
    let topic_exists = db::scalar::<i32, _>(conn, "SELECT 1 AS value FROM topics WHERE id = $1", values![topic.0]);
    topic_exists.await?.ok_or(Error::NotFound { what: "topic" })?;
    let current: Option<Current> = db::one(
        conn,
        "SELECT state, event_id FROM subscriptions WHERE user_id = $1 AND topic_id = $2",
        values![entry.user.0, topic.0],
    )
    .await?;
    let left = current.as_ref().is_some_and(|current| current.state == SubscriptionState::Unsubscribed.as_str());
    if left && state == SubscriptionState::Subscribed && !entry.source.may_lift() {
        let why = "they left this topic: only they themselves, or an operator with evidence, can subscribe them again";
        return Err(Error::conflict(why));
    }
    let changed = current.as_ref().is_none_or(|current| current.state != state.as_str());
    if !changed && !entry.source.is_own_act() {
        return Ok(false);
    }
    let event = consents::next_id(engine, current.and_then(|current| current.event_id));
    let now = engine.clock.now();
    consents::insert(conn, &entry, event, now).await?;
    db::exec(
        conn,
        "INSERT INTO subscriptions (user_id, topic_id, state, event_id, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id, topic_id) DO UPDATE SET state = excluded.state, event_id = excluded.event_id,
             updated_at = CASE WHEN subscriptions.state <> excluded.state THEN excluded.updated_at
                          ELSE subscriptions.updated_at END",
        values![entry.user.0, topic.0, state.as_str(), event, now],
    )
    .await?;
    if changed {
        consents::tell(engine, conn, &entry, event, state.as_str()).await?;
    }
    Ok(changed)
}

#[derive(FromQueryResult)]
struct Choice {
    id: Uuid,
    name: String,
    kind: String,
    state: Option<String>,
}

/// All topics by name, with a person's choice on each.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn of_user<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<Vec<SubscriptionView>> {
    let rows: Vec<Choice> = db::all(
        conn,
        "SELECT t.id, t.name, t.kind, s.state FROM topics t
         LEFT JOIN subscriptions s ON s.topic_id = t.id AND s.user_id = $1 ORDER BY t.name, t.id",
        values![id.0],
    )
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind: TopicKind = row.kind.parse()?;
            let state = row.state.as_deref().map(str::parse).transpose()?;
            let reached = reaches(kind, state);
            Ok(SubscriptionView { topic_id: TopicId(row.id), name: row.name, state, reached })
        })
        .collect()
}

/// Records a choice that a person told an operator. The ledger's entry names the channel on which the person is known:
/// SMS for people with a number, else WhatsApp.
///
/// # Errors
/// [`Error::Invalid`] without evidence, [`Error::Conflict`] when an integration would subscribe someone who left, [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn set(
    engine: &Engine,
    actor: &Actor,
    user: UserId,
    topic: TopicId,
    state: SubscriptionState,
    evidence: &str,
) -> Result<()> {
    authorize(Operation::ConsentWrite, actor)?;
    let evidence = consents::check_evidence(evidence)?;
    let tx = engine.db.begin().await?;
    let person = users::load(&tx, user).await?;
    let kind = match state {
        SubscriptionState::Subscribed => ConsentKind::Subscribe,
        SubscriptionState::Unsubscribed => ConsentKind::Unsubscribe,
    };
    let entry = Entry {
        user,
        channel: if person.phone.is_some() { Channel::Sms } else { Channel::Whatsapp },
        topic: Some(topic),
        kind,
        source: actor.consent_source(),
        sender: None,
        evidence,
    };
    if append(engine, &tx, entry).await? {
        let act = Act {
            action: "subscription.set",
            target: format!("user:{user}"),
            before: None,
            after: Some(json!({ "topic": topic, "state": state, "evidence": evidence })),
        };
        audit::record(engine, &tx, actor, act).await?;
        tx.commit().await?;
        engine.live.changed("users");
    }
    Ok(())
}

/// Subscribes people to topics as an import says: those who never chose. A choice of their own, either way, stays as it is,
/// and nothing is written for it.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn subscribe_many<C: ConnectionTrait>(engine: &Engine, conn: &C, entries: &[Entry<'_>]) -> Result<()> {
    subscribe_undecided(engine, conn, entries).await.map(drop)
}

/// The same for an operator's change of many people; answers how many were subscribed.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn subscribe_undecided<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    entries: &[Entry<'_>],
) -> Result<usize> {
    if entries.is_empty() {
        return Ok(0);
    }
    consents::lock_people(conn, entries.iter().map(|entry| entry.user)).await?;
    let named: Vec<(&Entry<'_>, TopicId)> = entries.iter().filter_map(|entry| Some((entry, entry.topic?))).collect();
    let columns = [("user_id", Kind::Id), ("topic_id", Kind::Id)];
    let pairs = Rows::of(columns, &named, |(entry, topic)| cells![entry.user.0, topic.0]);
    let chosen: Vec<Chosen> = db::of_rows(conn, pairs, values![], |table| {
        format!(
            "SELECT s.user_id, s.topic_id FROM {table}
             JOIN subscriptions s ON s.user_id = r.user_id AND s.topic_id = r.topic_id"
        )
    })
    .await?;
    let chosen: HashSet<(Uuid, Uuid)> = chosen.into_iter().map(|row| (row.user_id, row.topic_id)).collect();
    let columns = [
        ("id", Kind::Id),
        ("user_id", Kind::Id),
        ("topic_id", Kind::Id),
        ("channel", Kind::Text),
        ("source", Kind::Text),
        ("evidence", Kind::Text),
        ("at", Kind::Time),
    ];
    let at = engine.clock.now();
    let new = named.iter().filter(|(entry, topic)| !chosen.contains(&(entry.user.0, topic.0)));
    let rows = Rows::of(columns, new, |(entry, topic)| {
        let id: Uuid = engine.clock.new_id();
        let (channel, source) = (entry.channel.as_str(), entry.source.as_str());
        cells![id, entry.user.0, topic.0, channel, source, entry.evidence, at]
    });
    db::bulk(conn, rows.clone(), values![], |table| {
        format!(
            "INSERT INTO consent_events (id, user_id, channel, topic_id, kind, source, sender, evidence, at)
             SELECT r.id, r.user_id, r.channel, r.topic_id, 'subscribe', r.source, NULL, r.evidence, r.at FROM {table}"
        )
    })
    .await?;
    let subscribed = db::bulk(conn, rows, values![], |table| {
        format!(
            "INSERT INTO subscriptions (user_id, topic_id, state, event_id, updated_at)
             SELECT r.user_id, r.topic_id, 'subscribed', r.id, r.at FROM {table}"
        )
    })
    .await?;
    Ok(usize::try_from(subscribed).unwrap_or(usize::MAX))
}

#[derive(FromQueryResult)]
struct Chosen {
    user_id: Uuid,
    topic_id: Uuid,
}
