//! Imports: a file, checked, applied, undone.

use super::{
    answer::{Answer, Asked, Listed, Paging, Refusals, made, one},
    extract::{Json, Key, Path, Query},
};
use crate::web::Web;
use axum::{extract::Request, extract::State, http::StatusCode};
use domain::{
    ids::ImportId,
    import::{ImportOptions, ImportReject, ImportView},
};
use engine::imports;
use futures::TryStreamExt as _;
use serde::Deserialize;
use std::io;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, upload))
        .routes(routes!(get))
        .routes(routes!(check))
        .routes(routes!(apply))
        .routes(routes!(undo))
        .routes(routes!(rejects))
}

/// What comes with a file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Upload {
    /// The file's name, for people to recognise it by.
    #[param(example = "people.csv")]
    name: Option<String>,
}

/// The word that lets an import go in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ApplyImport)]
#[serde(deny_unknown_fields)]
struct Word {
    /// Whether a held list is applied all the same.
    confirmed: bool,
}

/// List imports
#[utoipa::path(
    get,
    path = "/imports",
    operation_id = "imports_list",
    tag = "Imports",
    params(Paging),
    responses((status = 200, description = "List imports", body = Listed<ImportView>), Refusals),
    security(("key" = []))
)]
async fn list(State(web): State<Web>, Key(actor): Key, asked: Asked) -> Answer {
    asked.answer(imports::list(&web.engine, &actor, &asked.request()).await?)
}

/// Upload a file
///
/// The body is the file: CSV or JSON, in any encoding, of any length up to the configured limit. Nothing is entered yet; the answer proposes
/// what each column holds.
#[utoipa::path(
    post,
    path = "/imports",
    operation_id = "imports_upload",
    tag = "Imports",
    params(Upload),
    request_body(content = String, content_type = "application/octet-stream", example = "phone,name\n+12025550143,Ann\n"),
    responses((status = 201, description = "The import, with a proposed mapping", body = ImportView), Refusals),
    security(("key" = []))
)]
async fn upload(State(web): State<Web>, Key(actor): Key, Query(upload): Query<Upload>, request: Request) -> Answer {
    let body = request.into_body().into_data_stream().map_err(io::Error::other);
    let import = imports::create(&web.engine, &actor, upload.name.as_deref().unwrap_or_default(), body).await?;
    made(&import, &format!("/imports/{}", import.id))
}

/// Get an import
///
/// With its progress and report.
#[utoipa::path(
    get,
    path = "/imports/{id}",
    operation_id = "imports_get",
    tag = "Imports",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Get an import", body = ImportView), Refusals),
    security(("key" = []))
)]
async fn get(State(web): State<Web>, Key(actor): Key, Path(id): Path<ImportId>) -> Answer {
    one(StatusCode::OK, &imports::get(&web.engine, &actor, id).await?)
}

/// Check an import
///
/// A full dry pass, in the background: the report foresees what applying does.
#[utoipa::path(
    post,
    path = "/imports/{id}/check",
    operation_id = "imports_check",
    tag = "Imports",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    request_body(content = ImportOptions, example = json!({"mapping": ["phone", "name"], "default_region": null, "sms_evidence": "list of 12 May", "policies": {}, "repairs": []})),
    responses((status = 200, description = "Check an import", body = ImportView), Refusals),
    security(("key" = []))
)]
async fn check(
    State(web): State<Web>,
    Key(actor): Key,
    Path(id): Path<ImportId>,
    Json(options): Json<ImportOptions>,
) -> Answer {
    one(StatusCode::OK, &imports::check(&web.engine, &actor, id, &options).await?)
}

/// Apply a checked import
///
/// `confirmed` is the second word that a list asks for which looks bought.
#[utoipa::path(
    post,
    path = "/imports/{id}/apply",
    operation_id = "imports_apply",
    tag = "Imports",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    request_body(content = Word, example = json!({"confirmed": false})),
    responses((status = 200, description = "Apply a checked import", body = ImportView), Refusals),
    security(("key" = []))
)]
async fn apply(State(web): State<Web>, Key(actor): Key, Path(id): Path<ImportId>, Json(word): Json<Word>) -> Answer {
    one(StatusCode::OK, &imports::apply(&web.engine, &actor, id, word.confirmed).await?)
}

/// Undo an import
///
/// What nobody touched since is as it was before.
#[utoipa::path(
    post,
    path = "/imports/{id}/undo",
    operation_id = "imports_undo",
    tag = "Imports",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898")),
    responses((status = 200, description = "Undo an import", body = ImportView), Refusals),
    security(("key" = []))
)]
async fn undo(State(web): State<Web>, Key(actor): Key, Path(id): Path<ImportId>) -> Answer {
    one(StatusCode::OK, &imports::undo(&web.engine, &actor, id).await?)
}

/// The refused rows of an import
#[utoipa::path(
    get,
    path = "/imports/{id}/rejects",
    operation_id = "imports_rejects",
    tag = "Imports",
    params(("id" = String, Path, description = "Its id", example = "01a21b02-efa0-720a-991b-f0bccf771898"), Paging),
    responses((status = 200, description = "The refused rows of an import", body = Listed<ImportReject>), Refusals),
    security(("key" = []))
)]
async fn rejects(State(web): State<Web>, Key(actor): Key, Path(id): Path<ImportId>, asked: Asked) -> Answer {
    asked.answer(imports::rejects(&web.engine, &actor, id, &asked.request()).await?)
}
