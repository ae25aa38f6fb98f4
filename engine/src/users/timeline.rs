//! Everything that happened to one person, from all the tables that keep it, newest first.

use super::{
    THEIRS,
    detail::{ledger_until, messages},
    load, targets,
};
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    clock::FAR,
    db, subscriptions, values,
};
use chrono::{DateTime, Utc};
use domain::{
    consent::{ConsentEvent, ConsentSource},
    ids::{TopicId, UserId},
    operator::Operation,
    page::{Page, PageRequest},
    phone::Channel,
    user::{TimelineEntry, TimelineKind, User},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::{cmp::Reverse, collections::HashMap};
use uuid::Uuid;

/// How many things of one instant pages go through.
const PASSED_MAX: usize = 10_000;
/// How much of a text a timeline shows, in characters.
const EXCERPT_CHARS: usize = 160;

/// One page of what happened to a person, newest first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn timeline(engine: &Engine, actor: &Actor, id: UserId, page: &PageRequest) -> Result<Page<TimelineEntry>> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    of(conn, &load(conn, id).await?, page).await
}

/// Where a page begins: at an instant, behind so many of its things.
struct Place {
    at: DateTime<Utc>,
    passed: usize,
}

impl Place {
    fn read(cursor: &str) -> Option<Self> {
        let (at, passed) = cursor.split_once('.')?;
        Some(Self { at: DateTime::from_timestamp_micros(at.parse().ok()?)?, passed: passed.parse().ok()? })
            .filter(|place| place.passed <= PASSED_MAX)
    }
}

/// The same of a person who was read.
pub(super) async fn of<C: ConnectionTrait>(conn: &C, user: &User, page: &PageRequest) -> Result<Page<TimelineEntry>> {
    let place = match &page.after {
        Some(cursor) => Place::read(cursor).ok_or_else(|| Error::invalid("after", "this is not a cursor"))?,
        None => Place { at: FAR, passed: 0 },
    };
    // Any of the tables may hold the whole page, and all that was passed over.
    let rows = i64::from(page.limit()) + 1 + i64::try_from(place.passed).unwrap_or(i64::MAX / 2);
    let mut entries = entries(conn, user, place.at, rows).await?;
    // Things of one instant keep the order in which they were put together, which is always the same.
    entries.sort_by_key(|entry| Reverse(entry.at));
    let passed = entries.iter().take_while(|entry| entry.at == place.at).count().min(place.passed);
    entries.drain(..passed);
    let shown = &entries[..entries.len().min(page.limit() as usize)];
    let last = shown.last().map(|entry| entry.at);
    let mut of_last = shown.iter().filter(|entry| Some(entry.at) == last).count();
    if last == Some(place.at) {
        of_last += passed;
    }
    Ok(Page::cut(entries, page.limit(), |entry| format!("{}.{of_last}", entry.at.timestamp_micros())))
}

/// What each table holds up to an instant, so many rows of each.
async fn entries<C: ConnectionTrait>(
    conn: &C,
    user: &User,
    until: DateTime<Utc>,
    rows: i64,
) -> Result<Vec<TimelineEntry>> {
    let topics = subscriptions::of_user(conn, user.id).await?;
    let topics: HashMap<TopicId, &str> = topics.iter().map(|view| (view.topic_id, view.name.as_str())).collect();
    let mut entries: Vec<_> =
        ledger_until(conn, user.id, until, rows).await?.iter().map(|event| consent_entry(event, &topics)).collect();
    entries.extend(messages(conn, user, until, rows).await?.into_iter().map(|message| TimelineEntry {
        at: message.updated_at,
        kind: TimelineKind::Outbound,
        title: format!("{}: {}", message.campaign_name, message.state.label()),
        detail: message.reason.or(message.error_text),
        link: Some(format!("/messages/{}", message.key)),
    }));
    entries.extend(inbound(conn, user.id, until, rows).await?);
    entries.extend(edits(conn, user.id, until, rows).await?);
    entries.extend(imports(conn, user.id, until, rows).await?);
    entries.extend((user.created_at <= until).then(|| TimelineEntry {
        at: user.created_at,
        kind: TimelineKind::Joined,
        title: "Became known".to_owned(),
        detail: None,
        link: None,
    }));
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

async fn inbound<C: ConnectionTrait>(
    conn: &C,
    id: UserId,
    until: DateTime<Utc>,
    rows: i64,
) -> Result<Vec<TimelineEntry>> {
    let rows: Vec<Inbound> = db::all(
        conn,
        &format!(
            "SELECT channel, body, received_at FROM inbound_messages
             WHERE user_id {THEIRS} AND received_at <= $2 ORDER BY received_at DESC, id DESC LIMIT $3"
        ),
        values![id.0, until, rows],
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
async fn edits<C: ConnectionTrait>(
    conn: &C,
    id: UserId,
    until: DateTime<Utc>,
    rows: i64,
) -> Result<Vec<TimelineEntry>> {
    let targets = targets(conn, id).await?;
    let rows: Vec<Edit> = db::of_rows(conn, targets, values![until, rows], |table| {
        format!(
            "SELECT at, actor, action FROM audit
             WHERE target IN (SELECT target FROM {table}) AND action NOT IN ('consent.record', 'subscription.set') AND at <= $1
             ORDER BY at DESC, id DESC LIMIT $2"
        )
    })
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
async fn imports<C: ConnectionTrait>(
    conn: &C,
    id: UserId,
    until: DateTime<Utc>,
    rows: i64,
) -> Result<Vec<TimelineEntry>> {
    let rows: Vec<Imported> = db::all(
        conn,
        &format!(
            "SELECT i.id, i.file_name, r.line, coalesce(i.finished_at, i.created_at) AS at, i.status = 'undone' AS undone
             FROM import_rows r JOIN imports i ON i.id = r.import_id WHERE r.user_id {THEIRS}
               AND coalesce(i.finished_at, i.created_at) <= $2 ORDER BY at DESC, i.id DESC LIMIT $3"
        ),
        values![id.0, until, rows],
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
