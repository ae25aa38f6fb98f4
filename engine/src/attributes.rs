//! Attributes that are declared: what each one holds, for every way in which a value comes.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize, unchanged},
    audit::{self, Act},
    cells,
    db::{self, Kind, Rows},
    recent::Recent,
    values,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    attribute::{self, Attribute, AttributeForm, DESCRIPTION_MAX_CHARS},
    filter::AttributeKind,
    ids::AttributeId,
    import::is_attribute_name,
    operator::Operation,
    problem::FieldProblem,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many attributes may be declared.
pub const ATTRIBUTES_MAX: i64 = 200;
/// How many people one look at existing values reads.
const STEP_ROWS: i64 = 5_000;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    kind: String,
    description: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Attribute {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: AttributeId(row.id),
            name: row.name,
            kind: row.kind.parse()?,
            description: row.description,
            created_at: row.created_at,
        })
    }
}

/// All declared attributes, by name.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Attribute>> {
    authorize(Operation::ContentRead, actor)?;
    let sql = "SELECT id, name, kind, description, created_at FROM attributes ORDER BY name";
    let rows: Vec<Row> = db::all(engine.db.read(), sql, Vec::new()).await?;
    rows.into_iter().map(Attribute::try_from).collect()
}

/// One declared attribute.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: AttributeId) -> Result<Attribute> {
    authorize(Operation::ContentRead, actor)?;
    load(engine.db.read(), id).await
}

async fn load<C: ConnectionTrait>(conn: &C, id: AttributeId) -> Result<Attribute> {
    let sql = "SELECT id, name, kind, description, created_at FROM attributes WHERE id = $1";
    let row: Row = db::one(conn, sql, values![id.0]).await?.ok_or(Error::NotFound { what: "attribute" })?;
    row.try_into()
}

/// Names and kinds of what is declared.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn declared<C: ConnectionTrait>(conn: &C) -> Result<BTreeMap<String, AttributeKind>> {
    #[derive(FromQueryResult)]
    struct Declared {
        name: String,
        kind: String,
    }
    let rows: Vec<Declared> = db::all(conn, "SELECT name, kind FROM attributes", Vec::new()).await?;
    rows.into_iter().map(|row| Ok((row.name, row.kind.parse()?))).collect()
}

/// For how long a list may go by what was declared.
const DECLARED_KEPT: Duration = Duration::seconds(1);

/// What was declared a moment ago.
pub type LatelyDeclared = Recent<(), BTreeMap<String, AttributeKind>>;

/// Nothing was read yet.
pub(crate) fn nothing_declared_yet() -> LatelyDeclared {
    Recent::new(DECLARED_KEPT, 1)
}

/// What was declared within the last second, for pages of lists: a change made by this process counts at once. Whatever is decided
/// for good asks [`declared`].
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn lately_declared<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
) -> Result<BTreeMap<String, AttributeKind>> {
    let now = engine.clock.now();
    if let Some(known) = engine.remembered.declared.get(&(), now) {
        return Ok(known);
    }
    let found = declared(conn).await?;
    engine.remembered.declared.put((), found.clone(), now);
    Ok(found)
}

/// Declares an attribute. Values that people have already are brought to its kind; if one cannot be, nothing changes.
///
/// # Errors
/// [`Error::Invalid`] by field, on `kind` with an example when a value does not fit, [`Error::Conflict`] when the name is
/// declared, [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, form: &AttributeForm) -> Result<Attribute> {
    authorize(Operation::ContentWrite, actor)?;
    let (name, description) = checked(form)?;
    let tx = engine.db.begin().await?;
    let count: Option<i64> = db::scalar(&tx, "SELECT count(*) AS value FROM attributes", Vec::new()).await?;
    if count.is_some_and(|count| count >= ATTRIBUTES_MAX) {
        return Err(Error::conflict(format!("there are {ATTRIBUTES_MAX} attributes already, which is the limit")));
    }
    let taken = "SELECT 1 AS value FROM attributes WHERE name = $1";
    if db::scalar::<i32, _>(&tx, taken, values![name]).await?.is_some() {
        return Err(Error::conflict(format!("\"{name}\" is declared already")));
    }
    let id = AttributeId(engine.clock.new_id());
    let now = engine.clock.now();
    db::exec(
        &tx,
        "INSERT INTO attributes (id, name, kind, description, created_at) VALUES ($1, $2, $3, $4, $5)",
        values![id.0, name, form.kind.as_str(), description, now],
    )
    .await?;
    let changed = bring_in_line(engine, &tx, name, form.kind).await?;
    let after = json!({ "name": name, "kind": form.kind, "values_changed": changed });
    let act =
        Act { action: "attribute.create", target: format!("attribute:{id}"), after: Some(after), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    crate::templates::remember(&tx, [name.to_owned()], now).await?;
    tx.commit().await?;
    engine.remembered.declared.forget();
    engine.live.changed("attributes");
    Ok(Attribute { id, name: name.to_owned(), kind: form.kind, description: description.to_owned(), created_at: now })
}

/// Name and description of a form, cleaned.
fn checked(form: &AttributeForm) -> Result<(&str, &str)> {
    let (name, description) = (form.name.trim(), form.description.trim());
    if !is_attribute_name(name) {
        let why = "a name is lower-case letters, digits and _, at most 60, and begins with no digit";
        return Err(Error::invalid("name", why));
    }
    if description.chars().count() > DESCRIPTION_MAX_CHARS {
        return Err(Error::invalid(
            "description",
            format!("a description has at most {DESCRIPTION_MAX_CHARS} characters"),
        ));
    }
    Ok((name, description))
}

/// Changes what an attribute means and holds; values are brought to another kind as when it was declared. The name stays: filters,
/// templates and files use it.
///
/// # Errors
/// [`Error::Invalid`] by field, on `kind` with an example when a value does not fit, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(engine: &Engine, actor: &Actor, id: AttributeId, form: &AttributeForm) -> Result<Attribute> {
    authorize(Operation::ContentWrite, actor)?;
    let (name, description) = checked(form)?;
    let tx = engine.db.begin().await?;
    db::lock_row(&tx, "attributes", id.0).await?;
    let before = load(&tx, id).await?;
    unchanged(actor, &before)?;
    if name != before.name {
        return Err(Error::invalid("name", "filters and templates use this name: declare another attribute instead"));
    }
    db::exec(
        &tx,
        "UPDATE attributes SET kind = $2, description = $3 WHERE id = $1",
        values![id.0, form.kind.as_str(), description],
    )
    .await?;
    let changed = if form.kind == before.kind { 0 } else { bring_in_line(engine, &tx, name, form.kind).await? };
    let act = Act {
        action: "attribute.update",
        target: format!("attribute:{id}"),
        before: Some(json!({ "kind": before.kind, "description": before.description })),
        after: Some(json!({ "kind": form.kind, "description": description, "values_changed": changed })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.remembered.declared.forget();
    engine.live.changed("attributes");
    Ok(Attribute { kind: form.kind, description: description.to_owned(), ..before })
}

/// Takes a declaration back. People keep their values; they are only no longer held to a kind.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(engine: &Engine, actor: &Actor, id: AttributeId) -> Result<()> {
    authorize(Operation::ContentWrite, actor)?;
    let tx = engine.db.begin().await?;
    let row = load(&tx, id).await?;
    db::exec(&tx, "DELETE FROM attributes WHERE id = $1", values![id.0]).await?;
    let before = json!({ "name": row.name, "kind": row.kind });
    let act =
        Act { action: "attribute.delete", target: format!("attribute:{id}"), before: Some(before), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.remembered.declared.forget();
    engine.live.changed("attributes");
    Ok(())
}

#[derive(FromQueryResult)]
struct Holder {
    id: Uuid,
    attributes: Value,
}

/// Brings every value of an attribute to its kind, and answers how many changed.
async fn bring_in_line<C: ConnectionTrait>(engine: &Engine, conn: &C, name: &str, kind: AttributeKind) -> Result<u64> {
    let mut after = Uuid::nil();
    let mut changed = 0;
    let holds = db::holds_key(conn, "attributes", 2);
    loop {
        let sql = format!("SELECT id, attributes FROM users WHERE id > $1 AND {holds} ORDER BY id LIMIT $3");
        let rows: Vec<Holder> = db::all(conn, &sql, values![after, db::key_of(conn, name), STEP_ROWS]).await?;
        let Some(last) = rows.last().map(|row| row.id) else { return Ok(changed) };
        after = last;
        let mut written = Vec::new();
        for row in rows {
            let value = row.attributes.get(name).cloned().unwrap_or(Value::Null);
            let fitted = attribute::fit(kind, &value)
                .map_err(|error| Error::invalid("kind", format!("someone has the value {value}, and {error}")))?;
            if fitted != value {
                let mut attributes = row.attributes;
                attributes[name] = fitted;
                written.push((row.id, attributes));
            }
        }
        changed += written.len() as u64;
        let columns = [("id", Kind::Id), ("attributes", Kind::Json)];
        let rows = Rows::of(columns, written, |(id, attributes)| cells![id, attributes]);
        db::bulk(conn, rows, values![engine.clock.now()], |table| {
            format!("UPDATE users AS u SET attributes = r.attributes, updated_at = $1 FROM {table} WHERE u.id = r.id")
        })
        .await?;
    }
}

/// Someone's attributes as they are stored: each of its declared kind, without empty ones.
///
/// # Errors
/// A problem at `attributes/<name>` for each that does not fit.
pub(crate) fn fitted(
    declared: &BTreeMap<String, AttributeKind>,
    given: &Map<String, Value>,
) -> std::result::Result<Map<String, Value>, Vec<FieldProblem>> {
    let mut errors = Vec::new();
    let mut kept = Map::new();
    for (name, value) in given {
        if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
            continue;
        }
        let value = match declared.get(name) {
            Some(kind) => attribute::fit(*kind, value),
            None => Ok(value.clone()),
        };
        match value {
            Ok(value) => {
                kept.insert(name.clone(), value);
            }
            Err(error) => {
                let pointer = format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
                errors.push(FieldProblem { pointer, detail: error.to_string() });
            }
        }
    }
    if errors.is_empty() { Ok(kept) } else { Err(errors) }
}
