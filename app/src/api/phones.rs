//! The simulator's phones. With a real provider there are none: `NotFound`.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    handset::{Handset, HandsetMessage},
    phone::{Channel, Phone},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// The phones that got or wrote a message.
#[server(prefix = "/ui/fn", endpoint = "phones/list", input = Json)]
pub async fn list() -> Result<Vec<Handset>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::phones::list(&engine, &actor).await?)
}

/// What is on a phone, oldest first.
#[server(prefix = "/ui/fn", endpoint = "phones/thread", input = Json)]
pub async fn thread(phone: Phone) -> Result<Vec<HandsetMessage>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::phones::thread(&engine, &actor, &phone).await?)
}

/// Writes to us from a phone, as the person would.
#[server(prefix = "/ui/fn", endpoint = "phones/write", input = Json)]
pub async fn write(phone: Phone, sender: String, channel: Channel, text: String) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::phones::write(&engine, &actor, &phone, &sender, channel, &text).await?)
}
