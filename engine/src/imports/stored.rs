//! People as the table has them: found, held, and written, many at a time.

use super::people::Snapshot;
use crate::{
    Error, Result,
    db::{self, Kind},
    entity::user,
};
use domain::{import::Profile, phone::Phone};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What an import can set of a person.
const COLUMNS: [(&str, Kind); 8] = [
    ("id", Kind::Id),
    ("phone", Kind::Text),
    ("whatsapp_id", Kind::Text),
    ("name", Kind::Text),
    ("locale", Kind::Text),
    ("zone", Kind::Text),
    ("attributes", Kind::Json),
    ("at", Kind::Time),
];

/// The people at these addresses, those merged into others too.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn at_addresses<C: ConnectionTrait>(
    conn: &C,
    column: &str,
    texts: BTreeSet<&str>,
) -> Result<Vec<user::Model>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let texts = texts.into_iter().map(|text| json!({ "text": text })).collect();
    let sql = format!(
        "SELECT u.* FROM users u WHERE u.{column} IN (SELECT r.text FROM {})",
        db::rows(conn, 1, "r", &[("text", Kind::Text)])
    );
    db::all(conn, &sql, vec![db::json(conn, Value::Array(texts))]).await
}

/// The people with these ids, without those merged into others, in the order of the ids; `lock` is one of `db`'s or empty.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn by_id<C: ConnectionTrait>(conn: &C, ids: Vec<Uuid>, lock: &'static str) -> Result<Vec<user::Model>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT u.* FROM users u WHERE u.id IN (SELECT r.id FROM {}) AND u.merged_into IS NULL ORDER BY u.id{lock}",
        db::rows(conn, 1, "r", &[("id", Kind::Id)])
    );
    db::all(conn, &sql, vec![db::ids(conn, ids)]).await
}

/// How someone is, as far as an import can change it.
///
/// # Errors
/// [`Error::Internal`] if the row holds what no person has.
pub fn snapshot(row: user::Model) -> Result<Snapshot> {
    Ok(Snapshot {
        phone: row.phone.as_deref().map(Phone::parse_e164).transpose().map_err(Error::internal)?,
        profile: Profile {
            whatsapp_id: row.whatsapp_id,
            name: row.name,
            locale: row.locale,
            zone: row.zone,
            attributes: serde_json::from_value(row.attributes)?,
        },
    })
}

/// A row for [`insert`] or [`update`]; `at` is given by [`db::instant`].
pub fn row(id: Uuid, phone: Option<&Phone>, profile: &Profile, at: &str) -> Value {
    json!({
        "id": id.simple().to_string(), "phone": phone, "whatsapp_id": profile.whatsapp_id, "name": profile.name,
        "locale": profile.locale, "zone": profile.zone, "attributes": profile.attributes, "at": at,
    })
}

/// Adds people.
///
/// # Errors
/// [`Error::Conflict`] if one is there already, [`Error::Unavailable`].
pub async fn insert<C: ConnectionTrait>(conn: &C, rows: Vec<Value>) -> Result<()> {
    let sql = format!(
        "INSERT INTO users (id, phone, whatsapp_id, name, locale, zone, attributes, created_at, updated_at)
         SELECT r.id, r.phone, r.whatsapp_id, r.name, r.locale, r.zone, r.attributes, r.at, r.at FROM {}",
        db::rows(conn, 1, "r", &COLUMNS)
    );
    db::bulk(conn, &sql, rows, Vec::new()).await
}

/// Writes people as these rows have them.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn update<C: ConnectionTrait>(conn: &C, rows: Vec<Value>) -> Result<()> {
    let sql = format!(
        "UPDATE users AS u SET phone = r.phone, whatsapp_id = r.whatsapp_id, name = r.name, locale = r.locale,
             zone = r.zone, attributes = r.attributes, updated_at = r.at FROM {} WHERE u.id = r.id",
        db::rows(conn, 1, "r", &COLUMNS)
    );
    db::bulk(conn, &sql, rows, Vec::new()).await
}
