//! Senders: the numbers and messaging services that messages leave from.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db,
    entity::sender,
    values,
};
use domain::{ids::SenderId, operator::Operation, phone::Channel, sender::Sender};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// How many senders there may be.
pub const SENDERS_MAX: u64 = 1_000;
/// The longest address, in bytes: room for a number, a short code, or a messaging service's id.
const ADDRESS_MAX_BYTES: usize = 64;

/// All senders by name.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Sender>> {
    authorize(Operation::ContentRead, actor)?;
    let rows = sender::Entity::find()
        .order_by_asc(sender::Column::Name)
        .order_by_asc(sender::Column::Id)
        .limit(SENDERS_MAX)
        .all(engine.db.read())
        .await?;
    rows.into_iter().map(Sender::try_from).collect()
}

/// One sender.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: SenderId) -> Result<Sender> {
    authorize(Operation::ContentRead, actor)?;
    load(engine.db.read(), id).await
}

/// One sender, within a use case.
///
/// # Errors
/// [`Error::NotFound`].
pub(crate) async fn load<C: ConnectionTrait>(conn: &C, id: SenderId) -> Result<Sender> {
    let row = sender::Entity::find_by_id(id.0).one(conn).await?;
    row.ok_or(Error::NotFound { what: "sender" })?.try_into()
}

/// The sender with this address on a channel: what an inbound message was written to.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn find<C: ConnectionTrait>(conn: &C, channel: Channel, address: &str) -> Result<Option<Sender>> {
    let row = sender::Entity::find()
        .filter(sender::Column::Channel.eq(channel.as_str()))
        .filter(sender::Column::Address.eq(address))
        .one(conn)
        .await?;
    row.map(Sender::try_from).transpose()
}

/// Sees to it that there is such a sender: makes it, or brings its name and rate to what is said here. Doing so again
/// changes nothing. `rate` is in message segments a second.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Forbidden`].
pub async fn ensure(
    engine: &Engine,
    actor: &Actor,
    channel: Channel,
    address: &str,
    name: &str,
    rate: u32,
) -> Result<Sender> {
    authorize(Operation::SenderWrite, actor)?;
    let (name, rate_per_second) = check(address, name, rate)?;
    let tx = engine.db.begin().await?;
    // Processes that start at the same time ensure the same senders: the second waits here for the first.
    let inserted = db::exec(
        &tx,
        "INSERT INTO senders (id, channel, address, name, rate_per_second, enabled, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (channel, address) DO NOTHING",
        values![
            engine.clock.new_id::<Uuid>(),
            channel.as_str(),
            address,
            name,
            rate_per_second,
            true,
            engine.clock.now()
        ],
    )
    .await?;
    let before = find(&tx, channel, address).await?.ok_or(Error::NotFound { what: "sender" })?;
    let after = Sender { name: name.to_owned(), rate_per_second: rate, ..before.clone() };
    if inserted == 0 && before == after {
        return Ok(before);
    }
    if before != after {
        db::exec(
            &tx,
            "UPDATE senders SET name = $2, rate_per_second = $3 WHERE id = $1",
            values![before.id.0, name, rate_per_second],
        )
        .await?;
    }
    let act = Act {
        action: if inserted == 0 { "sender.update" } else { "sender.create" },
        target: format!("sender:{}", after.id),
        before: if inserted == 0 { Some(serde_json::to_value(&before)?) } else { None },
        after: Some(serde_json::to_value(&after)?),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(after)
}

/// The name without spaces around it, and the rate as it is stored.
fn check<'n>(address: &str, name: &'n str, rate: u32) -> Result<(&'n str, i32)> {
    let name = name.trim();
    let plain = |c: char| c.is_ascii_graphic();
    if address.is_empty() || address.len() > ADDRESS_MAX_BYTES || !address.chars().all(plain) {
        return Err(Error::invalid("address", "an address is a number in E.164 or a messaging service's id"));
    }
    if name.is_empty() {
        return Err(Error::invalid("name", "a sender needs a name"));
    }
    match i32::try_from(rate) {
        Ok(rate) if rate > 0 => Ok((name, rate)),
        _ => Err(Error::invalid("rate_per_second", "a rate is at least 1 segment a second")),
    }
}
