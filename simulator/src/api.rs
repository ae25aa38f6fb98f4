//! Twilio's REST API, as far as messaging needs it.

use std::{io, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, Path, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{Days, NaiveDate};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::{
    Simulator,
    address::{Address, Channel},
    chaos::Fault,
    clock::rfc2822,
    config::{Config, SenderKind},
    create::Form,
    log::Filter,
    message::{API_VERSION, Status},
    shared::Shared,
    twilio_error::TwilioError,
    wire::Wire,
};

/// Bytes of a request's body at most.
pub(crate) const BODY_MAX_BYTES: usize = 64 * 1024;
/// Entries of one page: Twilio's default and its limit.
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 1_000;
/// How long a create waits for a callback that is to overtake its answer.
const EARLY_WAIT: Duration = Duration::from_secs(5);

/// The connection, where the simulator's own server made it.
type Connection = Option<axum::Extension<ConnectInfo<Wire>>>;

pub(crate) fn router() -> Router<Simulator> {
    let account = format!("/{API_VERSION}/Accounts/{{account}}");
    Router::new()
        .route(&format!("/{API_VERSION}/Accounts/{{file}}"), get(fetch_account))
        .route(&format!("{account}/Messages.json"), post(create_message).get(list_messages))
        .route(&format!("{account}/Messages/{{file}}"), get(fetch_message).post(update_message))
        .route(&format!("{account}/IncomingPhoneNumbers.json"), get(list_numbers))
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}

/// Basic authentication by account SID and token, or by API key.
fn authenticate(config: &Config, headers: &HeaderMap, account: &str) -> Result<(), TwilioError> {
    let credentials = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok())
        .ok_or_else(TwilioError::unauthenticated)?;
    let is = |user: &str, password: &str| {
        let expected = format!("{user}:{password}");
        bool::from(expected.as_bytes().ct_eq(&credentials))
    };
    let known = is(&config.account_sid, &config.auth_token)
        || config.api_key.as_ref().is_some_and(|(sid, secret)| is(sid, secret));
    if known && account == config.account_sid { Ok(()) } else { Err(TwilioError::unauthenticated()) }
}

/// The SID in a path that ends in `.json`.
fn sid_of(file: &str) -> Option<&str> {
    file.strip_suffix(".json")
}

fn form(body: Result<Bytes, BytesRejection>) -> Result<Form, TwilioError> {
    match body {
        Ok(bytes) => Ok(Form::parse(&bytes)),
        Err(rejection) => {
            let status = rejection.status().as_u16();
            Err(TwilioError::new(status, 20001, rejection.body_text()))
        }
    }
}

async fn create_message(
    State(simulator): State<Simulator>,
    Path(account): Path<String>,
    connection: Connection,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let shared = &simulator.shared;
    if let Err(refusal) = authenticate(&shared.config, &headers, &account) {
        return refusal.into_response();
    }
    let form = match form(body) {
        Ok(form) => form,
        Err(refusal) => return refusal.into_response(),
    };
    let (latency_ms, fault) = {
        let mut state = shared.lock();
        state.creates += 1;
        state.stats.creates += 1;
        let dice = shared.dice(&state);
        let drawn = (dice.latency_ms(state.creates), dice.fault(state.creates));
        if let Some(fault) = drawn.1 {
            *state.stats.faults.entry(fault.name().to_owned()).or_default() += 1;
        }
        drawn
    };
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    match fault {
        Some(Fault::RateLimited) => {
            let retry_after_s = shared.lock().chaos.retry_after_s;
            return TwilioError::too_many_requests(retry_after_s).into_response();
        }
        Some(Fault::ServerError) => return TwilioError::internal().into_response(),
        Some(Fault::Hang) => return hang(shared, connection).await,
        Some(Fault::Reset) => return cut(connection),
        _ => {}
    }
    let answer = match shared.create(&form).await {
        Ok(resource) => (StatusCode::CREATED, Json(resource)).into_response(),
        Err(refusal) => return refusal.into_response(),
    };
    match fault {
        Some(Fault::ServerErrorAfterAccept) => TwilioError::internal().into_response(),
        Some(Fault::HangAfterAccept) => hang(shared, connection).await,
        Some(Fault::ResetAfterAccept) => cut(connection),
        _ => answer,
    }
}

impl Shared {
    /// Accepts a create and words the answer, which shows the message as it was at first.
    async fn create(&self, form: &Form) -> Result<Value, TwilioError> {
        let accepted = match self.accept(form) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                *self.lock().stats.refused.entry(refusal.code).or_default() += 1;
                return Err(refusal);
            }
        };
        let resource = self.resource(accepted.number);
        if let Some(early) = accepted.early {
            // If the application does not take the callback in time, the answer goes first.
            let _ = tokio::time::timeout(EARLY_WAIT, early).await;
        }
        resource.ok_or_else(TwilioError::internal)
    }

    fn resource(&self, number: u64) -> Option<Value> {
        let state = self.lock();
        let message = state.log.get(number)?;
        Some(message.resource(&state.sid(message), &self.config.account_sid, self.config.segment_price_usd_micros))
    }
}

/// Leaves the client without an answer, then resets the connection.
async fn hang(shared: &Shared, connection: Connection) -> Response {
    let hang = Duration::from_millis(shared.lock().chaos.hang_ms);
    let shutdown = connection.as_ref().map(|info| info.0.0.shutdown.clone()).unwrap_or_default();
    tokio::select! {
        () = tokio::time::sleep(hang) => {}
        () = shutdown.cancelled() => {}
        () = shared.closing.cancelled() => {}
    }
    cut(connection)
}

/// Resets the connection. On a server that is not the simulator's own, the answer breaks off in
/// its body instead.
fn cut(connection: Connection) -> Response {
    if let Some(info) = connection {
        info.0.0.cut();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let error = io::Error::from(io::ErrorKind::ConnectionReset);
    let body = futures::stream::once(async { Err::<Bytes, _>(error) });
    Body::from_stream(body).into_response()
}

async fn fetch_message(
    State(simulator): State<Simulator>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, TwilioError> {
    let shared = &simulator.shared;
    authenticate(&shared.config, &headers, &account)?;
    let number = sid_of(&file).and_then(|sid| shared.lock().number_of(sid));
    let resource = number.and_then(|number| shared.resource(number));
    resource.map(Json).ok_or_else(|| TwilioError::not_found(uri.path()))
}

/// `Status=canceled` calls a scheduled message off; `Body=` (empty) redacts.
async fn update_message(
    State(simulator): State<Simulator>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, TwilioError> {
    let shared = &simulator.shared;
    authenticate(&shared.config, &headers, &account)?;
    let form = form(body)?;
    let not_found = || TwilioError::not_found(uri.path());
    let sid = sid_of(&file).ok_or_else(not_found)?;
    let number = shared.lock().number_of(sid).ok_or_else(not_found)?;
    match (form.get("Status"), form.get("Body")) {
        (Some("canceled"), _) => shared.cancel(number)?,
        (None, Some("")) => {
            if let Some(message) = shared.lock().log.get_mut(number) {
                message.body = Box::default();
                message.updated_ms = shared.config.clock.now_ms();
            }
        }
        _ => {
            return Err(TwilioError::bad_request(20001, "Status must be canceled, or Body must be empty"));
        }
    }
    shared.resource(number).map(Json).ok_or_else(not_found)
}

impl Shared {
    fn cancel(&self, number: u64) -> Result<(), TwilioError> {
        let mut state = self.lock();
        let at_ms = state
            .log
            .get(number)
            .filter(|message| message.status == Status::Scheduled)
            .and_then(|message| message.send_at_ms);
        let removed = at_ms.is_some_and(|at_ms| state.scheduled.remove(&(at_ms, number)));
        if !removed {
            return Err(TwilioError::bad_request(30409, "This message cannot be canceled"));
        }
        self.set_status(&mut state, number, Status::Canceled);
        self.release(&mut state, number);
        Ok(())
    }
}

async fn list_messages(
    State(simulator): State<Simulator>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, TwilioError> {
    let shared = &simulator.shared;
    let config = &shared.config;
    authenticate(config, &headers, &account)?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let page_size = page_size(&query)?;
    let mut state = shared.lock();
    state.lists += 1;
    if shared.dice(&state).list_error(state.lists) {
        return Err(TwilioError::internal());
    }
    let lag_ms = state.chaos.list_lag_ms;
    let visible_until_ms = (lag_ms > 0).then(|| config.clock.now_ms() - i64::try_from(lag_ms).unwrap_or(i64::MAX));
    let filter = filter(&query, visible_until_ms)?;
    let before = match query.get("PageToken") {
        None => u64::MAX,
        Some(token) => token
            .strip_prefix("PA")
            .and_then(|sid| state.number_of(sid))
            .ok_or_else(|| TwilioError::bad_request(20001, "Invalid PageToken"))?,
    };
    let page: u64 = query.get("Page").and_then(|p| p.parse().ok()).unwrap_or(0);
    let found = match filter {
        None => Vec::new(),
        Some(filter) => state.log.list(&filter, before, page_size + 1),
    };
    let more = found.len() > page_size;
    let shown = found.get(..page_size).unwrap_or(&found);
    let next = shown.last().filter(|_| more).map(|last| (page + 1, state.sid(last)));
    let messages: Vec<Value> = shown
        .iter()
        .map(|message| {
            let sid = state.sid(message);
            message.resource(&sid, &config.account_sid, config.segment_price_usd_micros)
        })
        .collect();
    let path = format!("/{API_VERSION}/Accounts/{}/Messages.json", config.account_sid);
    Ok(Json(envelope("messages", messages, &path, &query, page, page_size, next)))
}

/// The list around a page: Twilio's paging fields, with the filters kept in every link.
fn envelope(
    name: &str,
    entries: Vec<Value>,
    path: &str,
    query: &Form,
    page: u64,
    page_size: usize,
    next: Option<(u64, String)>,
) -> Value {
    let link = |page: u64, token: Option<&str>| {
        let mut link = form_urlencoded::Serializer::new(format!("{path}?"));
        for name in ["To", "From", "DateSent", "DateSent<", "DateSent>"] {
            if let Some(value) = query.get(name) {
                link.append_pair(name, value);
            }
        }
        link.append_pair("PageSize", &page_size.to_string());
        link.append_pair("Page", &page.to_string());
        if let Some(sid) = token {
            link.append_pair("PageToken", &format!("PA{sid}"));
        }
        link.finish()
    };
    let start = page * page_size as u64;
    let end = start + (entries.len() as u64).saturating_sub(1);
    json!({
        name: entries,
        "page": page,
        "page_size": page_size,
        "start": start,
        "end": end,
        "uri": link(page, None),
        "first_page_uri": link(0, None),
        "next_page_uri": next.map(|(page, sid)| link(page, Some(&sid))),
        "previous_page_uri": null,
    })
}

fn page_size(query: &Form) -> Result<usize, TwilioError> {
    let Some(text) = query.get("PageSize") else {
        return Ok(PAGE_DEFAULT);
    };
    match text.parse::<usize>() {
        Ok(size @ 1..) => Ok(size.min(PAGE_MAX)),
        _ => Err(TwilioError::bad_request(20001, "Invalid PageSize")),
    }
}

/// Reads the filters; `None` if an address is one that nothing can match.
fn filter(query: &Form, visible_until_ms: Option<i64>) -> Result<Option<Filter>, TwilioError> {
    let day = |name: &str| match query.get(name) {
        None | Some("") => Ok(None),
        Some(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(Some)
            .map_err(|_| TwilioError::bad_request(20001, format!("{name} is not YYYY-MM-DD"))),
    };
    // `DateSent<=D` on the wire is the name `DateSent<` with the value D: on or before that day.
    let (on, until, from) = (day("DateSent")?, day("DateSent<")?, day("DateSent>")?);
    let start_ms = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
    let end_ms = |day: NaiveDate| start_ms(day.checked_add_days(Days::new(1)).unwrap_or(day));
    let address = |name: &str| match query.get(name) {
        None | Some("") => Some(None),
        Some(text) => Address::parse(text).map(Some),
    };
    let (Some(to), Some(from_address)) = (address("To"), address("From")) else {
        return Ok(None);
    };
    Ok(Some(Filter {
        to,
        from: from_address,
        sent_from_ms: on.into_iter().chain(from).map(start_ms).max(),
        sent_before_ms: on.into_iter().chain(until).map(end_ms).min(),
        visible_until_ms,
    }))
}

async fn fetch_account(
    State(simulator): State<Simulator>,
    Path(file): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, TwilioError> {
    let config = &simulator.shared.config;
    let sid = sid_of(&file).ok_or_else(|| TwilioError::not_found(uri.path()))?;
    authenticate(config, &headers, sid)?;
    let path = format!("/{API_VERSION}/Accounts/{sid}");
    let made = rfc2822(0);
    Ok(Json(json!({
        "sid": sid,
        "owner_account_sid": sid,
        "friendly_name": "Simulator",
        "status": "active",
        "type": "Full",
        "date_created": made,
        "date_updated": made,
        "uri": format!("{path}.json"),
        "subresource_uris": {
            "messages": format!("{path}/Messages.json"),
            "incoming_phone_numbers": format!("{path}/IncomingPhoneNumbers.json"),
        },
    })))
}

async fn list_numbers(
    State(simulator): State<Simulator>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, TwilioError> {
    let config = &simulator.shared.config;
    authenticate(config, &headers, &account)?;
    let path = format!("/{API_VERSION}/Accounts/{account}/IncomingPhoneNumbers");
    // WhatsApp senders and short codes are not incoming phone numbers; Twilio lists them elsewhere.
    let numbers: Vec<Value> = config
        .senders
        .iter()
        .enumerate()
        .filter(|(_, sender)| sender.channel() == Channel::Sms && sender.kind != SenderKind::ShortCode)
        .map(|(index, sender)| {
            let sid = format!("PN{:032x}", index + 1);
            json!({
                "sid": sid,
                "account_sid": account,
                "phone_number": sender.number,
                "friendly_name": sender.number,
                "status": "in-use",
                "capabilities": { "sms": true, "mms": true, "voice": false, "fax": false },
                "uri": format!("{path}/{sid}.json"),
            })
        })
        .collect();
    let query = Form::parse(&[]);
    let path = format!("{path}.json");
    let size = PAGE_MAX;
    Ok(Json(envelope("incoming_phone_numbers", numbers, &path, &query, 0, size, None)))
}
