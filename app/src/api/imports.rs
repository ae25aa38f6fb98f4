//! Imports.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::ImportId,
    import::{ImportOptions, ImportReject, ImportView},
    page::{Page, PageRequest},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of the imports, newest first.
#[server(prefix = "/ui/fn", endpoint = "imports/list", input = Json)]
pub async fn list(page: PageRequest) -> Result<Page<ImportView>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::imports::list(&engine, &actor, &page).await?)
}

/// One import.
#[server(prefix = "/ui/fn", endpoint = "imports/get", input = Json)]
pub async fn get(id: ImportId) -> Result<ImportView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::imports::get(&engine, &actor, id).await?)
}

/// Judges the whole file, and writes nothing but a report.
#[server(prefix = "/ui/fn", endpoint = "imports/check", input = Json)]
pub async fn check(id: ImportId, options: ImportOptions) -> Result<ImportView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::imports::check(&engine, &actor, id, &options).await?)
}

/// Lets the rows of a checked import go in.
#[server(prefix = "/ui/fn", endpoint = "imports/apply", input = Json)]
pub async fn apply(id: ImportId, confirmed: bool) -> Result<ImportView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::imports::apply(&engine, &actor, id, confirmed).await?)
}

/// Takes an applied import back.
#[server(prefix = "/ui/fn", endpoint = "imports/undo", input = Json)]
pub async fn undo(id: ImportId) -> Result<ImportView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::imports::undo(&engine, &actor, id).await?)
}

/// One page of the rows that were refused.
#[server(prefix = "/ui/fn", endpoint = "imports/rejects", input = Json)]
pub async fn rejects(id: ImportId, page: PageRequest) -> Result<Page<ImportReject>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::imports::rejects(&engine, &actor, id, &page).await?)
}
