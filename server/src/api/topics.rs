//! Topics that people follow.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, done, made, one},
    extract::{Json, Key, Path},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use domain::{
    ids::TopicId,
    topic::{Topic, TopicForm},
};
use engine::topics;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, remove))
}

/// List topics
///
/// By keyword.
#[utoipa::path(
    get,
    path = "/topics",
    operation_id = "topics_list",
    tag = "Topics",
    params(Paging),
    responses((status = 200, description = "List topics", body = Listed<Topic>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer_of_all(topics::list(&web.engine, &actor).await?, |topic| topic.key.clone())
}

/// Create a topic
#[utoipa::path(
    post,
    path = "/topics",
    operation_id = "topics_create",
    tag = "Topics",
    request_body(content = TopicForm, example = json!({"key": "offers", "name": "Offers", "kind": "opt_in"})),
    responses((status = 201, description = "Create a topic", body = Topic), Refusals),
    security(("key" = []))
)]
async fn create(State(web): State<Web>, Key(actor): Key, Json(form): Json<TopicForm>) -> Answer {
    let topic = topics::create(&web.engine, &actor, &form).await?;
    made(&topic, &format!("/topics/{}", topic.id))
}

/// Get a topic
#[utoipa::path(
    get,
    path = "/topics/{id}",
    operation_id = "topics_get",
    tag = "Topics",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a topic", body = Topic), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<TopicId>) -> Answer {
    one(StatusCode::OK, &topics::get(&web.engine, &actor, id).await?)
}

/// Change a topic
///
/// Its keyword stays.
#[utoipa::path(
    put,
    path = "/topics/{id}",
    operation_id = "topics_update",
    tag = "Topics",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("If-Match" = Option<String>, Header, description = "The ETag that the topic was read with")),
    request_body(content = TopicForm, example = json!({"key": "offers", "name": "Deals", "kind": "opt_in"})),
    responses((status = 200, description = "Change a topic", body = Topic), Refusals),
    security(("key" = []))
)]
async fn update(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<TopicId>,
    Json(form): Json<TopicForm>,
) -> Answer {
    one(StatusCode::OK, &topics::update(&web.engine, &actor, id, &form).await?)
}

/// Delete a topic that nothing needs
#[utoipa::path(
    delete,
    path = "/topics/{id}",
    operation_id = "topics_remove",
    tag = "Topics",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 204, description = "Delete a topic that nothing needs"), Refusals),
    security(("key" = []))
)]
async fn remove(State(web): State<Web>, Key(actor): Key, Path(id): Path<TopicId>) -> Answer {
    topics::delete(&web.engine, &actor, id).await?;
    done()
}
