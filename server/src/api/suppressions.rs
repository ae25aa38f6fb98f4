//! The suppression list.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, Rows, done, one},
    extract::{Json, Key, Path, Query},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use domain::suppression::Suppression;
use engine::suppressions;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, suppress)).routes(routes!(look_up)).routes(routes!(lift))
}

/// A number that nobody messages any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Suppress {
    /// With + and country code.
    number: String,
    /// Why.
    reason: String,
}

/// A number to look up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LookUp {
    /// With + and country code.
    number: String,
}

/// Why an address goes off the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Lift {
    /// Why.
    reason: String,
}

/// List suppressed addresses
///
/// As keyed hashes: the list names nobody.
#[utoipa::path(
    get,
    path = "/suppressions",
    operation_id = "suppressions_list",
    tag = "Suppressions",
    params(Paging),
    responses((status = 200, description = "List suppressed addresses", body = Listed<Suppression>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer(suppressions::list(&web.engine, &actor, &asked.request()).await?)
}

/// Suppress a number
///
/// On every channel.
#[utoipa::path(
    post,
    path = "/suppressions",
    operation_id = "suppressions_suppress",
    tag = "Suppressions",
    request_body(content = Suppress, example = json!({"number": "+12025550143", "reason": "asked by letter"})),
    responses((status = 201, description = "Suppress a number", body = Rows<Suppression>), Refusals),
    security(("key" = []))
)]
async fn suppress(State(web): State<Web>, Key(actor): Key, Json(form): Json<Suppress>) -> Answer {
    let data = suppressions::suppress(&web.engine, &actor, &form.number, &form.reason).await?;
    one(StatusCode::CREATED, &Rows { data })
}

/// Whether a number is suppressed
#[utoipa::path(
    post,
    path = "/suppressions/look-up",
    operation_id = "suppressions_look_up",
    tag = "Suppressions",
    request_body(content = LookUp, example = json!({"number": "+12025550143"})),
    responses((status = 200, description = "Whether a number is suppressed", body = Rows<Suppression>), Refusals),
    security(("key" = []))
)]
async fn look_up(State(web): State<Web>, Key(actor): Key, Json(form): Json<LookUp>) -> Answer {
    one(StatusCode::OK, &Rows { data: suppressions::look_up(&web.engine, &actor, &form.number).await? })
}

/// Take an address off the list
#[utoipa::path(
    delete,
    path = "/suppressions/{hash}",
    operation_id = "suppressions_lift",
    tag = "Suppressions",
    params(("hash" = String, Path, description = "The entry"), Lift),
    responses((status = 204, description = "Take an address off the list"), Refusals),
    security(("key" = []))
)]
async fn lift(State(web): State<Web>, Key(actor): Key, Path(hash): Path<String>, Query(query): Query<Lift>) -> Answer {
    suppressions::lift(&web.engine, &actor, &hash, &query.reason).await?;
    done()
}
