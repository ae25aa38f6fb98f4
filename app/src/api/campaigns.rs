//! Campaigns.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    campaign::{self, Campaign, CampaignForm, CampaignRow, Listed, Start},
    ids::{CampaignId, UserId},
    page::{Page, PageRequest},
    reconciliation::Charged,
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of these campaigns, newest first.
#[server(prefix = "/ui/fn", endpoint = "campaigns/list", input = Json)]
pub async fn list(listed: Listed, page: PageRequest) -> Result<Page<CampaignRow>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::list(&engine, &actor, listed, &page).await?)
}

/// One campaign with its counters.
#[server(prefix = "/ui/fn", endpoint = "campaigns/get", input = Json)]
pub async fn get(id: CampaignId) -> Result<CampaignRow, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::get(&engine, &actor, id).await?)
}

/// A campaign's counters.
#[server(prefix = "/ui/fn", endpoint = "campaigns/progress", input = Json)]
pub async fn progress(id: CampaignId) -> Result<campaign::Progress, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::progress(&engine, &actor, id).await?)
}

/// What the provider charged for a campaign's messages so far, by currency.
#[server(prefix = "/ui/fn", endpoint = "campaigns/costs", input = Json)]
pub async fn costs(id: CampaignId) -> Result<Vec<Charged>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::reconcile::days::charged(&engine, &actor, id).await?)
}

/// A campaign before its launch: how many people, what some of them would get, and what stands against it.
#[server(prefix = "/ui/fn", endpoint = "campaigns/preview", input = Json)]
pub async fn preview(form: CampaignForm) -> Result<campaign::Preview, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::preview(&engine, &actor, &form).await?)
}

/// Makes a draft.
#[server(prefix = "/ui/fn", endpoint = "campaigns/create", input = Json)]
pub async fn create(form: CampaignForm) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::create(&engine, &actor, &form).await?)
}

/// Changes a campaign that was not launched yet.
#[server(prefix = "/ui/fn", endpoint = "campaigns/update", input = Json)]
pub async fn update(id: CampaignId, form: CampaignForm) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::update(&engine, &actor, id, &form).await?)
}

/// Starts a campaign now.
#[server(prefix = "/ui/fn", endpoint = "campaigns/launch", input = Json)]
pub async fn launch(id: CampaignId) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::launch(&engine, &actor, id).await?)
}

/// Starts a campaign at an instant, or at a time of day where each person lives.
#[server(prefix = "/ui/fn", endpoint = "campaigns/schedule", input = Json)]
pub async fn schedule(id: CampaignId, start: Start) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::schedule(&engine, &actor, id, start).await?)
}

/// Makes a scheduled or held campaign a draft again.
#[server(prefix = "/ui/fn", endpoint = "campaigns/unschedule", input = Json)]
pub async fn unschedule(id: CampaignId) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::unschedule(&engine, &actor, id).await?)
}

/// Stops a campaign for now.
#[server(prefix = "/ui/fn", endpoint = "campaigns/pause", input = Json)]
pub async fn pause(id: CampaignId) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::pause(&engine, &actor, id).await?)
}

/// Lets a paused campaign go on.
#[server(prefix = "/ui/fn", endpoint = "campaigns/resume", input = Json)]
pub async fn resume(id: CampaignId) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::resume(&engine, &actor, id).await?)
}

/// Stops a campaign for good.
#[server(prefix = "/ui/fn", endpoint = "campaigns/cancel", input = Json)]
pub async fn cancel(id: CampaignId) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::cancel(&engine, &actor, id).await?)
}

/// Makes a draft like this campaign.
#[server(prefix = "/ui/fn", endpoint = "campaigns/clone_as_draft", input = Json)]
pub async fn clone_as_draft(id: CampaignId) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::clone_as_draft(&engine, &actor, id).await?)
}

/// Deletes a draft.
#[server(prefix = "/ui/fn", endpoint = "campaigns/delete", input = Json)]
pub async fn delete(id: CampaignId) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::delete(&engine, &actor, id).await?)
}

/// Puts a campaign away, or takes it out again.
#[server(prefix = "/ui/fn", endpoint = "campaigns/archive", input = Json)]
pub async fn archive(id: CampaignId, away: bool) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::archive(&engine, &actor, id, away).await?)
}

/// Asks for the word of a second operator.
#[server(prefix = "/ui/fn", endpoint = "campaigns/propose", input = Json)]
pub async fn propose(id: CampaignId) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::propose(&engine, &actor, id).await?)
}

/// Agrees to what somebody else proposed.
#[server(prefix = "/ui/fn", endpoint = "campaigns/approve", input = Json)]
pub async fn approve(id: CampaignId) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::approve(&engine, &actor, id).await?)
}

/// Refuses what was proposed.
#[server(prefix = "/ui/fn", endpoint = "campaigns/decline", input = Json)]
pub async fn decline(id: CampaignId, reason: String) -> Result<Campaign, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::decline(&engine, &actor, id, &reason).await?)
}

/// Why a person gets a campaign's message, or why not.
#[server(prefix = "/ui/fn", endpoint = "campaigns/why", input = Json)]
pub async fn why(id: CampaignId, user: UserId) -> Result<campaign::Why, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::why(&engine, &actor, id, user).await?)
}
