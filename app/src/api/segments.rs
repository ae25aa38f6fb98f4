//! Segments.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::segment::{Segment, SegmentCount};
use leptos::{prelude::*, server_fn::codec::Json};

/// All segments.
#[server(prefix = "/ui/fn", endpoint = "segments/list", input = Json)]
pub async fn list() -> Result<Vec<Segment>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::segments::list(&engine, &actor).await?)
}

/// Saves a filter under a name.
#[server(prefix = "/ui/fn", endpoint = "segments/create", input = Json)]
pub async fn create(name: String, filter: String) -> Result<Segment, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::segments::create(&engine, &actor, &name, &filter).await?)
}

/// How many people match a filter now, and some of them.
#[server(prefix = "/ui/fn", endpoint = "segments/count", input = Json)]
pub async fn count(filter: String) -> Result<SegmentCount, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::segments::count(&engine, &actor, &filter).await?)
}
