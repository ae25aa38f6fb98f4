//! Requests to the API. What changes something goes out under an idempotency key, so it can be repeated when the answer was lost.

use super::Remote;
use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use domain::problem::Problem;
use engine::Clock;
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, Write as _},
    time::Duration,
};
use url::Url;
use uuid::Uuid;

/// How often a request is made that finds nobody, or finds them busy.
const TRIES: u32 = 5;
/// The longest wait before the next try, whatever is asked for.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long an answer may take; a stream and an upload take as long as they take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A server, and a key to it.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: engine::twilio::Secret,
    clock: Clock,
    /// Whether what is told is JSON.
    pub json: bool,
}

impl Client {
    /// For this server.
    ///
    /// # Errors
    /// An address that is none, or no HTTP client.
    pub fn new(remote: &Remote) -> Result<Self> {
        // Fails if the process has one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut base = remote.url.clone();
        anyhow::ensure!(
            matches!(base.scheme(), "http" | "https") && base.has_host(),
            "--url: http or https, and a host"
        );
        base.set_path("/api/v1/");
        let builder = reqwest::Client::builder().user_agent(concat!("ese/", env!("CARGO_PKG_VERSION")));
        // Plain http needs no certificate authorities, which a bare machine does not have.
        let builder = if base.scheme() == "http" { builder.tls_certs_only([]) } else { builder.https_only(true) };
        let http = builder.build().context("the HTTP client cannot be made")?;
        Ok(Self { http, base, key: remote.key.clone(), clock: Clock::system(), json: remote.json })
    }

    /// A request to a path below `/api/v1/`.
    ///
    /// # Errors
    /// A path that is none.
    pub fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        let url = self.base.join(path).context("the address cannot be built")?;
        Ok(self.http.request(method, url).bearer_auth(self.key.expose()))
    }

    /// What is there.
    ///
    /// # Errors
    /// What the server says, in words.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.patiently(|| Ok(self.request(Method::GET, path)?.timeout(ANSWER_WITHIN))).await
    }

    /// Does something, once.
    ///
    /// # Errors
    /// What the server says, in words.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: Option<&impl Serialize>) -> Result<T> {
        let once = self.clock.new_id::<Uuid>().to_string();
        self.patiently(|| {
            let request = self.request(Method::POST, path)?.timeout(ANSWER_WITHIN).header("idempotency-key", &once);
            Ok(match body {
                Some(body) => request.json(body),
                None => request,
            })
        })
        .await
    }

    /// Sends a file as it is read. It is not repeated: whoever does so reads it from its beginning.
    ///
    /// # Errors
    /// What the server says, in words.
    pub async fn upload<T: DeserializeOwned>(&self, path: &str, length: u64, body: Body) -> Result<T> {
        let request = self
            .request(Method::POST, path)?
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, length)
            .body(body);
        answer(request.send().await.map_err(unreachable)?).await
    }

    /// Makes a request until somebody answers who is not busy.
    async fn patiently<T: DeserializeOwned>(&self, request: impl Fn() -> Result<RequestBuilder>) -> Result<T> {
        let mut wait = Duration::from_millis(500);
        for tried in 1.. {
            let last = tried == TRIES;
            match request()?.send().await {
                Ok(busy) if is_busy(busy.status()) && !last => wait = asked_wait(&busy).unwrap_or(wait),
                Ok(response) => return answer(response).await,
                Err(error) if last => return Err(unreachable(error)),
                Err(_) => {}
            }
            tokio::time::sleep(wait.min(WAIT_MAX)).await;
            wait *= 2;
        }
        bail!("nobody answered")
    }

    /// Tells something: a line of JSON, or words.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub fn tell(&self, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<()> {
        let line = if self.json { serde_json::to_string(value)? } else { words() };
        let mut out = io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).context("nobody reads it")
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// How long the server asks to be left alone.
pub fn asked_wait(response: &Response) -> Option<Duration> {
    let asked = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(asked))
}

/// Nobody answered.
pub fn unreachable(error: reqwest::Error) -> anyhow::Error {
    // The address may hold what nobody else should read.
    anyhow!(error.without_url()).context("the server cannot be reached")
}

/// The answer, or what the server says against it.
async fn answer<T: DeserializeOwned>(response: Response) -> Result<T> {
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    if !status.is_success() {
        return Err(refusal(status, &body));
    }
    let body: &[u8] = if body.is_empty() { b"null" } else { &body };
    serde_json::from_slice(body).context("the answer cannot be read: is this server of another version?")
}

/// A refusal in words: what is wrong, where, and what to name to those who are asked for help.
pub fn refusal(status: StatusCode, body: &Bytes) -> anyhow::Error {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return anyhow!("the server answered {status}");
    };
    let mut words = problem.detail;
    for error in problem.errors {
        words += &format!("\n  {}: {}", error.pointer, error.detail);
    }
    if let Some(id) = problem.request_id {
        words += &format!("\n  (request {id})");
    }
    anyhow!(words)
}
