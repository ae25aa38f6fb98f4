//! The program under test: `ese serve`, as `make run` starts it.

use crate::Result;
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::OnceCell,
    time::timeout,
};

/// How long a start may take: a fresh one brings in 10,000 demo people first.
const START: Duration = Duration::from_secs(180);

/// A running `ese serve`. It is killed when dropped.
pub struct Server {
    /// Where the dashboard is, without a slash at the end.
    pub url: String,
    /// The sign-in link that it printed.
    pub link: String,
    simulator: String,
    client: reqwest::Client,
    process: Child,
    data: TempDir,
}

/// A message that the simulator accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accepted {
    /// The person's address: a number, with `whatsapp:` before it on WhatsApp.
    pub to: String,
    /// The text.
    pub body: String,
    /// The provider's content that it was rendered from.
    pub content_sid: Option<String>,
    /// Where it is now.
    pub status: String,
}

impl Server {
    /// Starts one on a machine that knows nothing yet.
    pub async fn fresh() -> Result<Self> {
        Self::start(TempDir::new()?).await
    }

    /// Starts one where the demo data is there already. It is made once for all tests, and copied.
    pub async fn with_demo_data() -> Result<Self> {
        static SEEDED: OnceCell<TempDir> = OnceCell::const_new();
        let seeded = SEEDED.get_or_try_init(seed).await?;
        let data = TempDir::new()?;
        for file in fs::read_dir(seeded.path())? {
            let file = file?;
            // The database, and what of it is still in its write-ahead log.
            if file.file_type()?.is_file() {
                fs::copy(file.path(), data.path().join(file.file_name()))?;
            }
        }
        Self::start(data).await
    }

    async fn start(data: TempDir) -> Result<Self> {
        let simulator = free_address()?;
        let mut process = program(data.path())?
            .arg("serve")
            .env("LISTEN", "127.0.0.1:0")
            .env("SIMULATOR_LISTEN", simulator.to_string())
            // Where a test listens for webhooks.
            .env("WEBHOOK_HOSTS", "127.0.0.1")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("ESE_BIN could not be started")?;
        let output = process.stdout.take().context("its output is not ours")?;
        let mut lines = BufReader::new(output).lines();
        let (url, link) = timeout(START, printed(&mut lines)).await.context("it printed no sign-in link")??;
        // Its output stays open for as long as it runs: a program whose output nobody takes may give up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        // Whatever reqwest is asked for here is plain http, yet it wants to know who would encrypt.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(START).build()?;
        let simulator = format!("http://{simulator}/simulator/v1");
        let server = Self { url, link, simulator, client, process, data };
        // It listens since before it printed its address: the first request is answered as soon as it can be.
        let ready = server.client.get(format!("{}/readyz", server.url)).send().await?;
        ensure!(ready.status().is_success(), "not ready: {}", ready.text().await?);
        Ok(server)
    }

    /// Kills it, and starts it again on the same data. What the simulator knew is gone.
    pub async fn restarted(self) -> Result<Self> {
        let Self { mut process, data, .. } = self;
        process.kill().await?;
        Self::start(data).await
    }

    /// Everything that the simulator accepted, in its order: the truth about who got what.
    pub async fn accepted(&self) -> Result<Vec<Accepted>> {
        let log = self.client.get(format!("{}/log", self.simulator)).send().await?.error_for_status()?.text().await?;
        let entry = |line: &str| {
            let entry: Value = serde_json::from_str(line)?;
            let text = |name: &str| entry[name].as_str().map(str::to_owned);
            Ok(Accepted {
                to: text("to").context("an entry has a recipient")?,
                body: text("body").context("an entry has a text")?,
                content_sid: text("content_sid"),
                status: text("status").context("an entry has a status")?,
            })
        };
        log.lines().map(entry).collect()
    }

    /// Whether a command of the program, on the same data, ends well.
    pub async fn does(&self, arguments: &[&str]) -> Result<bool> {
        let output = program(self.data.path())?.args(arguments).output().await?;
        Ok(output.status.success())
    }

    /// Lets a phone report that it read what it got.
    pub async fn lets_read(&self, phone: &str) -> Result {
        let url = format!("{}/phones/{phone}", self.simulator);
        let body = json!({ "read_receipts": true });
        self.client.put(url).json(&body).send().await?.error_for_status()?;
        Ok(())
    }
}

/// A folder with the demo data.
async fn seed() -> Result<TempDir> {
    let data = TempDir::new()?;
    let ended = timeout(START, program(data.path())?.arg("seed").kill_on_drop(true).status()).await??;
    ensure!(ended.success(), "ese seed: {ended}");
    Ok(data)
}

/// The program with nothing of the developer's own configuration.
fn program(data: &Path) -> Result<Command> {
    let needed = |name: &str| env::var_os(name).with_context(|| format!("{name} is not set; scripts/test sets it"));
    let mut command = Command::new(needed("ESE_BIN")?);
    command.env_clear().env("LEPTOS_SITE_ROOT", needed("LEPTOS_SITE_ROOT")?).env("DATA_DIR", data).env("LOG", "warn");
    Ok(command)
}

/// An address of this machine that nobody listens on.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Reads the dashboard's address and the sign-in link.
async fn printed(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<(String, String)> {
    let mut url = None;
    while let Some(line) = lines.next_line().await? {
        if let Some(text) = line.strip_prefix("Dashboard:") {
            url = Some(text.trim().trim_end_matches('/').to_owned());
        } else if let Some(text) = line.strip_prefix("Sign in:") {
            return Ok((url.context("the address comes before the link")?, text.trim().to_owned()));
        }
    }
    bail!("it ended before it printed a sign-in link")
}
