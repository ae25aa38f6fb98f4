//! Templates.

use super::Failure;
#[cfg(feature = "ssr")]
use super::caller;
use domain::{
    ids::{TemplateId, UserId},
    template::{TemplateForm, TemplatePreview, TemplateView},
};
use leptos::{prelude::*, server_fn::codec::Json};

/// All templates, each in its newest version.
#[server(prefix = "/ui/fn", endpoint = "templates/list", input = Json)]
pub async fn list() -> Result<Vec<TemplateView>, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::templates::list(&engine, &actor).await?)
}

/// One template in its newest version.
#[server(prefix = "/ui/fn", endpoint = "templates/get", input = Json)]
pub async fn get(id: TemplateId) -> Result<TemplateView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::templates::get(&engine, &actor, id).await?)
}

/// Makes a template.
#[server(prefix = "/ui/fn", endpoint = "templates/create", input = Json)]
pub async fn create(form: TemplateForm) -> Result<TemplateView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::templates::create(&engine, &actor, &form).await?)
}

/// Makes a new version of a template; campaigns that were launched keep theirs.
#[server(prefix = "/ui/fn", endpoint = "templates/update", input = Json)]
pub async fn update(id: TemplateId, form: TemplateForm) -> Result<TemplateView, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::templates::update(&engine, &actor, id, &form).await?)
}

/// Deletes a template that no campaign names.
#[server(prefix = "/ui/fn", endpoint = "templates/delete", input = Json)]
pub async fn delete(id: TemplateId) -> Result<(), Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::templates::delete(&engine, &actor, id).await?)
}

/// A text as this person would get it.
#[server(prefix = "/ui/fn", endpoint = "templates/preview_as", input = Json)]
pub async fn preview_as(form: TemplateForm, user: UserId) -> Result<TemplatePreview, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::templates::preview_as(&engine, &actor, &form, user).await?)
}

/// A text with the worst values that people have.
#[server(prefix = "/ui/fn", endpoint = "templates/worst_case", input = Json)]
pub async fn worst_case(form: TemplateForm, locale: Option<String>) -> Result<TemplatePreview, Failure> {
    let (engine, actor) = caller()?;
    Ok(engine::templates::worst_case(&engine, &actor, &form, locale.as_deref()).await?)
}
