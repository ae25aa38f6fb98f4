//! Senders.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, one},
    extract::{Key, Path},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use domain::{ids::SenderId, sender::Sender};
use engine::senders;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// List senders
///
/// By name.
#[utoipa::path(
    get,
    path = "/senders",
    operation_id = "senders_list",
    tag = "Senders",
    params(Paging),
    responses((status = 200, description = "List senders", body = Listed<Sender>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer_of_all(senders::list(&web.engine, &actor).await?, |sender| format!("{}\0{}", sender.name, sender.id))
}

/// Get a sender
#[utoipa::path(
    get,
    path = "/senders/{id}",
    operation_id = "senders_get",
    tag = "Senders",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a sender", body = Sender), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<SenderId>) -> Answer {
    one(StatusCode::OK, &senders::get(&web.engine, &actor, id).await?)
}
