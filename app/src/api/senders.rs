//! Senders.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::sender::Sender;
use leptos::{prelude::*, server_fn::codec::Json};

/// All senders.
#[server(prefix = "/ui/fn", endpoint = "senders/list", input = Json)]
pub async fn list() -> Result<Vec<Sender>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::senders::list(&engine, &actor).await?)
}
