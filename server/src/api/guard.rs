//! Around every operation of the API: whose key it is, how often it may be used, and requests that are repeated.

use super::{
    answer::{Failure, HoldsSecret},
    extract::Key,
};
use crate::{extract::Visitor, web::Web};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::rate::{Grant, Limit};
use engine::{
    Actor, Error,
    actor::Identity,
    api_keys, digest,
    idempotency::{self, Begun, KEY_MAX_CHARS},
    operators,
    rate_limit::Key as RateKey,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tower::ServiceExt as _;
use utoipa::openapi::{OpenApi, RefOr, path::ParameterIn};

/// The header of requests that may be repeated.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How large an answer may be to be kept, in bytes.
const KEPT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// How long a request waits for its turn.
const TURN_PATIENCE: Duration = Duration::from_millis(250);

/// The query parameters that each operation takes, by its method and path, as the description says.
#[derive(Clone)]
pub struct Parameters(Arc<HashMap<(Method, String), BTreeSet<String>>>);

impl Parameters {
    /// Those of a description.
    pub fn of(description: &OpenApi) -> Self {
        let mut found = HashMap::new();
        for (path, item) in &description.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                let Some(operation) = operation else { continue };
                let parameters = operation.parameters.iter().flatten().filter_map(|one| match one {
                    RefOr::T(parameter) => Some(parameter),
                    RefOr::Ref(_) => None,
                });
                let of_query = parameters.filter(|one| matches!(one.parameter_in, ParameterIn::Query));
                found.insert((method, path.clone()), of_query.map(|one| one.name.clone()).collect());
            }
        }
        Self(Arc::new(found))
    }

    /// Refuses a parameter that the operation does not take, or that is there twice.
    fn check(&self, request: &Request) -> Result<(), Failure> {
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let Some(known) = self.0.get(&(request.method().clone(), path.to_owned())) else { return Ok(()) };
        let mut seen = BTreeSet::new();
        for (name, _) in url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
            if !known.contains(&*name) {
                return Err(Failure::unreadable(&format!("There is no parameter \"{name}\" here.")));
            }
            if !seen.insert(name.to_string()) {
                return Err(Failure::unreadable(&format!("The parameter \"{name}\" is there twice.")));
            }
        }
        Ok(())
    }
}

/// Lets in who has a key that holds, as often as it may, and who asks for what is described.
pub async fn guard(
    State((web, parameters)): State<(Web, Parameters)>,
    visitor: Visitor,
    mut request: Request,
    next: Next,
) -> Response {
    let client = visitor.client.clone();
    let admitted = admit(&web, &visitor, request.headers()).await;
    let (actor, policy) = match admitted {
        Ok(admitted) => admitted,
        Err(failure) => return challenge(failure.plain(&client)),
    };
    request.extensions_mut().insert(Key(actor.clone()));
    let mut response = match actor.client.idempotency_key {
        _ if let Err(failure) = parameters.check(&request) => failure.into_response(),
        Some(_) if !request.method().is_safe() => once(&web, &actor, request, next).await,
        _ => next.run(request).await,
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        if let Failure::Engine(error) = &failure
            && let Error::Forbidden { operation, .. } = **error
            && let Err(error) = operators::denied(&web.engine, &actor, operation).await
        {
            tracing::error!(error = ?error, "a refusal could not be written to the audit log");
        }
        response = failure.plain(&client);
    }
    response.headers_mut().insert(HeaderName::from_static("ratelimit-policy"), policy);
    response
}

fn challenge(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Whose key it is, and the rate it is held to.
async fn admit(web: &Web, visitor: &Visitor, headers: &HeaderMap) -> Result<(Actor, HeaderValue), Failure> {
    let mut client = visitor.client.clone();
    if let Some(value) = headers.get(IDEMPOTENCY_KEY) {
        let text = value.to_str().unwrap_or_default().trim();
        if text.is_empty() || text.chars().count() > KEY_MAX_CHARS {
            return Err(Failure::unreadable(&format!("An Idempotency-Key has 1 to {KEY_MAX_CHARS} ASCII characters.")));
        }
        client.idempotency_key = Some(text.to_owned());
    }
    if let Some(value) = headers.get(header::IF_MATCH) {
        client.if_match = Some(value.to_str().map_err(|_| Failure::unreadable("If-Match cannot be read."))?.to_owned());
    }
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return Err(Error::Unauthenticated.into()) };
    let text = value.to_str().map_err(|_| Error::Unauthenticated)?;
    let secret = match text.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => secret.trim(),
        _ => return Err(Error::Unauthenticated.into()),
    };
    let (actor, rate) = api_keys::authenticate(&web.engine, secret, &client).await?;
    let policy = HeaderValue::from_str(&format!("\"key\";q={rate};w=1")).map_err(Error::internal)?;
    if let Identity::Key { id, .. } = &actor.identity {
        let key = RateKey { name: format!("key:{id}"), limit: Limit::per_second(rate) };
        take_turn(web, key).await?;
    }
    Ok((actor, policy))
}

/// Waits for the key's turn, if it comes soon: a few requests at once are no abuse. Others are told when to come back.
async fn take_turn(web: &Web, key: RateKey) -> Result<(), Error> {
    let mut patience = TURN_PATIENCE;
    loop {
        match web.engine.rates.take(std::slice::from_ref(&key), 1).await? {
            Grant::Granted { .. } => return Ok(()),
            Grant::Wait(us) => {
                let wait = Duration::from_micros(us);
                let Some(left) = patience.checked_sub(wait) else {
                    return Err(Error::TooMany { retry_after_s: us.div_ceil(1_000_000).max(1) });
                };
                patience = left;
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Does a request once under its idempotency key, however often it comes.
async fn once(web: &Web, actor: &Actor, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // A file is not kept in memory: its name and length stand for it.
    let is_upload = parts.uri.path() == "/imports" && parts.method == Method::POST;
    let (hashed, body) = if is_upload {
        let length = parts.headers.get(header::CONTENT_LENGTH).map(|value| value.as_bytes().to_vec());
        (Bytes::from(length.unwrap_or_default()), body)
    } else {
        match to_bytes(body, usize::MAX).await {
            Ok(bytes) => (bytes.clone(), Body::from(bytes)),
            Err(_) => return Failure::status(StatusCode::PAYLOAD_TOO_LARGE).into_response(),
        }
    };
    let mut text = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    text.extend(&hashed);
    let begun = match idempotency::begin(&web.engine, actor, &digest(&text)).await {
        Ok(begun) => begun,
        Err(error) => return Failure::from(error).into_response(),
    };
    match begun {
        Begun::Fresh => {
            let response = next.run(Request::from_parts(parts, body)).await;
            keep(web, actor, response).await
        }
        Begun::Answered(answer) => again(answer),
        Begun::Committed(target) => recovered(web, actor, &target).await,
        Begun::UnderWay => {
            Failure::from(Error::conflict("the same request is under way; ask again in a moment")).into_response()
        }
        Begun::Mismatch => {
            let why = "this Idempotency-Key was used for another request";
            Failure::from(Error::Invalid {
                errors: vec![domain::problem::FieldProblem { pointer: "/idempotency-key".into(), detail: why.into() }],
            })
            .into_response()
        }
    }
}

/// Keeps an answer for whoever repeats the request. What failed on our side is forgotten unless it was done all the same.
async fn keep(web: &Web, actor: &Actor, response: Response) -> Response {
    if response.status().is_server_error() {
        if let Err(error) = idempotency::forget(&web.engine, actor).await {
            tracing::warn!(error = ?error, "a failed request could not be forgotten; it can be repeated in a minute");
        }
        return response;
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
    let answer = idempotency::Answer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: if holds_secret { without_secret(&body) } else { String::from_utf8_lossy(&body).into_owned() },
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

fn again(answer: idempotency::Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// The answer of a request that was done by a process which died before it answered: what it made or changed, as it is now.
async fn recovered(web: &Web, actor: &Actor, target: &str) -> Response {
    let place = match target.split_once(':') {
        Some(("user", id)) => format!("/users/{id}"),
        Some(("campaign", id)) => format!("/campaigns/{id}"),
        Some(("template", id)) => format!("/templates/{id}"),
        Some(("message", key)) => format!("/messages/{key}"),
        Some(("import", id)) => format!("/imports/{id}"),
        Some(("segment", id)) => format!("/segments/{id}"),
        Some(("topic", id)) => format!("/topics/{id}"),
        Some(("attribute", id)) => format!("/attributes/{id}"),
        Some(("webhook", id)) => format!("/webhooks/{id}"),
        Some(("key", id)) => format!("/keys/{id}"),
        _ => return (StatusCode::NO_CONTENT, [(REPLAYED, HeaderValue::from_static("true"))]).into_response(),
    };
    let request = Request::builder().uri(&place).extension(Key(actor.clone())).body(Body::empty());
    let mut response = match request {
        Ok(request) => match super::operations(web).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(error) => return Failure::from(Error::internal(error)).into_response(),
    };
    // What was done took it away.
    if response.status() == StatusCode::NOT_FOUND {
        return (StatusCode::NO_CONTENT, [(REPLAYED, HeaderValue::from_static("true"))]).into_response();
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    if let Ok(value) = HeaderValue::from_str(&format!("/api/v1{place}")) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
