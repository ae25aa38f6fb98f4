//! How the engine is, what it gave up, and the switch that stops it.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, done, one},
    extract::{Json, Key, Path, Query},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use chrono::NaiveDate;
use domain::{
    dead_letter::{DeadLetter, Resolution},
    health::{Health, Stop},
    ids::DeadLetterId,
    reconciliation::Reconciliation,
};
use engine::{dead_letters, health, kill_switch, reconcile::days};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(stop))
        .routes(routes!(release))
        .routes(routes!(letters))
        .routes(routes!(resolve))
        .routes(routes!(days_list, days_ask))
}

/// Which letters.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListLetters {
    /// Only of this kind of work.
    kind: Option<String>,
}

/// Why everything stops.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StopForm {
    /// For those who see the stop.
    reason: String,
}

/// What becomes of work that was given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveLetter {
    /// Whether it is tried again or discarded.
    resolution: Resolution,
}

/// A day to compare.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DayForm {
    /// In UTC; today, or one of the last 90 days.
    day: NaiveDate,
}

/// How the engine is
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health_get",
    tag = "Health",
    responses((status = 200, description = "How the engine is", body = Health), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key) -> Answer {
    one(StatusCode::OK, &health::get(&web.engine, &actor).await?)
}

/// Stop all sending
///
/// Within a second, and until somebody lets it go on.
#[utoipa::path(
    post,
    path = "/delivery/stop",
    operation_id = "health_stop",
    tag = "Health",
    request_body(content = StopForm, example = json!({"reason": "wrong price in the text"})),
    responses((status = 200, description = "Stop all sending", body = Stop), Refusals),
    security(("key" = []))
)]
async fn stop(State(web): State<Web>, Key(actor): Key, Json(form): Json<StopForm>) -> Answer {
    one(StatusCode::OK, &kill_switch::stop(&web.engine, &actor, &form.reason).await?)
}

/// Let sending go on
#[utoipa::path(
    post,
    path = "/delivery/release",
    operation_id = "health_release",
    tag = "Health",
    responses((status = 204, description = "Let sending go on"), Refusals),
    security(("key" = []))
)]
async fn release(State(web): State<Web>, Key(actor): Key) -> Answer {
    kill_switch::release(&web.engine, &actor).await?;
    done()
}

/// List work that was given up
#[utoipa::path(
    get,
    path = "/dead-letters",
    operation_id = "health_letters",
    tag = "Health",
    params(Paging, ListLetters),
    responses((status = 200, description = "List work that was given up", body = Listed<DeadLetter>), Refusals),
    security(("key" = []))
)]
async fn letters(State(web): State<Web>, Key(actor): Key, asked: Asked, Query(query): Query<ListLetters>) -> Answer {
    asked.answer(dead_letters::list(&web.engine, &actor, query.kind.as_deref(), &asked.request()).await?)
}

/// Try given up work again, or discard it
#[utoipa::path(
    post,
    path = "/dead-letters/{id}/resolve",
    operation_id = "health_resolve",
    tag = "Health",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    request_body(content = ResolveLetter, example = json!({"resolution": "redriven"})),
    responses((status = 200, description = "Try given up work again, or discard it", body = DeadLetter), Refusals),
    security(("key" = []))
)]
async fn resolve(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<DeadLetterId>,
    Json(form): Json<ResolveLetter>,
) -> Answer {
    one(StatusCode::OK, &dead_letters::resolve(&web.engine, &actor, id, form.resolution).await?)
}

/// List days that were compared with the provider's list
///
/// Each night the day before, and once more two nights later.
#[utoipa::path(
    get,
    path = "/reconciliations",
    operation_id = "reconciliations_list",
    tag = "Health",
    params(Paging),
    responses((status = 200, description = "List days that were compared with the provider's list", body = Listed<Reconciliation>), Refusals),
    security(("key" = []))
)]
async fn days_list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer(days::list(&web.engine, &actor, &asked.request()).await?)
}

/// Compare a day with the provider's list
///
/// Reports that were lost are made up for, and prices filled in.
#[utoipa::path(
    post,
    path = "/reconciliations",
    operation_id = "reconciliations_ask",
    tag = "Health",
    request_body(content = DayForm, example = json!({"day": "2026-06-02"})),
    responses((status = 200, description = "Compare a day with the provider's list", body = Reconciliation), Refusals),
    security(("key" = []))
)]
async fn days_ask(State(web): State<Web>, Key(actor): Key, Json(form): Json<DayForm>) -> Answer {
    one(StatusCode::OK, &days::ask(&web.engine, &actor, form.day).await?)
}
