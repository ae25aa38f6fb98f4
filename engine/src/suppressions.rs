//! Addresses that are not messaged again, whoever they belong to: kept as keyed hashes, so that the list names nobody.

use crate::{
    Engine, Result, cells,
    db::{self, Kind, Rows},
    settings, values,
};
use domain::phone::Channel;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use sea_orm::{ConnectionTrait, FromQueryResult};
use sha2::Sha256;
use std::collections::HashMap;

const KEY: &str = "suppression_key";

/// The key of the hashes. It is made once and kept in the settings: without it the list cannot be matched.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
async fn key<C: ConnectionTrait>(engine: &Engine, conn: &C) -> Result<Vec<u8>> {
    if let Some(text) = settings::get::<String, _>(conn, KEY).await? {
        return hex::decode(text).map_err(crate::Error::internal);
    }
    let mut fresh = [0u8; 32];
    rand::rng().fill_bytes(&mut fresh);
    let text: String = settings::get_or_put(engine, conn, KEY, &hex::encode(fresh)).await?;
    hex::decode(text).map_err(crate::Error::internal)
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
