//! What holds for the whole workspace.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    brake::Bounds,
    forecast::Price,
    frequency::ChannelCap,
    phone::Channel,
    quiet_hours::{QuietRules, Rule},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// Whether campaigns start only by the word of a second operator.
#[server(prefix = "/ui/fn", endpoint = "settings/approval_required", input = Json)]
pub async fn approval_required() -> Result<bool, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::approval_required(&engine, &actor).await?)
}

/// Says whether campaigns start only by the word of a second operator.
#[server(prefix = "/ui/fn", endpoint = "settings/require_approval", input = Json)]
pub async fn require_approval(required: bool) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::require_approval(&engine, &actor, required).await?)
}

/// How many messages a person may get.
#[server(prefix = "/ui/fn", endpoint = "settings/frequency_caps", input = Json)]
pub async fn frequency_caps() -> Result<Vec<ChannelCap>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::frequency_caps::list(&engine, &actor).await?)
}

/// Says how many messages a person may get.
#[server(prefix = "/ui/fn", endpoint = "settings/set_frequency_caps", input = Json)]
pub async fn set_frequency_caps(caps: Vec<ChannelCap>) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::frequency_caps::set(&engine, &actor, &caps).await?)
}

/// When people may be written to.
#[server(prefix = "/ui/fn", endpoint = "settings/quiet_hours", input = Json)]
pub async fn quiet_hours() -> Result<QuietRules, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::quiet_rules::list(&engine, &actor).await?)
}

/// Sets the workspace's own rules.
#[server(prefix = "/ui/fn", endpoint = "settings/set_quiet_rules", input = Json)]
pub async fn set_quiet_rules(own: Vec<Rule>) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::quiet_rules::set(&engine, &actor, &own).await?)
}

/// What messages cost.
#[server(prefix = "/ui/fn", endpoint = "settings/prices", input = Json)]
pub async fn prices() -> Result<Vec<Price>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::prices::list(&engine, &actor).await?)
}

/// Enters a price.
#[server(prefix = "/ui/fn", endpoint = "settings/set_price", input = Json)]
pub async fn set_price(price: Price) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::prices::set(&engine, &actor, &price).await?)
}

/// Takes a price away.
#[server(prefix = "/ui/fn", endpoint = "settings/remove_price", input = Json)]
pub async fn remove_price(country: String, channel: Channel) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::prices::remove(&engine, &actor, &country, channel).await?)
}

/// What pauses a campaign by itself.
#[server(prefix = "/ui/fn", endpoint = "settings/brake", input = Json)]
pub async fn brake() -> Result<Bounds, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::brakes::bounds(&engine, &actor).await?)
}

/// Says what pauses a campaign by itself.
#[server(prefix = "/ui/fn", endpoint = "settings/set_brake", input = Json)]
pub async fn set_brake(bounds: Bounds) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::brakes::set_bounds(&engine, &actor, &bounds).await?)
}
