//! Templates, their versions, previews and tests.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, Rows, done, made, one},
    extract::{Json, Key, Path},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use domain::{
    ids::{TemplateId, UserId},
    phone::Channel,
    template::{Finding, TemplateForm, TemplatePreview, TemplateView},
    test_send::{TestMessage, TestSendForm},
};
use engine::{templates, test_sends};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, remove))
        .routes(routes!(preview))
        .routes(routes!(lint))
        .routes(routes!(test))
}

/// A preview to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewAsked {
    /// The template as it is now, saved or not.
    template: TemplateForm,
    /// As whom; `null` for the worst case.
    #[serde(default)]
    user: Option<UserId>,
    /// In which language the worst case is looked for.
    #[serde(default)]
    locale: Option<String>,
}

/// A text to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LintAsked {
    /// The text.
    body: String,
    /// By what it is sent.
    channel: Channel,
}

/// List templates
///
/// By name.
#[utoipa::path(
    get,
    path = "/templates",
    operation_id = "templates_list",
    tag = "Templates",
    params(Paging),
    responses((status = 200, description = "List templates", body = Listed<TemplateView>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer_of_all(templates::list(&web.engine, &actor).await?, |template| template.name.clone())
}

/// Create a template
#[utoipa::path(
    post,
    path = "/templates",
    operation_id = "templates_create",
    tag = "Templates",
    request_body(content = TemplateForm, example = json!({"name": "Welcome", "channel": "sms", "body": "Hi {{ first_name | default(\"there\") }}! Reply STOP to opt out.", "content_sid": "", "content_variables": {}, "locales": {}})),
    responses((status = 201, description = "Create a template", body = TemplateView), Refusals),
    security(("key" = []))
)]
async fn create(State(web): State<Web>, Key(actor): Key, Json(form): Json<TemplateForm>) -> Answer {
    let template = templates::create(&web.engine, &actor, &form).await?;
    made(&template, &format!("/templates/{}", template.id))
}

/// Get a template
#[utoipa::path(
    get,
    path = "/templates/{id}",
    operation_id = "templates_get",
    tag = "Templates",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a template", body = TemplateView), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<TemplateId>) -> Answer {
    one(StatusCode::OK, &templates::get(&web.engine, &actor, id).await?)
}

/// Write a new version of a template
///
/// Campaigns that were launched keep the version they pinned.
#[utoipa::path(
    put,
    path = "/templates/{id}",
    operation_id = "templates_update",
    tag = "Templates",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("If-Match" = Option<String>, Header, description = "The ETag that the template was read with")),
    request_body(content = TemplateForm, example = json!({"name": "Welcome", "channel": "sms", "body": "Hi {{ first_name | default(\"there\") }}! Reply STOP to opt out.", "content_sid": "", "content_variables": {}, "locales": {}})),
    responses((status = 200, description = "Write a new version of a template", body = TemplateView), Refusals),
    security(("key" = []))
)]
async fn update(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<TemplateId>,
    Json(form): Json<TemplateForm>,
) -> Answer {
    one(StatusCode::OK, &templates::update(&web.engine, &actor, id, &form).await?)
}

/// Delete a template
///
/// With all its versions; one that any campaign names stays.
#[utoipa::path(
    delete,
    path = "/templates/{id}",
    operation_id = "templates_remove",
    tag = "Templates",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 204, description = "Delete a template"), Refusals),
    security(("key" = []))
)]
async fn remove(State(web): State<Web>, Key(actor): Key, Path(id): Path<TemplateId>) -> Answer {
    templates::delete(&web.engine, &actor, id).await?;
    done()
}

/// A text as a person would get it
///
/// Without a person: the worst case, with the longest values that anybody has.
#[utoipa::path(
    post,
    path = "/templates/preview",
    operation_id = "templates_preview",
    tag = "Templates",
    request_body(content = PreviewAsked, example = json!({"template": {"name": "Welcome", "channel": "sms", "body": "Hi {{ first_name | default(\"there\") }}! Reply STOP to opt out.", "content_sid": "", "content_variables": {}, "locales": {}}})),
    responses((status = 200, description = "A text as a person would get it", body = TemplatePreview), Refusals),
    security(("key" = []))
)]
async fn preview(State(web): State<Web>, Key(actor): Key, Json(asked): Json<PreviewAsked>) -> Answer {
    let preview = match asked.user {
        Some(user) => templates::preview_as(&web.engine, &actor, &asked.template, user).await?,
        None => templates::worst_case(&web.engine, &actor, &asked.template, asked.locale.as_deref()).await?,
    };
    one(StatusCode::OK, &preview)
}

/// What is wrong with a text, or doubtful
#[utoipa::path(
    post,
    path = "/templates/lint",
    operation_id = "templates_lint",
    tag = "Templates",
    request_body(content = LintAsked, example = json!({"body": "Hi {{ first_name }}!", "channel": "sms"})),
    responses((status = 200, description = "What is wrong with a text, or doubtful", body = Rows<Finding>), Refusals),
    security(("key" = []))
)]
async fn lint(State(web): State<Web>, Key(actor): Key, Json(asked): Json<LintAsked>) -> Answer {
    one(StatusCode::OK, &Rows { data: templates::lint(&web.engine, &actor, &asked.body, asked.channel).await? })
}

/// Send a test
///
/// To people who are marked for it in the dashboard, through every gate.
#[utoipa::path(
    post,
    path = "/templates/test",
    operation_id = "templates_test",
    tag = "Templates",
    request_body(content = TestSendForm, example = json!({"sender": "01a21b02-efa0-720a-991b-f0bccf771898", "template": "01a21b02-efa0-720a-991b-f0bccf771898", "topic": null, "people": ["01a21b02-efa0-720a-991b-f0bccf771898"]})),
    responses((status = 200, description = "Send a test", body = Rows<TestMessage>), Refusals),
    security(("key" = []))
)]
async fn test(State(web): State<Web>, Key(actor): Key, Json(form): Json<TestSendForm>) -> Answer {
    one(StatusCode::OK, &Rows { data: test_sends::send(&web.engine, &actor, &form).await? })
}
