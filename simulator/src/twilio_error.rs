//! Twilio's refusals: an HTTP status, a code, a sentence.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// One refusal, as Twilio's REST API words it: `{code, message, more_info, status}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct TwilioError {
    /// The HTTP status.
    pub status: u16,
    /// The code of Twilio's error dictionary, <https://www.twilio.com/docs/api/errors>.
    pub code: u32,
    /// The sentence for people.
    pub message: String,
    /// Seconds for a `Retry-After` header.
    pub retry_after_s: Option<u32>,
}

impl TwilioError {
    /// A refused parameter: HTTP 400 with `code`.
    pub(crate) fn bad_request(code: u32, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_s: None }
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(401, 20003, "Authenticate")
    }

    pub(crate) fn not_found(uri: &str) -> Self {
        let message = format!("The requested resource {uri} was not found");
        Self::new(404, 20404, message)
    }

    pub(crate) fn too_many_requests(retry_after_s: Option<u32>) -> Self {
        Self { retry_after_s, ..Self::new(429, 20429, "Too Many Requests") }
    }

    pub(crate) fn internal() -> Self {
        Self::new(500, 20500, "An internal server error has occurred")
    }
}

impl IntoResponse for TwilioError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status,
        });
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            let value = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        if self.status == 401 {
            let value = HeaderValue::from_static("Basic realm=\"Twilio API\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

/// The sentence that goes with an error code in a status callback and in a message's
/// `error_message`. Codes without one of their own get a general sentence.
pub(crate) fn delivery_error(code: u32) -> &'static str {
    match code {
        30001 => "Queue overflow",
        30002 => "Account suspended",
        30003 => "Unreachable destination handset",
        30004 => "Message blocked",
        30005 => "Unknown destination handset",
        30006 => "Landline or unreachable carrier",
        30007 => "Message filtered",
        30008 => "Unknown error",
        30036 => "Validity Period Expired",
        63016 => {
            "Failed to send freeform message because you are outside the allowed window. If you are using WhatsApp, please use a Message Template."
        }
        63028 => "Number of parameters provided does not match the expected number of parameters",
        63049 => "Meta chose not to deliver this WhatsApp message",
        _ => "The message could not be delivered",
    }
}
