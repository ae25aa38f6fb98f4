//! Segments: saved filters over users.

mod estimate;
mod facts;
mod rare;
mod vocabulary;

pub use estimate::estimate;
pub(crate) use estimate::people;
pub use rare::Hints;
pub(crate) use rare::no_hints_yet;
pub use vocabulary::vocabulary;

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize, unchanged},
    attributes,
    audit::{self, Act},
    db,
    entity::segment,
    filter_sql::{self, Reach},
    users, values,
};
use domain::{
    filter::{self, AttributeKind, Filter, FilterError, Schema},
    ids::{SegmentId, UserId},
    operator::Operation,
    segment::{Segment, SegmentCount, SegmentMatch},
};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryOrder, QuerySelect, Set, Value};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many segments there may be.
pub const SEGMENTS_MAX: u64 = 1_000;
/// How many people a count shows.
const SAMPLE_ROWS: i64 = 10;
/// The longest name of a segment, in characters.
const NAME_MAX_CHARS: usize = 100;

/// All segments by name.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Segment>> {
    authorize(Operation::ContentRead, actor)?;
    let rows =
        segment::Entity::find().order_by_asc(segment::Column::Name).limit(SEGMENTS_MAX).all(engine.db.read()).await?;
    Ok(rows.into_iter().map(Segment::from).collect())
}

/// One segment.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: SegmentId) -> Result<Segment> {
    authorize(Operation::ContentRead, actor)?;
    Ok(load(engine.db.read(), id).await?.into())
}

fn check_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        return Err(Error::invalid("name", format!("a name has 1 to {NAME_MAX_CHARS} characters")));
    }
    Ok(name)
}

/// Saves a filter under a name, in its canonical text.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when the name is taken, [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, name: &str, filter: &str) -> Result<Segment> {
    authorize(Operation::ContentWrite, actor)?;
    let name = check_name(name)?;
    let tx = engine.db.begin().await?;
    let filter = checked(&tx, filter, "filter").await?.filter;
    let taken = "SELECT 1 AS value FROM segments WHERE name = $1";
    if db::scalar::<i32, _>(&tx, taken, values![name]).await?.is_some() {
        return Err(Error::conflict(format!("there is a segment \"{name}\" already")));
    }
    let count = db::scalar::<i64, _>(&tx, "SELECT count(*) AS value FROM segments", Vec::new()).await?;
    if count.is_some_and(|count| count.unsigned_abs() >= SEGMENTS_MAX) {
        return Err(Error::conflict(format!("there are {SEGMENTS_MAX} segments already, which is the limit")));
    }
    let now = engine.clock.now();
    let row = segment::ActiveModel {
        id: Set(engine.clock.new_id()),
        name: Set(name.to_owned()),
        filter: Set(filter.to_string()),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let row = row.insert(&tx).await?;
    let after = json!({ "name": row.name, "filter": row.filter });
    let act =
        Act { action: "segment.create", target: format!("segment:{}", row.id), after: Some(after), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(row.into())
}

/// Changes a segment. Campaigns that were launched keep what it said then.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when the name is taken, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(engine: &Engine, actor: &Actor, id: SegmentId, name: &str, filter: &str) -> Result<Segment> {
    authorize(Operation::ContentWrite, actor)?;
    let name = check_name(name)?;
    let tx = engine.db.begin().await?;
    db::lock_row(&tx, "segments", id.0).await?;
    let before = load(&tx, id).await?;
    unchanged(actor, &Segment::from(before.clone()))?;
    let filter = checked(&tx, filter, "filter").await?.filter.to_string();
    let taken = "SELECT 1 AS value FROM segments WHERE name = $1 AND id <> $2";
    if db::scalar::<i32, _>(&tx, taken, values![name, id.0]).await?.is_some() {
        return Err(Error::conflict(format!("there is a segment \"{name}\" already")));
    }
    db::exec(
        &tx,
        "UPDATE segments SET name = $2, filter = $3, updated_at = $4 WHERE id = $1",
        values![id.0, name, filter.as_str(), engine.clock.now()],
    )
    .await?;
    let act = Act {
        action: "segment.update",
        target: format!("segment:{id}"),
        before: Some(json!({ "name": before.name, "filter": before.filter })),
        after: Some(json!({ "name": name, "filter": filter })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(Segment { name: name.to_owned(), filter, ..Segment::from(before) })
}

/// Deletes a segment that no campaign before its launch uses.
///
/// # Errors
/// [`Error::Conflict`] with the name of a campaign that does, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(engine: &Engine, actor: &Actor, id: SegmentId) -> Result<()> {
    authorize(Operation::ContentWrite, actor)?;
    let tx = engine.db.begin().await?;
    let before = load(&tx, id).await?;
    let used = format!(
        "SELECT name AS value FROM campaigns WHERE status IN ('draft', 'scheduled')
           AND (segment_id = $1 OR {}) LIMIT 1",
        db::contains(&tx, "CAST(exclusions AS text)", 2)
    );
    let used: Option<String> = db::scalar(&tx, &used, values![id.0, id.to_string()]).await?;
    if let Some(name) = used {
        return Err(Error::conflict(format!("the campaign \"{name}\" uses this segment")));
    }
    db::exec(&tx, "DELETE FROM segments WHERE id = $1", values![id.0]).await?;
    let act = Act {
        action: "segment.delete",
        target: format!("segment:{id}"),
        before: Some(json!({ "name": before.name, "filter": before.filter })),
        after: None,
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

async fn load<C: ConnectionTrait>(conn: &C, id: SegmentId) -> Result<segment::Model> {
    segment::Entity::find_by_id(id.0).one(conn).await?.ok_or(Error::NotFound { what: "segment" })
}

/// The text of a segment's filter, for what is built on it.
///
/// # Errors
/// [`Error::Invalid`] on `field` for a segment that is gone.
pub(crate) async fn filter_of<C: ConnectionTrait>(conn: &C, id: SegmentId, field: &str) -> Result<String> {
    let sql = "SELECT filter AS value FROM segments WHERE id = $1";
    db::scalar(conn, sql, values![id.0]).await?.ok_or_else(|| Error::invalid(field, "this segment is gone"))
}

/// Whether a person matches a filter now, and what each condition says of them.
///
/// # Errors
/// [`Error::Invalid`] for a filter that cannot be read, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn explain(engine: &Engine, actor: &Actor, text: &str, user: UserId) -> Result<SegmentMatch> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    let filter = checked(conn, text, "filter").await?.filter;
    explain_filter(engine, &filter, user).await
}

/// Whether a person matches a filter that was read before, and what each condition says of them now.
///
/// # Errors
/// [`Error::NotFound`] for someone who is not there.
pub(crate) async fn explain_filter(engine: &Engine, filter: &Filter, user: UserId) -> Result<SegmentMatch> {
    let facts = facts::of_user(engine.db.read(), user).await?;
    let now = engine.clock.now();
    Ok(SegmentMatch {
        matches: filter::evaluate(filter, &facts, now),
        conditions: filter::explain(filter, &facts, now),
    })
}

/// How many people match a filter now, exactly, and the newest of them.
///
/// # Errors
/// [`Error::Invalid`] for a filter that cannot be read, [`Error::Forbidden`].
pub async fn count(engine: &Engine, actor: &Actor, text: &str) -> Result<SegmentCount> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.asked();
    let checked = checked(conn, text, "filter").await?;
    let total = total(engine, &checked).await?;
    let Matching { sql: predicate, mut params, .. } = where_matching(engine, conn, &checked, Reach::Few, 1).await?;
    params.push(SAMPLE_ROWS.into());
    let limit = params.len();
    let which = format!("SELECT u.* FROM users u WHERE {predicate} ORDER BY u.id DESC LIMIT ${limit}");
    let sample = users::read(conn, &which, "u.id DESC", params).await?;
    Ok(SegmentCount { total, sample, canonical: checked.filter.to_string() })
}

/// How many people match now.
///
/// # Errors
/// [`Error::Invalid`] for a condition that cannot be asked.
pub(crate) async fn count_matching(engine: &Engine, filter: &Filter) -> Result<i64> {
    total(engine, &Checked::again(engine.db.asked(), filter).await?).await
}

/// How many people match, exactly: everyone is looked at, unless few can match.
async fn total(engine: &Engine, checked: &Checked) -> Result<i64> {
    match total_by(engine, checked).await {
        // What was declared when the filter was read may be another kind by now: then each value is looked at as what it is.
        Err(error) if error.is_of_another_kind() => {
            total_by(engine, &Checked { filter: checked.filter.clone(), declared: BTreeMap::new() }).await
        }
        found => found,
    }
}

/// The same, if attributes are what they were declared as.
async fn total_by(engine: &Engine, checked: &Checked) -> Result<i64> {
    let conn = engine.db.asked();
    let (sql, params, by_index) = match filter_sql::count_of_consent(&checked.filter) {
        Some((sql, params)) => (sql, params, false),
        None => {
            let Matching { sql, params, by_index } = where_matching(engine, conn, checked, Reach::Everyone, 1).await?;
            (format!("SELECT {} AS value FROM users u WHERE {sql}", db::count_in_order(conn)), params, by_index)
        }
    };
    let found = match by_index {
        true => db::scalar(conn, &sql, params).await?,
        false => db::scalar_of_whole(conn, &sql, params).await?,
    };
    Ok(found.unwrap_or(0))
}

/// The newest people who match.
///
/// # Errors
/// [`Error::Invalid`] for a condition that cannot be asked.
pub(crate) async fn sample_ids(engine: &Engine, filter: &Filter, rows: u32) -> Result<Vec<UserId>> {
    let conn = engine.db.asked();
    let checked = Checked::again(conn, filter).await?;
    let Matching { sql: predicate, params, .. } = where_matching(engine, conn, &checked, Reach::Few, 2).await?;
    let sql = format!("SELECT u.id FROM users u WHERE {predicate} ORDER BY u.id DESC LIMIT $1");
    let values = [Value::from(i64::from(rows))].into_iter().chain(params).collect();
    let found: Vec<Sampled> = db::all(conn, &sql, values).await?;
    Ok(found.into_iter().map(|row| UserId(row.id)).collect())
}

#[derive(FromQueryResult)]
struct Sampled {
    id: Uuid,
}

/// Reads a filter. `field` is where the text was entered, such as `audience/filter`.
///
/// # Errors
/// [`Error::Invalid`] on that field, saying where in the text, what is wrong and what was meant.
pub fn parse(text: &str, field: &str) -> Result<Filter> {
    filter::parse(text).map_err(|error| invalid(field, text, &error))
}

/// Reads a filter, and brings the names of topics in it to their keywords.
///
/// # Errors
/// As [`parse`], also for a topic that does not exist.
pub(crate) async fn checked<C: ConnectionTrait>(conn: &C, text: &str, field: &str) -> Result<Checked> {
    let filter = parse(text, field)?;
    let declared = declared(conn, &filter).await?;
    Checked::of(conn, text, field, &filter, declared).await
}

/// The same for a page of a list, which may go by what was declared within the last second.
///
/// # Errors
/// As [`checked`].
pub(crate) async fn checked_lately<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    text: &str,
    field: &str,
) -> Result<Checked> {
    let filter = parse(text, field)?;
    let declared = match filter.names_attributes() {
        true => attributes::lately_declared(engine, conn).await?,
        false => BTreeMap::new(),
    };
    Checked::of(conn, text, field, &filter, declared).await
}

/// A filter that fits what is declared, and the declared attributes, if it is about any.
pub(crate) struct Checked {
    /// The filter.
    pub filter: Filter,
    declared: BTreeMap<String, AttributeKind>,
}

impl Checked {
    async fn of<C: ConnectionTrait>(
        conn: &C,
        text: &str,
        field: &str,
        filter: &Filter,
        declared: BTreeMap<String, AttributeKind>,
    ) -> Result<Self> {
        let schema = schema(conn, filter, declared).await?;
        let filter = filter::check(filter, &schema).map_err(|error| invalid(field, text, &error))?;
        Ok(Self { filter, declared: schema.attributes })
    }

    /// A filter that was checked before.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn again<C: ConnectionTrait>(conn: &C, filter: &Filter) -> Result<Self> {
        Ok(Self { filter: filter.clone(), declared: declared(conn, filter).await? })
    }
}

/// A filter that was put together from others, with values brought to the declared kinds and topics to their keywords.
///
/// # Errors
/// [`Error::Invalid`] on `field`, as [`checked`]; no place is named, as nobody typed this text.
pub(crate) async fn fitted<C: ConnectionTrait>(conn: &C, filter: &Filter, field: &str) -> Result<Filter> {
    let declared = declared(conn, filter).await?;
    filter::check(filter, &schema(conn, filter, declared).await?).map_err(|error| Error::invalid(field, error.message))
}

/// What is declared now, as far as the filter asks for it. Attributes that are not are allowed: an import may bring them
/// before anybody declares them.
async fn schema<C: ConnectionTrait>(
    conn: &C,
    filter: &Filter,
    attributes: BTreeMap<String, AttributeKind>,
) -> Result<Schema> {
    let topics: Vec<TopicName> = match filter.names_topics() {
        true => db::all(conn, "SELECT key, name FROM topics", Vec::new()).await?,
        false => Vec::new(),
    };
    let topics = topics.into_iter().map(|row| (row.key, row.name)).collect();
    Ok(Schema { topics: Some(topics), attributes, open: true })
}

/// The declared attributes, if the filter is about any.
async fn declared<C: ConnectionTrait>(conn: &C, filter: &Filter) -> Result<BTreeMap<String, AttributeKind>> {
    match filter.names_attributes() {
        true => attributes::declared(conn).await,
        false => Ok(BTreeMap::new()),
    }
}

#[derive(FromQueryResult)]
struct TopicName {
    key: String,
    name: String,
}

/// What a filter means, as SQL.
pub(crate) struct Matching {
    /// The condition on `users u`.
    pub sql: String,
    /// Its parameters.
    pub params: Vec<Value>,
    /// Whether an index finds the few who can match.
    pub by_index: bool,
}

/// The condition on `users u` that a filter means, with everyone who was merged into another left out; its parameters
/// begin at `$first`.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn where_matching<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    checked: &Checked,
    reach: Reach,
    first: usize,
) -> Result<Matching> {
    let backend = conn.get_database_backend();
    let Checked { filter, declared } = checked;
    let (predicate, mut params) =
        filter_sql::compile_declared(filter, declared, reach, backend, engine.clock.now(), first);
    let mut sql = format!("u.merged_into IS NULL AND ({predicate})");
    let found = rare::condition(engine, conn, checked, reach, first + params.len()).await?;
    let by_index = found.is_some();
    if let Some((of_index, more)) = found {
        sql += &format!(" AND {of_index}");
        params.extend(more);
    }
    Ok(Matching { sql, params, by_index })
}

/// A fault of a filter in words: the place counts characters from 1, as people do.
fn invalid(field: &str, text: &str, error: &FilterError) -> Error {
    let start = error.span.start.min(text.len());
    let column = text.char_indices().take_while(|(at, _)| *at < start).count() + 1;
    let mut words = match text.get(start..error.span.end.min(text.len())) {
        Some(part) if !part.trim().is_empty() => {
            format!("At character {column} (\"{}\"): {}", cut(part), error.message)
        }
        _ if start > 0 && start >= text.trim_end().len() => format!("At the end: {}", error.message),
        _ => error.message.clone(),
    };
    if let Some(suggestion) = &error.suggestion {
        words += &format!(" Did you mean {suggestion}?");
    } else if !error.expected.is_empty() && error.expected.len() <= 12 {
        words += &format!(" Expected: {}.", error.expected.join(", "));
    }
    Error::invalid(field, words)
}

/// The first characters of a part, so that a long one does not drown the message.
fn cut(part: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    match part.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &part[..end]),
        None => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, holds: &[&str]) {
        let words = parse(text, "filter").expect_err(text).to_string();
        for part in holds {
            assert!(words.contains(part), "{text:?}: {words}");
        }
    }

    #[test]
    fn faults_name_their_place() {
        check("city = ", &["At the end"]);
        check("ä = 1 and )", &["At character 11 (\")\")"]);
        check(&format!("name = {}", "x".repeat(60)), &["…"]);
        assert!(parse("", "filter").is_ok_and(|filter| filter.is_everyone()));
    }
}
