//! Messages, and single sends.

use super::{
    answer::{Answer, Asked, Failure, Listed, Paging, Refusals, made, one},
    extract::{Json, Key, Path, Query},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    compliance::Gate,
    ids::{CampaignId, MessageKey, UserId},
    message::{MessageDetail, MessageQuery, MessageRow, SingleSendForm, State as MessageState},
};
use engine::{Error, messages, single_sends};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, send)).routes(routes!(get)).routes(routes!(resolve))
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListMessages {
    /// Only this campaign's.
    campaign: Option<CampaignId>,
    /// Only this user's.
    user: Option<UserId>,
    /// Only in this state.
    #[param(inline)]
    state: Option<MessageState>,
    /// Only stopped by this gate.
    #[param(inline)]
    gate: Option<Gate>,
    /// Only with this error code of the provider.
    #[param(example = 30003)]
    error: Option<i32>,
    /// Only changed at or after this instant.
    since: Option<DateTime<Utc>>,
    /// Only changed before this instant.
    until: Option<DateTime<Utc>>,
}

impl ListMessages {
    fn wanted(&self) -> MessageQuery {
        MessageQuery {
            campaign: self.campaign,
            user: self.user,
            state: self.state,
            gate: self.gate,
            error: self.error,
            since: self.since,
            until: self.until,
        }
    }
}

/// A decision on a message of unknown fate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveMessage {
    /// Whether it is sent again; else it is closed unsent.
    resend: bool,
}

fn key(text: &str) -> Result<MessageKey, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "message" }.into())
}

/// List messages
///
/// Newest campaign first; those of one campaign, with what stopped them, are its recipients. A page looks at a bounded number of messages:
/// where few match it may hold fewer rows than asked for, even none, and still name a next one.
#[utoipa::path(
    get,
    path = "/messages",
    operation_id = "messages_list",
    tag = "Messages",
    params(Paging, ListMessages),
    responses((status = 200, description = "List messages", body = Listed<MessageRow>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked, Query(query): Query<ListMessages>) -> Answer {
    asked.answer(messages::list(&web.engine, &actor, &query.wanted(), &asked.request()).await?)
}

/// Send one message
///
/// A template to one person, through every gate, ahead of campaigns. The answer is the message as it waits; look again for what became of it.
#[utoipa::path(
    post,
    path = "/messages",
    operation_id = "messages_send",
    tag = "Messages",
    request_body(content = SingleSendForm, example = json!({"user": "01a21b02-efa0-720a-991b-f0bccf771898", "sender": "01a21b02-efa0-720a-991b-f0bccf771898", "template": "01a21b02-efa0-720a-991b-f0bccf771898"})),
    responses((status = 201, description = "Send one message", body = MessageRow), Refusals),
    security(("key" = []))
)]
async fn send(State(web): State<Web>, Key(actor): Key, Json(form): Json<SingleSendForm>) -> Answer {
    let message = single_sends::send(&web.engine, &actor, &form).await?;
    made(&message, &format!("/messages/{}", message.key))
}

/// Get a message
///
/// With its attempts, the decisions of the gates, and every exchange with the provider.
#[utoipa::path(
    get,
    path = "/messages/{key}",
    operation_id = "messages_get",
    tag = "Messages",
    params(("key" = String, Path, description = "The campaign's id, a dot, and the place in its audience", example = "01a21b02-efa0-720a-991b-f0bccf771898.1")),
    responses((status = 200, description = "Get a message", body = MessageDetail), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(text): Path<String>) -> Answer {
    one(StatusCode::OK, &messages::get(&web.engine, &actor, key(&text)?).await?)
}

/// Decide on a message of unknown fate
#[utoipa::path(
    post,
    path = "/messages/{key}/resolve",
    operation_id = "messages_resolve",
    tag = "Messages",
    params(("key" = String, Path, description = "The message", example = "01a21b02-efa0-720a-991b-f0bccf771898.1")),
    request_body(content = ResolveMessage, example = json!({"resend": false})),
    responses((status = 200, description = "Decide on a message of unknown fate", body = MessageDetail), Refusals),
    security(("key" = []))
)]
async fn resolve(
    State(web): State<Web>,
    Key(actor): Key,
    Path(text): Path<String>,
    Json(decision): Json<ResolveMessage>,
) -> Answer {
    one(StatusCode::OK, &messages::resolve(&web.engine, &actor, key(&text)?, decision.resend).await?)
}
