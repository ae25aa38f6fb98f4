//! What Twilio calls: status callbacks and messages from people. Nothing of a request is believed before its signature is
//! checked, and nothing is answered with 2xx before it is stored: in the database, or on the disk while that is away.

use crate::{extract::Visitor, problem, web::Web};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use domain::problem::Kind;
use engine::{
    Client, Error, inbound,
    receipts::{self, Receipt},
    spool::Webhook,
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
    let query = uri.query().unwrap_or_default();
    let receipt = Receipt { key: receipts::key_of(query), callback, raw: raw.clone() };
    let stored = match web.spool.is_away() {
        true => Err(away()),
        false => web.ingest.submit(receipt).await,
    };
    let kept = Webhook::Status { query: query.to_owned(), raw };
    match or_kept(&web, stored, kept).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => problem::answer(&error, &visitor.client),
    }
}

/// The failure that [`or_kept`] takes for the database being away.
fn away() -> Error {
    Error::Unavailable { what: "the database", source: "it was away a moment ago".into() }
}

/// What a use case answered, or, while the database is away, that the webhook is on the disk: `None`.
async fn or_kept<T>(web: &Web, answer: engine::Result<T>, webhook: Webhook) -> engine::Result<Option<T>> {
    match answer {
        Err(Error::Unavailable { .. }) => web.spool.keep_for_later(&web.engine, webhook).await.map(|()| None),
        other => other.map(Some),
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
    let received = match web.spool.holds_inbound() {
        true => Err(away()),
        false => inbound::receive(&web.engine, message, raw.clone()).await,
    };
    // One that is kept is understood later: there is nothing to reply to it now.
    match or_kept(&web, received, Webhook::Inbound { raw }).await.map(Option::flatten) {
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
