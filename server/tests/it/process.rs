//! A real `ese serve` within the test: its own database, its own port.

use clap::Parser as _;
use domain::{
    api_key::{ApiKeyForm, Scope},
    operator::Role,
};
use engine::{Actor, api_keys, operators};
use reqwest::{RequestBuilder, Response, header, redirect::Policy};
use server::{Application, Config, application, cli::Cli};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Who signs in.
pub const EMAIL: &str = "ada@example.org";
pub const PASSWORD: &str = "wendeltreppe im nebel";

/// A running server.
pub struct Server {
    /// Where it is, without a slash at the end.
    pub url: String,
    /// Asks it; follows no redirects.
    pub http: reqwest::Client,
    /// Its engine.
    pub engine: engine::Engine,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

/// The configuration that these options make.
pub fn config(options: &[&str]) -> anyhow::Result<Config> {
    let line = ["ese"].iter().chain(options).chain(&["serve"]);
    Config::new(Cli::try_parse_from(line)?.settings)
}

/// A key of the API with these scopes, which no test asks too often for.
pub async fn key(server: &Server, scopes: &[Scope]) -> String {
    let form = ApiKeyForm {
        name: "a test".into(),
        scopes: scopes.to_vec(),
        rate_per_second: Some(1_000),
        ..ApiKeyForm::default()
    };
    api_keys::create(&server.engine, &Actor::system(), &form).await.unwrap().secret
}

/// A server and a key that may do everything.
pub struct Api {
    /// The server.
    pub server: Server,
    /// The key.
    pub key: String,
}

impl Api {
    /// Starts them.
    pub async fn start() -> Self {
        let server = Server::start().await;
        let key = key(&server, &Scope::ALL).await;
        Self { server, key }
    }
}

impl Server {
    /// Starts one with an administrator and nothing else.
    pub async fn start() -> Self {
        Self::start_on(tempfile::tempdir().unwrap()).await
    }

    /// Loses its database, as if that were away, ends, and leaves its folder for another.
    pub async fn crashed(self) -> TempDir {
        self.stop.cancel();
        // It could not say goodbye to a database that is away.
        let _ = self.running.await.unwrap();
        self._folder
    }

    /// Starts one on a folder that another left.
    pub async fn start_on(folder: TempDir) -> Self {
        let path = folder.path().to_str().unwrap();
        let config = config(&["--listen", "127.0.0.1:0", "--data-dir", path, "--log", "off"]).unwrap();
        // Someone is there already, so that no demo data is made.
        let before = Application::build(config.clone(), application::Role::Command).await.unwrap();
        if operators::is_fresh(&before.engine).await.unwrap() {
            operators::create(&before.engine, &Actor::system(), EMAIL, "Ada", Role::Admin).await.unwrap();
        }
        let role = application::Role::Serve { with_workers: false };
        let application = Application::build(config, role).await.unwrap();
        let url = format!("http://{}", application.address.unwrap());
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        let engine = application.engine.clone();
        let stop = CancellationToken::new();
        let running = tokio::spawn(application.run(stop.clone().cancelled_owned()));
        Self { url, http, engine, stop, running, _folder: folder }
    }

    /// A GET.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    /// A POST as one of our own pages makes it.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).header(header::ORIGIN, &self.url)
    }

    /// Signs the administrator in by a link, sets the password, and returns the cookie.
    pub async fn cookie(&self) -> String {
        let token = operators::issue_link(&self.engine, &Actor::system(), EMAIL).await.unwrap();
        let answer = self.post("/sign-in/link").form(&[("token", token)]).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/"));
        let cookie = cookie_of(&answer).unwrap();
        let token = cookie.split_once('=').unwrap().1;
        let actor = operators::authenticate(&self.engine, token, &engine::Client::default()).await.unwrap();
        operators::set_password(&self.engine, &actor, None, PASSWORD).await.unwrap();
        cookie
    }

    /// Stops it; it must end by itself, and well.
    pub async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// Where a redirect leads.
pub fn location(answer: &Response) -> &str {
    answer.headers().get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
}

/// The cookie that an answer sets, as a request sends it.
pub fn cookie_of(answer: &Response) -> Option<String> {
    let cookie = answer.headers().get(header::SET_COOKIE)?.to_str().unwrap();
    Some(cookie.split(';').next().unwrap().to_owned())
}
