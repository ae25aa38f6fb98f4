//! Files in and out: uploads as they stream in, refused rows as CSV.

use crate::{
    extract::{Caller, Visitor},
    problem,
    web::Web,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, Query, Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use domain::ids::ImportId;
use engine::{Error, imports};
use futures::TryStreamExt as _;
use serde::Deserialize;
use std::io;

/// What comes with an upload.
#[derive(Deserialize)]
pub struct Upload {
    /// The file's name, for people to recognise it by.
    #[serde(default)]
    name: String,
}

/// `POST /ui/imports/upload?name=…`: the file is the body.
pub async fn upload(
    State(web): State<Web>,
    Caller(actor): Caller,
    Query(upload): Query<Upload>,
    request: Request,
) -> Response {
    let body = request.into_body().into_data_stream().map_err(io::Error::other);
    match imports::create(&web.engine, &actor, &upload.name, body).await {
        Ok(import) => Json(import).into_response(),
        Err(error) => problem::answer(&error, &actor.client),
    }
}

/// `GET /ui/imports/{id}/rejected.csv`: the refused rows, as many as there are, read as the client takes them.
pub async fn rejected(
    State(web): State<Web>,
    visitor: Visitor,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse::<ImportId>() else {
        return problem::answer(&Error::NotFound { what: "import" }, &visitor.client);
    };
    match imports::rejects_csv(&web.engine, &actor, id).await {
        Ok(rows) => {
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"rejected.csv\""),
            ];
            (headers, Body::from_stream(rows.map_err(io::Error::other))).into_response()
        }
        Err(error) => problem::answer(&error, &actor.client),
    }
}
