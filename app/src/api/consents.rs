//! Consent.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{consent::ConsentKind, ids::UserId, phone::Channel, user::User};
use leptos::{prelude::*, server_fn::codec::Json};

/// Records an opt-in or opt-out on behalf of a person, with evidence.
#[server(prefix = "/ui/fn", endpoint = "consents/record", input = Json)]
pub async fn record(user: UserId, channel: Channel, kind: ConsentKind, evidence: String) -> Result<User, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::consents::record(&engine, &actor, user, channel, kind, &evidence).await?)
}
