//! People as the table has them: found, held, and written, many at a time.

use super::people::Snapshot;
use crate::{
    Error, Result, cells,
    db::{self, Kind, Rows},
    entity::user,
    values,
};
use chrono::{DateTime, Utc};
use domain::{import::Profile, phone::Phone};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The people at these addresses, those merged into others too.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn at_addresses<C: ConnectionTrait>(
    conn: &C,
    column: &str,
    texts: BTreeSet<&str>,
) -> Result<Vec<user::Model>> {
    let texts = Rows::of([("text", Kind::Text)], texts, |text| cells![text]);
    let sql = |table: &str| format!("SELECT u.* FROM users u WHERE u.{column} IN (SELECT r.text FROM {table})");
    db::of_rows(conn, texts, values![], sql).await
}

/// The people with these ids, without those merged into others, in the order of the ids; `lock` is one of `db`'s or empty.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn by_id<C: ConnectionTrait>(conn: &C, ids: Vec<Uuid>, lock: &'static str) -> Result<Vec<user::Model>> {
    db::of_rows(conn, Rows::ids(ids), values![], |table| {
        format!(
            "SELECT u.* FROM users u WHERE u.id IN (SELECT r.id FROM {table}) AND u.merged_into IS NULL
             ORDER BY u.id{lock}"
        )
    })
    .await
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

/// Someone as [`insert`] or [`update`] writes them.
pub struct Written<'a> {
    /// Who.
    pub id: Uuid,
    /// Their number.
    pub phone: Option<&'a Phone>,
    /// What else an import can set.
    pub profile: &'a Profile,
}

fn rows<'a>(people: impl IntoIterator<Item = Written<'a>>) -> Result<Rows> {
    let columns = [
        ("id", Kind::Id),
        ("phone", Kind::Text),
        ("whatsapp_id", Kind::Text),
        ("name", Kind::Text),
        ("locale", Kind::Text),
        ("zone", Kind::Text),
        ("attributes", Kind::Json),
    ];
    let people: Vec<(Written<'a>, Value)> = people
        .into_iter()
        .map(|person| {
            let attributes = serde_json::to_value(&person.profile.attributes)?;
            Ok((person, attributes))
        })
        .collect::<Result<_>>()?;
    Ok(Rows::of(columns, people, |(person, attributes)| {
        let Profile { whatsapp_id, name, locale, zone, .. } = person.profile.clone();
        cells![
            person.id,
            person.phone.map(|phone| phone.as_str().to_owned()),
            whatsapp_id,
            name,
            locale,
            zone,
            attributes
        ]
    }))
}

/// Adds people.
///
/// # Errors
/// [`Error::Conflict`] if one is there already, [`Error::Unavailable`].
pub async fn insert<C: ConnectionTrait>(conn: &C, people: Vec<Written<'_>>, at: DateTime<Utc>) -> Result<()> {
    db::bulk(conn, rows(people)?, values![at], |table| {
        format!(
            "INSERT INTO users (id, phone, whatsapp_id, name, locale, zone, attributes, created_at, updated_at)
             SELECT r.id, r.phone, r.whatsapp_id, r.name, r.locale, r.zone, r.attributes, $1, $1 FROM {table}"
        )
    })
    .await?;
    Ok(())
}

/// Writes people as they are given.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn update<C: ConnectionTrait>(conn: &C, people: Vec<Written<'_>>, at: DateTime<Utc>) -> Result<()> {
    db::bulk(conn, rows(people)?, values![at], |table| {
        format!(
            "UPDATE users AS u SET phone = r.phone, whatsapp_id = r.whatsapp_id, name = r.name, locale = r.locale,
                 zone = r.zone, attributes = r.attributes, updated_at = $1 FROM {table} WHERE u.id = r.id"
        )
    })
    .await?;
    Ok(())
}
