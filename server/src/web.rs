//! The router, on one screen, and what wraps it.

use crate::{
    api, config::Config, extract::Visitor, health, imports, live, preferences, problem, session, users, webhooks,
};
use app::{App, shell};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, FromRef, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use engine::{Engine, receipts::Ingest, spool::Spool, twilio::signature::Verifier};
use http_body_util::Limited;
use leptos::{
    config::LeptosOptions,
    nonce::Nonce,
    prelude::{provide_context, use_context},
};
use leptos_axum::{LeptosRoutes as _, file_and_error_handler_with_context, generate_route_list};
use rand::RngCore as _;
use std::{any::Any, ops::Deref, sync::Arc};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use tracing::Instrument as _;
use uuid::Uuid;

/// The largest body of a form or a server function's call, in bytes.
const BODY_MAX_BYTES: usize = 1024 * 1024;
/// The only path whose body may be larger: it is streamed, and bounded by UPLOAD_MAX_BYTES.
const UPLOAD: &str = "/ui/imports/upload";

/// What handlers need. Cheap to clone: each layer of each request does.
#[derive(Clone)]
pub struct Web(Arc<Served>);

impl From<Served> for Web {
    fn from(served: Served) -> Self {
        Self(Arc::new(served))
    }
}

impl Deref for Web {
    type Target = Served;
    fn deref(&self) -> &Served {
        &self.0
    }
}

/// What [`Web`] holds.
pub struct Served {
    /// The use cases.
    pub engine: Engine,
    /// The configuration.
    pub config: Arc<Config>,
    /// How the dashboard is rendered.
    pub leptos: LeptosOptions,
    /// Checks the signatures of webhooks.
    pub verifier: Verifier,
    /// The provider's account: webhooks about another one are none of ours.
    pub account_sid: String,
    /// Takes status callbacks.
    pub ingest: Ingest,
    /// Campaigns' counters for those who watch them.
    pub rooms: live::Rooms,
    /// What readiness asks.
    pub health: health::Health,
    /// Keeps webhooks while the database is away.
    pub spool: Spool,
    /// Signs the cursors of the API's pages.
    pub cursors: api::Cursors,
}

impl FromRef<Web> for LeptosOptions {
    fn from_ref(web: &Web) -> Self {
        web.leptos.clone()
    }
}

/// What a request is known by.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Its id: in its log lines, its audit entries and its problems.
    pub id: String,
    /// What marks the scripts of its answer as ours.
    pub nonce: String,
}

/// The router.
pub fn router(web: Web) -> Router {
    let options = web.leptos.clone();
    let context = context(web.engine.clone());
    Router::new()
        .route("/sign-in", post(session::sign_in))
        .route("/sign-in/link", post(session::redeem_link))
        .route("/sign-out", post(session::sign_out))
        .route("/ui/live", get(live::stream))
        .route(UPLOAD, post(imports::upload))
        .route("/ui/imports/{id}/rejected.csv", get(imports::rejected))
        .route("/ui/users/export.csv", get(users::export_list))
        .route("/ui/users/export.jsonl", get(users::export_list))
        .route("/ui/campaigns/{id}/recipients.csv", get(users::recipients))
        .route("/ui/campaigns/{id}/recipients.jsonl", get(users::recipients))
        .route("/ui/users/{id}/export.json", get(users::export))
        .route("/ui/users/{id}/consent-receipt.json", get(users::receipt))
        .route("/p/{token}", get(preferences::open).post(preferences::save))
        .route("/webhooks/twilio/status", post(webhooks::status))
        .route("/webhooks/twilio/inbound", post(webhooks::inbound))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(api::docs())
        .nest("/api/v1", api::router(&web))
        .route("/api", axum::routing::any(missing))
        .route("/api/{*rest}", axum::routing::any(missing))
        .leptos_routes_with_context(&web, generate_route_list(App), context.clone(), {
            let options = options.clone();
            move || shell(options.clone())
        })
        .fallback(file_and_error_handler_with_context::<Web, _>(context, shell))
        .method_not_allowed_fallback(async || {
            problem::protocol(StatusCode::METHOD_NOT_ALLOWED, "This address does not take this method.")
        })
        // Below, the last is the outermost. Each layer copies all within it for each request: there are as few as can be.
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(web.clone(), enter))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(web.clone(), envelope))
        .with_state(web)
}

/// What pages and server functions find in their context: the engine, whoever is signed in, and the answer's nonce.
fn context(engine: Engine) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        let parts = use_context::<Parts>();
        let visitor = parts.and_then(|parts| parts.extensions.get::<Visitor>().cloned()).unwrap_or_default();
        provide_context(engine.clone());
        provide_context(Nonce::from_value(visitor.nonce));
        provide_context(visitor.actor);
    }
}

async fn missing(visitor: Visitor) -> Response {
    problem::refuse(domain::problem::Kind::NotFound, "There is nothing at this address.", &visitor.client)
}

/// Gives the request its id and its span, and the answer its id and what makes browsers careful. The path is logged without
/// its query: that may hold a token.
async fn envelope(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let id = web.engine.clock.new_id::<Uuid>().to_string();
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        http.method = %request.method(),
        http.path = %request.uri().path(),
        http.status = tracing::field::Empty,
    );
    let (path, nonce) = (request.uri().path().to_owned(), nonce());
    request.extensions_mut().insert(Mark { id: id.clone(), nonce: nonce.clone() });
    let mut response = async move {
        let began = std::time::Instant::now();
        let response = next.run(request).await;
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(http.status = response.status().as_u16(), duration_ms, "answered");
        response
    }
    .instrument(span)
    .await;
    secure(&path, &nonce, &mut response);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

/// Lets in what is bounded, with whoever asks, and only where they may go.
async fn enter(State(web): State<Web>, request: Request, next: Next) -> Response {
    if let Some(refusal) = out_of_bounds(&request) {
        return refusal;
    }
    let request = match session::identified(&web, limited(request)).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    match session::refusal(&web, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// The refusal of a method that nobody needs, or of a body that says itself that it is too large.
fn out_of_bounds(request: &Request) -> Option<Response> {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];
    let of_api = [Method::PUT, Method::PATCH, Method::DELETE];
    let path = request.uri().path();
    let takes = known.contains(request.method()) || (path.starts_with("/api/v1/") && of_api.contains(request.method()));
    if !takes {
        return Some(problem::protocol(StatusCode::METHOD_NOT_ALLOWED, "This address does not take this method."));
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let is_too_large =
        length.and_then(|text| text.parse().ok()).is_some_and(|length: u64| length > BODY_MAX_BYTES as u64);
    (is_too_large && !is_upload(request))
        .then(|| problem::protocol(StatusCode::PAYLOAD_TOO_LARGE, "This request is too large."))
}

/// The request with a body that ends at the bound, whatever it says of itself.
fn limited(request: Request) -> Request {
    match is_upload(&request) {
        true => request,
        false => request.map(|body| Body::new(Limited::new(body, BODY_MAX_BYTES))),
    }
}

fn is_upload(request: &Request) -> bool {
    let path = request.uri().path();
    path == UPLOAD || (path == api::UPLOAD && request.method() == Method::POST)
}

/// Sets what tells browsers to be careful (OWASP ASVS 5.0, 3.4).
fn secure(path: &str, nonce: &str, response: &mut Response) {
    let found = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    let docs = path.starts_with("/api/docs/");
    let policy = if docs {
        api::DOCS_POLICY.to_owned()
    } else {
        format!(
            "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
         style-src-attr 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
        )
    };
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let cache = match (session::is_static(path), path.starts_with("/pkg/") && is_hashed(path)) {
        (true, true) if found => "public, max-age=31536000, immutable",
        (true, _) => "no-cache",
        (false, _) => "no-store",
    };
    let fixed = [
        (header::CACHE_CONTROL, cache),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn nonce() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a file's name carries a hash of what is in it: `ese.N2kk4Z….js`.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() >= 3 && parts[1].len() >= 16
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    // The panic hook has logged it; the answer says nothing of it.
    problem::answer(&engine::Error::internal("a handler panicked"), &engine::Client::default()).into_response()
}
