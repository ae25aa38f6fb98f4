//! Failures, sorted once into nine kinds.

use domain::problem::{FieldProblem, Kind, Problem};
use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};
use std::borrow::Cow;

/// What a use case answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure. Each kind says what its caller should do: see [`Error::is_transient`] and [`Kind::status`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is wrong.
    #[error("{}", errors.first().map_or("the input is wrong", |e| e.detail.as_str()))]
    Invalid {
        /// What is wrong, by field.
        errors: Vec<FieldProblem>,
    },
    /// There is no such thing.
    #[error("there is no such {what}")]
    NotFound {
        /// The noun.
        what: &'static str,
    },
    /// Someone was first, or the state does not allow it.
    #[error("{why}")]
    Conflict {
        /// Why, in words for people.
        why: String,
    },
    /// Nobody is signed in.
    #[error("sign in first")]
    Unauthenticated,
    /// The role does not allow it.
    #[error("{why}")]
    Forbidden {
        /// What was tried.
        operation: domain::operator::Operation,
        /// What it takes, in words.
        why: String,
    },
    /// Too many tries.
    #[error("too many tries; wait {retry_after_s} seconds")]
    TooMany {
        /// When to come back, in seconds.
        retry_after_s: u64,
    },
    /// The thing changed since it was read.
    #[error("this changed since you opened it")]
    Stale,
    /// Something we depend on is away.
    #[error("{what} is away")]
    Unavailable {
        /// What.
        what: &'static str,
        /// The cause, for the log.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A fault of ours.
    #[error("internal")]
    Internal {
        /// The cause, for the log.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// One field is wrong. `field` is a path such as `audience/filter`.
    pub fn invalid(field: &str, why: impl Into<String>) -> Self {
        Self::Invalid { errors: vec![FieldProblem { pointer: format!("/{field}"), detail: why.into() }] }
    }

    /// The state does not allow it.
    pub fn conflict(why: impl Into<String>) -> Self {
        Self::Conflict { why: why.into() }
    }

    /// A fault of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal { source: source.into() }
    }

    /// The kind, which names the HTTP status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid { .. } => Kind::Invalid,
            Self::NotFound { .. } => Kind::NotFound,
            Self::Conflict { .. } => Kind::Conflict,
            Self::Unauthenticated => Kind::Unauthenticated,
            Self::Forbidden { .. } => Kind::Forbidden,
            Self::TooMany { .. } => Kind::TooMany,
            Self::Stale => Kind::Stale,
            Self::Unavailable { .. } => Kind::Unavailable,
            Self::Internal { .. } => Kind::Internal,
        }
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::TooMany { .. })
    }

    /// Whether the database found a value that is not of the kind it was read as.
    pub(crate) fn is_of_another_kind(&self) -> bool {
        let Self::Internal { source } = self else { return false };
        // 22P02: the text is no number; 22003: it is one that no float holds.
        source.downcast_ref().and_then(code_of).is_some_and(|code| matches!(code.as_ref(), "22P02" | "22003"))
    }

    /// The failure as it crosses the wire: of an internal one, only that it happened.
    pub fn problem(&self, request_id: Option<&str>) -> Problem {
        let kind = self.kind();
        let detail = match self {
            Self::Internal { .. } => "Try again; if it stays, tell whoever runs this with the request id.".to_owned(),
            Self::Unavailable { .. } => "Try again in a moment.".to_owned(),
            other => other.to_string(),
        };
        let errors = if let Self::Invalid { errors } = self { errors.clone() } else { Vec::new() };
        Problem { errors, request_id: request_id.map(str::to_owned), ..Problem::new(kind, detail) }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
            return Self::conflict("there is one like it already");
        }
        if is_over_time(&error) {
            let why = "finding these people takes too long; narrow it down, for example by when they were added";
            return Self::invalid("filter", why);
        }
        match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(RuntimeErr::SqlxError(_)) => {
                Self::Unavailable { what: "the database", source: Box::new(error) }
            }
            _ if is_connection_loss(&error) => Self::Unavailable { what: "the database", source: Box::new(error) },
            _ => Self::internal(error),
        }
    }
}

/// Whether the statement failed because the server went away, or is busy, rather than because it is wrong.
fn is_connection_loss(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner))) = error else {
        return false;
    };
    // 57P01..57P03: PostgreSQL is going down or coming up; 40001, 40P01: asks for another try; 55P03: a lock was not to be had in
    // time; 5: SQLite is busy.
    let passing = ["57P01", "57P02", "57P03", "40001", "40P01", "55P03", "5", "517"];
    matches!(inner.as_ref(), SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed)
        || code_of(error).is_some_and(|code| passing.contains(&code.as_ref()))
}

/// Whether the database ended the statement because its time was over. Only those that answer a filter have such a time.
fn is_over_time(error: &DbErr) -> bool {
    // 57014: PostgreSQL canceled the statement; 9: SQLite was interrupted.
    code_of(error).is_some_and(|code| matches!(code.as_ref(), "57014" | "9"))
}

/// The database's own code of why a statement failed, if it was the database that refused it.
fn code_of(error: &DbErr) -> Option<Cow<'_, str>> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner)) => {
            inner.as_database_error()?.code()
        }
        _ => None,
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<domain::consent::UnknownWord> for Error {
    fn from(error: domain::consent::UnknownWord) -> Self {
        Self::internal(error)
    }
}

impl From<domain::campaign::Refused> for Error {
    fn from(refused: domain::campaign::Refused) -> Self {
        Self::conflict(refused.to_string())
    }
}

impl From<domain::message::Refused> for Error {
    fn from(refused: domain::message::Refused) -> Self {
        Self::conflict(refused.to_string())
    }
}
