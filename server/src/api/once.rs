//! Requests that are repeated under an `Idempotency-Key`: done once, and answered alike.

use super::{
    answer::{Failure, HoldsSecret},
    description::Operations,
    extract::Key,
};
use crate::web::Web;
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{api_key::Scope, problem::FieldProblem};
use engine::{
    Actor, Error,
    actor::Identity,
    digest,
    idempotency::{self, Answer, Begun, LOCKED_FOR},
};
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};
use tower::ServiceExt as _;

/// Says that an answer is one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How large an answer may be to be kept, in bytes.
const KEPT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Does a request once under its idempotency key, however often it comes.
pub async fn once(web: &Web, operations: &Operations, actor: &Actor, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // A file is not kept in memory: its hash is reckoned while it is read.
    let is_file = parts.uri.path() == "/imports" && parts.method == Method::POST;
    let (told, body) = match is_file {
        true => (Bytes::new(), body),
        false => match to_bytes(body, usize::MAX).await {
            Ok(bytes) => (bytes.clone(), Body::from(bytes)),
            Err(_) => return Failure::status(StatusCode::PAYLOAD_TOO_LARGE).into_response(),
        },
    };
    let mut text = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    text.extend(&told);
    let begun = match idempotency::begin(&web.engine, actor, &digest(&text)).await {
        Ok(begun) => begun,
        Err(error) => return Failure::from(error).into_response(),
    };
    match begun {
        Begun::Fresh if is_file => {
            let file = File::default();
            let response = held(web, actor, next.run(Request::from_parts(parts, file.read(body)))).await;
            // What was refused before its end did nothing, and nobody knows the rest of it.
            match file.hash() {
                Some(hash) => keep(web, actor, response, Some(hash)).await,
                None => forget(web, actor, response).await,
            }
        }
        Begun::Fresh => {
            let response = held(web, actor, next.run(Request::from_parts(parts, body))).await;
            keep(web, actor, response, None).await
        }
        Begun::Answered(answer) if is_file => {
            let file = File::default();
            match file.read(body).into_data_stream().try_for_each(async |_| Ok(())).await {
                Ok(()) if file.hash() == answer.payload_hash => again(answer),
                Ok(()) => mismatch(),
                Err(_) => Failure::unreadable("The file broke off.").into_response(),
            }
        }
        Begun::Answered(answer) => again(answer),
        Begun::Committed(target) => recovered(web, operations, actor, &parts, &target).await,
        Begun::UnderWay => {
            Failure::from(Error::conflict("the same request is under way; ask again in a moment")).into_response()
        }
        Begun::Mismatch => mismatch(),
    }
}

fn mismatch() -> Response {
    let detail = "this Idempotency-Key was used for another request".to_owned();
    Failure::from(Error::Invalid { errors: vec![FieldProblem { pointer: "/idempotency-key".into(), detail }] })
        .into_response()
}

/// A file on its way through, and its hash once all of it was read.
#[derive(Default)]
struct File(Arc<Mutex<(Sha256, bool)>>);

impl File {
    /// The same body, read along.
    fn read(&self, body: Body) -> Body {
        let (along, ended) = (self.0.clone(), self.0.clone());
        let chunks = body.into_data_stream().inspect_ok(move |chunk| {
            along.lock().unwrap_or_else(PoisonError::into_inner).0.update(chunk);
        });
        let end = futures::stream::poll_fn(move |_| {
            ended.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
            std::task::Poll::Ready(None)
        });
        Body::from_stream(futures::StreamExt::chain(chunks, end))
    }

    fn hash(&self) -> Option<Vec<u8>> {
        let (hash, is_whole) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        is_whole.then(|| hash.clone().finalize().to_vec())
    }
}

/// Waits for an answer, and holds the request against its repetitions for as long as that takes.
async fn held(web: &Web, actor: &Actor, answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
    let renewal = LOCKED_FOR.to_std().unwrap_or_default() / 3;
    loop {
        match tokio::time::timeout(renewal, &mut answer).await {
            Ok(answer) => return answer,
            Err(_) => {
                if let Err(error) = idempotency::hold(&web.engine, actor).await {
                    tracing::warn!(error = ?error, "a long request could not be held against its repetition");
                }
            }
        }
    }
}

/// Lets a request be repeated as if it had never been, unless it was done all the same.
async fn forget(web: &Web, actor: &Actor, response: Response) -> Response {
    if let Err(error) = idempotency::forget(&web.engine, actor).await {
        tracing::warn!(error = ?error, "a failed request could not be forgotten; it can be repeated in a minute");
    }
    response
}

/// Keeps an answer for whoever repeats the request. What failed on our side is forgotten unless it was done all the same.
async fn keep(web: &Web, actor: &Actor, response: Response, payload_hash: Option<Vec<u8>>) -> Response {
    if response.status().is_server_error() {
        return forget(web, actor, response).await;
    }
    let failure = response.extensions().get::<Failure>().cloned();
    let holds_secret = response.extensions().get::<HoldsSecret>().is_some();
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, KEPT_MAX_BYTES).await else {
        return Failure::from(Error::internal("an answer is too large to be kept")).into_response();
    };
    let kept = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];
    let headers = kept.iter().filter_map(|name| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    });
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: if holds_secret { without_secret(&body) } else { String::from_utf8_lossy(&body).into_owned() },
        payload_hash,
    };
    if let Err(error) = idempotency::finish(&web.engine, actor, &answer).await {
        // What was done is marked as done in its own transaction: a repetition finds that.
        tracing::warn!(error = ?error, "an answer could not be kept");
    }
    let mut response = Response::from_parts(parts, Body::from(body));
    if let Some(failure) = failure {
        response.extensions_mut().insert(failure);
    }
    response
}

/// The answer with `null` where its secret was: secrets are shown once.
fn without_secret(body: &[u8]) -> String {
    let mut value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(secret) = value.get_mut("secret") {
        *secret = serde_json::Value::Null;
    }
    value.to_string()
}

fn again(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    replayed(response)
}

fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// The answer to a request that was done by a process which died before it answered: what it made or changed, as it is now, if the
/// operation answers that; else that it was done.
async fn recovered(web: &Web, operations: &Operations, actor: &Actor, parts: &Parts, target: &str) -> Response {
    let known = operations.asked(&parts.method, parts.extensions.get::<MatchedPath>());
    let success = known.map_or(StatusCode::NO_CONTENT, |known| known.success);
    if success == StatusCode::NO_CONTENT {
        return replayed(success.into_response());
    }
    let collection = match target.split_once(':') {
        Some(("user", id)) => Some(("users", id)),
        Some(("campaign", id)) => Some(("campaigns", id)),
        Some(("template", id)) => Some(("templates", id)),
        Some(("message", key)) => Some(("messages", key)),
        Some(("import", id)) => Some(("imports", id)),
        Some(("segment", id)) => Some(("segments", id)),
        Some(("topic", id)) => Some(("topics", id)),
        Some(("attribute", id)) => Some(("attributes", id)),
        Some(("webhook", id)) => Some(("webhooks", id)),
        _ => None,
    };
    let answers = known.and_then(|known| known.answers.as_deref());
    let place = collection
        .filter(|(collection, _)| {
            answers.is_some() && operations.one_of(collection).and_then(|one| one.answers.as_deref()) == answers
        })
        .map(|(collection, id)| format!("/{collection}/{id}"));
    let done = "this request was done, but the process died before it answered; read what it made or changed";
    let Some(place) = place else { return replayed(Failure::from(Error::conflict(done)).into_response()) };
    let request = Request::builder().uri(&place).extension(Key(reader(actor))).body(Body::empty());
    let mut response = match request {
        Ok(request) => match super::operations(web).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(error) => return Failure::from(Error::internal(error)).into_response(),
    };
    match response.status() {
        StatusCode::OK => *response.status_mut() = success,
        // Something else took it away since.
        StatusCode::NOT_FOUND => return replayed(Failure::from(Error::conflict(done)).into_response()),
        _ => return response,
    }
    if success == StatusCode::CREATED
        && let Ok(value) = HeaderValue::from_str(&format!("/api/v1{place}"))
    {
        response.headers_mut().insert(header::LOCATION, value);
    }
    replayed(response)
}

/// The same integration, which may see what it did even if its key cannot read.
fn reader(actor: &Actor) -> Actor {
    let mut reader = actor.clone();
    if let Identity::Key { scopes, .. } = &mut reader.identity {
        *scopes = Scope::ALL.to_vec();
    }
    reader
}
