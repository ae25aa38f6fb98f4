//! Server functions, by noun: each calls one use case of the engine.
//!
//! They answer under `/ui/fn/<noun>/<verb>` and take JSON. A failure crosses the wire as a [`Problem`], with the status of
//! its kind.

pub mod api_keys;
pub mod attributes;
pub mod audit;
pub mod campaigns;
pub mod consents;
pub mod forecasts;
pub mod health;
pub mod imports;
pub mod inbound;
pub mod messages;
pub mod operators;
pub mod overview;
pub mod phones;
pub mod segments;
pub mod senders;
pub mod settings;
pub mod subscriptions;
pub mod suppressions;
pub mod templates;
pub mod test_sends;
pub mod topics;
pub mod user_views;
pub mod users;
pub mod webhooks;

use domain::problem::{Kind, Problem};
use leptos::server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Failure(pub Problem);

impl Failure {
    /// What is wrong with a field, by its path (`phone`, `audience/filter`).
    pub fn field(&self, path: &str) -> Option<String> {
        let found = self.0.errors.iter().find(|error| error.pointer.strip_prefix('/') == Some(path));
        found.map(|error| error.detail.clone())
    }

    /// What happened, in words.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl FromServerFnError for Failure {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let problem = match error {
            ServerFnErrorErr::Request(_) => {
                Problem::new(Kind::Unavailable, "The server cannot be reached. Check the connection and try again.")
            }
            // The page is older than the server, or something between them answered instead.
            ServerFnErrorErr::Deserialization(_) => {
                Problem::new(Kind::Unavailable, "The answer could not be read. Reload the page and try again.")
            }
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                Problem::new(Kind::Unreadable, "The request could not be read. Reload the page and try again.")
            }
            _ => Problem::new(Kind::Internal, "Reload the page and try again."),
        };
        Self(problem)
    }
}

/// The failure for an address that names nothing: it is known without asking the engine.
pub fn not_found(what: &str) -> Failure {
    #[cfg(feature = "ssr")]
    if let Some(answer) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>() {
        answer.set_status(http::StatusCode::NOT_FOUND);
    }
    Failure(Problem::new(Kind::NotFound, format!("There is no such {what}.")))
}

#[cfg(feature = "ssr")]
mod caller {
    use super::{Failure, Kind, Problem};
    use engine::{Actor, Engine, Error};
    use leptos::prelude::{expect_context, use_context};

    fn actor() -> Option<Actor> {
        use_context::<Option<Actor>>().flatten()
    }

    /// The engine, and whoever is signed in.
    ///
    /// # Errors
    /// `Unauthenticated` if nobody is.
    pub fn caller() -> Result<(Engine, Actor), Failure> {
        let actor = actor().ok_or(Error::Unauthenticated)?;
        Ok((expect_context::<Engine>(), actor))
    }

    impl From<Error> for Failure {
        /// Turns the failure into what the browser may know, sets the answer's status, and logs what it may not know.
        fn from(error: Error) -> Self {
            let request_id = actor().and_then(|actor| actor.client.request_id);
            let problem: Problem = error.problem(request_id.as_deref());
            if matches!(problem.kind, Kind::Internal | Kind::Unavailable) {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(error.kind = ?problem.kind, error.cause = cause, request.id = request_id, "call failed");
            }
            if let (Error::Forbidden { operation, .. }, Some(actor)) = (&error, actor()) {
                let (engine, operation) = (expect_context::<Engine>(), *operation);
                // The answer does not wait for the entry: it says no in any case.
                leptos::task::spawn(async move {
                    if let Err(error) = engine::operators::denied(&engine, &actor, operation).await {
                        tracing::error!(error = ?error, "a refusal could not be written to the audit log");
                    }
                });
            }
            if let (Some(answer), Ok(status)) =
                (use_context::<leptos_axum::ResponseOptions>(), http::StatusCode::from_u16(problem.status))
            {
                answer.set_status(status);
            }
            Self(problem)
        }
    }
}

#[cfg(feature = "ssr")]
pub(crate) use caller::caller;
