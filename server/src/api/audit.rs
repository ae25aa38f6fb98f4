//! The audit log.

use super::{
    answer::{Answer, Asked, Failure, Listed, Refusals},
    extract::{Key, Query},
};
use crate::web::Web;
use axum::extract::State;
use domain::audit::AuditEntry;
use engine::audit;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListAudit {
    /// Where the page begins: `next` or `prev` of another page.
    cursor: Option<String>,
    /// How many rows, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only these fields of each row, separated by commas.
    #[param(example = "id")]
    fields: Option<String>,
}

impl ListAudit {
    fn asked(&self, web: &Web) -> Result<Asked, Failure> {
        Asked::read(&web.cursors, self.cursor.as_deref(), self.limit, self.fields.as_deref())
    }
}

/// List the audit log
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "audit_list",
    tag = "Audit",
    params(ListAudit),
    responses((status = 200, description = "List the audit log", body = Listed<AuditEntry>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, Query(query): Query<ListAudit>) -> Answer {
    let asked = query.asked(&web)?;
    asked.answer(&web.cursors, audit::list(&web.engine, &actor, &asked.request()).await?)
}
