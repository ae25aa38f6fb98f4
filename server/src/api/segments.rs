//! Segments: saved filters over users.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, done, made, one},
    extract::{Json, Key, Path},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use domain::{
    ids::{SegmentId, UserId},
    segment::{Segment, SegmentCount, SegmentEstimate, SegmentMatch},
};
use engine::segments;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, remove))
        .routes(routes!(estimate))
        .routes(routes!(count))
        .routes(routes!(matches))
}

/// A segment to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SegmentForm {
    /// Its name.
    name: String,
    /// A filter in the filter language (docs/FILTERS.md).
    filter: String,
}

/// A filter.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SegmentQuestion)]
#[serde(deny_unknown_fields)]
struct FilterAsked {
    /// In the filter language; empty is everyone.
    filter: String,
}

/// A filter, and a user.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SegmentMatchQuestion)]
#[serde(deny_unknown_fields)]
struct Matched {
    /// In the filter language.
    filter: String,
    /// Who.
    user: UserId,
}

/// List segments
///
/// By name.
#[utoipa::path(
    get,
    path = "/segments",
    operation_id = "segments_list",
    tag = "Segments",
    params(Paging),
    responses((status = 200, description = "List segments", body = Listed<Segment>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer_of_all(segments::list(&web.engine, &actor).await?, |segment| segment.name.clone())
}

/// Create a segment
#[utoipa::path(
    post,
    path = "/segments",
    operation_id = "segments_create",
    tag = "Segments",
    request_body(content = SegmentForm, example = json!({"name": "Boston", "filter": "city = \"Boston\""})),
    responses((status = 201, description = "Create a segment", body = Segment), Refusals),
    security(("key" = []))
)]
async fn create(State(web): State<Web>, Key(actor): Key, Json(form): Json<SegmentForm>) -> Answer {
    let segment = segments::create(&web.engine, &actor, &form.name, &form.filter).await?;
    made(&segment, &format!("/segments/{}", segment.id))
}

/// Get a segment
#[utoipa::path(
    get,
    path = "/segments/{id}",
    operation_id = "segments_get",
    tag = "Segments",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a segment", body = Segment), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<SegmentId>) -> Answer {
    one(StatusCode::OK, &segments::get(&web.engine, &actor, id).await?)
}

/// Change a segment
///
/// Campaigns that were launched keep what it said then.
#[utoipa::path(
    put,
    path = "/segments/{id}",
    operation_id = "segments_update",
    tag = "Segments",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("If-Match" = Option<String>, Header, description = "The ETag that the segment was read with")),
    request_body(content = SegmentForm, example = json!({"name": "Boston", "filter": "city = \"Boston\" and age >= 18"})),
    responses((status = 200, description = "Change a segment", body = Segment), Refusals),
    security(("key" = []))
)]
async fn update(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<SegmentId>,
    Json(form): Json<SegmentForm>,
) -> Answer {
    one(StatusCode::OK, &segments::update(&web.engine, &actor, id, &form.name, &form.filter).await?)
}

/// Delete a segment
#[utoipa::path(
    delete,
    path = "/segments/{id}",
    operation_id = "segments_remove",
    tag = "Segments",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 204, description = "Delete a segment"), Refusals),
    security(("key" = []))
)]
async fn remove(State(web): State<Web>, Key(actor): Key, Path(id): Path<SegmentId>) -> Answer {
    segments::delete(&web.engine, &actor, id).await?;
    done()
}

/// How many users match a filter
///
/// Exactly, with the newest ten of them.
#[utoipa::path(
    post,
    path = "/segments/count",
    operation_id = "segments_count",
    tag = "Segments",
    request_body(content = FilterAsked, example = json!({"filter": "consent.sms = opted_in"})),
    responses((status = 200, description = "How many users match a filter", body = SegmentCount), Refusals),
    security(("key" = []))
)]
async fn count(State(web): State<Web>, Key(actor): Key, Json(asked): Json<FilterAsked>) -> Answer {
    one(StatusCode::OK, &segments::count(&web.engine, &actor, &asked.filter).await?)
}

/// About how many users match a filter
///
/// In the time of a keystroke, with the interval that the truth lies in 95 of 100 times.
#[utoipa::path(
    post,
    path = "/segments/estimate",
    operation_id = "segments_estimate",
    tag = "Segments",
    request_body(content = FilterAsked, example = json!({"filter": "consent.sms = opted_in"})),
    responses((status = 200, description = "About how many users match a filter", body = SegmentEstimate), Refusals),
    security(("key" = []))
)]
async fn estimate(State(web): State<Web>, Key(actor): Key, Json(asked): Json<FilterAsked>) -> Answer {
    one(StatusCode::OK, &segments::estimate(&web.engine, &actor, &asked.filter).await?)
}

/// Whether a user matches a filter
///
/// And what each condition says of them.
#[utoipa::path(
    post,
    path = "/segments/match",
    operation_id = "segments_matches",
    tag = "Segments",
    request_body(content = Matched, example = json!({"filter": "consent.sms = opted_in", "user": "01a21b02-efa0-720a-991b-f0bccf771898"})),
    responses((status = 200, description = "Whether a user matches a filter", body = SegmentMatch), Refusals),
    security(("key" = []))
)]
async fn matches(State(web): State<Web>, Key(actor): Key, Json(asked): Json<Matched>) -> Answer {
    one(StatusCode::OK, &segments::explain(&web.engine, &actor, &asked.filter, asked.user).await?)
}
