//! The first page.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::overview::Overview;
use leptos::{prelude::*, server_fn::codec::Json};

/// What the first page shows.
#[server(prefix = "/ui/fn", endpoint = "overview/get", input = Json)]
pub async fn get() -> Result<Overview, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::overview::get(&engine, &actor).await?)
}
