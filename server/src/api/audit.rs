//! The audit log.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals},
    extract::Key,
};
use crate::web::Web;
use axum::extract::State;
use domain::audit::AuditEntry;
use engine::audit;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List the audit log
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "audit_list",
    tag = "Audit",
    params(Paging),
    responses((status = 200, description = "List the audit log", body = Listed<AuditEntry>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer(audit::list(&web.engine, &actor, &asked.request()).await?)
}
