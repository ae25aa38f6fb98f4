//! Declared attributes.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, done, made, one},
    extract::{Json, Key, Path},
};
use crate::web::Web;
use axum::{extract::State, http::StatusCode};
use domain::{
    attribute::{Attribute, AttributeForm},
    ids::AttributeId,
};
use engine::attributes;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, remove))
}

/// List declared attributes
///
/// By name.
#[utoipa::path(
    get,
    path = "/attributes",
    operation_id = "attributes_list",
    tag = "Attributes",
    params(Paging),
    responses((status = 200, description = "List declared attributes", body = Listed<Attribute>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer_of_all(attributes::list(&web.engine, &actor).await?, |attribute| attribute.name.clone())
}

/// Declare an attribute
///
/// Values that people have already are brought to its kind; if one cannot be, nothing changes.
#[utoipa::path(
    post,
    path = "/attributes",
    operation_id = "attributes_create",
    tag = "Attributes",
    request_body(content = AttributeForm, example = json!({"name": "age", "kind": "number", "description": "In years"})),
    responses((status = 201, description = "Declare an attribute", body = Attribute), Refusals),
    security(("key" = []))
)]
async fn create(State(web): State<Web>, Key(actor): Key, Json(form): Json<AttributeForm>) -> Answer {
    let attribute = attributes::create(&web.engine, &actor, &form).await?;
    made(&attribute, &format!("/attributes/{}", attribute.id))
}

/// Get a declared attribute
#[utoipa::path(
    get,
    path = "/attributes/{id}",
    operation_id = "attributes_get",
    tag = "Attributes",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get a declared attribute", body = Attribute), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<AttributeId>) -> Answer {
    one(StatusCode::OK, &attributes::get(&web.engine, &actor, id).await?)
}

/// Change what an attribute holds and means
///
/// Its name stays. Values that people have are brought to another kind; if one cannot be, nothing changes.
#[utoipa::path(
    put,
    path = "/attributes/{id}",
    operation_id = "attributes_update",
    tag = "Attributes",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), ("If-Match" = Option<String>, Header, description = "The ETag that the attribute was read with")),
    request_body(content = AttributeForm, example = json!({"name": "age", "kind": "number", "description": "In years"})),
    responses((status = 200, description = "Change what an attribute holds and means", body = Attribute), Refusals),
    security(("key" = []))
)]
async fn update(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<AttributeId>,
    Json(form): Json<AttributeForm>,
) -> Answer {
    one(StatusCode::OK, &attributes::update(&web.engine, &actor, id, &form).await?)
}

/// Take a declaration back
///
/// People keep their values.
#[utoipa::path(
    delete,
    path = "/attributes/{id}",
    operation_id = "attributes_remove",
    tag = "Attributes",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 204, description = "Take a declaration back"), Refusals),
    security(("key" = []))
)]
async fn remove(State(web): State<Web>, Key(actor): Key, Path(id): Path<AttributeId>) -> Answer {
    attributes::delete(&web.engine, &actor, id).await?;
    done()
}
