//! Failures as answers: the only place of the edge that turns one into a status.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::problem::{Kind, Problem};
use engine::{Client, Error};
use std::error::Error as _;

/// A failure as an answer. Its causes are logged here, once, and stay here.
pub fn answer(error: &Error, client: &Client) -> Response {
    let problem = error.problem(client.request_id.as_deref());
    if matches!(problem.kind, Kind::Internal | Kind::Unavailable) {
        tracing::error!(error.kind = ?problem.kind, error.chain = %chain(error), "request failed");
    }
    let mut response = send(problem);
    if let Some(seconds) = retry_after(error) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The status of a failure, for answers that are pages of their own.
pub fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A refusal that comes from the edge itself.
pub fn refuse(kind: Kind, detail: &str, client: &Client) -> Response {
    send(Problem { request_id: client.request_id.clone(), ..Problem::new(kind, detail) })
}

/// A problem of the protocol (405, 413 …): it has a status of its own.
pub fn protocol(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Refused").to_owned();
    send(Problem { title, status: status.as_u16(), ..Problem::new(Kind::Unreadable, detail) })
}

/// A problem as an answer.
pub fn send(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
    (status, kind, Json(problem)).into_response()
}

fn retry_after(error: &Error) -> Option<u64> {
    match error {
        Error::TooMany { retry_after_s } => Some(*retry_after_s),
        Error::Unavailable { .. } => Some(5),
        _ => None,
    }
}

/// An error and its causes, in one line.
pub fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    // What an outsider wrote must not begin a line of its own.
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_inside_stays_inside() {
        let client = Client { request_id: Some("r".into()), ..Client::default() };
        let error = Error::internal("secret\nforged line");
        assert_eq!(chain(&error), "internal: secret forged line");
        let response = answer(&error, &client);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer(&Error::TooMany { retry_after_s: 7 }, &client).headers()[header::RETRY_AFTER], "7");
    }
}
