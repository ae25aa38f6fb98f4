//! The suppression list.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    page::{Page, PageRequest},
    suppression::Suppression,
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of the list, newest first.
#[server(prefix = "/ui/fn", endpoint = "suppressions/list", input = Json)]
pub async fn list(page: PageRequest) -> Result<Page<Suppression>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::suppressions::list(&engine, &actor, &page).await?)
}

/// What the list holds of a number.
#[server(prefix = "/ui/fn", endpoint = "suppressions/look-up", input = Json)]
pub async fn look_up(number: String) -> Result<Vec<Suppression>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::suppressions::look_up(&engine, &actor, &number).await?)
}

/// Puts a number on the list.
#[server(prefix = "/ui/fn", endpoint = "suppressions/suppress", input = Json)]
pub async fn suppress(number: String, reason: String) -> Result<Vec<Suppression>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::suppressions::suppress(&engine, &actor, &number, &reason).await?)
}

/// Takes an entry off the list.
#[server(prefix = "/ui/fn", endpoint = "suppressions/lift", input = Json)]
pub async fn lift(hash: String, reason: String) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::suppressions::lift(&engine, &actor, &hash, &reason).await?)
}
