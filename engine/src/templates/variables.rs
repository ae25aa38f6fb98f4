//! Which variables people can have.

use crate::{Engine, Result, db, values};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Variables that do not come from custom attributes.
pub(super) const BUILT_IN: [&str; 5] = ["name", "first_name", "phone", "locale", PREFERENCES_URL];
/// The variable that is a link to the person's preference page.
pub(crate) const PREFERENCES_URL: &str = "preferences_url";
/// How a custom attribute is named in full.
pub(super) const ATTRIBUTES_PREFIX: &str = "attributes.";
/// The setting that holds the names of attributes that imports brought.
const SETTING: &str = "attributes";
/// How many names are remembered.
const NAMES_MAX: usize = 1_000;
/// How many people are looked at besides.
const PEOPLE_ROWS: i64 = 1_000;

#[derive(FromQueryResult)]
struct Attributes {
    attributes: Value,
}

/// Every variable that a template may name: what each person has, and the custom attributes that imports brought or that
/// are seen on the newest people, by their bare and their full names.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub async fn known_variables(engine: &Engine) -> Result<BTreeSet<String>> {
    let conn = engine.db.read();
    let mut names = remembered(conn).await?;
    let rows: Vec<Attributes> =
        db::all(conn, "SELECT attributes FROM users ORDER BY id DESC LIMIT $1", values![PEOPLE_ROWS]).await?;
    for row in rows {
        let attributes: Map<String, Value> = serde_json::from_value(row.attributes)?;
        names.extend(attributes.into_iter().map(|(name, _)| name));
    }
    let mut known: BTreeSet<String> = names.iter().map(|name| format!("{ATTRIBUTES_PREFIX}{name}")).collect();
    known.extend(names);
    known.extend(BUILT_IN.map(str::to_owned));
    Ok(known)
}

async fn remembered<C: ConnectionTrait>(conn: &C) -> Result<BTreeSet<String>> {
    let sql = "SELECT value FROM settings WHERE key = $1";
    match db::scalar::<Value, _>(conn, sql, values![SETTING]).await? {
        Some(names) => Ok(serde_json::from_value(names)?),
        None => Ok(BTreeSet::new()),
    }
}

/// Remembers names of attributes, in the caller's transaction. Beyond 1,000 names no more are kept; those are still known
/// while they are on the newest people.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub(crate) async fn remember<C: ConnectionTrait>(
    conn: &C,
    names: impl IntoIterator<Item = String>,
    now: DateTime<Utc>,
) -> Result<()> {
    let before = remembered(conn).await?;
    let mut after = before.clone();
    for name in names {
        if after.len() < NAMES_MAX {
            after.insert(name);
        }
    }
    if after == before {
        return Ok(());
    }
    db::exec(
        conn,
        "INSERT INTO settings (key, value, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        values![SETTING, json!(after), now],
    )
    .await?;
    Ok(())
}
