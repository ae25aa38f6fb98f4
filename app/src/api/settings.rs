//! What holds for the whole workspace.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use leptos::{prelude::*, server_fn::codec::Json};

/// Whether campaigns start only by the word of a second operator.
#[server(prefix = "/ui/fn", endpoint = "settings/approval_required", input = Json)]
pub async fn approval_required() -> Result<bool, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::approval_required(&engine, &actor).await?)
}

/// Says whether campaigns start only by the word of a second operator.
#[server(prefix = "/ui/fn", endpoint = "settings/require_approval", input = Json)]
pub async fn require_approval(required: bool) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::campaigns::require_approval(&engine, &actor, required).await?)
}
