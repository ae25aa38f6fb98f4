//! Saved views of the list of users.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::UserViewId,
    user::{UserView, UserViewForm},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// All views, by name.
#[server(prefix = "/ui/fn", endpoint = "user-views/list", input = Json)]
pub async fn list() -> Result<Vec<UserView>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::user_views::list(&engine, &actor).await?)
}

/// Saves a view; one of the same name is saved over.
#[server(prefix = "/ui/fn", endpoint = "user-views/save", input = Json)]
pub async fn save(form: UserViewForm) -> Result<UserView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::user_views::save(&engine, &actor, &form).await?)
}

/// Deletes a view.
#[server(prefix = "/ui/fn", endpoint = "user-views/delete", input = Json)]
pub async fn delete(id: UserViewId) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::user_views::delete(&engine, &actor, id).await?)
}
