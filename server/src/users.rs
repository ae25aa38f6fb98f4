//! People as documents to download: one with everything that is held on them, or all who match a filter.

use crate::{extract::Caller, problem, web::Web};
use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{Uri, header},
    response::{IntoResponse, Response},
};
use domain::ids::UserId;
use engine::{Client, Error, Result, consents, users};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use std::io;

/// `GET /ui/users/{id}/export.json`: everything that is held on a person.
pub async fn export(State(web): State<Web>, Caller(actor): Caller, Path(id): Path<String>) -> Response {
    let document = async { users::export(&web.engine, &actor, user(&id)?).await };
    download("person.json", document.await, &actor.client)
}

/// `GET /ui/users/{id}/consent-receipt.json`: what the person agreed to, signed.
pub async fn receipt(State(web): State<Web>, Caller(actor): Caller, Path(id): Path<String>) -> Response {
    let document = async { consents::receipt(&web.engine, &actor, user(&id)?).await };
    download("consent-receipt.json", document.await, &actor.client)
}

/// What an export is asked for by.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    filter: String,
}

/// `GET /ui/users/export.csv?filter=…` and `export.jsonl`: everyone who matches, read as the client takes them.
pub async fn export_list(
    State(web): State<Web>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
    uri: Uri,
) -> Response {
    let (format, kind, name) = match uri.path().ends_with(".csv") {
        true => (users::Format::Csv, "text/csv; charset=utf-8", "users.csv"),
        false => (users::Format::JsonLines, "application/x-ndjson", "users.jsonl"),
    };
    match users::export_list(&web.engine, &actor, &wanted.filter, format).await {
        Ok(rows) => {
            let headers = [
                (header::CONTENT_TYPE, kind.to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
            ];
            (headers, Body::from_stream(rows.map_err(io::Error::other))).into_response()
        }
        Err(error) => problem::answer(&error, &actor.client),
    }
}

fn user(id: &str) -> Result<UserId> {
    id.parse().map_err(|_| Error::NotFound { what: "user" })
}

fn download(name: &str, document: Result<impl Serialize>, client: &Client) -> Response {
    let text = document.and_then(|document| serde_json::to_vec_pretty(&document).map_err(Error::internal));
    match text {
        Ok(text) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json".to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
            ];
            (headers, text).into_response()
        }
        Err(error) => problem::answer(&error, client),
    }
}
