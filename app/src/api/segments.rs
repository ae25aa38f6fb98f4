//! Segments.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    filter::Vocabulary,
    ids::{SegmentId, UserId},
    segment::{Segment, SegmentCount, SegmentEstimate, SegmentMatch},
};
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

/// About how many people match a filter now: what can be said before all are counted.
#[server(prefix = "/ui/fn", endpoint = "segments/estimate", input = Json)]
pub async fn estimate(filter: String) -> Result<SegmentEstimate, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::segments::estimate(&engine, &actor, &filter).await?)
}

/// Changes a segment.
#[server(prefix = "/ui/fn", endpoint = "segments/update", input = Json)]
pub async fn update(id: SegmentId, name: String, filter: String) -> Result<Segment, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::segments::update(&engine, &actor, id, &name, &filter).await?)
}

/// Deletes a segment.
#[server(prefix = "/ui/fn", endpoint = "segments/delete", input = Json)]
pub async fn delete(id: SegmentId) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::segments::delete(&engine, &actor, id).await?)
}

/// Whether a person matches a filter, and why.
#[server(prefix = "/ui/fn", endpoint = "segments/explain", input = Json)]
pub async fn explain(filter: String, user: UserId) -> Result<SegmentMatch, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::segments::explain(&engine, &actor, &filter, user).await?)
}

/// What a filter may speak of.
#[server(prefix = "/ui/fn", endpoint = "segments/vocabulary", input = Json)]
pub async fn filter_vocabulary() -> Result<Vocabulary, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::segments::vocabulary(&engine, &actor).await?)
}
