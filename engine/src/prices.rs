//! What messages cost: a table that operators enter.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db, values,
};
use domain::{
    forecast::{ANY_COUNTRY, PRICES_MAX, Price},
    operator::Operation,
    phone::Channel,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;

/// The highest price of one part, in millionths: a thousand of any currency.
const MICROS_MAX: i64 = 1_000_000_000;

#[derive(FromQueryResult)]
struct Row {
    country: String,
    channel: String,
    currency: String,
    micros: i64,
}

/// All prices, by channel and country.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Price>> {
    authorize(Operation::CampaignRead, actor)?;
    load(engine.db.read()).await
}

/// Enters a price, in place of the one before for this country and channel.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] beyond [`PRICES_MAX`], [`Error::Forbidden`].
pub async fn set(engine: &Engine, actor: &Actor, price: &Price) -> Result<()> {
    authorize(Operation::SettingWrite, actor)?;
    let price = Price {
        country: price.country.trim().to_uppercase(),
        currency: price.currency.trim().to_uppercase(),
        ..price.clone()
    };
    let letters = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_uppercase());
    if price.country != ANY_COUNTRY && !letters(&price.country, 2) {
        return Err(Error::invalid("country", "write two letters as in DE, or * for all others"));
    }
    if !letters(&price.currency, 3) {
        return Err(Error::invalid("currency", "write three letters as in USD"));
    }
    if !(0..=MICROS_MAX).contains(&price.micros) {
        return Err(Error::invalid("micros", "a part costs from 0 to 1000"));
    }
    let tx = engine.db.begin().await?;
    let before = find(&tx, &price.country, price.channel).await?;
    let count: i64 = db::scalar(&tx, "SELECT COUNT(*) AS value FROM prices", values![]).await?.unwrap_or(0);
    if before.is_none() && count.unsigned_abs() >= PRICES_MAX as u64 {
        return Err(Error::conflict(format!("there are {PRICES_MAX} prices already, which is the limit")));
    }
    db::exec(
        &tx,
        "INSERT INTO prices (country, channel, currency, micros, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (country, channel) DO UPDATE SET currency = excluded.currency, micros = excluded.micros,
             updated_at = excluded.updated_at",
        values![
            price.country.as_str(),
            price.channel.as_str(),
            price.currency.as_str(),
            price.micros,
            engine.clock.now()
        ],
    )
    .await?;
    record(engine, &tx, actor, &price.country, price.channel, before.as_ref(), Some(&price)).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes a price away.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn remove(engine: &Engine, actor: &Actor, country: &str, channel: Channel) -> Result<()> {
    authorize(Operation::SettingWrite, actor)?;
    let tx = engine.db.begin().await?;
    let before = find(&tx, country, channel).await?.ok_or(Error::NotFound { what: "price" })?;
    let sql = "DELETE FROM prices WHERE country = $1 AND channel = $2";
    db::exec(&tx, sql, values![country, channel.as_str()]).await?;
    record(engine, &tx, actor, country, channel, Some(&before), None).await?;
    tx.commit().await?;
    Ok(())
}

async fn record<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    actor: &Actor,
    country: &str,
    channel: Channel,
    before: Option<&Price>,
    after: Option<&Price>,
) -> Result<()> {
    let act = Act {
        action: "setting.price",
        target: format!("price:{country}/{channel}"),
        before: before.map(|price| json!(price)),
        after: after.map(|price| json!(price)),
    };
    audit::record(engine, conn, actor, act).await
}

pub(crate) async fn load<C: ConnectionTrait>(conn: &C) -> Result<Vec<Price>> {
    let sql = "SELECT country, channel, currency, micros FROM prices ORDER BY channel, country";
    let rows: Vec<Row> = db::all(conn, sql, values![]).await?;
    rows.into_iter().map(price).collect()
}

async fn find<C: ConnectionTrait>(conn: &C, country: &str, channel: Channel) -> Result<Option<Price>> {
    let sql = "SELECT country, channel, currency, micros FROM prices WHERE country = $1 AND channel = $2";
    db::one(conn, sql, values![country, channel.as_str()]).await?.map(price).transpose()
}

fn price(row: Row) -> Result<Price> {
    Ok(Price { country: row.country, channel: row.channel.parse()?, currency: row.currency, micros: row.micros })
}
