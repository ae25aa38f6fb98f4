//! What Twilio calls: status callbacks and messages from people. Nothing of a request is believed before its signature is
//! checked, and nothing is answered with 2xx before it is stored.

use crate::{extract::Visitor, problem, web::Web};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use domain::problem::Kind;
use engine::{
    Client, inbound,
    receipts::{self, Receipt},
    twilio::{
        signature::{BODY_MAX_BYTES, HEADER, Params, SignatureError, SignedRequest, Verified},
        twiml, webhook,
    },
};

/// A webhook whose signature is right.
struct Authentic {
    params: Params,
    raw: String,
}

/// `POST /webhooks/twilio/status?m=CAMPAIGN.SEQ&a=ATTEMPT`: what became of a message.
pub async fn status(State(web): State<Web>, visitor: Visitor, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    let Authentic { params, raw } = match authentic(&web, &uri, &headers, body, &visitor.client).await {
        Ok(authentic) => authentic,
        Err(response) => return response,
    };
    let callback = match webhook::status_callback(params, &web.account_sid) {
        Ok(callback) => callback,
        Err(error) => return unreadable(&error, &visitor.client),
    };
    let receipt = Receipt { key: receipts::key_of(uri.query().unwrap_or_default()), callback, raw };
    match web.ingest.submit(receipt).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => problem::answer(&error, &visitor.client),
    }
}

/// `POST /webhooks/twilio/inbound`: a person wrote. The answer is TwiML.
pub async fn inbound(State(web): State<Web>, visitor: Visitor, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    let Authentic { params, raw } = match authentic(&web, &uri, &headers, body, &visitor.client).await {
        Ok(authentic) => authentic,
        Err(response) => return response,
    };
    let message = match webhook::inbound(params, &web.account_sid) {
        Ok(message) => message,
        Err(error) => return unreadable(&error, &visitor.client),
    };
    match inbound::receive(&web.engine, message, raw).await {
        Ok(reply) => ([(header::CONTENT_TYPE, twiml::CONTENT_TYPE)], twiml::reply(reply.as_deref())).into_response(),
        Err(error) => problem::answer(&error, &visitor.client),
    }
}

/// Reads the body and checks the signature. A refusal is logged by its reason alone.
async fn authentic(
    web: &Web,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
    client: &Client,
) -> Result<Authentic, Response> {
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX_BYTES).await else {
        return Err(problem::protocol(StatusCode::PAYLOAD_TOO_LARGE, "This request is too large."));
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let request = SignedRequest {
        path_and_query: uri.path_and_query().map_or("/", |target| target.as_str()),
        content_type: text("content-type"),
        body: &body,
        signature: text(HEADER),
    };
    let refused = |error: SignatureError| {
        tracing::warn!(webhook.path = uri.path(), error = %error, client.address = client.address, "webhook refused");
        problem::refuse(Kind::Forbidden, "The signature of this request is not right.", client)
    };
    match web.verifier.verify(&request).map_err(refused)? {
        Verified::Form(params) => Ok(Authentic { params, raw: String::from_utf8_lossy(&body).into_owned() }),
        Verified::Json(_) => Err(problem::refuse(Kind::Unreadable, "Webhooks of messages are forms.", client)),
    }
}

/// The signature was right, yet it is not what we know: the provider tries again, and a person sees it in the log.
fn unreadable(error: &dyn std::error::Error, client: &Client) -> Response {
    tracing::error!(error = %error, "a signed webhook could not be read");
    problem::refuse(Kind::Unreadable, "This webhook could not be read.", client)
}
