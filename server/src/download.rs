//! Answers that browsers keep as files.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use engine::{Client, Error, Result, exports::Format};
use futures::{Stream, TryStreamExt as _};
use serde::Serialize;
use std::io;

use crate::problem;

/// Rows as a file, read as the client takes them.
pub fn rows(stem: &str, format: Format, rows: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Response {
    let name = format!("{stem}.{}", format.extension());
    file(&name, format.media_type(), Body::from_stream(rows.map_err(io::Error::other)))
}

/// A document as a file.
pub fn document(name: &str, document: Result<impl Serialize>, client: &Client) -> Response {
    let text = document.and_then(|document| serde_json::to_vec_pretty(&document).map_err(Error::internal));
    match text {
        Ok(text) => file(name, "application/json", Body::from(text)),
        Err(error) => problem::answer(&error, client),
    }
}

fn file(name: &str, media_type: &str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, body).into_response()
}
