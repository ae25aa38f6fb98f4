//! One change of everyone who matches a filter: previewed with its number, then gone through in the background, person by
//! person in the order of their ids, so that a crash goes on where it was.

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    attributes,
    audit::{self, Act},
    cells,
    consents::{self, Entry},
    db::{self, Kind, Rows, Tx},
    filter_sql, segments, subscriptions, values,
};
use chrono::{DateTime, Utc};
use domain::{
    attribute,
    consent::{ConsentKind, ConsentSource},
    filter::{self, AttributeName},
    ids::{BulkId, TopicId, UserId},
    import::is_attribute_name,
    operator::Operation,
    phone::Channel,
    user::{Bulk, BulkAct, BulkForm, BulkPreview, BulkStatus},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value, json};
use std::time::Instant;
use uuid::Uuid;

/// How many people one step takes.
const STEP_ROWS: i64 = 500;
/// How many changes the list shows.
const LIST_ROWS: i64 = 10;
/// The longest tag, in characters.
const TAG_MAX_CHARS: usize = 100;

/// How many people a change would touch, and what it would do to them. Nothing is written.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::NotFound`] without such a topic, [`Error::Forbidden`].
pub async fn preview(engine: &Engine, actor: &Actor, form: &BulkForm) -> Result<BulkPreview> {
    authorize(Operation::UserBulk, actor)?;
    let conn = engine.db.asked();
    let filter = segments::checked(conn, &form.filter, "filter").await?.filter;
    let words = words(conn, &checked(conn, &form.act).await?).await?;
    Ok(BulkPreview { people: segments::count_matching(engine, &filter).await?, words })
}

/// Starts a change of the `people` that the preview stated.
///
/// # Errors
/// [`Error::Conflict`] when other than so many match by now, or another change is under way; else as [`preview`].
pub async fn start(engine: &Engine, actor: &Actor, form: &BulkForm, people: i64) -> Result<Bulk> {
    authorize(Operation::UserBulk, actor)?;
    let conn = engine.db.asked();
    let filter = segments::checked(conn, &form.filter, "filter").await?.filter;
    let act = checked(conn, &form.act).await?;
    let words = words(conn, &act).await?;
    let now_matching = segments::count_matching(engine, &filter).await?;
    if now_matching != people {
        return Err(Error::conflict(format!("{people} people matched when you looked, and {now_matching} do now")));
    }
    let tx = engine.db.begin().await?;
    let running = "SELECT 1 AS value FROM bulk_changes WHERE status = 'running' LIMIT 1";
    if db::scalar::<i32, _>(&tx, running, values![]).await?.is_some() {
        return Err(Error::conflict("another change of many people is under way; wait until it is through"));
    }
    let newest: Option<Uuid> =
        db::scalar(&tx, "SELECT id AS value FROM users ORDER BY id DESC LIMIT 1", values![]).await?;
    // It goes down from the newest person of now: whoever comes later is not among those whom the preview counted.
    let cursor = Uuid::from_u128(newest.unwrap_or_default().as_u128().saturating_add(1));
    let (id, now) = (BulkId(engine.clock.new_id()), engine.clock.now());
    db::exec(
        &tx,
        "INSERT INTO bulk_changes (id, status, filter, act, words, people, done, changed, cursor, actor, asked_at,
             created_at, updated_at) VALUES ($1, 'running', $2, $3, $4, $5, 0, 0, $6, $7, $8, $8, $8)",
        values![
            id.0,
            filter.to_string(),
            serde_json::to_value(&act)?,
            words.as_str(),
            people,
            cursor,
            actor.label(),
            now
        ],
    )
    .await?;
    let after = json!({ "filter": filter.to_string(), "words": words, "people": people });
    let entry = Act { action: "users.bulk", target: format!("bulk:{id}"), after: Some(after), ..Act::default() };
    audit::record(engine, &tx, actor, entry).await?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Bulk(id)).await;
    engine.live.changed("bulk");
    Ok(Bulk { id, status: BulkStatus::Running, words, people, done: 0, changed: 0, created_at: now })
}

#[derive(FromQueryResult)]
struct ListRow {
    id: Uuid,
    status: String,
    words: String,
    people: i64,
    done: i64,
    changed: i64,
    created_at: DateTime<Utc>,
}

/// The latest changes, newest first.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Bulk>> {
    authorize(Operation::UserRead, actor)?;
    let sql = "SELECT id, status, words, people, done, changed, created_at FROM bulk_changes ORDER BY id DESC LIMIT $1";
    let rows: Vec<ListRow> = db::all(engine.db.read(), sql, values![LIST_ROWS]).await?;
    let bulk = |row: ListRow| {
        Ok(Bulk {
            id: BulkId(row.id),
            status: row.status.parse()?,
            words: row.words,
            people: row.people,
            done: row.done,
            changed: row.changed,
            created_at: row.created_at,
        })
    };
    rows.into_iter().map(bulk).collect()
}

/// The act as it is kept: trimmed, its value of the declared kind.
async fn checked<C: ConnectionTrait>(conn: &C, act: &BulkAct) -> Result<BulkAct> {
    let tag = |tag: &str| {
        let tag = tag.trim();
        let fits = !tag.is_empty() && tag.chars().count() <= TAG_MAX_CHARS;
        if fits && !tag.contains([',', ';', '|']) && !tag.chars().any(char::is_control) {
            Ok(tag.to_owned())
        } else {
            Err(Error::invalid("act/tag", format!("a tag has 1 to {TAG_MAX_CHARS} characters, without , ; and |")))
        }
    };
    Ok(match act {
        BulkAct::AddTag { tag: text } => BulkAct::AddTag { tag: tag(text)? },
        BulkAct::RemoveTag { tag: text } => BulkAct::RemoveTag { tag: tag(text)? },
        BulkAct::SetAttribute { name, value } => {
            let (name, value) = (name.trim(), value.trim());
            if !is_attribute_name(name) {
                let why = "a name is lower-case letters, digits and _, at most 60, and begins with no digit";
                return Err(Error::invalid("act/name", why));
            }
            let given = Map::from_iter([(name.to_owned(), Value::from(value))]);
            if let Err(problems) = attributes::fitted(&attributes::declared(conn).await?, &given) {
                let why = problems.into_iter().next().map_or_else(String::new, |problem| problem.detail);
                return Err(Error::invalid("act/value", why));
            }
            if value.chars().count() > attribute::VALUE_MAX_CHARS {
                let most = attribute::VALUE_MAX_CHARS;
                return Err(Error::invalid("act/value", format!("a value has at most {most} characters")));
            }
            BulkAct::SetAttribute { name: name.to_owned(), value: value.to_owned() }
        }
        BulkAct::Subscribe { topic, evidence } => {
            BulkAct::Subscribe { topic: *topic, evidence: consents::check_evidence(evidence)?.to_owned() }
        }
        BulkAct::Unsubscribe { topic, evidence } => {
            BulkAct::Unsubscribe { topic: *topic, evidence: consents::check_evidence(evidence)?.to_owned() }
        }
    })
}

/// What the act does, in a sentence.
async fn words<C: ConnectionTrait>(conn: &C, act: &BulkAct) -> Result<String> {
    let topic = async |id: TopicId| {
        let name: Option<String> =
            db::scalar(conn, "SELECT name AS value FROM topics WHERE id = $1", values![id.0]).await?;
        name.ok_or(Error::NotFound { what: "topic" })
    };
    Ok(match act {
        BulkAct::AddTag { tag } => format!("Add the tag \"{tag}\""),
        BulkAct::RemoveTag { tag } => format!("Remove the tag \"{tag}\""),
        BulkAct::SetAttribute { name, value } if value.is_empty() => format!("Clear {name}"),
        BulkAct::SetAttribute { name, value } => format!("Set {name} to \"{value}\""),
        BulkAct::Subscribe { topic: id, .. } => {
            format!("Subscribe to {}, unless they chose for themselves", topic(*id).await?)
        }
        BulkAct::Unsubscribe { topic: id, .. } => format!("Take off {}", topic(*id).await?),
    })
}

/// Goes on with a change for one slice of time.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away: the sweep rings again, and it goes on where it was.
pub async fn run(engine: &Engine, id: BulkId) -> Result<()> {
    let began = Instant::now();
    while step(engine, id).await? {
        engine.live.changed("bulk");
        if began.elapsed() > engine.limits.slice {
            engine.queue.ring(Doorbell::Bulk(id)).await;
            return Ok(());
        }
    }
    engine.live.changed("bulk");
    engine.live.changed("users");
    Ok(())
}

#[derive(FromQueryResult)]
struct Running {
    filter: String,
    act: Value,
    cursor: Uuid,
    asked_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Person {
    id: Uuid,
    phone: Option<String>,
}

/// Takes the next people, in one transaction with the cursor; `false` once there are none.
async fn step(engine: &Engine, id: BulkId) -> Result<bool> {
    let tx = engine.db.begin_bulk().await?;
    let lock = db::lock(&tx);
    let sql =
        format!("SELECT filter, act, cursor, asked_at FROM bulk_changes WHERE id = $1 AND status = 'running'{lock}");
    let Some(running) = db::one::<Running, _>(&tx, &sql, values![id.0]).await? else { return Ok(false) };
    let act: BulkAct = serde_json::from_value(running.act)?;
    let filter = filter::parse(&running.filter).map_err(Error::internal)?;
    // Windows of time are those of when it was asked, so that it ends with the people it began with.
    let (predicate, params) = filter_sql::compile(&filter, tx.get_database_backend(), running.asked_at, 3);
    let sql = format!(
        "SELECT u.id, u.phone FROM users u WHERE u.id < $1 AND u.merged_into IS NULL AND ({predicate})
         ORDER BY u.id DESC LIMIT $2"
    );
    let mut values = values![running.cursor, STEP_ROWS];
    values.extend(params);
    let people: Vec<Person> = db::all(&tx, &sql, values).await?;
    let done = i64::try_from(people.len()).unwrap_or(STEP_ROWS);
    let last = people.last().map_or(running.cursor, |person| person.id);
    let changed = change(engine, &tx, &act, people).await?;
    let more = done == STEP_ROWS;
    let status = if more { BulkStatus::Running } else { BulkStatus::Completed };
    db::exec(
        &tx,
        "UPDATE bulk_changes SET cursor = $2, done = done + $3, changed = changed + $4, status = $5, updated_at = $6
         WHERE id = $1",
        values![id.0, last, done, changed, status.as_str(), engine.clock.now()],
    )
    .await?;
    tx.commit().await?;
    Ok(more)
}

async fn change(engine: &Engine, tx: &Tx, act: &BulkAct, people: Vec<Person>) -> Result<i64> {
    match act {
        BulkAct::Subscribe { topic, evidence } => {
            let entries: Vec<Entry<'_>> =
                people.iter().map(|person| entry(person, *topic, ConsentKind::Subscribe, evidence)).collect();
            let changed = subscriptions::subscribe_undecided(engine, tx, &entries).await?;
            Ok(i64::try_from(changed).unwrap_or(i64::MAX))
        }
        BulkAct::Unsubscribe { topic, evidence } => {
            let mut changed = 0;
            // In the order of ids, as everything that locks people does.
            for person in people.iter().rev() {
                let entry = entry(person, *topic, ConsentKind::Unsubscribe, evidence);
                changed += i64::from(subscriptions::append(engine, tx, entry).await?);
            }
            Ok(changed)
        }
        BulkAct::AddTag { .. } | BulkAct::RemoveTag { .. } | BulkAct::SetAttribute { .. } => {
            rewrite(engine, tx, act, people).await
        }
    }
}

fn entry<'a>(person: &Person, topic: TopicId, kind: ConsentKind, evidence: &'a str) -> Entry<'a> {
    Entry {
        user: UserId(person.id),
        channel: if person.phone.is_some() { Channel::Sms } else { Channel::Whatsapp },
        topic: Some(topic),
        kind,
        source: ConsentSource::Operator,
        sender: None,
        evidence,
    }
}

#[derive(FromQueryResult)]
struct Held {
    id: Uuid,
    attributes: Value,
}

/// Writes what the act makes of people's attributes. Whoever's value would not be of its declared kind stays as they are.
async fn rewrite(engine: &Engine, tx: &Tx, act: &BulkAct, people: Vec<Person>) -> Result<i64> {
    let declared = attributes::declared(tx).await?;
    let lock = db::lock(tx);
    // Read again under lock: what somebody changed meanwhile is not written over.
    let held: Vec<Held> = db::of_rows(tx, Rows::ids(people.iter().map(|person| person.id)), values![], |table| {
        format!("SELECT u.id, u.attributes FROM users u WHERE u.id IN (SELECT r.id FROM {table}) ORDER BY u.id{lock}")
    })
    .await?;
    let mut written = Vec::new();
    for person in held {
        let Value::Object(before) = person.attributes else { continue };
        let Some(after) = act.applied(&before) else { continue };
        let Ok(after) = attributes::fitted(&declared, &after) else { continue };
        if after != before {
            written.push((person.id, Value::Object(after)));
        }
    }
    let changed = i64::try_from(written.len()).unwrap_or(i64::MAX);
    if changed == 0 {
        return Ok(0);
    }
    let now = engine.clock.now();
    let columns = [("id", Kind::Id), ("attributes", Kind::Json)];
    let written = Rows::of(columns, written, |(id, attributes)| cells![id, attributes]);
    db::bulk(tx, written, values![now], |table| {
        format!("UPDATE users AS u SET attributes = r.attributes, updated_at = $1 FROM {table} WHERE u.id = r.id")
    })
    .await?;
    let name = match act {
        BulkAct::SetAttribute { name, .. } => name.as_str(),
        _ => AttributeName::TAGS,
    };
    crate::templates::remember(tx, [name.to_owned()], now).await?;
    Ok(changed)
}
