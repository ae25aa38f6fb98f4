//! The control API under `/simulator/v1`: phones, the dial, contents, the log.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Simulator,
    api::BODY_MAX_BYTES,
    chaos::Chaos,
    content::Content,
    create::webhook_url,
    inbound::{Inbound, Outcome},
    message::LogEntry,
    shared::Stats,
};

/// Entries of one page, when the caller does not say.
const PAGE_DEFAULT: usize = 50;
/// Log entries read in one hold of the lock.
const LOG_CHUNK: usize = 1_000;

pub(crate) fn router() -> Router<Simulator> {
    Router::new()
        .route("/simulator/v1/phones", get(phones))
        .route("/simulator/v1/phones/{number}", get(thread).put(set_phone))
        .route("/simulator/v1/phones/{number}/messages", post(write))
        .route("/simulator/v1/chaos", get(chaos).put(set_chaos))
        .route("/simulator/v1/contents", get(contents).post(add_content))
        .route("/simulator/v1/inbound", put(set_inbound))
        .route("/simulator/v1/log", get(log))
        .route("/simulator/v1/stats", get(stats))
        .route("/simulator/v1/reset", post(reset))
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}

/// A refusal of the control API: a status and one sentence.
struct Refusal(StatusCode, String);

impl Refusal {
    fn invalid(error: impl ToString) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "problem": self.1 }))).into_response()
    }
}

/// Where a page starts and how long it is.
#[derive(Debug, Deserialize)]
struct Page {
    /// Only numbers that contain this.
    #[serde(default)]
    q: String,
    before: Option<u64>,
    limit: Option<usize>,
}

impl Page {
    fn before(&self) -> u64 {
        self.before.unwrap_or(u64::MAX)
    }

    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_DEFAULT)
    }
}

/// One page of a list, and the `before` of the next one.
#[derive(Serialize)]
struct Paged<T> {
    items: Vec<T>,
    next_before: Option<u64>,
}

async fn phones(State(simulator): State<Simulator>, Query(page): Query<Page>) -> Json<Paged<crate::Phone>> {
    let items = simulator.phones(&page.q, page.before(), page.limit());
    let next_before = items.last().map(|phone| phone.last.number);
    Json(Paged { items, next_before })
}

async fn thread(
    State(simulator): State<Simulator>,
    Path(number): Path<String>,
    Query(page): Query<Page>,
) -> Json<Paged<LogEntry>> {
    let items = simulator.thread(&number, page.before(), page.limit());
    let next_before = items.last().map(|entry| entry.number);
    Json(Paged { items, next_before })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhoneSettings {
    read_receipts: bool,
}

async fn set_phone(
    State(simulator): State<Simulator>,
    Path(number): Path<String>,
    Json(settings): Json<PhoneSettings>,
) -> StatusCode {
    simulator.set_read_receipts(&number, settings.read_receipts);
    StatusCode::NO_CONTENT
}

async fn write(
    State(simulator): State<Simulator>,
    Path(number): Path<String>,
    Json(inbound): Json<Inbound>,
) -> Result<Json<Outcome>, Refusal> {
    let inbound = Inbound { from: number, ..inbound };
    simulator.inbound(inbound).await.map(Json).map_err(Refusal::invalid)
}

async fn chaos(State(simulator): State<Simulator>) -> Json<Chaos> {
    Json(simulator.chaos())
}

async fn set_chaos(State(simulator): State<Simulator>, Json(chaos): Json<Chaos>) -> Result<Json<Chaos>, Refusal> {
    simulator.set_chaos(chaos).map_err(Refusal::invalid)?;
    Ok(Json(simulator.chaos()))
}

async fn contents(State(simulator): State<Simulator>) -> Json<Vec<Content>> {
    Json(simulator.contents())
}

async fn add_content(State(simulator): State<Simulator>, Json(content): Json<Content>) -> Result<StatusCode, Refusal> {
    simulator.add_content(content).map_err(Refusal::invalid)?;
    Ok(StatusCode::CREATED)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InboundSettings {
    url: Option<String>,
}

async fn set_inbound(
    State(simulator): State<Simulator>,
    Json(settings): Json<InboundSettings>,
) -> Result<StatusCode, Refusal> {
    let url = match settings.url {
        None => None,
        Some(text) => Some(webhook_url(&text).ok_or_else(|| Refusal::invalid("no http URL"))?),
    };
    simulator.set_inbound_url(url);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

/// The truth log as JSON lines, read piece by piece so that no lock is held for long.
async fn log(State(simulator): State<Simulator>, Query(from): Query<Since>) -> Response {
    let lines = futures::stream::unfold((simulator, from.since), |(simulator, since)| async move {
        let entries = simulator.truth_since(since, LOG_CHUNK);
        let last = entries.last()?.number;
        let chunk = lines(&entries);
        Some((chunk.map(Bytes::from), (simulator, last)))
    });
    let body = Body::from_stream(lines);
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

fn lines(entries: &[LogEntry]) -> serde_json::Result<Vec<u8>> {
    let mut chunk = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut chunk, entry)?;
        chunk.push(b'\n');
    }
    Ok(chunk)
}

async fn stats(State(simulator): State<Simulator>) -> Json<Stats> {
    Json(simulator.stats())
}

async fn reset(State(simulator): State<Simulator>) -> StatusCode {
    simulator.reset();
    StatusCode::NO_CONTENT
}
