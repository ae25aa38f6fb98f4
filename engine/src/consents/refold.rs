//! The ledger folded again, and compared with what stands in the tables.

use super::Row;
use crate::{Engine, Result, db, subscriptions::state_of, values};
use domain::{
    consent::{ConsentKind, ConsentSource, Folded, fold},
    ids::{TopicId, UserId},
    phone::Channel,
};
use sea_orm::FromQueryResult;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How many people are folded at a time.
const PEOPLE_ROWS: i64 = 2_000;

/// Where a table and the fold of the ledger disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whose.
    pub user: UserId,
    /// On which channel, or which topic.
    pub on: Subject,
    /// What the table says; `None` without a row.
    pub stored: Option<String>,
    /// What the ledger says.
    pub folded: Option<String>,
}

/// What a standing is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A channel.
    Channel(Channel),
    /// A topic.
    Topic(TopicId),
}

#[derive(FromQueryResult)]
struct Event {
    user_id: Uuid,
    channel: String,
    topic_id: Option<Uuid>,
    kind: String,
    source: String,
    sender: Option<String>,
}

#[derive(FromQueryResult)]
struct Choice {
    user_id: Uuid,
    topic_id: Uuid,
    state: String,
}

type Standings = BTreeMap<(UserId, Subject), String>;

/// Folds the whole ledger and compares it with `consents` and `subscriptions`; run it while nothing is written. Empty if
/// they agree; memory is bounded by the differences, of which there are none unless something is broken.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub async fn refold(engine: &Engine) -> Result<Vec<Difference>> {
    let conn = engine.db.read();
    let mut differences = Vec::new();
    let mut after = Uuid::nil();
    loop {
        let last = db::scalar::<Uuid, _>(
            conn,
            "SELECT id AS value FROM (SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2) AS slice
             ORDER BY id DESC LIMIT 1",
            values![after, PEOPLE_ROWS],
        )
        .await?;
        let Some(last) = last else { return Ok(differences) };
        let stored = stored(engine, after, last).await?;
        let folded = folded(engine, after, last).await?;
        compare(&stored, &folded, &mut differences);
        after = last;
    }
}

async fn stored(engine: &Engine, after: Uuid, last: Uuid) -> Result<Standings> {
    let conn = engine.db.read();
    let rows: Vec<Row> = db::all(
        conn,
        "SELECT user_id, channel, state, stops, event_id FROM consents WHERE user_id > $1 AND user_id <= $2",
        values![after, last],
    )
    .await?;
    let choices: Vec<Choice> = db::all(
        conn,
        "SELECT user_id, topic_id, state FROM subscriptions WHERE user_id > $1 AND user_id <= $2",
        values![after, last],
    )
    .await?;
    let mut standings = Standings::new();
    for row in rows {
        let folded = row.folded()?;
        standings.insert((UserId(row.user_id), Subject::Channel(row.channel.parse()?)), words(&folded));
    }
    for choice in choices {
        standings.insert((UserId(choice.user_id), Subject::Topic(TopicId(choice.topic_id))), choice.state);
    }
    Ok(standings)
}

async fn folded(engine: &Engine, after: Uuid, last: Uuid) -> Result<Standings> {
    let events: Vec<Event> = db::all(
        engine.db.read(),
        // Entries outlive a person who was taken away again by undoing an import.
        "SELECT e.user_id, e.channel, e.topic_id, e.kind, e.source, e.sender FROM consent_events e
         JOIN users u ON u.id = e.user_id WHERE e.user_id > $1 AND e.user_id <= $2 ORDER BY e.user_id, e.id",
        values![after, last],
    )
    .await?;
    let mut channels: BTreeMap<(UserId, Channel), Folded> = BTreeMap::new();
    let mut standings = Standings::new();
    for event in events {
        let (user, kind) = (UserId(event.user_id), event.kind.parse::<ConsentKind>()?);
        match (event.topic_id, state_of(kind)) {
            (Some(topic), Some(state)) => {
                standings.insert((user, Subject::Topic(TopicId(topic))), state.to_string());
            }
            _ => {
                let current = channels.entry((user, event.channel.parse()?)).or_default();
                let source = event.source.parse::<ConsentSource>()?;
                if let Ok(next) = fold(current.clone(), kind, source, event.sender.as_deref()) {
                    *current = next;
                }
            }
        }
    }
    standings.extend(channels.iter().map(|((user, channel), f)| ((*user, Subject::Channel(*channel)), words(f))));
    Ok(standings)
}

fn compare(stored: &Standings, folded: &Standings, differences: &mut Vec<Difference>) {
    let nothing = words(&Folded::default());
    let keys: BTreeSet<_> = stored.keys().chain(folded.keys()).collect();
    for key @ (user, on) in keys {
        // A channel on which nothing was ever said has a row, and no entry.
        let expected = match (folded.get(key), on) {
            (None, Subject::Channel(_)) => Some(&nothing),
            (found, _) => found,
        };
        if stored.get(key) != expected {
            let (stored, folded) = (stored.get(key).cloned(), expected.cloned());
            differences.push(Difference { user: *user, on: *on, stored, folded });
        }
    }
}

/// The state with the senders that still hold a STOP.
fn words(folded: &Folded) -> String {
    let stops: Vec<&str> = folded.stops.iter().map(String::as_str).collect();
    if stops.is_empty() { folded.state.to_string() } else { format!("{} ({})", folded.state, stops.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_names_what_differs() {
        let user = UserId(Uuid::from_u128(1));
        let sms = (user, Subject::Channel(Channel::Sms));
        let topic = (user, Subject::Topic(TopicId(Uuid::from_u128(2))));
        let check = |stored: &[((UserId, Subject), &str)], folded: &[((UserId, Subject), &str)], expected: usize| {
            let own = |pairs: &[((UserId, Subject), &str)]| pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
            let mut found = Vec::new();
            compare(&own(stored), &own(folded), &mut found);
            assert_eq!(found.len(), expected, "{stored:?} {folded:?}");
        };
        check(&[], &[], 0);
        check(&[(sms, "none")], &[], 0);
        check(&[(sms, "opted_in")], &[(sms, "opted_in")], 0);
        check(&[(sms, "opted_in")], &[], 1);
        check(&[(sms, "opted_in")], &[(sms, "opted_out (a)")], 1);
        check(&[], &[(sms, "opted_in")], 1);
        check(&[(topic, "subscribed")], &[], 1);
        check(&[], &[(topic, "subscribed")], 1);
    }
}
