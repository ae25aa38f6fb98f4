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

/// Starts to read the file into the base.
#[server(prefix = "/ui/fn", endpoint = "imports/start", input = Json)]
pub async fn start(id: ImportId, options: ImportOptions) -> Result<ImportView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::imports::start(&engine, &actor, id, &options).await?)
}

/// One page of the rows that were refused.
#[server(prefix = "/ui/fn", endpoint = "imports/rejects", input = Json)]
pub async fn rejects(id: ImportId, page: PageRequest) -> Result<Page<ImportReject>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::imports::rejects(&engine, &actor, id, &page).await?)
}
