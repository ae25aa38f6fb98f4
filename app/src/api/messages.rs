//! Messages.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::MessageKey,
    message::{DecisionEntry, DecisionQuery, MessageDetail, MessageQuery, MessageRow},
    page::{Page, PageRequest},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// One page of the messages that match, newest first.
#[server(prefix = "/ui/fn", endpoint = "messages/list", input = Json)]
pub async fn list(query: MessageQuery, page: PageRequest) -> Result<Page<MessageRow>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::messages::list(&engine, &actor, &query, &page).await?)
}

/// One page of the ledger of decisions.
#[server(prefix = "/ui/fn", endpoint = "messages/decisions", input = Json)]
pub async fn decisions(query: DecisionQuery, page: PageRequest) -> Result<Page<DecisionEntry>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::decisions::list(&engine, &actor, &query, &page).await?)
}

/// One message, with everything that is known of it.
#[server(prefix = "/ui/fn", endpoint = "messages/get", input = Json)]
pub async fn get(key: MessageKey) -> Result<MessageDetail, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::messages::get(&engine, &actor, key).await?)
}

/// Decides on a message whose fate is not known: it is sent again, or closed unsent.
#[server(prefix = "/ui/fn", endpoint = "messages/resolve", input = Json)]
pub async fn resolve(key: MessageKey, resend: bool) -> Result<MessageDetail, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::messages::resolve(&engine, &actor, key, resend).await?)
}
