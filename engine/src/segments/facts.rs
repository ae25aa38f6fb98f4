//! What filters can ask of one person, read for the evaluator.

use crate::{
    Error, Result, db,
    users::{self, THEIRS},
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    filter::{Behaviour, Facts, Occurrence},
    ids::UserId,
    message::State,
};
use sea_orm::{ConnectionTrait, FromQueryResult};

/// How many messages of a person are looked at, the latest first.
const MESSAGES_ROWS: i64 = 10_000;

#[derive(FromQueryResult)]
struct Key {
    key: String,
}

#[derive(FromQueryResult)]
struct Message {
    state: i16,
    updated_at: DateTime<Utc>,
    campaign: String,
    topic: Option<String>,
}

#[derive(FromQueryResult)]
struct Latest {
    at: Option<DateTime<Utc>>,
}

/// The facts of a person.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Unavailable`].
pub(super) async fn of_user<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<Facts> {
    let user = users::load(conn, id).await?;
    let followed: Vec<Key> = db::all(
        conn,
        "SELECT t.key FROM subscriptions s JOIN topics t ON t.id = s.topic_id
         WHERE s.user_id = $1 AND s.state = 'subscribed'",
        values![id.0],
    )
    .await?;
    let mut occurrences = messages(conn, id).await?;
    let replied = format!("SELECT max(received_at) AS at FROM inbound_messages WHERE user_id {THEIRS}");
    let imported = format!(
        "SELECT max(i.started_at) AS at FROM import_rows r JOIN imports i ON i.id = r.import_id
         WHERE r.user_id {THEIRS} AND r.effect <> 'unchanged' AND i.status <> 'undone'"
    );
    for (behaviour, sql) in [(Behaviour::Replied, replied), (Behaviour::Imported, imported)] {
        let latest: Option<Latest> = db::one(conn, &sql, values![id.0]).await?;
        let at = latest.and_then(|latest| latest.at);
        occurrences.extend(at.map(|at| Occurrence { behaviour, at, campaign: None, topic: None }));
    }
    Ok(Facts {
        phone: user.phone.as_ref().map(ToString::to_string),
        name: user.name,
        locale: user.locale,
        zone: user.zone,
        created_at: user.created_at,
        attributes: user.attributes,
        consents: user.consents.iter().map(|view| (view.channel, view.state)).collect(),
        subscriptions: followed.into_iter().map(|row| row.key).collect(),
        occurrences,
    })
}

async fn messages<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<Vec<Occurrence>> {
    let rows: Vec<Message> = db::all(
        conn,
        &format!(
            "SELECT m.state, m.updated_at, c.name AS campaign, t.key AS topic FROM messages m
             JOIN campaigns c ON c.id = m.campaign_id LEFT JOIN topics t ON t.id = c.topic_id
             WHERE m.user_id {THEIRS} ORDER BY m.updated_at DESC LIMIT $2"
        ),
        values![id.0, MESSAGES_ROWS],
    )
    .await?;
    let mut found = Vec::new();
    for row in rows {
        let state = State::from_rank(row.state)
            .ok_or_else(|| Error::internal(format!("{} is not the rank of a message's state", row.state)))?;
        let says = |behaviour: &&Behaviour| behaviour.message_states().is_some_and(|states| states.contains(&state));
        found.extend(Behaviour::ALL.iter().filter(says).map(|behaviour| Occurrence {
            behaviour: *behaviour,
            at: row.updated_at,
            campaign: Some(row.campaign.clone()),
            topic: row.topic.clone(),
        }));
    }
    Ok(found)
}
