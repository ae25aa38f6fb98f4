//! Keys of the REST API.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    api_key::{ApiKey, ApiKeyForm, NewApiKey},
    ids::ApiKeyId,
};
use leptos::{prelude::*, server_fn::codec::Json};

/// All keys, newest first, with those that were taken back.
#[server(prefix = "/ui/fn", endpoint = "api_keys/list", input = Json)]
pub async fn list() -> Result<Vec<ApiKey>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::api_keys::list(&engine, &actor).await?)
}

/// Makes a key; its secret is in this answer and nowhere else.
#[server(prefix = "/ui/fn", endpoint = "api_keys/create", input = Json)]
pub async fn create(form: ApiKeyForm) -> Result<NewApiKey, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::api_keys::create(&engine, &actor, &form).await?)
}

/// Takes a key back.
#[server(prefix = "/ui/fn", endpoint = "api_keys/revoke", input = Json)]
pub async fn revoke(id: ApiKeyId) -> Result<ApiKey, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::api_keys::revoke(&engine, &actor, id).await?)
}
