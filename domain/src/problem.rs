//! The error as it crosses the wire: RFC 9457 for the API, and the same for the dashboard's server functions.

use serde::{Deserialize, Serialize};

/// The kinds of failure, and the one place where each meets its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The input is wrong, field by field.
    Invalid,
    /// The input cannot be read at all.
    Unreadable,
    /// There is no such thing.
    NotFound,
    /// Someone else was first, or the state does not allow it.
    Conflict,
    /// Nobody is signed in.
    Unauthenticated,
    /// Whoever is signed in may not.
    Forbidden,
    /// Too many requests.
    TooMany,
    /// The thing changed since it was read.
    Stale,
    /// Something we depend on is away.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Kind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 422,
            Self::Unreadable => 400,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::TooMany => 429,
            Self::Stale => 412,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }

    /// The kind in words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Invalid => "Something in the input is wrong",
            Self::Unreadable => "The input cannot be read",
            Self::NotFound => "Not found",
            Self::Conflict => "This is not possible now",
            Self::Unauthenticated => "Sign in first",
            Self::Forbidden => "Your role does not allow this",
            Self::TooMany => "Too many requests",
            Self::Stale => "This changed since you opened it",
            Self::Unavailable => "Something is away for the moment",
            Self::Internal => "Something went wrong on our side",
        }
    }
}

/// A problem, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The kind.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in words for the caller.
    pub detail: String,
    /// What is wrong, by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The request, for those who ask for help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldProblem {
    /// A JSON pointer to the field.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// A problem of this kind, with the kind's own words for a title.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            errors: Vec::new(),
            request_id: None,
        }
    }
}
