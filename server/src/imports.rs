//! Files in and out: uploads as they stream in, refused rows as CSV.

use crate::{
    extract::{Caller, Visitor},
    problem,
    web::Web,
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use domain::{
    ids::ImportId,
    import::ImportReject,
    page::{LIMIT_MAX, PageRequest},
};
use engine::{Actor, Engine, Error, imports};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
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
    if let Err(error) = imports::get(&web.engine, &actor, id).await {
        return problem::answer(&error, &actor.client);
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"rejected.csv\""),
    ];
    (headers, Body::from_stream(rows(web.engine, actor, id))).into_response()
}

fn rows(engine: Engine, actor: Actor, id: ImportId) -> impl Stream<Item = io::Result<Bytes>> {
    let head = stream::once(async { Ok(Bytes::from_static(b"line,field,reason,message,row\r\n")) });
    let pages = stream::try_unfold(Some(None), move |next: Option<Option<String>>| {
        let (engine, actor) = (engine.clone(), actor.clone());
        async move {
            let Some(after) = next else { return Ok(None) };
            let page = PageRequest { after, limit: LIMIT_MAX };
            let page = imports::rejects(&engine, &actor, id, &page).await.map_err(io::Error::other)?;
            let text: String = page.rows.iter().map(line).collect();
            Ok(Some((Bytes::from(text), page.next.map(Some))))
        }
    });
    head.chain(pages)
}

fn line(reject: &ImportReject) -> String {
    let cells = [
        reject.line.to_string(),
        reject.field.clone().unwrap_or_default(),
        reject.reason.clone(),
        reject.message.clone(),
        reject.raw.clone(),
    ];
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    cells.join(",") + "\r\n"
}

/// A cell that no spreadsheet takes for a formula (OWASP ASVS 5.0, 1.2.10), quoted as RFC 4180 says.
fn cell(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    format!("\"{}{}\"", if risky { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_text_and_never_formulas() {
        let check = |text: &str, expected: &str| assert_eq!(cell(text), expected);
        check("Ada", "\"Ada\"");
        check("a \"b\", c\nd", "\"a \"\"b\"\", c\nd\"");
        check("=1+1", "\"'=1+1\"");
        check("+49151", "\"'+49151\"");
        check("＝1", "\"'＝1\"");
    }
}
