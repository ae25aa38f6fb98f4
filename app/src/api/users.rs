//! Users.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::UserId,
    page::{Page, PageRequest},
    user::{Bulk, BulkForm, BulkPreview, User, UserDetail, UserForm, UserSort},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of the users who match a filter, in an order; the empty filter matches everyone.
#[server(prefix = "/ui/fn", endpoint = "users/list", input = Json)]
pub async fn list(filter: String, sort: UserSort, page: PageRequest) -> Result<Page<User>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::list_sorted(&engine, &actor, &filter, sort, &page).await?)
}

/// What a change of everyone who matches a filter would do, and to how many.
#[server(prefix = "/ui/fn", endpoint = "users/bulk-preview", input = Json)]
pub async fn preview_bulk(form: BulkForm) -> Result<BulkPreview, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::bulk::preview(&engine, &actor, &form).await?)
}

/// Starts a change of as many people as the preview stated.
#[server(prefix = "/ui/fn", endpoint = "users/bulk-start", input = Json)]
pub async fn bulk_start(form: BulkForm, people: i64) -> Result<Bulk, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::bulk::start(&engine, &actor, &form, people).await?)
}

/// The latest changes of many people.
#[server(prefix = "/ui/fn", endpoint = "users/bulk-list", input = Json)]
pub async fn bulk_list() -> Result<Vec<Bulk>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::users::bulk::list(&engine, &actor).await?)
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
