//! Outgoing webhooks.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, done, made, one, secret},
    extract::{Json, Key, Path, Query},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    ids::WebhookId,
    webhook::{DeliveryState, SignedWebhook, Webhook, WebhookDelivery, WebhookForm},
};
use engine::webhooks;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, remove))
        .routes(routes!(rotate))
        .routes(routes!(deliveries))
        .routes(routes!(resend))
        .routes(routes!(recover))
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListDeliveries {
    /// Only of this state.
    #[param(inline)]
    state: Option<DeliveryState>,
}

/// Since when what failed is sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecoverWebhook {
    /// Events that happened since this instant.
    since: DateTime<Utc>,
}

/// How much is sent again.
#[derive(Debug, Serialize, ToSchema)]
struct Recovered {
    /// How many events.
    events: u64,
}

/// List webhooks
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/webhooks",
    operation_id = "webhooks_list",
    tag = "Webhooks",
    params(Paging),
    responses((status = 200, description = "List webhooks", body = Listed<Webhook>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer_of_all(webhooks::list(&web.engine, &actor).await?, |webhook| webhook.id.to_string())
}

/// Create a webhook
///
/// It is told of what happens from now on, signed as Standard Webhooks has it. Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/webhooks",
    operation_id = "webhooks_create",
    tag = "Webhooks",
    request_body(content = WebhookForm, example = json!({"url": "https://example.com/hooks/ese", "description": "Shop", "types": ["message.delivered", "message.failed"]})),
    responses((status = 201, description = "Create a webhook", body = SignedWebhook), Refusals),
    security(("key" = []))
)]
async fn create(State(web): State<Web>, Key(actor): Key, Json(form): Json<WebhookForm>) -> Answer {
    let made_now = webhooks::create(&web.engine, &actor, &form).await?;
    Ok(secret(made(&made_now, &format!("/webhooks/{}", made_now.webhook.id))?))
}

/// Get a webhook
#[utoipa::path(
    get,
    path = "/webhooks/{id}",
    operation_id = "webhooks_get",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a webhook", body = Webhook), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<WebhookId>) -> Answer {
    one(StatusCode::OK, &webhooks::get(&web.engine, &actor, id).await?)
}

/// Change a webhook
///
/// One that is enabled again is told of what happened meanwhile, as far as events are kept.
#[utoipa::path(
    put,
    path = "/webhooks/{id}",
    operation_id = "webhooks_update",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("If-Match" = Option<String>, Header, description = "The ETag that the webhook was read with")),
    request_body(content = WebhookForm, example = json!({"url": "https://example.com/hooks/ese", "types": [], "enabled": true})),
    responses((status = 200, description = "Change a webhook", body = Webhook), Refusals),
    security(("key" = []))
)]
async fn update(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<WebhookId>,
    Json(form): Json<WebhookForm>,
) -> Answer {
    one(StatusCode::OK, &webhooks::update(&web.engine, &actor, id, &form).await?)
}

/// Delete a webhook
///
/// With what waits for it.
#[utoipa::path(
    delete,
    path = "/webhooks/{id}",
    operation_id = "webhooks_remove",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 204, description = "Delete a webhook"), Refusals),
    security(("key" = []))
)]
async fn remove(State(web): State<Web>, Key(actor): Key, Path(id): Path<WebhookId>) -> Answer {
    webhooks::delete(&web.engine, &actor, id).await?;
    done()
}

/// Change a webhook's secret
///
/// For 24 hours the one before signs as well, so that receivers can change over.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/rotate",
    operation_id = "webhooks_rotate",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Change a webhook's secret", body = SignedWebhook), Refusals),
    security(("key" = []))
)]
async fn rotate(State(web): State<Web>, Key(actor): Key, Path(id): Path<WebhookId>) -> Answer {
    Ok(secret(one(StatusCode::OK, &webhooks::rotate(&web.engine, &actor, id).await?)?))
}

/// List a webhook's deliveries
///
/// Newest first, each with its attempts.
#[utoipa::path(
    get,
    path = "/webhooks/{id}/deliveries",
    operation_id = "webhooks_deliveries",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), Paging, ListDeliveries),
    responses((status = 200, description = "List a webhook's deliveries", body = Listed<WebhookDelivery>), Refusals),
    security(("key" = []))
)]
async fn deliveries(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<WebhookId>,
    asked: Asked,
    Query(query): Query<ListDeliveries>,
) -> Answer {
    let page = webhooks::deliveries(&web.engine, &actor, id, query.state, &asked.request()).await?;
    asked.answer(page)
}

/// Send an event again
///
/// Whatever became of it, with all attempts anew, under the same id.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/deliveries/{event}/resend",
    operation_id = "webhooks_resend",
    tag = "Webhooks",
    params(
        ("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"),
        ("event" = String, Path, description = "The event's id", example = "evt_2e6_1f")
    ),
    responses((status = 204, description = "Send an event again"), Refusals),
    security(("key" = []))
)]
async fn resend(State(web): State<Web>, Key(actor): Key, Path((id, event)): Path<(WebhookId, String)>) -> Answer {
    webhooks::resend(&web.engine, &actor, id, &event).await?;
    done()
}

/// Send everything that failed again
///
/// What failed for good, of the events since an instant.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/recover",
    operation_id = "webhooks_recover",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    request_body(content = RecoverWebhook, example = json!({"since": "2026-06-02T17:00:00Z"})),
    responses((status = 200, description = "Send everything that failed again", body = Recovered), Refusals),
    security(("key" = []))
)]
async fn recover(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<WebhookId>,
    Json(form): Json<RecoverWebhook>,
) -> Answer {
    let events = webhooks::recover(&web.engine, &actor, id, form.since).await?;
    one(StatusCode::OK, &Recovered { events })
}
