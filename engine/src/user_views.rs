//! Saved views of the list of users: a filter, an order and columns under a name, for everyone of the workspace.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db, segments, values,
};
use chrono::{DateTime, Utc};
use domain::{
    ids::UserViewId,
    operator::Operation,
    user::{UserColumns, UserView, UserViewForm},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

/// How many views there may be.
pub const VIEWS_MAX: i64 = 100;
/// The longest name of a view, in characters.
const NAME_MAX_CHARS: usize = 60;

const COLUMNS: &str = "id, name, filter, sort, columns, created_at";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    filter: String,
    sort: String,
    columns: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for UserView {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: UserViewId(row.id),
            name: row.name,
            filter: row.filter,
            sort: row.sort.parse()?,
            columns: UserColumns::of(&row.columns),
            created_at: row.created_at,
        })
    }
}

/// All views, by name.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<UserView>> {
    authorize(Operation::ContentRead, actor)?;
    let rows: Vec<Row> =
        db::all(engine.db.read(), &format!("SELECT {COLUMNS} FROM user_views ORDER BY name"), values![]).await?;
    rows.into_iter().map(UserView::try_from).collect()
}

async fn named<C: ConnectionTrait>(conn: &C, name: &str) -> Result<Option<UserView>> {
    let sql = format!("SELECT {COLUMNS} FROM user_views WHERE name = $1");
    let row: Option<Row> = db::one(conn, &sql, values![name]).await?;
    row.map(UserView::try_from).transpose()
}

fn for_audit(name: &str, view: (&str, &str, &str)) -> serde_json::Value {
    json!({ "name": name, "filter": view.0, "sort": view.1, "columns": view.2 })
}

/// Saves a view; one of the same name is saved over.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] at the limit, [`Error::Forbidden`].
pub async fn save(engine: &Engine, actor: &Actor, form: &UserViewForm) -> Result<UserView> {
    authorize(Operation::ContentWrite, actor)?;
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        return Err(Error::invalid("name", format!("a name has 1 to {NAME_MAX_CHARS} characters")));
    }
    let tx = engine.db.begin().await?;
    let filter = segments::checked(&tx, &form.filter, "filter").await?.filter.to_string();
    let (sort, columns) = (form.sort.as_str(), form.columns.to_string());
    let before = named(&tx, name).await?;
    if before.is_none() {
        let count: Option<i64> = db::scalar(&tx, "SELECT count(*) AS value FROM user_views", values![]).await?;
        if count.is_some_and(|count| count >= VIEWS_MAX) {
            return Err(Error::conflict(format!("there are {VIEWS_MAX} views already, which is the limit")));
        }
    }
    db::exec(
        &tx,
        "INSERT INTO user_views (id, name, filter, sort, columns, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)
         ON CONFLICT (name) DO UPDATE SET filter = excluded.filter, sort = excluded.sort, columns = excluded.columns,
             updated_at = excluded.updated_at",
        values![engine.clock.new_id::<Uuid>(), name, filter.as_str(), sort, columns.as_str(), engine.clock.now()],
    )
    .await?;
    let saved = named(&tx, name).await?.ok_or_else(|| Error::internal("a view that was just saved is gone"))?;
    let act = Act {
        action: "user_view.save",
        target: format!("user_view:{}", saved.id),
        before: before.map(|view| for_audit(name, (&view.filter, view.sort.as_str(), &view.columns.to_string()))),
        after: Some(for_audit(name, (&filter, sort, &columns))),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.live.changed("user_views");
    Ok(saved)
}

/// Deletes a view.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(engine: &Engine, actor: &Actor, id: UserViewId) -> Result<()> {
    authorize(Operation::ContentWrite, actor)?;
    let tx = engine.db.begin().await?;
    let sql = format!("SELECT {COLUMNS} FROM user_views WHERE id = $1");
    let row: Row = db::one(&tx, &sql, values![id.0]).await?.ok_or(Error::NotFound { what: "view" })?;
    db::exec(&tx, "DELETE FROM user_views WHERE id = $1", values![id.0]).await?;
    let act = Act {
        action: "user_view.delete",
        target: format!("user_view:{id}"),
        before: Some(for_audit(&row.name, (&row.filter, &row.sort, &row.columns))),
        after: None,
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.live.changed("user_views");
    Ok(())
}
