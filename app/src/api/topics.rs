//! Topics.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::topic::{Topic, TopicForm};
use leptos::{prelude::*, server_fn::codec::Json};

/// All topics.
#[server(prefix = "/ui/fn", endpoint = "topics/list", input = Json)]
pub async fn list() -> Result<Vec<Topic>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::topics::list(&engine, &actor).await?)
}

/// Adds a topic.
#[server(prefix = "/ui/fn", endpoint = "topics/create", input = Json)]
pub async fn create(form: TopicForm) -> Result<Topic, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::topics::create(&engine, &actor, &form).await?)
}
