//! The ledger of decisions.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals},
    extract::{Key, Query},
};
use crate::web::Web;
use axum::extract::State;
use domain::{
    compliance::Gate,
    ids::{CampaignId, UserId},
    message::{DecisionEntry, DecisionQuery},
};
use engine::decisions;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which decisions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListDecisions {
    /// Only of this campaign.
    campaign: Option<CampaignId>,
    /// Only on this user's messages.
    user: Option<UserId>,
    /// Only of this gate.
    #[param(inline)]
    gate: Option<Gate>,
}

/// List decisions
///
/// Every time a gate skipped a message or told it to wait, with the fact it used. One user's come newest first; else those of the
/// newest campaign come first.
#[utoipa::path(
    get,
    path = "/decisions",
    operation_id = "decisions_list",
    tag = "Messages",
    params(Paging, ListDecisions),
    responses((status = 200, description = "List decisions", body = Listed<DecisionEntry>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked, Query(query): Query<ListDecisions>) -> Answer {
    let query = DecisionQuery { campaign: query.campaign, user: query.user, gate: query.gate };
    asked.answer(decisions::list(&web.engine, &actor, &query, &asked.request()).await?)
}
