//! The application's side of the wire: a client for creates, and a receiver of webhooks.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, State},
    http::HeaderMap,
    routing::post,
};
use serde_json::Value;
use simulator::{ACCOUNT_SID, AUTH_TOKEN, Chaos, Clock, Config, Simulator, Span, sign};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// No wait in these tests may take longer.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A webhook that arrived with a valid signature.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub path: String,
    pub fields: BTreeMap<String, String>,
}

impl Webhook {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    pub fn status(&self) -> &str {
        self.field("MessageStatus")
    }
}

#[derive(Clone)]
struct Receiver {
    base: String,
    webhooks: mpsc::UnboundedSender<Webhook>,
    answer: Arc<std::sync::Mutex<String>>,
}

/// A simulator that serves, and an application that listens to it.
pub struct World {
    pub simulator: Simulator,
    pub clock: Clock,
    pub api: String,
    pub app: String,
    pub http: reqwest::Client,
    webhooks: Mutex<mpsc::UnboundedReceiver<Webhook>>,
    answer: Arc<std::sync::Mutex<String>>,
    _stop: DropGuard,
}

/// A dial without waits.
pub fn quick() -> Chaos {
    Chaos { step_ms: Span::fixed(1), ..Chaos::default() }
}

impl World {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn chaotic(chaos: Chaos) -> Self {
        let config = Config { chaos, ..Config::default() };
        Self::with(config).await
    }

    /// `config` with a clock of the test's own, and no waits unless it asks for some.
    pub async fn with(mut config: Config) -> Self {
        let stop = CancellationToken::new();
        if config.chaos == Chaos::default() {
            config.chaos = quick();
        }
        let clock = Clock::manual("2026-03-02T12:00:00Z".parse().unwrap());
        config.clock = clock.clone();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = format!("http://{}", listener.local_addr().unwrap());
        let (sender, webhooks) = mpsc::unbounded_channel();
        let answer = Arc::new(std::sync::Mutex::new(String::new()));
        let receiver = Receiver { base: app.clone(), webhooks: sender, answer: answer.clone() };
        let router = Router::new().route("/{*path}", post(receive)).with_state(receiver);
        let stopped = stop.clone();
        tokio::spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned()).await.unwrap();
        });

        config.inbound_url = Some(format!("{app}/inbound").parse().unwrap());
        let simulator = Simulator::new(config).unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let api = simulator.spawn(address, stop.clone()).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { simulator, clock, api, app, http, webhooks: Mutex::new(webhooks), answer, _stop: stop.drop_guard() }
    }

    /// What the application answers to inbound messages from now on.
    pub fn answer(&self, twiml: &str) {
        *self.answer.lock().unwrap() = twiml.to_owned();
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/2010-04-01/Accounts/{ACCOUNT_SID}/{path}", self.api)
    }

    /// The callback URL of a message of ours.
    pub fn callback(&self, key: &str) -> String {
        format!("{}/status?key={key}&attempt=1", self.app)
    }

    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
        self.http.post(self.url(path)).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN)).form(form)
    }

    /// A create, whatever comes of it.
    pub async fn create(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.post("Messages.json", form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// A create that is accepted: its SID.
    pub async fn created(&self, form: &[(&str, &str)]) -> String {
        let (status, body) = self.create(form).await;
        assert_eq!(status, 201, "{body}");
        body["sid"].as_str().unwrap().to_owned()
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(self.url(path));
        let answer = request.basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The next webhook.
    pub async fn webhook(&self) -> Webhook {
        let mut webhooks = self.webhooks.lock().await;
        tokio::time::timeout(DEADLINE, webhooks.recv()).await.expect("a webhook before the deadline").unwrap()
    }

    /// The statuses of the next `count` callbacks, in the order of their arrival.
    pub async fn statuses(&self, count: usize) -> Vec<String> {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(self.webhook().await.status().to_owned());
        }
        statuses
    }

    /// Waits until every message has finished, and returns the webhooks that nobody took yet.
    pub async fn settled(&self) -> Vec<Webhook> {
        tokio::time::timeout(DEADLINE, self.simulator.settled())
            .await
            .expect("all messages finish before the deadline");
        let mut webhooks = self.webhooks.lock().await;
        std::iter::from_fn(|| webhooks.try_recv().ok()).collect()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> String {
    let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let url = format!("{}{uri}", receiver.base);
    let signature = headers["x-twilio-signature"].to_str().unwrap();
    assert_eq!(signature, sign(AUTH_TOKEN, &url, &fields), "{url}");
    let answer = match uri.path() {
        "/inbound" => receiver.answer.lock().unwrap().clone(),
        _ => String::new(),
    };
    let webhook = Webhook { path: uri.to_string(), fields: fields.into_iter().collect() };
    // The test may have ended already.
    let _ = receiver.webhooks.send(webhook);
    answer
}
