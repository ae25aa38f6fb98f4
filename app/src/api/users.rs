//! Users.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::UserId,
    page::{Page, PageRequest},
    user::{User, UserDetail, UserForm},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of the users who match a filter; the empty filter matches everyone.
#[server(prefix = "/ui/fn", endpoint = "users/list", input = Json)]
pub async fn list(filter: String, page: PageRequest) -> Result<Page<User>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::list(&engine, &actor, &filter, &page).await?)
}

/// One user with everything that is known.
#[server(prefix = "/ui/fn", endpoint = "users/get", input = Json)]
pub async fn get(id: UserId) -> Result<UserDetail, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::get(&engine, &actor, id).await?)
}

/// Adds a user.
#[server(prefix = "/ui/fn", endpoint = "users/create", input = Json)]
pub async fn create(form: UserForm) -> Result<User, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::create(&engine, &actor, &form).await?)
}

/// Changes a user's identity.
#[server(prefix = "/ui/fn", endpoint = "users/update", input = Json)]
pub async fn update(id: UserId, form: UserForm) -> Result<User, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::update(&engine, &actor, id, &form).await?)
}

/// Makes `from` and `into` one person, who goes on as `into`.
#[server(prefix = "/ui/fn", endpoint = "users/merge", input = Json)]
pub async fn merge(from: UserId, into: UserId) -> Result<User, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::merge(&engine, &actor, from, into).await?)
}

/// Removes a person and everything that is held on them; with `suppress` nobody messages their addresses again.
#[server(prefix = "/ui/fn", endpoint = "users/remove", input = Json)]
pub async fn remove(id: UserId, suppress: bool) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    let after = if suppress { engine::users::After::Suppress } else { engine::users::After::Nothing };
    Ok(engine::users::remove(&engine, &actor, id, after).await?)
}
