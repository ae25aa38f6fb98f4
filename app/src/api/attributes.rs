//! Declared attributes.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    attribute::{Attribute, AttributeForm},
    ids::AttributeId,
};
use leptos::{prelude::*, server_fn::codec::Json};

/// All declared attributes, by name.
#[server(prefix = "/ui/fn", endpoint = "attributes/list", input = Json)]
pub async fn list() -> Result<Vec<Attribute>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::attributes::list(&engine, &actor).await?)
}

/// Declares an attribute.
#[server(prefix = "/ui/fn", endpoint = "attributes/create", input = Json)]
pub async fn create(form: AttributeForm) -> Result<Attribute, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::attributes::create(&engine, &actor, &form).await?)
}

/// Takes a declaration back.
#[server(prefix = "/ui/fn", endpoint = "attributes/delete", input = Json)]
pub async fn delete(id: AttributeId) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::attributes::delete(&engine, &actor, id).await?)
}
