//! A user by number: made if there is none, else filled in.

use super::{create, find_by_phone, load, update};
use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
};
use domain::{
    operator::Operation,
    phone,
    user::{User, UserForm},
};

/// Makes the user with this number, or changes what the form names of one who is there: empty fields stay as they are, and attributes
/// are added to those that there are. Says whether the user is new.
///
/// # Errors
/// As [`create`] and [`update`]; [`Error::Invalid`] without a number.
pub async fn upsert(engine: &Engine, actor: &Actor, form: &UserForm) -> Result<(User, bool)> {
    authorize(Operation::UserWrite, actor)?;
    let number = phone::normalise(&form.phone, None).map_err(|error| Error::invalid("phone", error.to_string()))?;
    let Some(id) = find_by_phone(engine.db.read(), &number).await? else {
        return Ok((create(engine, actor, form).await?, true));
    };
    let now = load(engine.db.read(), id).await?;
    let or = |given: &str, now: Option<String>| match given.trim() {
        "" => now.unwrap_or_default(),
        given => given.to_owned(),
    };
    let attributes = form.attributes.clone().map(|given| now.attributes.into_iter().chain(given).collect());
    let form = UserForm {
        phone: number.to_string(),
        name: or(&form.name, now.name),
        locale: or(&form.locale, now.locale),
        zone: or(&form.zone, now.zone),
        attributes,
    };
    Ok((update(engine, actor, id, &form).await?, false))
}
