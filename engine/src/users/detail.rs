//! One person with everything that is known.

use super::load;
use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    attributes, db, subscriptions, suppressions, twilio, values,
};
use chrono::{DateTime, Utc};
use domain::{
    compliance::Gate,
    consent::{ConsentEvent, ConsentSource},
    ids::{CampaignId, ConsentEventId, MessageKey, TopicId, UserId},
    message::{MessageRow, State},
    operator::Operation,
    phone::Channel,
    topic::SubscriptionView,
    user::{TimelineEntry, TimelineKind, User, UserDetail},
    zone::{Zone, zones_of},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::collections::HashMap;
use uuid::Uuid;

/// How many messages a page of a person shows.
const MESSAGES_ROWS: i64 = 50;
/// How many entries of the ledger it shows.
const LEDGER_ROWS: i64 = 200;
/// How many things its timeline shows.
const TIMELINE_ROWS: usize = 100;
/// How much of a text a timeline shows, in characters.
const EXCERPT_CHARS: usize = 160;

/// A person, with consent, subscriptions, messages and timeline.
///
/// # Errors
/// [`crate::Error::NotFound`], [`crate::Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: UserId) -> Result<UserDetail> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    let user = load(conn, id).await?;
    let possible_zones = match (&user.zone, &user.phone) {
        (None, Some(phone)) => zones_of(phone).iter().map(Zone::to_string).collect(),
        _ => Vec::new(),
    };
    let subscriptions = subscriptions::of_user(conn, id).await?;
    let suppressed = suppressions::of_user(conn, &user).await?;
    let ledger = ledger(conn, id).await?;
    let messages = messages(conn, &user).await?;
    let timeline = timeline(conn, &user, &subscriptions, &ledger, &messages).await?;
    let declared = attributes::list(engine, actor).await?;
    Ok(UserDetail { user, possible_zones, suppressed, subscriptions, declared, ledger, messages, timeline })
}

#[derive(FromQueryResult)]
struct Event {
    id: Uuid,
    channel: String,
    topic_id: Option<Uuid>,
    kind: String,
    source: String,
    sender: Option<String>,
    evidence: String,
    at: DateTime<Utc>,
}

async fn ledger<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<Vec<ConsentEvent>> {
    let rows: Vec<Event> = db::all(
        conn,
        "SELECT id, channel, topic_id, kind, source, sender, evidence, at FROM consent_events
         WHERE user_id IN (SELECT u.id FROM users u WHERE u.id = $1 OR u.merged_into = $1) ORDER BY id DESC LIMIT $2",
        values![id.0, LEDGER_ROWS],
    )
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ConsentEvent {
                id: ConsentEventId(row.id),
                user_id: id,
                channel: row.channel.parse()?,
                topic_id: row.topic_id.map(TopicId),
                kind: row.kind.parse()?,
                source: row.source.parse()?,
                sender: row.sender,
                evidence: row.evidence,
                at: row.at,
            })
        })
        .collect()
}

#[derive(FromQueryResult)]
struct Message {
    campaign_id: Uuid,
    seq: i64,
    campaign_name: String,
    channel: String,
    state: i16,
    error_code: i32,
    attempt: i16,
    decision: Option<String>,
    updated_at: DateTime<Utc>,
}

async fn messages<C: ConnectionTrait>(conn: &C, user: &User) -> Result<Vec<MessageRow>> {
    // The key of a decision ends in its id, so the latest is the last of a range of the primary key.
    let rows: Vec<Message> = db::all(
        conn,
        "SELECT m.campaign_id, m.seq, g.name AS campaign_name, coalesce(s.channel, t.channel, 'sms') AS channel,
                m.state, m.error_code, m.attempt, m.updated_at,
                (SELECT d.gate || ' ' || d.fact FROM decisions d WHERE d.campaign_id = m.campaign_id AND d.seq = m.seq
                 ORDER BY d.id DESC LIMIT 1) AS decision
         FROM messages m JOIN campaigns g ON g.id = m.campaign_id
         LEFT JOIN senders s ON s.id = g.sender_id LEFT JOIN templates t ON t.id = g.template_id
         WHERE m.user_id IN (SELECT u.id FROM users u WHERE u.id = $1 OR u.merged_into = $1)
         ORDER BY m.updated_at DESC, m.campaign_id DESC, m.seq DESC LIMIT $2",
        values![user.id.0, MESSAGES_ROWS],
    )
    .await?;
    rows.into_iter()
        .map(|row| {
            let state = State::from_rank(row.state)
                .ok_or_else(|| crate::Error::internal(format!("{} is not the rank of a message's state", row.state)))?;
            let waits = matches!(state, State::Pending | State::Skipped);
            let error_code = Some(row.error_code).filter(|code| *code != 0);
            Ok(MessageRow {
                key: MessageKey { campaign: CampaignId(row.campaign_id), seq: row.seq },
                campaign_name: row.campaign_name,
                user_id: user.id,
                user_name: user.name.clone(),
                phone: user.phone.clone(),
                channel: row.channel.parse()?,
                state,
                error_code,
                error_text: error_code.map(|code| twilio::codes::text(code).to_owned()),
                reason: row.decision.filter(|_| waits).map(|decision| reason(&decision)),
                attempts: row.attempt,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

/// A decision in words: the gate's label and the fact, from `gate fact`.
fn reason(decision: &str) -> String {
    match decision.split_once(' ') {
        Some((gate, fact)) => match gate.parse::<Gate>() {
            Ok(gate) => format!("{}: {fact}", gate.label()),
            Err(_) => fact.to_owned(),
        },
        None => decision.to_owned(),
    }
}

async fn timeline<C: ConnectionTrait>(
    conn: &C,
    user: &User,
    subscriptions: &[SubscriptionView],
    ledger: &[ConsentEvent],
    messages: &[MessageRow],
) -> Result<Vec<TimelineEntry>> {
    let topics: HashMap<TopicId, &str> = subscriptions.iter().map(|view| (view.topic_id, view.name.as_str())).collect();
    let mut entries = vec![TimelineEntry {
        at: user.created_at,
        kind: TimelineKind::Joined,
        title: "Became known".to_owned(),
        detail: None,
        link: None,
    }];
    entries.extend(ledger.iter().map(|event| consent_entry(event, &topics)));
    entries.extend(messages.iter().map(|message| TimelineEntry {
        at: message.updated_at,
        kind: TimelineKind::Outbound,
        title: format!("{}: {}", message.campaign_name, message.state.label()),
        detail: message.reason.clone().or_else(|| message.error_text.clone()),
        link: Some(format!("/messages/{}", message.key)),
    }));
    entries.extend(inbound(conn, user.id).await?);
    entries.extend(edits(conn, user.id).await?);
    entries.extend(imports(conn, user.id).await?);
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries.truncate(TIMELINE_ROWS);
    Ok(entries)
}

fn consent_entry(event: &ConsentEvent, topics: &HashMap<TopicId, &str>) -> TimelineEntry {
    let on = match event.topic_id {
        Some(topic) => topics.get(&topic).copied().unwrap_or("a topic that is gone"),
        None => event.channel.label(),
    };
    let by = if event.source == ConsentSource::Keyword {
        "by keyword".to_owned()
    } else {
        event.source.label().to_lowercase()
    };
    TimelineEntry {
        at: event.at,
        kind: TimelineKind::Consent,
        title: format!("{}: {on} ({by})", event.kind.label()),
        detail: Some(excerpt(&event.evidence)),
        link: None,
    }
}

#[derive(FromQueryResult)]
struct Inbound {
    channel: String,
    body: String,
    received_at: DateTime<Utc>,
}

async fn inbound<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<Vec<TimelineEntry>> {
    let rows: Vec<Inbound> = db::all(
        conn,
        "SELECT channel, body, received_at FROM inbound_messages
         WHERE user_id IN (SELECT u.id FROM users u WHERE u.id = $1 OR u.merged_into = $1) ORDER BY id DESC LIMIT $2",
        values![id.0, MESSAGES_ROWS],
    )
    .await?;
    rows.into_iter()
        .map(|row| {
            let channel: Channel = row.channel.parse()?;
            Ok(TimelineEntry {
                at: row.received_at,
                kind: TimelineKind::Inbound,
                title: format!("Wrote by {}", channel.label()),
                detail: Some(excerpt(&row.body)).filter(|text| !text.is_empty()),
                link: Some("/inbox".to_owned()),
            })
        })
        .collect()
}

#[derive(FromQueryResult)]
struct Edit {
    at: DateTime<Utc>,
    actor: String,
    action: String,
}

/// What operators changed. Consent and topics have their ledger, which says more.
async fn edits<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<Vec<TimelineEntry>> {
    let rows: Vec<Edit> = db::all(
        conn,
        "SELECT at, actor, action FROM audit
         WHERE target = $1 AND action NOT IN ('consent.record', 'subscription.set') ORDER BY id DESC LIMIT $2",
        values![format!("user:{id}"), MESSAGES_ROWS],
    )
    .await?;
    let title = |action: &str| match action {
        "user.create" => "Entered".to_owned(),
        "user.update" => "Changed".to_owned(),
        "user.merge" => "Another row merged into this one".to_owned(),
        "user.export" => "Exported".to_owned(),
        other => other.to_owned(),
    };
    Ok(rows
        .into_iter()
        .map(|row| TimelineEntry {
            at: row.at,
            kind: TimelineKind::Edited,
            title: format!("{} by {}", title(&row.action), row.actor),
            detail: None,
            link: None,
        })
        .collect())
}

#[derive(FromQueryResult)]
struct Imported {
    id: Uuid,
    file_name: String,
    line: i64,
    at: DateTime<Utc>,
    undone: bool,
}

/// The imports that entered or changed the person.
async fn imports<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<Vec<TimelineEntry>> {
    let rows: Vec<Imported> = db::all(
        conn,
        "SELECT i.id, i.file_name, r.line, coalesce(i.finished_at, i.created_at) AS at, i.status = 'undone' AS undone
         FROM import_rows r JOIN imports i ON i.id = r.import_id WHERE r.user_id = $1 ORDER BY i.id DESC LIMIT $2",
        values![id.0, MESSAGES_ROWS],
    )
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| TimelineEntry {
            at: row.at,
            kind: TimelineKind::Imported,
            title: format!("Line {} of {}", row.line, row.file_name),
            detail: row.undone.then(|| "This import was undone.".to_owned()),
            link: Some(format!("/import/{}", row.id)),
        })
        .collect())
}

/// The beginning of a text.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
