//! API keys.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, made, one, secret},
    extract::{Json, Key, Path},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use domain::{
    api_key::{ApiKey, ApiKeyForm, NewApiKey},
    ids::ApiKeyId,
};
use engine::api_keys;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, revoke))
}

/// List keys
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/keys",
    operation_id = "keys_list",
    tag = "Keys",
    params(Paging),
    responses((status = 200, description = "List keys", body = Listed<ApiKey>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer_of_all(api_keys::list(&web.engine, &actor).await?, |key| key.id.to_string())
}

/// Create a key
///
/// Its secret is in this answer and nowhere else. It may do no more than your own.
#[utoipa::path(
    post,
    path = "/keys",
    operation_id = "keys_create",
    tag = "Keys",
    request_body(content = ApiKeyForm, example = json!({"name": "Shop", "scopes": ["users:read"], "expires_in_days": 90})),
    responses((status = 201, description = "Create a key", body = NewApiKey), Refusals),
    security(("key" = []))
)]
async fn create(State(web): State<Web>, Key(actor): Key, Json(form): Json<ApiKeyForm>) -> Answer {
    let key = api_keys::create(&web.engine, &actor, &form).await?;
    Ok(secret(made(&key, &format!("/keys/{}", key.key.id))?))
}

/// Get a key
#[utoipa::path(
    get,
    path = "/keys/{id}",
    operation_id = "keys_get",
    tag = "Keys",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a key", body = ApiKey), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<ApiKeyId>) -> Answer {
    one(StatusCode::OK, &api_keys::get(&web.engine, &actor, id).await?)
}

/// Take a key back
///
/// The next request with it is refused.
#[utoipa::path(
    delete,
    path = "/keys/{id}",
    operation_id = "keys_revoke",
    tag = "Keys",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Take a key back", body = ApiKey), Refusals),
    security(("key" = []))
)]
async fn revoke(State(web): State<Web>, Key(actor): Key, Path(id): Path<ApiKeyId>) -> Answer {
    one(StatusCode::OK, &api_keys::revoke(&web.engine, &actor, id).await?)
}
