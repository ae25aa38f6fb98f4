//! Addresses that are not messaged again, whoever they belong to: kept as keyed hashes, so that the list names nobody.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    cells,
    clock::FAR,
    db::{self, Kind, Rows},
    settings, values,
};
use chrono::{DateTime, Utc};
use domain::{
    operator::Operation,
    page::{Page, PageRequest},
    phone::{Channel, Phone},
    suppression::Suppression,
    user::User,
};
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use sha2::Sha256;
use std::collections::HashMap;

const KEY: &str = "suppression_key";
/// The longest reason, in characters.
const REASON_MAX_CHARS: usize = 200;

/// One page of the list, newest first.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none, [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor, page: &PageRequest) -> Result<Page<Suppression>> {
    authorize(Operation::UserRead, actor)?;
    let (before, below) = match &page.after {
        Some(cursor) => place(cursor).ok_or_else(|| Error::invalid("after", "this is not a cursor"))?,
        None => (FAR, String::new()),
    };
    let rows: Vec<Listed> = db::all(
        engine.db.read(),
        "SELECT hash, channel, reason, at FROM suppressions WHERE at < $1 OR (at = $1 AND hash < $2)
         ORDER BY at DESC, hash DESC LIMIT $3",
        values![before, below, i64::from(page.limit()) + 1],
    )
    .await?;
    let cursor = |row: &Listed| format!("{}_{}", row.at.timestamp_micros(), row.hash);
    let page = Page::cut(rows, page.limit(), cursor);
    let rows = page.rows.into_iter().map(Listed::entry).collect::<Result<_>>()?;
    Ok(Page { rows, next: page.next })
}

fn place(cursor: &str) -> Option<(DateTime<Utc>, String)> {
    let (at, hash) = cursor.split_once('_')?;
    Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, hash.to_owned()))
}

#[derive(FromQueryResult)]
struct Listed {
    hash: String,
    channel: String,
    reason: String,
    at: DateTime<Utc>,
}

impl Listed {
    fn entry(self) -> Result<Suppression> {
        Ok(Suppression {
            hash: self.hash,
            channel: self.channel.parse().map_err(Error::internal)?,
            reason: self.reason,
            at: self.at,
        })
    }
}

/// What the list holds of a number, on every channel.
///
/// # Errors
/// [`Error::Invalid`] for what is no number, [`Error::Forbidden`].
pub async fn look_up(engine: &Engine, actor: &Actor, number: &str) -> Result<Vec<Suppression>> {
    authorize(Operation::UserRead, actor)?;
    let phone = read(number)?;
    entries(engine.db.read(), addresses(&phone)).await
}

/// What the list holds of a person's addresses.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn of_user<C: ConnectionTrait>(conn: &C, user: &User) -> Result<Vec<Suppression>> {
    let mut all = user.phone.as_ref().map(addresses).unwrap_or_default();
    all.extend(user.whatsapp_id.iter().map(|id| (Channel::Whatsapp, format!("whatsapp:{id}"))));
    entries(conn, all).await
}

/// The entries of these addresses.
async fn entries<C: ConnectionTrait>(conn: &C, addresses: Vec<(Channel, String)>) -> Result<Vec<Suppression>> {
    // Without a key nothing was ever suppressed, and who only looks makes none.
    let Some(key) = known_key(conn).await? else { return Ok(Vec::new()) };
    let hashes: Vec<String> = addresses.iter().map(|(channel, address)| hash(&key, *channel, address)).collect();
    let asked = Rows::of([("hash", Kind::Text)], hashes, |hash| cells![hash]);
    let rows: Vec<Listed> = db::of_rows(conn, asked, values![], |table| {
        format!(
            "SELECT hash, channel, reason, at FROM suppressions WHERE hash IN (SELECT r.hash FROM {table})
             ORDER BY channel, hash"
        )
    })
    .await?;
    rows.into_iter().map(Listed::entry).collect()
}

/// Puts a number on the list, on every channel: no campaign, import or integration messages it any more.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Forbidden`].
pub async fn suppress(engine: &Engine, actor: &Actor, number: &str, reason: &str) -> Result<Vec<Suppression>> {
    authorize(Operation::ConsentWrite, actor)?;
    let phone = read(number)?;
    let reason = checked(reason)?;
    let tx = engine.db.begin().await?;
    for channel in Channel::ALL {
        add(engine, &tx, *channel, &address(*channel, &phone), reason).await?;
    }
    // The audit log names the entry, not the number.
    let key = key(engine, &tx).await?;
    let target = format!("suppression:{}", hash(&key, Channel::Sms, &address(Channel::Sms, &phone)));
    let act = Act { action: "suppression.add", target, after: Some(json!({ "reason": reason })), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    look_up(engine, actor, number).await
}

/// Takes an entry off the list. Consent is as it was: this alone makes nobody receive anything.
///
/// # Errors
/// [`Error::Invalid`] without a reason, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn lift(engine: &Engine, actor: &Actor, hash: &str, reason: &str) -> Result<()> {
    authorize(Operation::SuppressionLift, actor)?;
    let reason = checked(reason)?;
    let tx = engine.db.begin().await?;
    let sql = format!("SELECT hash, channel, reason, at FROM suppressions WHERE hash = $1{}", db::lock(&tx));
    let before: Listed = db::one(&tx, &sql, values![hash]).await?.ok_or(Error::NotFound { what: "suppression" })?;
    db::exec(&tx, "DELETE FROM suppressions WHERE hash = $1", values![hash]).await?;
    let act = Act {
        action: "suppression.lift",
        target: format!("suppression:{hash}"),
        before: Some(json!({ "channel": before.channel, "reason": before.reason, "at": before.at })),
        after: Some(json!({ "reason": reason })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

fn read(number: &str) -> Result<Phone> {
    Phone::parse_e164(number.trim()).map_err(|error| Error::invalid("number", error.to_string()))
}

fn checked(reason: &str) -> Result<&str> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX_CHARS {
        return Err(Error::invalid("reason", format!("say why, in 1 to {REASON_MAX_CHARS} characters")));
    }
    Ok(reason)
}

/// The address as the provider takes it: what is hashed.
fn address(channel: Channel, phone: &Phone) -> String {
    match channel {
        Channel::Sms => phone.to_string(),
        Channel::Whatsapp => format!("whatsapp:{phone}"),
    }
}

/// A number as each channel's provider takes it.
fn addresses(phone: &Phone) -> Vec<(Channel, String)> {
    Channel::ALL.iter().map(|channel| (*channel, address(*channel, phone))).collect()
}

/// The key of the hashes. It is made once and kept in the settings: without it the list cannot be matched.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
async fn key<C: ConnectionTrait>(engine: &Engine, conn: &C) -> Result<Vec<u8>> {
    if let Some(key) = known_key(conn).await? {
        return Ok(key);
    }
    let mut fresh = [0u8; 32];
    rand::rng().fill_bytes(&mut fresh);
    let text: String = settings::get_or_put(engine, conn, KEY, &hex::encode(fresh)).await?;
    hex::decode(text).map_err(Error::internal)
}

async fn known_key<C: ConnectionTrait>(conn: &C) -> Result<Option<Vec<u8>>> {
    let text = settings::get::<String, _>(conn, KEY).await?;
    text.map(hex::decode).transpose().map_err(Error::internal)
}

fn hash(key: &[u8], channel: Channel, address: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(channel.as_str().as_bytes());
    mac.update(b"\0");
    mac.update(address.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Suppresses an address on a channel.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn add<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    channel: Channel,
    address: &str,
    reason: &str,
) -> Result<()> {
    let key = key(engine, conn).await?;
    db::exec(
        conn,
        "INSERT INTO suppressions (hash, channel, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING",
        values![hash(&key, channel, address), channel.as_str(), reason, engine.clock.now()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Row {
    hash: String,
    reason: String,
}

/// Which of these addresses are suppressed, and why.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn find<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    channel: Channel,
    addresses: &[String],
) -> Result<HashMap<String, String>> {
    let any: Option<i32> = db::scalar(conn, "SELECT 1 AS value FROM suppressions LIMIT 1", values![]).await?;
    if any.is_none() || addresses.is_empty() {
        return Ok(HashMap::new());
    }
    let key = key(engine, conn).await?;
    let hashes: HashMap<String, &String> =
        addresses.iter().map(|address| (hash(&key, channel, address), address)).collect();
    let asked = Rows::of([("hash", Kind::Text)], hashes.keys(), |hash| cells![hash.clone()]);
    let lock = db::lock_suppressions(conn);
    let rows: Vec<Row> = db::of_rows(conn, asked, values![], |table| {
        format!("SELECT s.hash, s.reason FROM {table} JOIN suppressions s ON s.hash = r.hash ORDER BY s.hash{lock}")
    })
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some(((*hashes.get(&row.hash)?).clone(), row.reason))).collect())
}
