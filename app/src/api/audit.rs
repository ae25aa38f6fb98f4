//! The audit log.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    audit::AuditEntry,
    page::{Page, PageRequest},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of the audit log, newest first.
#[server(prefix = "/ui/fn", endpoint = "audit/list", input = Json)]
pub async fn list(page: PageRequest) -> Result<Page<AuditEntry>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::audit::list(&engine, &actor, &page).await?)
}
