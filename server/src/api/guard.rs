//! Around every operation of the API: whose key it is, how often it may be used, and requests that are repeated.

use super::{answer::Failure, description::Operations, extract::Key, once::once};
use crate::{extract::Visitor, web::Web};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::rate::{Grant, Limit};
use engine::{
    Actor, Error, actor::Identity, api_keys, idempotency::KEY_MAX_CHARS, operators, rate_limit::Key as RateKey,
};
use std::time::Duration;

/// The header of requests that may be repeated.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How long a request waits for its turn.
const TURN_PATIENCE: Duration = Duration::from_millis(250);

/// Lets in who has a key that holds, as often as it may, and who asks for what is described.
pub async fn guard(
    State((web, operations)): State<(Web, Operations)>,
    visitor: Visitor,
    mut request: Request,
    next: Next,
) -> Response {
    let client = visitor.client.clone();
    let (actor, policy) = match admit(&web, &visitor, request.headers()).await {
        Ok(admitted) => admitted,
        Err(Refused { failure, policy }) => return challenge(with_policy(failure.plain(&client), policy)),
    };
    request.extensions_mut().insert(Key(actor.clone()));
    let mut response = match actor.client.idempotency_key {
        _ if let Err(failure) = operations.check(&request) => failure.into_response(),
        // What is no operation is refused alike, whatever the key was used for.
        Some(_) if !request.method().is_safe() && operations.takes(&request) => {
            once(&web, &operations, &actor, request, next).await
        }
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
    with_policy(response, Some(policy))
}

fn with_policy(mut response: Response, policy: Option<HeaderValue>) -> Response {
    if let Some(policy) = policy {
        response.headers_mut().insert(HeaderName::from_static("ratelimit-policy"), policy);
    }
    response
}

/// Why nobody was let in, and the rate that was asked too much of, if it was that.
struct Refused {
    failure: Failure,
    policy: Option<HeaderValue>,
}

impl<F: Into<Failure>> From<F> for Refused {
    fn from(failure: F) -> Self {
        Self { failure: failure.into(), policy: None }
    }
}

fn challenge(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Whose key it is, and the rate it is held to.
async fn admit(web: &Web, visitor: &Visitor, headers: &HeaderMap) -> Result<(Actor, HeaderValue), Refused> {
    let mut client = visitor.client.clone();
    if let Some(value) = headers.get(IDEMPOTENCY_KEY) {
        let text = value.to_str().unwrap_or_default().trim();
        if text.is_empty() || text.len() > KEY_MAX_CHARS || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = format!("An Idempotency-Key has 1 to {KEY_MAX_CHARS} ASCII characters, and no spaces.");
            return Err(Failure::unreadable(&why).into());
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
        if let Err(error) = take_turn(web, key).await {
            return Err(Refused { failure: error.into(), policy: Some(policy) });
        }
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
