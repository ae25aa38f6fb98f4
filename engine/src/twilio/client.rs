//! Twilio's REST API, as far as messages need it (TWILIO.md 6).
//!
//! What decides over never sending twice is in [`TwilioClient::create`]: only an error while connecting is "nothing was
//! written". reqwest calls an error `is_connect` if hyper's client failed with its kind `Connect`, which it does before it
//! has a connection to write to; a time-out counts only where it is the connector's own.

use super::{Secret, Word, status_word};
use crate::{
    clock::Clock,
    provider::{
        Accepted, ListQuery, Outbound, OutboundContent, Provider, ProviderError, ProviderMessage, RawExchange,
        SendError, SenderAddress, SentPage, Sid,
    },
};
use async_trait::async_trait;
use chrono::NaiveDate;
use domain::message::State;
use reqwest::{
    Method, RequestBuilder,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use std::{
    error::Error as _,
    fmt,
    time::{Duration, Instant},
};
use url::{Url, form_urlencoded};

mod wire;

/// How long an idle connection is kept: less than Twilio keeps it, so that we seldom write to one that is closing.
const POOL_IDLE: Duration = Duration::from_secs(15);
/// The largest answer that is read, in bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;
/// The largest page of a list that is read, in bytes.
const PAGE_MAX_BYTES: usize = 4 * 1024 * 1024;
/// How many messages a page holds: even if every character of every text is escaped, fewer than `PAGE_MAX_BYTES`.
const PAGE_MESSAGES: usize = 200;
/// How many pages one list reads at the most.
const PAGES_MAX: usize = 100;
/// Twilio's code for "too many requests": not processed, safe to repeat.
const TOO_MANY_REQUESTS: i32 = 20429;

/// How we sign in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// The account's own token.
    Token(Secret),
    /// An API key, which can be revoked by itself.
    ApiKey {
        /// The key's id (`SK…`).
        sid: String,
        /// Its secret.
        secret: Secret,
    },
}

/// Where Twilio is and how to talk to it.
#[derive(Debug, Clone)]
pub struct TwilioConfig {
    /// `https://api.twilio.com`, or the simulator.
    pub base_url: Url,
    /// The account (`AC` and 32 hexadecimal digits).
    pub account_sid: String,
    /// How we sign in.
    pub auth: Auth,
    /// How long a connection may take, TLS included: 3 s.
    pub connect_timeout: Duration,
    /// How long a whole request may take, T of DELIVERY.md: 10 s.
    pub total_timeout: Duration,
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The account's id is not one.
    #[error("the account's id must be AC and 32 hexadecimal digits")]
    AccountSid,
    /// The base URL is not one.
    #[error("the provider's URL must be http or https, with a host and without a path")]
    BaseUrl,
    /// A connection that may take as long as the request would hide that nothing was written.
    #[error("the time to connect must be shorter than the time for the whole request")]
    Timeouts,
    /// The HTTP client refused: no certificate authorities, most likely.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
}

/// Twilio, by its REST API.
pub struct TwilioClient {
    http: reqwest::Client,
    config: TwilioConfig,
    clock: Clock,
}

impl fmt::Debug for TwilioClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioClient").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A request that ended without a whole answer.
struct Broken {
    /// Whether nothing was written.
    nothing_written: bool,
    why: String,
}

/// An answer, read to its end or to where it broke.
struct Answer {
    status: u16,
    retry_after_s: Option<u32>,
    /// The body so far.
    body: Vec<u8>,
    /// Why it is not whole.
    broken: Option<String>,
}

impl TwilioClient {
    /// A client with one connection pool: HTTP/1.1, no redirects, no retries.
    ///
    /// Plain `http` is for a simulator close by: it goes through no proxy and needs no certificate authorities.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new(config: TwilioConfig, clock: Clock) -> Result<Self, ClientError> {
        let platform_roots = config.base_url.scheme() == "https";
        Self::build(config, clock, platform_roots)
    }

    fn build(config: TwilioConfig, clock: Clock, platform_roots: bool) -> Result<Self, ClientError> {
        if !is_account_sid(&config.account_sid) {
            return Err(ClientError::AccountSid);
        }
        let url = &config.base_url;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.path() != "/" || url.query().is_some() {
            return Err(ClientError::BaseUrl);
        }
        if config.connect_timeout >= config.total_timeout {
            return Err(ClientError::Timeouts);
        }
        // Fails if the process has one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_idle_timeout(POOL_IDLE)
            .connect_timeout(config.connect_timeout)
            .timeout(config.total_timeout)
            .user_agent(concat!("event-stream-engine/", env!("CARGO_PKG_VERSION")));
        let builder = if url.scheme() == "https" { builder.https_only(true) } else { builder.no_proxy() };
        let builder = if platform_roots { builder } else { builder.tls_certs_only([]) };
        Ok(Self { http: builder.build()?, config, clock })
    }

    /// Asks Twilio whether the credentials are good, and in which state the account is. A standard API key may not read
    /// the account, so with a key one message is listed instead, and the state stays unknown (`None`).
    ///
    /// # Errors
    /// [`ProviderError::Refused`] with 20003 for wrong credentials.
    pub async fn check_credentials(&self) -> Result<Option<String>, ProviderError> {
        match self.config.auth {
            Auth::Token(_) => {
                let account = format!("/2010-04-01/Accounts/{}.json", self.config.account_sid);
                let body = self.ask(Method::GET, &account, None, ANSWER_MAX_BYTES).await?;
                Ok(Some(wire::account_status(&body)?))
            }
            Auth::ApiKey { .. } => {
                let first = format!("{}?PageSize=1", self.messages());
                wire::page(&self.ask(Method::GET, &first, None, ANSWER_MAX_BYTES).await?)?;
                Ok(None)
            }
        }
    }

    fn messages(&self) -> String {
        format!("/2010-04-01/Accounts/{}/Messages.json", self.config.account_sid)
    }

    fn message(&self, sid: Sid) -> String {
        format!("/2010-04-01/Accounts/{}/Messages/{sid}.json", self.config.account_sid)
    }

    /// A request to a path of ours, signed in.
    fn request(&self, method: Method, target: &str, form: Option<String>) -> Result<RequestBuilder, String> {
        let url = self.config.base_url.join(target).map_err(|error| error.to_string())?;
        // The credentials go nowhere else, whatever a list's next page says.
        if url.origin() != self.config.base_url.origin() {
            return Err("a link leads to another host".to_owned());
        }
        let request = self.http.request(method, url);
        let request = match &self.config.auth {
            Auth::Token(token) => request.basic_auth(&self.config.account_sid, Some(token.expose())),
            Auth::ApiKey { sid, secret } => request.basic_auth(sid, Some(secret.expose())),
        };
        Ok(match form {
            Some(form) => request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form),
            None => request,
        })
    }

    /// Sends a request whose answer may be asked for again.
    async fn ask(
        &self,
        method: Method,
        target: &str,
        form: Option<String>,
        max_bytes: usize,
    ) -> Result<Vec<u8>, ProviderError> {
        let request = self.request(method, target, form).map_err(|why| ProviderError::Unreadable { why })?;
        let answer = exchange(request, max_bytes)
            .await
            .map_err(|broken| ProviderError::Unavailable { retry_after_s: None, why: broken.why })?;
        let Answer { status, retry_after_s, body, broken } = answer;
        let away = |why: String| ProviderError::Unavailable { retry_after_s, why };
        if let Some(why) = broken {
            return Err(away(why));
        }
        match status {
            200..=299 => Ok(body),
            404 => Err(ProviderError::NotFound),
            429 => Err(away("too many requests".to_owned())),
            400..=499 => Err(match wire::refusal(&body) {
                Some(refusal) if refusal.code == TOO_MANY_REQUESTS => away("too many requests".to_owned()),
                Some(refusal) => ProviderError::Refused { code: refusal.code, http: status },
                None => ProviderError::Unreadable { why: format!("HTTP {status} without a code") },
            }),
            _ => Err(away(format!("HTTP {status}"))),
        }
    }
}

#[async_trait]
impl Provider for TwilioClient {
    async fn create(&self, message: &Outbound) -> Result<Accepted, SendError> {
        let target = self.messages();
        let form = create_form(message);
        let mut raw = RawExchange {
            request: format!("POST {target}\n\n{form}"),
            response: None,
            http_status: None,
            started_at: self.clock.now(),
            duration_ms: 0,
        };
        let begun = Instant::now();
        let answered = match self.request(Method::POST, &target, Some(form)) {
            Ok(request) => exchange(request, ANSWER_MAX_BYTES).await,
            Err(why) => Err(Broken { nothing_written: true, why }),
        };
        raw.duration_ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
        match answered {
            Ok(answer) => {
                raw.http_status = Some(answer.status);
                raw.response = Some(String::from_utf8_lossy(&answer.body).into_owned());
                settle(answer, raw)
            }
            Err(Broken { nothing_written: true, why }) => {
                Err(SendError::NotSent { retry_after_s: None, code: None, why, exchange: raw })
            }
            Err(Broken { nothing_written: false, why }) => Err(SendError::Unknown { why, exchange: raw }),
        }
    }

    /// Filters by `DateSent` are not used: a message that is still queued has none. The list is in the order of
    /// `DateSent`, so it is read until a page ends with a message that was sent before `since`.
    async fn list(&self, query: &ListQuery) -> Result<Vec<ProviderMessage>, ProviderError> {
        let mut target = format!("{}?{}", self.messages(), list_filter(query));
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let body = self.ask(Method::GET, &target, None, PAGE_MAX_BYTES).await?;
            let page = wire::page(&body)?;
            let past = page.messages.last().is_some_and(|last| last.sent_at.is_some_and(|at| at < query.since));
            found.extend(page.messages.into_iter().filter(|message| message.created_at >= query.since));
            match page.next {
                Some(next) if !past => target = next,
                _ => return Ok(found),
            }
        }
        Err(ProviderError::TooMany { messages_max: PAGES_MAX * PAGE_MESSAGES })
    }

    async fn sent_on(&self, day: NaiveDate, next: Option<&str>) -> Result<SentPage, ProviderError> {
        let first = || format!("{}?DateSent={day}&PageSize={PAGE_MESSAGES}", self.messages());
        let target = next.map_or_else(first, str::to_owned);
        let page = wire::page(&self.ask(Method::GET, &target, None, PAGE_MAX_BYTES).await?)?;
        Ok(SentPage { messages: page.messages, next: page.next })
    }

    async fn fetch(&self, sid: Sid) -> Result<ProviderMessage, ProviderError> {
        wire::message(&self.ask(Method::GET, &self.message(sid), None, ANSWER_MAX_BYTES).await?)
    }

    async fn ping(&self) -> Result<(), ProviderError> {
        self.check_credentials().await.map(drop)
    }

    async fn cancel(&self, sid: Sid) -> Result<ProviderMessage, ProviderError> {
        let form = Some("Status=canceled".to_owned());
        wire::message(&self.ask(Method::POST, &self.message(sid), form, ANSWER_MAX_BYTES).await?)
    }
}

/// Sends a request and reads its answer, up to a bound.
async fn exchange(request: RequestBuilder, max_bytes: usize) -> Result<Answer, Broken> {
    let mut response =
        request.send().await.map_err(|error| Broken { nothing_written: error.is_connect(), why: describe(error) })?;
    let mut answer = Answer {
        status: response.status().as_u16(),
        retry_after_s: retry_after_s(response.headers()),
        body: Vec::new(),
        broken: None,
    };
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if answer.body.len() + chunk.len() > max_bytes => {
                answer.broken = Some(format!("the answer is larger than {max_bytes} bytes"));
                return Ok(answer);
            }
            Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
            Ok(None) => return Ok(answer),
            Err(error) => {
                answer.broken = Some(describe(error));
                return Ok(answer);
            }
        }
    }
}

/// What an answer to a create says of the message.
fn settle(answer: Answer, exchange: RawExchange) -> Result<Accepted, SendError> {
    let Answer { status, retry_after_s, body, broken } = answer;
    // By its status alone: Twilio does not process what it answers with 429, whatever the body looks like.
    if status == 429 {
        let code = wire::refusal(&body).map_or(TOO_MANY_REQUESTS, |refusal| refusal.code);
        return Err(SendError::NotSent {
            retry_after_s,
            code: Some(code),
            why: "too many requests".to_owned(),
            exchange,
        });
    }
    let unknown = |why: String, exchange| Err(SendError::Unknown { why, exchange });
    if let Some(why) = broken {
        return unknown(format!("HTTP {status}, and then: {why}"), exchange);
    }
    match status {
        200..=299 => match wire::created(&body) {
            Some((sid, word)) => Ok(Accepted { sid, state: first_state(sid, &word), exchange }),
            None => unknown(format!("HTTP {status} without a message's id"), exchange),
        },
        // Whoever gives up waiting for us may have read enough.
        408 => unknown("HTTP 408".to_owned(), exchange),
        400..=499 => match wire::refusal(&body) {
            Some(refusal) if refusal.code == TOO_MANY_REQUESTS => {
                let why = "too many requests".to_owned();
                Err(SendError::NotSent { retry_after_s, code: Some(refusal.code), why, exchange })
            }
            Some(wire::Refusal { code, message }) => Err(SendError::Rejected { code, http: status, message, exchange }),
            // Not Twilio's words: something between us answered, and what it did with the request is not known.
            None => unknown(format!("HTTP {status} without a code"), exchange),
        },
        _ => unknown(format!("HTTP {status}"), exchange),
    }
}

/// The state that an answer to a create tells of, if the message was accepted.
pub(super) fn accepted(http_status: u16, body: &[u8]) -> Option<State> {
    let (sid, word) = wire::created(body).filter(|_| (200..300).contains(&http_status))?;
    Some(first_state(sid, &word))
}

/// The state of a message that was just accepted. An unknown word is no reason to doubt that it was.
fn first_state(sid: Sid, word: &str) -> State {
    match status_word(word) {
        Word::State(state) => state,
        Word::Inbound | Word::Unknown => {
            tracing::warn!(%sid, word, "the provider accepted a message with a status that we do not know");
            State::Accepted
        }
    }
}

/// The form of a create.
fn create_form(message: &Outbound) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("To", &message.to);
    match &message.from {
        SenderAddress::Number(number) => form.append_pair("From", number),
        SenderAddress::Service(sid) => form.append_pair("MessagingServiceSid", sid),
    };
    match &message.content {
        OutboundContent::Text(text) => {
            form.append_pair("Body", text);
        }
        OutboundContent::Template { content_sid, variables } => {
            form.append_pair("ContentSid", content_sid);
            if !variables.is_empty() {
                let variables = serde_json::json!(variables).to_string();
                form.append_pair("ContentVariables", &variables);
            }
        }
    }
    form.append_pair("StatusCallback", message.status_callback.as_str());
    if let Some(seconds) = message.validity_period_s {
        form.append_pair("ValidityPeriod", &seconds.to_string());
    }
    form.finish()
}

/// The query of a list's first page.
fn list_filter(query: &ListQuery) -> String {
    let mut filter = form_urlencoded::Serializer::new(String::new());
    filter.append_pair("To", &query.to);
    if let Some(from) = &query.from {
        filter.append_pair("From", from);
    }
    filter.append_pair("PageSize", &PAGE_MESSAGES.to_string()).finish()
}

/// `Retry-After` in seconds; a date, which Twilio does not send, counts as none.
fn retry_after_s(headers: &HeaderMap) -> Option<u32> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The chain of an error without its URL, which holds addresses.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Whether a text is the id of an account.
pub fn is_account_sid(text: &str) -> bool {
    text.strip_prefix("AC").is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
