//! What people wrote.

use super::{
    answer::{Answer, Asked, Failure, Listed, Refusals},
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
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListInbound {
    /// Where the page begins: `next` or `prev` of another page.
    cursor: Option<String>,
    /// How many rows, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only these fields of each row, separated by commas.
    #[param(example = "id")]
    fields: Option<String>,
    /// Only those that were taken for this.
    #[param(inline)]
    kind: Option<InboundKind>,
    /// Only this user's.
    user: Option<UserId>,
}

impl ListInbound {
    fn asked(&self, web: &Web) -> Result<Asked, Failure> {
        Asked::read(&web.cursors, self.cursor.as_deref(), self.limit, self.fields.as_deref())
    }
}

/// List inbound messages
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/inbound",
    operation_id = "inbound_list",
    tag = "Inbound",
    params(ListInbound),
    responses((status = 200, description = "List inbound messages", body = Listed<InboundMessage>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, Query(query): Query<ListInbound>) -> Answer {
    let asked = query.asked(&web)?;
    asked.answer(&web.cursors, inbound::list(&web.engine, &actor, query.kind, query.user, &asked.request()).await?)
}
