//! Topics that people follow.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
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
    let conn = engine.db.read();
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

/// Makes a topic. Its keyword is brought to lower case, as people write it after SUBSCRIBE in any case.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when the keyword is taken, [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, form: &TopicForm) -> Result<Topic> {
    authorize(Operation::ContentWrite, actor)?;
    let key = form.key.trim().to_ascii_lowercase();
    let name = form.name.trim();
    if !valid_key(&key) {
        return Err(Error::invalid("key", "a keyword is 1 to 34 letters (a to z) and digits"));
    }
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        return Err(Error::invalid("name", format!("a name has 1 to {NAME_MAX_CHARS} characters")));
    }
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
        name: Set(name.to_owned()),
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

/// The topic with this keyword, in lower case.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn find_by_key<C: ConnectionTrait>(conn: &C, key: &str) -> Result<Option<TopicId>> {
    let id = db::scalar::<Uuid, _>(conn, "SELECT id AS value FROM topics WHERE key = $1", values![key]).await?;
    Ok(id.map(TopicId))
}
