//! Topics that people follow.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize, unchanged},
    audit::{self, Act},
    db,
    entity::topic,
    values,
};
use domain::{
    ids::TopicId,
    operator::Operation,
    topic::{SubscriptionState, Topic, TopicForm, valid_key},
};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryOrder, QuerySelect, Set};
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// How many topics there may be.
pub const TOPICS_MAX: u64 = 1_000;
/// The longest name of a topic, in characters.
const NAME_MAX_CHARS: usize = 100;

#[derive(FromQueryResult)]
struct Count {
    topic_id: Uuid,
    state: String,
    count: i64,
}

/// All topics by name, with how many chose and left each.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Topic>> {
    authorize(Operation::ContentRead, actor)?;
    all(engine.db.read()).await
}

async fn all<C: ConnectionTrait>(conn: &C) -> Result<Vec<Topic>> {
    let rows = topic::Entity::find().order_by_asc(topic::Column::Name).limit(TOPICS_MAX).all(conn).await?;
    // Choices of someone who was merged into another are history; the other's own row counts.
    let counts: Vec<Count> = db::all(
        conn,
        "SELECT s.topic_id, s.state, count(*) AS count FROM subscriptions s JOIN users u ON u.id = s.user_id
         WHERE u.merged_into IS NULL GROUP BY s.topic_id, s.state",
        Vec::new(),
    )
    .await?;
    let mut by_topic: HashMap<Uuid, (i64, i64)> = HashMap::new();
    for count in counts {
        let entry = by_topic.entry(count.topic_id).or_default();
        match count.state.parse()? {
            SubscriptionState::Subscribed => entry.0 = count.count,
            SubscriptionState::Unsubscribed => entry.1 = count.count,
        }
    }
    rows.into_iter()
        .map(|row| {
            let (subscribed, unsubscribed) = by_topic.get(&row.id).copied().unwrap_or_default();
            Ok(Topic { subscribed, unsubscribed, ..row.try_into()? })
        })
        .collect()
}

/// One topic, with how many chose and left it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: TopicId) -> Result<Topic> {
    let topics = list(engine, actor).await?;
    topics.into_iter().find(|topic| topic.id == id).ok_or(Error::NotFound { what: "topic" })
}

/// Makes a topic. Its keyword is brought to lower case, as people write it after SUBSCRIBE in any case.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when the keyword is taken, [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, form: &TopicForm) -> Result<Topic> {
    authorize(Operation::ContentWrite, actor)?;
    let (key, name) = checked(form)?;
    let tx = engine.db.begin().await?;
    let count = db::scalar::<i64, _>(&tx, "SELECT count(*) AS value FROM topics", Vec::new()).await?;
    if count.is_some_and(|count| count.unsigned_abs() >= TOPICS_MAX) {
        return Err(Error::conflict(format!("there are {TOPICS_MAX} topics already, which is the limit")));
    }
    if find_by_key(&tx, &key).await?.is_some() {
        return Err(Error::conflict(format!("there is a topic with the keyword \"{key}\" already")));
    }
    let row = topic::ActiveModel {
        id: Set(engine.clock.new_id()),
        key: Set(key),
        name: Set(name),
        kind: Set(form.kind.to_string()),
        created_at: Set(engine.clock.now()),
    };
    let row = row.insert(&tx).await?;
    let after = json!({ "key": row.key, "name": row.name, "kind": row.kind });
    let act = Act { action: "topic.create", target: format!("topic:{}", row.id), after: Some(after), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    row.try_into()
}

/// Keyword and name of a form, cleaned.
fn checked(form: &TopicForm) -> Result<(String, String)> {
    let key = form.key.trim().to_ascii_lowercase();
    let name = form.name.trim();
    if !valid_key(&key) {
        return Err(Error::invalid("key", "a keyword is 1 to 34 letters (a to z) and digits"));
    }
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        return Err(Error::invalid("name", format!("a name has 1 to {NAME_MAX_CHARS} characters")));
    }
    Ok((key, name.to_owned()))
}

/// Changes a topic's name and whom it reaches. The keyword stays: people have written it, filters name it, and the ledger
/// quotes it.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(engine: &Engine, actor: &Actor, id: TopicId, form: &TopicForm) -> Result<Topic> {
    authorize(Operation::ContentWrite, actor)?;
    let (key, name) = checked(form)?;
    let tx = engine.db.begin().await?;
    db::lock_row(&tx, "topics", id.0).await?;
    let before = load(&tx, id).await?;
    if actor.client.if_match.is_some() {
        let listed = all(&tx).await?;
        unchanged(actor, &listed.into_iter().find(|topic| topic.id == id))?;
    }
    if key != before.key {
        return Err(Error::invalid("key", "people know this keyword: make a topic of its own for another"));
    }
    db::exec(
        &tx,
        "UPDATE topics SET name = $2, kind = $3 WHERE id = $1",
        values![id.0, name.as_str(), form.kind.as_str()],
    )
    .await?;
    let act = Act {
        action: "topic.update",
        target: format!("topic:{id}"),
        before: Some(json!({ "name": before.name, "kind": before.kind })),
        after: Some(json!({ "name": name, "kind": form.kind })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    get(engine, actor, id).await
}

/// Deletes a topic that nothing needs: no campaign is on it, no segment names it, and nobody chose on it. A choice is part of what a person
/// said, and outlives nobody's wish to tidy up.
///
/// # Errors
/// [`Error::Conflict`] with what needs it, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(engine: &Engine, actor: &Actor, id: TopicId) -> Result<()> {
    authorize(Operation::ContentWrite, actor)?;
    let tx = engine.db.begin().await?;
    let before = load(&tx, id).await?;
    let campaign = "SELECT name AS value FROM campaigns WHERE topic_id = $1 LIMIT 1";
    if let Some(name) = db::scalar::<String, _>(&tx, campaign, values![id.0]).await? {
        return Err(Error::conflict(format!("the campaign \"{name}\" is on this topic")));
    }
    let segment = format!("SELECT name AS value FROM segments WHERE {} LIMIT 1", db::contains(&tx, "filter", 1));
    let named = format!("\"{}\"", before.key);
    if let Some(name) = db::scalar::<String, _>(&tx, &segment, values![named]).await? {
        return Err(Error::conflict(format!("the segment \"{name}\" names this topic")));
    }
    let chosen = "SELECT 1 AS value FROM consent_events WHERE topic_id = $1 LIMIT 1";
    if db::scalar::<i32, _>(&tx, chosen, values![id.0]).await?.is_some() {
        return Err(Error::conflict("people chose on this topic, and what they said is kept"));
    }
    db::exec(&tx, "DELETE FROM topics WHERE id = $1", values![id.0]).await?;
    let act = Act {
        action: "topic.delete",
        target: format!("topic:{id}"),
        before: Some(json!({ "key": before.key, "name": before.name, "kind": before.kind })),
        after: None,
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

async fn load<C: ConnectionTrait>(conn: &C, id: TopicId) -> Result<topic::Model> {
    topic::Entity::find_by_id(id.0).one(conn).await?.ok_or(Error::NotFound { what: "topic" })
}

/// The topic with this keyword, in lower case.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn find_by_key<C: ConnectionTrait>(conn: &C, key: &str) -> Result<Option<TopicId>> {
    let id = db::scalar::<Uuid, _>(conn, "SELECT id AS value FROM topics WHERE key = $1", values![key]).await?;
    Ok(id.map(TopicId))
}
