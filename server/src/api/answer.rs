//! Answers of the API: pages with signed cursors, single resources with their tag, and failures.

use super::{Cursors, cursor::Place, extract::Query};
use crate::{problem, web::Web};
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{
    page::{LIMIT_MAX, Page, PageRequest},
    problem::{Kind, Problem},
};
use engine::{Error, actor::tag, exports::Format};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, sync::Arc};
use utoipa::{
    IntoParams, IntoResponses, PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// How long a row of a list is, if it is not unusually long.
const ROW_BYTES: usize = 512;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed<T> {
    /// The rows.
    pub data: Vec<T>,
    /// The cursor of the next page; `null` on the last.
    pub next: Option<String>,
    /// The cursor of the page before; `null` on the first.
    pub prev: Option<String>,
}

/// What came of one request, row by row.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rows<T> {
    /// All of them.
    pub data: Vec<T>,
}

/// What every operation may answer instead of success.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers and is none")]
pub enum Refusals {
    /// The request cannot be read: not JSON, a query parameter that is unknown or there twice.
    #[response(status = 400, content_type = "application/problem+json")]
    Unreadable(#[to_schema] Problem),
    /// There is no key, or it does not hold (any more).
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(#[to_schema] Problem),
    /// The key lacks the scope.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] Problem),
    /// The address does not take this method.
    #[response(status = 405, content_type = "application/problem+json")]
    Method(#[to_schema] Problem),
    /// The state does not allow it, or the same request is under way.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// It changed since it was read (`If-Match`).
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(#[to_schema] Problem),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not JSON by its `Content-Type`.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(#[to_schema] Problem),
    /// Something in the input is wrong, by field; or the idempotency key was used for another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// Too many requests; `Retry-After` says when to come back.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(#[to_schema] Problem),
    /// Something is away for the moment; `Retry-After` says when to come back.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

/// A failure on its way out. What knows the request turns it into the answer ([`super::guard`]).
#[derive(Debug, Clone)]
pub enum Failure {
    /// A use case said no.
    Engine(Arc<Error>),
    /// The edge did, before any use case.
    Edge {
        /// The status.
        status: StatusCode,
        /// Why, in words.
        detail: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(Arc::new(error))
    }
}

impl Failure {
    /// The request cannot be read.
    pub fn unreadable(detail: &str) -> Self {
        Self::Edge { status: StatusCode::BAD_REQUEST, detail: detail.to_owned() }
    }

    /// The body is of a kind that is not read here.
    pub fn media_type(detail: &str) -> Self {
        Self::Edge { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, detail: detail.to_owned() }
    }

    /// A refusal by its status alone.
    pub fn status(status: StatusCode) -> Self {
        Self::Edge { status, detail: format!("{}.", status.canonical_reason().unwrap_or("Refused")) }
    }

    /// As an answer, without what only the request knows.
    pub fn plain(&self, client: &engine::Client) -> Response {
        match self {
            Self::Engine(error) => problem::answer(error, client),
            Self::Edge { status, detail } => {
                let title = status.canonical_reason().unwrap_or("Refused").to_owned();
                problem::send(Problem {
                    title,
                    status: status.as_u16(),
                    request_id: client.request_id.clone(),
                    ..Problem::new(Kind::Unreadable, detail.clone())
                })
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.plain(&engine::Client::default());
        response.extensions_mut().insert(self);
        response
    }
}

/// What a handler answers.
pub type Answer = Result<Response, Failure>;

/// One resource, with its tag.
pub fn one<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    written(status, value, 1024)
}

/// What is about so many bytes long, with its tag.
fn written<T: Serialize>(status: StatusCode, value: &T, bytes: usize) -> Answer {
    let mut body = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut body, value).map_err(Error::internal)?;
    let tag = HeaderValue::from_str(&tag(&body)).map_err(Error::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok((status, [(header::CONTENT_TYPE, json), (header::ETAG, tag)], body).into_response())
}

/// A resource that was just made, and where it is.
pub fn made<T: Serialize>(value: &T, place: &str) -> Answer {
    let mut response = one(StatusCode::CREATED, value)?;
    let place = HeaderValue::from_str(&format!("/api/v1{place}")).map_err(Error::internal)?;
    response.headers_mut().insert(header::LOCATION, place);
    Ok(response)
}

/// Marks an answer that holds a secret: it is given once, and kept for nobody who repeats the request.
#[derive(Debug, Clone, Copy)]
pub struct HoldsSecret;

/// An answer that holds a secret.
pub fn secret(mut response: Response) -> Response {
    response.extensions_mut().insert(HoldsSecret);
    response
}

/// In which form rows go out.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileForm {
    /// A table, with formulas defused.
    #[default]
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl From<FileForm> for Format {
    fn from(form: FileForm) -> Self {
        match form {
            FileForm::Csv => Self::Csv,
            FileForm::Jsonl => Self::JsonLines,
        }
    }
}

/// Done, with nothing to say.
pub fn done() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Where the page begins: `next` or `prev` of another page.
    cursor: Option<String>,
    /// How many rows, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only these fields of each row, separated by commas.
    fields: Option<String>,
}

/// What a list is asked for: where it begins, how many rows, and which of their fields. As an extractor it reads [`Paging`], and
/// refuses a limit out of its range and a cursor that is none of ours.
pub struct Asked {
    cursors: Cursors,
    place: Place,
    limit: u32,
    fields: Option<Vec<String>>,
}

impl FromRequestParts<Web> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Failure> {
        let Query(paging) = Query::<Paging>::from_request_parts(parts, web).await?;
        let limit = paging.limit.unwrap_or_else(|| PageRequest::default().limit);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("1 to {LIMIT_MAX}")).into());
        }
        let place = match paging.cursor {
            Some(cursor) => web.cursors.read(&cursor).ok_or_else(|| Failure::unreadable("This is not a cursor."))?,
            None => Place::default(),
        };
        let fields = paging.fields.map(|fields| fields.split(',').map(|name| name.trim().to_owned()).collect());
        Ok(Self { cursors: web.cursors.clone(), place, limit, fields })
    }
}

impl Asked {
    /// As the engine asks for it.
    pub fn request(&self) -> PageRequest {
        PageRequest { after: self.place.after().map(str::to_owned), limit: self.limit }
    }

    /// A page of a list that has an end known beforehand, and is read as a whole: in the order of a key that each row has for
    /// itself.
    pub fn answer_of_all<T: Serialize + PartialSchema>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> String) -> Answer {
        rows.sort_by_cached_key(&key);
        if let Some(after) = self.place.after() {
            rows.retain(|row| key(row).as_str() > after);
        }
        self.answer(Page::cut(rows, self.limit, key))
    }

    /// The page as an answer.
    pub fn answer<T: Serialize + PartialSchema>(&self, page: Page<T>) -> Answer {
        let next = page.next.map(|next| self.cursors.write(&self.place.next(next)));
        let prev = self.place.prev().map(|place| self.cursors.write(&place));
        let Some(fields) = &self.fields else {
            let bytes = ROW_BYTES * (page.rows.len() + 1);
            return written(StatusCode::OK, &Listed { data: page.rows, next, prev }, bytes);
        };
        let known = fields_of(&T::schema());
        if let Some(field) = fields.iter().find(|field| !known.contains(*field)) {
            return Err(Error::invalid("fields", format!("there is no field \"{field}\" here")).into());
        }
        let rows: Vec<Value> =
            page.rows.iter().map(serde_json::to_value).collect::<Result<_, _>>().map_err(Error::internal)?;
        let data = rows.into_iter().map(|row| chosen(row, fields)).collect();
        one(StatusCode::OK, &Listed::<Value> { data, next, prev })
    }
}

/// The fields that a description names, whether or not there is a row that shows them.
fn fields_of(schema: &RefOr<Schema>) -> BTreeSet<String> {
    match schema {
        RefOr::T(Schema::Object(object)) => object.properties.keys().cloned().collect(),
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter().flat_map(fields_of).collect(),
        _ => BTreeSet::new(),
    }
}

/// The chosen fields of a row; `null` for one that the row leaves out.
fn chosen(row: Value, fields: &[String]) -> Value {
    let Value::Object(mut row) = row else { return row };
    fields.iter().map(|field| (field.clone(), row.remove(field).unwrap_or_default())).collect::<Map<_, _>>().into()
}
