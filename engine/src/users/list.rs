//! The list of people, in the orders that an index serves.

use super::stored::{self, StoredUser};
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    db,
    filter_sql::Reach,
    segments::{self, Matching},
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    ids::UserId,
    operator::Operation,
    page::{Page, PageRequest},
    user::{User, UserSort},
};
use sea_orm::{ConnectionTrait, Value};
use uuid::Uuid;

/// People who match a filter, newest first. Those who were merged into others are left out.
///
/// # Errors
/// [`Error::Invalid`] on `filter` (also when it takes too long to answer) or `after`, [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor, filter: &str, page: &PageRequest) -> Result<Page<User>> {
    list_sorted(engine, actor, filter, UserSort::Newest, page).await
}

/// People who match a filter, in an order. The cursor names the last person of the page before, never their name: it
/// stands in addresses.
///
/// # Errors
/// [`Error::Invalid`] on `filter` (also when it takes too long to answer), `after`, or on `sort` for an order by name of a filtered list
/// when there are very many people, [`Error::Forbidden`].
pub async fn list_sorted(
    engine: &Engine,
    actor: &Actor,
    filter: &str,
    sort: UserSort,
    page: &PageRequest,
) -> Result<Page<User>> {
    let Which { people, by, values } = which(engine, actor, filter, sort, page).await?;
    let rows = super::read(engine.db.asked(), &people, &by, values).await?;
    begins_somewhere(engine, sort, page, rows.is_empty()).await?;
    Ok(Page::cut(rows, page.limit(), |user| cursor(sort, user.id, user.updated_at)))
}

/// The same people, to be written out as they are stored.
///
/// # Errors
/// As [`list_sorted`].
pub async fn list_stored(
    engine: &Engine,
    actor: &Actor,
    filter: &str,
    sort: UserSort,
    page: &PageRequest,
) -> Result<Page<StoredUser>> {
    let Which { people, by, values } = which(engine, actor, filter, sort, page).await?;
    let rows = stored::read(engine.db.asked(), &people, &by, values).await?;
    begins_somewhere(engine, sort, page, rows.is_empty()).await?;
    Ok(Page::cut(rows, page.limit(), |user| cursor(sort, user.id, user.updated_at)))
}

/// A statement for the people of a page and the next one, their order, and its values.
struct Which {
    people: String,
    by: String,
    values: Vec<Value>,
}

async fn which(engine: &Engine, actor: &Actor, filter: &str, sort: UserSort, page: &PageRequest) -> Result<Which> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.asked();
    let parsed = segments::checked_lately(engine, conn, filter, "filter").await?;
    let order = Order::of(conn, sort);
    if order.by_name && parsed.filter.expr().is_some() && are_more(conn, engine.limits.ordered_by_name).await? {
        let most = engine.limits.ordered_by_name;
        let why =
            format!("with a filter, more than {most} people cannot be put in the order of their names; choose another");
        return Err(Error::invalid("sort", why));
    }
    let mut values: Vec<Value> = values![i64::from(page.limit()) + 1];
    let beyond = match &page.after {
        Some(cursor) => order.beyond(cursor, &mut values)?,
        None => "TRUE".to_owned(),
    };
    let Matching { sql: predicate, params, .. } =
        segments::where_matching(engine, conn, &parsed, Reach::Few, values.len() + 1).await?;
    values.extend(params);
    let by = order.by();
    let people = format!("SELECT u.* FROM users u WHERE {beyond} AND {predicate} ORDER BY {by} LIMIT $1");
    Ok(Which { people, by, values })
}

/// Whether there are more people than this, as far as the database knows without counting them all.
async fn are_more<C: ConnectionTrait>(conn: &C, most: i64) -> Result<bool> {
    let people = match segments::people(conn).await? {
        Some(people) => people as i64,
        None => {
            let sql = "SELECT count(*) AS value FROM (SELECT 1 FROM users LIMIT $1) AS some";
            db::scalar(conn, sql, values![most.saturating_add(1)]).await?.unwrap_or(0)
        }
    };
    Ok(people > most)
}

/// An order: what is compared before the id, if anything, and which way. Each is an index of migration 20, or the
/// primary key.
struct Order {
    key: Option<String>,
    down: bool,
    by_name: bool,
}

impl Order {
    fn of<C: ConnectionTrait>(conn: &C, sort: UserSort) -> Self {
        let key = match sort {
            UserSort::Newest | UserSort::Oldest => None,
            UserSort::Name | UserSort::NameDown => Some(db::folded(conn, "coalesce(u.name, '')")),
            UserSort::Changed | UserSort::Unchanged => Some("u.updated_at".to_owned()),
        };
        let down = matches!(sort, UserSort::Newest | UserSort::NameDown | UserSort::Changed);
        Self { key, down, by_name: is_by_name(sort) }
    }

    fn by(&self) -> String {
        let way = if self.down { "DESC" } else { "ASC" };
        match &self.key {
            Some(key) => format!("{key} {way}, u.id {way}"),
            None => format!("u.id {way}"),
        }
    }

    /// The condition of lying beyond a cursor; its parameters follow those that are there.
    fn beyond(&self, cursor: &str, values: &mut Vec<Value>) -> Result<String> {
        let sign = if self.down { "<" } else { ">" };
        let no_cursor = || Error::invalid("after", "this is not a cursor");
        let Some(key) = &self.key else {
            values.push(person(cursor)?.into());
            return Ok(format!("u.id {sign} ${}", values.len()));
        };
        if self.by_name {
            values.push(person(cursor)?.into());
            let id = values.len();
            let name = format!("(SELECT {key} FROM users u WHERE u.id = ${id})");
            // The name alone as well: SQLite goes to a place in an index of an expression by it, and not by the pair.
            return Ok(format!("{key} {sign}= {name} AND ({key}, u.id) {sign} ({name}, ${id})"));
        }
        let (nanos, id) = cursor.split_once('.').ok_or_else(no_cursor)?;
        let at = DateTime::from_timestamp_nanos(nanos.parse().map_err(|_| no_cursor())?);
        values.extend(values![at, person(id)?]);
        Ok(format!("({key}, u.id) {sign} (${}, ${})", values.len() - 1, values.len()))
    }
}

const fn is_by_name(sort: UserSort) -> bool {
    matches!(sort, UserSort::Name | UserSort::NameDown)
}

/// The person that a cursor names.
fn person(cursor: &str) -> Result<Uuid> {
    cursor.parse().map_err(|_| Error::invalid("after", "this is not a cursor"))
}

/// That an empty page is one behind the last, and does not begin at someone who is gone: a cursor by name finds the name by its
/// person.
async fn begins_somewhere(engine: &Engine, sort: UserSort, page: &PageRequest, is_empty: bool) -> Result<()> {
    let Some(cursor) = page.after.as_deref().filter(|_| is_empty && is_by_name(sort)) else { return Ok(()) };
    let sql = "SELECT id AS value FROM users WHERE id = $1";
    let found: Option<Uuid> = db::scalar(engine.db.asked(), sql, values![person(cursor)?]).await?;
    let gone = || Error::invalid("after", "the last person of the page before is gone; begin again");
    found.map(|_| ()).ok_or_else(gone)
}

fn cursor(sort: UserSort, id: UserId, updated_at: DateTime<Utc>) -> String {
    match sort {
        UserSort::Newest | UserSort::Oldest | UserSort::Name | UserSort::NameDown => id.to_string(),
        // The instant stands beside the id, as the row may change again before the next page.
        UserSort::Changed | UserSort::Unchanged => {
            format!("{}.{id}", updated_at.timestamp_nanos_opt().unwrap_or_default())
        }
    }
}
