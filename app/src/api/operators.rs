//! Operators.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::operator::Viewer;
use leptos::{prelude::*, server_fn::codec::Json};

/// Who looks at the page, and what they may do.
#[server(prefix = "/ui/fn", endpoint = "operators/whoami", input = Json)]
pub async fn whoami() -> Result<Viewer, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::operators::viewer(&engine, &actor).await?)
}

/// Sets one's own password; the old one is needed if there is one.
#[server(prefix = "/ui/fn", endpoint = "operators/set_password", input = Json)]
pub async fn set_password(old: Option<String>, new: String) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::operators::set_password(&engine, &actor, old.as_deref(), &new).await?)
}
