//! What people wrote.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals},
    extract::{Key, Query},
};
use crate::web::Web;
use axum::extract::State;
use domain::{
    ids::UserId,
    inbound::{InboundKind, InboundMessage},
};
use engine::inbound;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListInbound {
    /// Only those that were taken for this.
    #[param(inline)]
    kind: Option<InboundKind>,
    /// Only this user's.
    user: Option<UserId>,
}

/// List inbound messages
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/inbound",
    operation_id = "inbound_list",
    tag = "Inbound",
    params(Paging, ListInbound),
    responses((status = 200, description = "List inbound messages", body = Listed<InboundMessage>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked, Query(query): Query<ListInbound>) -> Answer {
    asked.answer(inbound::list(&web.engine, &actor, query.kind, query.user, &asked.request()).await?)
}
