//! What people wrote to us.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::UserId,
    inbound::{InboundKind, InboundMessage},
    page::{Page, PageRequest},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of the messages of this kind, from this person, newest first.
#[server(prefix = "/ui/fn", endpoint = "inbound/list", input = Json)]
pub async fn list(
    kind: Option<InboundKind>,
    user: Option<UserId>,
    page: PageRequest,
) -> Result<Page<InboundMessage>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::inbound::list(&engine, &actor, kind, user, &page).await?)
}
