//! Subscriptions.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::{TopicId, UserId},
    topic::SubscriptionState,
};
use leptos::{prelude::*, server_fn::codec::Json};

/// Records a person's choice on a topic, with evidence.
#[server(prefix = "/ui/fn", endpoint = "subscriptions/set", input = Json)]
pub async fn set(user: UserId, topic: TopicId, state: SubscriptionState, evidence: String) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::subscriptions::set(&engine, &actor, user, topic, state, &evidence).await?)
}
