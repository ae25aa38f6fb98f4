//! Templates: what is sent, in versions that never change.

mod check;
mod previews;
mod render;
mod variables;

pub use previews::{preview_as, worst_case};
pub use render::{Compiled, Person, Rendered, load_version};
use variables::ATTRIBUTES_PREFIX;
pub(crate) use variables::PREFERENCES_URL;
pub use variables::known_variables;
pub(crate) use variables::remember;

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize, unchanged},
    audit::{self, Act},
    db,
    entity::{template, template_version},
    values,
};
use domain::{
    ids::TemplateId,
    operator::Operation,
    phone::Channel,
    template::{Finding, LintOptions, Template, TemplateForm, TemplateView},
};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, QueryOrder, QuerySelect, Set};
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// How many templates there may be.
pub const TEMPLATES_MAX: u64 = 1_000;

/// What is wrong with a text, or doubtful, as the editor says it: also whether anybody has its variables.
///
/// # Errors
/// [`Error::Invalid`] for a text that cannot be read, [`Error::Forbidden`].
pub async fn lint(engine: &Engine, actor: &Actor, body: &str, channel: Channel) -> Result<Vec<Finding>> {
    authorize(Operation::ContentRead, actor)?;
    let template = Template::parse(body).map_err(|error| Error::invalid("body", error.to_string()))?;
    let known: Vec<String> = known_variables(engine).await?.into_iter().collect();
    Ok(template.lint(&known, LintOptions { marketing: true, sms: channel == Channel::Sms }))
}

/// All templates by name, each in its newest version.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<TemplateView>> {
    authorize(Operation::ContentRead, actor)?;
    let conn = engine.db.read();
    let rows = template::Entity::find().order_by_asc(template::Column::Name).limit(TEMPLATES_MAX).all(conn).await?;
    let versions: Vec<template_version::Model> = db::all(
        conn,
        "SELECT v.* FROM templates t JOIN template_versions v ON v.template_id = t.id AND v.version = t.version",
        Vec::new(),
    )
    .await?;
    let mut newest: HashMap<Uuid, template_version::Model> =
        versions.into_iter().map(|version| (version.template_id, version)).collect();
    // A template that was made between the two queries has no version here yet, and is in the next list.
    rows.into_iter().filter_map(|row| newest.remove(&row.id).map(|version| row.into_view(version))).collect()
}

/// One template in its newest version.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, id: TemplateId) -> Result<TemplateView> {
    authorize(Operation::ContentRead, actor)?;
    load(engine.db.read(), id).await
}

/// One template in its newest version, within a use case.
///
/// # Errors
/// [`Error::NotFound`].
pub(crate) async fn load<C: ConnectionTrait>(conn: &C, id: TemplateId) -> Result<TemplateView> {
    let row = template::Entity::find_by_id(id.0).one(conn).await?.ok_or(Error::NotFound { what: "template" })?;
    let version = template_version::Entity::find_by_id((id.0, row.version)).one(conn).await?;
    row.into_view(version.ok_or(Error::NotFound { what: "template" })?)
}

/// Makes a template, in version 1.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Conflict`] when the name is taken, [`Error::Forbidden`].
pub async fn create(engine: &Engine, actor: &Actor, form: &TemplateForm) -> Result<TemplateView> {
    authorize(Operation::ContentWrite, actor)?;
    let form = check::check(form, &known_variables(engine).await?)?;
    let tx = engine.db.begin().await?;
    name_is_free(&tx, &form.name, None).await?;
    let count = db::scalar::<i64, _>(&tx, "SELECT count(*) AS value FROM templates", Vec::new()).await?;
    if count.is_some_and(|count| count.unsigned_abs() >= TEMPLATES_MAX) {
        return Err(Error::conflict(format!("there are {TEMPLATES_MAX} templates already, which is the limit")));
    }
    let now = engine.clock.now();
    let row = template::ActiveModel {
        id: Set(engine.clock.new_id()),
        name: Set(form.name.clone()),
        channel: Set(form.channel.to_string()),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let row = row.insert(&tx).await?;
    insert_version(engine, &tx, row.id, 1, &form).await?;
    let view = load(&tx, TemplateId(row.id)).await?;
    let act = Act {
        action: "template.create",
        target: format!("template:{}", row.id),
        before: None,
        after: Some(serde_json::to_value(&view)?),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(view)
}

/// Changes a template by a new version; campaigns that were launched keep theirs. A change of the name alone makes none.
///
/// # Errors
/// [`Error::Invalid`] by field, also for another channel; [`Error::Conflict`] when the name is taken,
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(engine: &Engine, actor: &Actor, id: TemplateId, form: &TemplateForm) -> Result<TemplateView> {
    authorize(Operation::ContentWrite, actor)?;
    let form = check::check(form, &known_variables(engine).await?)?;
    let tx = engine.db.begin().await?;
    db::lock_row(&tx, "templates", id.0).await?;
    let before = load(&tx, id).await?;
    unchanged(actor, &before)?;
    if before.channel != form.channel {
        return Err(Error::invalid("channel", "a template stays on its channel; make another for this one"));
    }
    name_is_free(&tx, &form.name, Some(id)).await?;
    let sid = Some(form.content_sid.clone()).filter(|sid| !sid.is_empty());
    let same = before.body == form.body
        && before.content_sid == sid
        && before.content_variables == form.content_variables
        && before.locales == form.locales;
    let version = if same { before.version } else { before.version + 1 };
    if !same {
        insert_version(engine, &tx, id.0, version, &form).await?;
    }
    db::exec(
        &tx,
        "UPDATE templates SET name = $2, version = $3, updated_at = $4 WHERE id = $1",
        values![id.0, form.name.as_str(), version, engine.clock.now()],
    )
    .await?;
    let after = load(&tx, id).await?;
    let act = Act {
        action: "template.update",
        target: format!("template:{id}"),
        before: Some(serde_json::to_value(&before)?),
        after: Some(serde_json::to_value(&after)?),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(after)
}

/// Deletes a template that no campaign names, with all its versions. What was sent stays explained: a campaign keeps its
/// template for as long as there is the campaign.
///
/// # Errors
/// [`Error::Conflict`] with the name of a campaign that names it, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(engine: &Engine, actor: &Actor, id: TemplateId) -> Result<()> {
    authorize(Operation::ContentWrite, actor)?;
    let tx = engine.db.begin().await?;
    db::lock_row(&tx, "templates", id.0).await?;
    let before = load(&tx, id).await?;
    let used = "SELECT name AS value FROM campaigns WHERE template_id = $1 ORDER BY id DESC LIMIT 1";
    if let Some(name) = db::scalar::<String, _>(&tx, used, values![id.0]).await? {
        return Err(Error::conflict(format!("the campaign \"{name}\" uses this template")));
    }
    for table in ["template_versions WHERE template_id", "templates WHERE id"] {
        db::exec(&tx, &format!("DELETE FROM {table} = $1"), values![id.0]).await?;
    }
    let act = Act {
        action: "template.delete",
        target: format!("template:{id}"),
        before: Some(serde_json::to_value(&before)?),
        after: None,
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

async fn insert_version<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    template_id: Uuid,
    version: i32,
    form: &TemplateForm,
) -> Result<()> {
    let row = template_version::ActiveModel {
        template_id: Set(template_id),
        version: Set(version),
        body: Set(form.body.clone()),
        content_sid: Set(Some(form.content_sid.clone()).filter(|sid| !sid.is_empty())),
        content_variables: Set(json!(form.content_variables)),
        locales: Set(json!(form.locales)),
        created_at: Set(engine.clock.now()),
    };
    row.insert(conn).await?;
    Ok(())
}

async fn name_is_free<C: ConnectionTrait>(conn: &C, name: &str, except: Option<TemplateId>) -> Result<()> {
    let holder =
        db::scalar::<Uuid, _>(conn, "SELECT id AS value FROM templates WHERE name = $1", values![name]).await?;
    if holder.is_some_and(|holder| except.is_none_or(|own| own.0 != holder)) {
        return Err(Error::conflict(format!("there is a template \"{name}\" already")));
    }
    Ok(())
}
