//! Users: the people who receive messages.

pub mod bulk;
mod detail;
mod dossier;
mod erase;
mod form;
mod list;
mod list_export;
mod merge;
mod stored;
mod timeline;
mod upsert;

pub use detail::{get, ledger};
pub use dossier::export;
pub use erase::{After, remove};
pub use list::{list, list_sorted, list_stored};
pub use list_export::export_list;
pub use merge::merge;
pub use stored::StoredUser;
pub use timeline::timeline;
pub use upsert::upsert;

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize, unchanged},
    attributes,
    audit::{self, Act},
    cells, consents,
    db::{self, Kind, Rows},
    entity::user,
    values,
};
use chrono::{DateTime, Utc};
use domain::{
    consent::ConsentView,
    ids::UserId,
    operator::Operation,
    phone::{Address, Channel},
    user::{User, UserForm},
};
use form::Entered;
use sea_orm::{ActiveModelTrait, ConnectionTrait, FromQueryResult, Set, Value};
use serde_json::{Map, json};
use uuid::Uuid;

/// The longest name, in characters; longer ones are refused when entered, and cut when a provider tells them.
pub const NAME_MAX_CHARS: usize = 200;

/// A person's row with where they stand on each channel; without an entry nothing was ever said, so there is no instant.
#[derive(FromQueryResult)]
struct Person {
    #[sea_orm(nested)]
    row: user::Model,
    sms: Option<String>,
    sms_at: Option<DateTime<Utc>>,
    whatsapp: Option<String>,
    whatsapp_at: Option<DateTime<Utc>>,
}

impl Person {
    fn user(self) -> Result<User> {
        let on = |channel, state: Option<String>, updated_at| match state {
            Some(state) => Ok(Some(ConsentView { channel, state: state.parse()?, updated_at })),
            None => Ok::<_, Error>(None),
        };
        let sms = on(Channel::Sms, self.sms, self.sms_at)?;
        let whatsapp = on(Channel::Whatsapp, self.whatsapp, self.whatsapp_at)?;
        self.row.into_user(sms.into_iter().chain(whatsapp).collect())
    }
}

/// That a row is a person's, `$1`, or of those who were merged into them.
pub(crate) const THEIRS: &str = "IN (SELECT p.id FROM users p WHERE p.id = $1 OR p.merged_into = $1)";

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// What the log of acts calls a person and those who were merged into them.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn targets<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<Rows> {
    let sql = "SELECT id FROM users WHERE id = $1 OR merged_into = $1";
    let found: Vec<Id> = db::all(conn, sql, values![id.0]).await?;
    Ok(Rows::of([("target", Kind::Text)], found, |row| cells![format!("user:{}", row.id)]))
}

/// Reads people with their consents, in one statement: `which` selects their rows under the alias `u`, and `order` is an order of
/// that alias.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn read<C: ConnectionTrait>(
    conn: &C,
    which: &str,
    order: &str,
    values: Vec<Value>,
) -> Result<Vec<User>> {
    let people: Vec<Person> = db::all(conn, &with_consents("u.*", which, order), values).await?;
    people.into_iter().map(Person::user).collect()
}

/// A statement for people and, behind `columns` of theirs, where they stand on each channel.
fn with_consents(columns: &str, which: &str, order: &str) -> String {
    format!(
        "SELECT {columns}, s.state AS sms, CASE WHEN s.event_id IS NOT NULL THEN s.updated_at END AS sms_at,
             w.state AS whatsapp, CASE WHEN w.event_id IS NOT NULL THEN w.updated_at END AS whatsapp_at
         FROM ({which}) AS u LEFT JOIN consents s ON s.user_id = u.id AND s.channel = 'sms'
             LEFT JOIN consents w ON w.user_id = u.id AND w.channel = 'whatsapp'
         ORDER BY {order}"
    )
}

/// One person, within a use case.
///
/// # Errors
/// [`Error::NotFound`].
pub(crate) async fn load<C: ConnectionTrait>(conn: &C, id: UserId) -> Result<User> {
    let found = read(conn, "SELECT * FROM users WHERE id = $1", "u.id", values![id.0]).await?;
    found.into_iter().next().ok_or(Error::NotFound { what: "user" })
}

/// Who has this number; someone who was merged into another is that other.
pub(crate) async fn find_by_phone<C: ConnectionTrait>(
    conn: &C,
    phone: &domain::phone::Phone,
) -> Result<Option<UserId>> {
    let sql = "SELECT coalesce(merged_into, id) AS value FROM users WHERE phone = $1";
    Ok(db::scalar::<Uuid, _>(conn, sql, values![phone.as_str()]).await?.map(UserId))
}

/// Makes a person, with no consent on any channel.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when the number is taken, [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, form: &UserForm) -> Result<User> {
    authorize(Operation::UserWrite, actor)?;
    let declared = attributes::declared(engine.db.read()).await?;
    let entered = Entered::read(form, &declared, &json!({}))?;
    let Some(phone) = &entered.phone else {
        return Err(Error::invalid("phone", "a person needs a number"));
    };
    let tx = engine.db.begin().await?;
    let now = engine.clock.now();
    let id = UserId(engine.clock.new_id());
    let row = user::ActiveModel {
        id: Set(id.0),
        phone: Set(Some(phone.to_string())),
        whatsapp_id: Set(None),
        name: Set(entered.name.clone()),
        locale: Set(entered.locale.clone()),
        zone: Set(entered.zone.clone()),
        attributes: Set(serde_json::Value::Object(entered.attributes.clone().unwrap_or_default())),
        merged_into: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    row.insert(&tx).await.map_err(number_taken)?;
    consents::begin(&tx, id, now).await?;
    let act =
        Act { action: "user.create", target: format!("user:{id}"), after: Some(entered.for_audit()), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    let made = load(&tx, id).await?;
    tx.commit().await?;
    engine.live.changed("users");
    Ok(made)
}

/// Changes a person's data; consent has its own use case.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when the number is taken or the person was merged into another,
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(engine: &Engine, actor: &Actor, id: UserId, form: &UserForm) -> Result<User> {
    change(engine, actor, id, |_| form.clone()).await
}

/// The same with a form that is made of the person as they are, whom nobody else changes meanwhile.
///
/// # Errors
/// As [`update`].
pub async fn change(
    engine: &Engine,
    actor: &Actor,
    id: UserId,
    form: impl FnOnce(User) -> UserForm + Send,
) -> Result<User> {
    authorize(Operation::UserWrite, actor)?;
    let tx = engine.db.begin().await?;
    let declared = attributes::declared(&tx).await?;
    let sql = format!("SELECT * FROM users WHERE id = $1{}", db::lock(&tx));
    let row: Option<user::Model> = db::one(&tx, &sql, values![id.0]).await?;
    let row = row.ok_or(Error::NotFound { what: "user" })?;
    if row.merged_into.is_some() {
        return Err(Error::conflict("this person was merged into another"));
    }
    let current = load(&tx, id).await?;
    unchanged(actor, &current)?;
    let mut entered = Entered::read(&form(current), &declared, &row.attributes)?;
    if entered.phone.is_none() && row.whatsapp_id.is_none() {
        return Err(Error::invalid("phone", "a person needs a number"));
    }
    let before = Entered::of(&row)?;
    if entered.attributes.is_none() {
        entered.attributes.clone_from(&before.attributes);
    }
    if before == entered {
        return load(&tx, id).await;
    }
    db::exec(
        &tx,
        "UPDATE users SET phone = $2, name = $3, locale = $4, zone = $5, updated_at = $6, attributes = $7 WHERE id = $1",
        values![
            id.0,
            entered.phone.as_ref().map(ToString::to_string),
            entered.name.clone(),
            entered.locale.clone(),
            entered.zone.clone(),
            engine.clock.now(),
            serde_json::Value::Object(entered.attributes.clone().unwrap_or_default())
        ],
    )
    .await
    .map_err(|error| if matches!(error, Error::Conflict { .. }) { another_has_it() } else { error })?;
    let act = Act {
        action: "user.update",
        target: format!("user:{id}"),
        before: Some(before.for_audit()),
        after: Some(entered.for_audit()),
    };
    audit::record(engine, &tx, actor, act).await?;
    let changed = load(&tx, id).await?;
    tx.commit().await?;
    engine.live.changed("users");
    Ok(changed)
}

fn number_taken(error: sea_orm::DbErr) -> Error {
    match Error::from(error) {
        Error::Conflict { .. } => another_has_it(),
        other => other,
    }
}

fn another_has_it() -> Error {
    Error::conflict("another person has this number")
}

/// The person at an address, made if nobody is known there: people who write to us first. `profile_name` is what the
/// provider says the person calls themselves; it names only someone new, and never overwrites what is known.
///
/// Safe to call at the same time for the same address: one call makes the person, the others find them.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn find_or_create_by_address<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    address: &Address,
    profile_name: Option<&str>,
) -> Result<UserId> {
    let (column, wanted) = match address {
        Address::Phone(_, phone) => ("phone", phone.as_str()),
        Address::WhatsappId(id) => ("whatsapp_id", id.as_str()),
    };
    // Someone who was merged into another is found as that other.
    let find = format!("SELECT coalesce(merged_into, id) AS value FROM users WHERE {column} = $1");
    if let Some(id) = db::scalar::<Uuid, _>(conn, &find, values![wanted]).await? {
        return Ok(UserId(id));
    }
    let now = engine.clock.now();
    let name: Option<String> = profile_name
        .map(|name| name.trim().chars().take(NAME_MAX_CHARS).collect())
        .filter(|name: &String| !name.is_empty());
    let insert = format!(
        "INSERT INTO users (id, {column}, name, attributes, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT ({column}) DO NOTHING"
    );
    let attributes = serde_json::Value::Object(Map::new());
    db::exec(conn, &insert, values![engine.clock.new_id::<Uuid>(), wanted, name, attributes, now]).await?;
    let id = db::scalar::<Uuid, _>(conn, &find, values![wanted]).await?;
    let id = UserId(id.ok_or_else(|| Error::internal("a person who was just made is gone"))?);
    consents::begin(conn, id, now).await?;
    Ok(id)
}

/// The same, and their standing is locked until the transaction ends.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn hold_at_address<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    address: &Address,
    profile_name: Option<&str>,
) -> Result<UserId> {
    loop {
        let found = find_or_create_by_address(engine, conn, address, profile_name).await?;
        match consents::hold(conn, found).await {
            // Gone since they were found: then nobody is known here.
            Err(Error::NotFound { .. }) => {}
            held => return held,
        }
    }
}

/// The address of a person on a channel: their number, or for WhatsApp their id there.
pub fn address_of(user: &User, channel: Channel) -> Option<Address> {
    match (&user.phone, &user.whatsapp_id, channel) {
        (Some(phone), _, channel) => Some(Address::Phone(channel, phone.clone())),
        (None, Some(id), Channel::Whatsapp) => Some(Address::WhatsappId(id.clone())),
        _ => None,
    }
}
