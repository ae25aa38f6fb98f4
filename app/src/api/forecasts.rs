//! Dry runs.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{forecast::Forecast, ids::CampaignId};
use leptos::{prelude::*, server_fn::codec::Json};

/// The newest forecast of a campaign, if there is one.
#[server(prefix = "/ui/fn", endpoint = "forecasts/get", input = Json)]
pub async fn get(id: CampaignId) -> Result<Option<Forecast>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::forecasts::get(&engine, &actor, id).await?)
}

/// Begins a dry run.
#[server(prefix = "/ui/fn", endpoint = "forecasts/ask", input = Json)]
pub async fn ask(id: CampaignId) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::forecasts::ask(&engine, &actor, id).await?)
}
