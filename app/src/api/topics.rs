//! Topics.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::TopicId,
    topic::{Topic, TopicForm},
};
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

/// Changes a topic's name and whom it reaches.
#[server(prefix = "/ui/fn", endpoint = "topics/update", input = Json)]
pub async fn update(id: TopicId, form: TopicForm) -> Result<Topic, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::topics::update(&engine, &actor, id, &form).await?)
}

/// Deletes a topic that nothing needs.
#[server(prefix = "/ui/fn", endpoint = "topics/delete", input = Json)]
pub async fn delete(id: TopicId) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::topics::delete(&engine, &actor, id).await?)
}
