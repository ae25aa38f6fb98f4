//! Campaigns: written, launched, watched, stopped.

use super::{
    answer::{Answer, Asked, FileForm, Listed, Paging, Refusals, done, made, one},
    extract::{Json, Key, Path, Query},
};
use crate::{download, web::Web};
use axum::{extract::State, http::StatusCode};
use domain::{
    campaign::{Campaign, CampaignForm, CampaignRow, CampaignStatus, Listed as Listing, Preview, Progress, Start},
    forecast::Forecast,
    ids::CampaignId,
    reconciliation::Charged,
};
use engine::{campaigns, forecasts, messages, reconcile::days};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(preview))
        .routes(routes!(get, update, remove))
        .routes(routes!(balance))
        .routes(routes!(costs))
        .routes(routes!(export))
        .routes(routes!(ask, forecast))
        .routes(routes!(schedule))
        .routes(routes!(copy))
        .routes(routes!(launch))
        .routes(routes!(unschedule))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(cancel))
        .routes(routes!(propose))
        .routes(routes!(archive))
        .routes(routes!(unarchive))
}

/// In which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportRecipients {
    /// `csv`, if left out.
    #[param(inline)]
    format: Option<FileForm>,
}

/// Which campaigns.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListCampaigns {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<CampaignStatus>,
    /// Those in the archive instead.
    archived: Option<bool>,
}

/// List campaigns
///
/// Newest first; those in the archive only if asked for.
#[utoipa::path(
    get,
    path = "/campaigns",
    operation_id = "campaigns_list",
    tag = "Campaigns",
    params(Paging, ListCampaigns),
    responses((status = 200, description = "List campaigns", body = Listed<CampaignRow>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked, Query(query): Query<ListCampaigns>) -> Answer {
    let listed = match (query.archived.unwrap_or(false), query.status) {
        (true, _) => Listing::Archived,
        (false, Some(status)) => Listing::Status(status),
        (false, None) => Listing::All,
    };
    asked.answer(campaigns::list(&web.engine, &actor, listed, &asked.request()).await?)
}

/// Create a draft
#[utoipa::path(
    post,
    path = "/campaigns",
    operation_id = "campaigns_create",
    tag = "Campaigns",
    request_body(content = CampaignForm, example = json!({"name": "Autumn", "sender": "01a21b02-efa0-720a-991b-f0bccf771898", "template": "01a21b02-efa0-720a-991b-f0bccf771898", "audience": {"filter": "consent.sms = opted_in"}, "rate_per_second": 20})),
    responses((status = 201, description = "Create a draft", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn create(State(web): State<Web>, Key(actor): Key, Json(form): Json<CampaignForm>) -> Answer {
    let campaign = campaigns::create(&web.engine, &actor, &form).await?;
    made(&campaign, &format!("/campaigns/{}", campaign.id))
}

/// Look at a campaign before it is saved
///
/// How many people, what some of them would get, and what stands against a launch.
#[utoipa::path(
    post,
    path = "/campaigns/preview",
    operation_id = "campaigns_preview",
    tag = "Campaigns",
    request_body(content = CampaignForm, example = json!({"name": "Autumn", "sender": "01a21b02-efa0-720a-991b-f0bccf771898", "template": "01a21b02-efa0-720a-991b-f0bccf771898", "audience": {"filter": "consent.sms = opted_in"}, "rate_per_second": 20})),
    responses((status = 200, description = "Look at a campaign before it is saved", body = Preview), Refusals),
    security(("key" = []))
)]
async fn preview(State(web): State<Web>, Key(actor): Key, Json(form): Json<CampaignForm>) -> Answer {
    one(StatusCode::OK, &campaigns::preview(&web.engine, &actor, &form).await?)
}

/// Get a campaign
#[utoipa::path(
    get,
    path = "/campaigns/{id}",
    operation_id = "campaigns_get",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a campaign", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::get(&web.engine, &actor, id).await?.campaign)
}

/// Change a campaign before its launch
#[utoipa::path(
    put,
    path = "/campaigns/{id}",
    operation_id = "campaigns_update",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("If-Match" = Option<String>, Header, description = "The ETag that the campaign was read with")),
    request_body(content = CampaignForm, example = json!({"name": "Autumn", "sender": "01a21b02-efa0-720a-991b-f0bccf771898", "template": "01a21b02-efa0-720a-991b-f0bccf771898", "audience": {"filter": "consent.sms = opted_in"}, "rate_per_second": 20})),
    responses((status = 200, description = "Change a campaign before its launch", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn update(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<CampaignId>,
    Json(form): Json<CampaignForm>,
) -> Answer {
    one(StatusCode::OK, &campaigns::update(&web.engine, &actor, id, &form).await?)
}

/// Export a campaign's recipients
///
/// Everyone whom it was for, with what became of their message and why, as a file that is written while you read it.
#[utoipa::path(
    get,
    path = "/campaigns/{id}/export",
    operation_id = "campaigns_export",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ExportRecipients),
    responses((status = 200, description = "Export a campaign's recipients", content((String = "text/csv"), (String = "application/x-ndjson"))), Refusals),
    security(("key" = []))
)]
async fn export(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<CampaignId>,
    Query(query): Query<ExportRecipients>,
) -> Answer {
    let format = query.format.unwrap_or_default().into();
    let rows = messages::export(&web.engine, &actor, id, format).await?;
    Ok(download::rows("recipients", format, rows))
}

/// Delete a draft
///
/// What was ever launched is on record, and can only be put away.
#[utoipa::path(
    delete,
    path = "/campaigns/{id}",
    operation_id = "campaigns_remove",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 204, description = "Delete a draft"), Refusals),
    security(("key" = []))
)]
async fn remove(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    campaigns::delete(&web.engine, &actor, id).await?;
    done()
}

/// Where a campaign's messages stand
///
/// The audience is at any moment the sum of the states.
#[utoipa::path(
    get,
    path = "/campaigns/{id}/balance",
    operation_id = "campaigns_balance",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Where a campaign's messages stand", body = Progress), Refusals),
    security(("key" = []))
)]
async fn balance(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::progress(&web.engine, &actor, id).await?)
}

/// What a campaign cost
///
/// What the provider charged so far, by currency: prices come a night or two after the messages.
#[utoipa::path(
    get,
    path = "/campaigns/{id}/costs",
    operation_id = "campaigns_costs",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), Paging),
    responses((status = 200, description = "What a campaign cost", body = Listed<Charged>), Refusals),
    security(("key" = []))
)]
async fn costs(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>, asked: Asked) -> Answer {
    campaigns::get(&web.engine, &actor, id).await?;
    asked.answer_of_all(days::charged(&web.engine, &actor, id).await?, |charged| charged.currency.clone())
}

/// Ask for a dry run
///
/// Every gate is asked about everyone, and nothing is sent. Read the result at the same address.
#[utoipa::path(
    post,
    path = "/campaigns/{id}/forecast",
    operation_id = "campaigns_ask",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 204, description = "Ask for a dry run"), Refusals),
    security(("key" = []))
)]
async fn ask(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    forecasts::ask(&web.engine, &actor, id).await?;
    done()
}

/// The newest dry run
///
/// `null` if nobody asked for one.
#[utoipa::path(
    get,
    path = "/campaigns/{id}/forecast",
    operation_id = "campaigns_forecast",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "The newest dry run", body = Option<Forecast>), Refusals),
    security(("key" = []))
)]
async fn forecast(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &forecasts::get(&web.engine, &actor, id).await?)
}

/// Schedule a campaign
///
/// At an instant, or at a time of day where each person lives.
#[utoipa::path(
    post,
    path = "/campaigns/{id}/schedule",
    operation_id = "campaigns_schedule",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    request_body(content = Start, example = json!({"kind": "instant", "at": "2027-01-15T10:00:00Z"})),
    responses((status = 200, description = "Schedule a campaign", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn schedule(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<CampaignId>,
    Json(start): Json<Start>,
) -> Answer {
    one(StatusCode::OK, &campaigns::schedule(&web.engine, &actor, id, start).await?)
}

/// Copy a campaign as a draft
#[utoipa::path(
    post,
    path = "/campaigns/{id}/clone",
    operation_id = "campaigns_copy",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 201, description = "Copy a campaign as a draft", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn copy(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    let campaign = campaigns::clone_as_draft(&web.engine, &actor, id).await?;
    made(&campaign, &format!("/campaigns/{}", campaign.id))
}

/// Launch a campaign now
///
/// The audience and the template's version are frozen.
#[utoipa::path(
    post,
    path = "/campaigns/{id}/launch",
    operation_id = "campaigns_launch",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Launch a campaign now", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn launch(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::launch(&web.engine, &actor, id).await?)
}

/// Make a scheduled campaign a draft again
#[utoipa::path(
    post,
    path = "/campaigns/{id}/unschedule",
    operation_id = "campaigns_unschedule",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Make a scheduled campaign a draft again", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn unschedule(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::unschedule(&web.engine, &actor, id).await?)
}

/// Pause a campaign
///
/// What was claimed is still sent; nothing is claimed after.
#[utoipa::path(
    post,
    path = "/campaigns/{id}/pause",
    operation_id = "campaigns_pause",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Pause a campaign", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn pause(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::pause(&web.engine, &actor, id).await?)
}

/// Let a paused campaign go on
#[utoipa::path(
    post,
    path = "/campaigns/{id}/resume",
    operation_id = "campaigns_resume",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Let a paused campaign go on", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn resume(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::resume(&web.engine, &actor, id).await?)
}

/// Cancel a campaign for good
#[utoipa::path(
    post,
    path = "/campaigns/{id}/cancel",
    operation_id = "campaigns_cancel",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Cancel a campaign for good", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn cancel(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::cancel(&web.engine, &actor, id).await?)
}

/// Ask for a second operator's approval
///
/// Where the workspace requires one.
#[utoipa::path(
    post,
    path = "/campaigns/{id}/propose",
    operation_id = "campaigns_propose",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Ask for a second operator's approval", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn propose(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::propose(&web.engine, &actor, id).await?)
}

/// Put a campaign into the archive
#[utoipa::path(
    post,
    path = "/campaigns/{id}/archive",
    operation_id = "campaigns_archive",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Put a campaign into the archive", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn archive(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::archive(&web.engine, &actor, id, true).await?)
}

/// Take a campaign out of the archive
#[utoipa::path(
    post,
    path = "/campaigns/{id}/unarchive",
    operation_id = "campaigns_unarchive",
    tag = "Campaigns",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Take a campaign out of the archive", body = Campaign), Refusals),
    security(("key" = []))
)]
async fn unarchive(State(web): State<Web>, Key(actor): Key, Path(id): Path<CampaignId>) -> Answer {
    one(StatusCode::OK, &campaigns::archive(&web.engine, &actor, id, false).await?)
}
