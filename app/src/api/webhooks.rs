//! Outgoing webhooks.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use chrono::{DateTime, Utc};
use domain::{
    ids::WebhookId,
    page::{Page, PageRequest},
    webhook::{DeliveryState, SignedWebhook, Webhook, WebhookDelivery, WebhookForm},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// All endpoints, newest first.
#[server(prefix = "/ui/fn", endpoint = "webhooks/list", input = Json)]
pub async fn list() -> Result<Vec<Webhook>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::list(&engine, &actor).await?)
}

/// One endpoint.
#[server(prefix = "/ui/fn", endpoint = "webhooks/get", input = Json)]
pub async fn get(id: WebhookId) -> Result<Webhook, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::get(&engine, &actor, id).await?)
}

/// Makes an endpoint; its secret is in this answer and nowhere else.
#[server(prefix = "/ui/fn", endpoint = "webhooks/create", input = Json)]
pub async fn create(form: WebhookForm) -> Result<SignedWebhook, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::create(&engine, &actor, &form).await?)
}

/// Changes an endpoint.
#[server(prefix = "/ui/fn", endpoint = "webhooks/update", input = Json)]
pub async fn update(id: WebhookId, form: WebhookForm) -> Result<Webhook, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::update(&engine, &actor, id, &form).await?)
}

/// Removes an endpoint.
#[server(prefix = "/ui/fn", endpoint = "webhooks/delete", input = Json)]
pub async fn delete(id: WebhookId) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::delete(&engine, &actor, id).await?)
}

/// Gives an endpoint a new secret.
#[server(prefix = "/ui/fn", endpoint = "webhooks/rotate", input = Json)]
pub async fn rotate(id: WebhookId) -> Result<SignedWebhook, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::rotate(&engine, &actor, id).await?)
}

/// What was delivered to an endpoint, newest first, with the attempts.
#[server(prefix = "/ui/fn", endpoint = "webhooks/deliveries", input = Json)]
pub async fn deliveries(
    id: WebhookId,
    state: Option<DeliveryState>,
    page: PageRequest,
) -> Result<Page<WebhookDelivery>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::deliveries(&engine, &actor, id, state, &page).await?)
}

/// Sends one event again.
#[server(prefix = "/ui/fn", endpoint = "webhooks/resend", input = Json)]
pub async fn resend(id: WebhookId, event: String) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::resend(&engine, &actor, id, &event).await?)
}

/// Sends everything again that failed for good since an instant; answers how many events that are.
#[server(prefix = "/ui/fn", endpoint = "webhooks/recover", input = Json)]
pub async fn recover(id: WebhookId, since: DateTime<Utc>) -> Result<u64, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::webhooks::recover(&engine, &actor, id, since).await?)
}
