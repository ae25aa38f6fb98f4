//! Test sends.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::UserId,
    test_send::{TestMessage, TestPerson, TestSendForm},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// Everyone whom test sends may reach.
#[server(prefix = "/ui/fn", endpoint = "test_sends/people", input = Json)]
pub async fn people() -> Result<Vec<TestPerson>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::test_sends::people(&engine, &actor).await?)
}

/// Marks someone as a person whom test sends may reach, or takes the mark away.
#[server(prefix = "/ui/fn", endpoint = "test_sends/mark", input = Json)]
pub async fn mark(user: UserId, marked: bool) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::test_sends::mark(&engine, &actor, user, marked).await?)
}

/// Sends a template to marked people.
#[server(prefix = "/ui/fn", endpoint = "test_sends/send", input = Json)]
pub async fn send_to_marked(form: TestSendForm) -> Result<Vec<TestMessage>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::test_sends::send(&engine, &actor, &form).await?)
}
