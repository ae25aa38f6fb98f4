//! What handlers take from a request.

use crate::problem;
use axum::{extract::FromRequestParts, http::request::Parts, response::Response};
use engine::{Actor, Client, Error};
use std::convert::Infallible;

/// Who asks, and what the answer's scripts are marked with. Every request has one.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// Whoever is signed in.
    pub actor: Option<Actor>,
    /// From where.
    pub client: Client,
    /// What the answer's scripts are marked with.
    pub nonce: String,
    /// The session's token, as the cookie has it.
    pub session: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Whoever is signed in; others are refused.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Ok(visitor) = Visitor::from_request_parts(parts, state).await;
        visitor.actor.map(Self).ok_or_else(|| problem::answer(&Error::Unauthenticated, &visitor.client))
    }
}
