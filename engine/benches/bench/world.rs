//! The system under load: the built program in either of its two ways to run, on ports and folders of its own.

use crate::{
    dashboard::Dashboard,
    machine::{Disk, Snapshot},
    people,
    process::{self, Process},
};
use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use domain::import::ImportView;
use engine::{
    Db,
    db::{Location, Pools},
    testing::{postgres::Durable, redis},
};
use serde_json::Value;
use simulator::{Chaos, LogEntry, Stats};
use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The first operator.
const EMAIL: &str = "load@example.org";

/// A way to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One process on SQLite, its own simulator in it: what `make run` gives.
    Embedded,
    /// PostgreSQL, Redis, one web process, two workers, and the simulator apart.
    Scaled,
}

/// How many workers there are where they are processes of their own.
const WORKERS: usize = 2;

/// A running system. It ends with this.
pub struct World {
    /// Its processes.
    pub processes: Vec<Process>,
    /// Where it answers.
    pub address: SocketAddr,
    /// The operator.
    pub dashboard: Dashboard,
    /// The provider's own view.
    pub provider: Provider,
    folder: TempDir,
    /// What its processes are started with.
    environment: Vec<(&'static str, String)>,
    _postgres: Option<Durable>,
}

impl World {
    /// Starts one whose SMS sender may send at this rate, and signs an operator in.
    pub async fn start(shape: Shape, rate_per_second: u32) -> Result<Self> {
        Self::start_with(shape, rate_per_second, WORKERS).await
    }

    /// The same with so many workers, where they are processes of their own.
    pub async fn start_with(shape: Shape, rate_per_second: u32, workers: usize) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ese-load-").tempdir()?;
        let place = folder.path();
        let (address, provider) = (process::free_address()?, process::free_address()?);
        let mut environment = vec![
            ("DATA_DIR", place.display().to_string()),
            ("LISTEN", address.to_string()),
            ("SIMULATOR", "on".to_owned()),
            ("SIMULATOR_LISTEN", provider.to_string()),
            ("SMS_SENDERS", format!("{}={rate_per_second}", simulator::LONG_CODE)),
            ("LOG", "warn".to_owned()),
        ];
        let mut processes = Vec::new();
        let mut postgres = None;
        if shape == Shape::Scaled {
            processes.push(Process::start("simulator", &environment, place)?);
            processes[0].line("Simulator:")?;
            let server = tokio::task::spawn_blocking(Durable::start).await??;
            environment.push(("DATABASE_URL", server.url()));
            environment.push(("REDIS_URL", tokio::task::spawn_blocking(redis::url).await?));
            environment.push(("SIMULATOR_URL", format!("http://{provider}")));
            postgres = Some(server);
        }
        // An operator who is there before the first start: then no demo people are made.
        process::command(&["migrate"], &environment, place)?;
        let create = ["operator", "create", "--email", EMAIL, "--name", "Load", "--role", "admin"];
        process::command(&create, &environment, place)?;
        let serve = Process::start("serve", &environment, place)?;
        let origin = serve.line("Dashboard:")?;
        // Nobody has a password yet, so it prints a link.
        let link = serve.line("Sign in:")?;
        processes.push(serve);
        if shape == Shape::Scaled {
            for _ in 0..workers {
                processes.push(Process::start("worker", &environment, place)?);
            }
        }
        let dashboard = Dashboard::enter(origin.trim_end_matches('/').to_owned(), &link).await?;
        let provider = Provider::new(provider)?;
        Ok(Self { processes, address, dashboard, provider, folder, environment, _postgres: postgres })
    }

    /// Imports people; the report, and how long it took from the upload's first byte to the last row.
    pub async fn import(&self, count: u32) -> Result<(ImportView, Duration)> {
        let file = people::csv(count, Utc::now());
        let began = Instant::now();
        let import = self.dashboard.import(file).await?;
        let took = began.elapsed();
        let report = &import.report;
        let all = i64::from(count);
        ensure!(report.created == all && report.sms_opted_in == all, "not everyone got in: {report:?}");
        Ok((import, took))
    }

    /// The web process; on the embedded default it is the only one.
    pub fn server(&self) -> Result<&Process> {
        self.processes.iter().find(|process| process.role == "serve").context("it was started")
    }

    /// Starts one more worker.
    pub fn start_worker(&mut self) -> Result<()> {
        self.processes.push(Process::start("worker", &self.environment, self.folder.path())?);
        Ok(())
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Where its Redis is, if it has one.
    pub fn redis_url(&self) -> Option<&str> {
        self.setting("REDIS_URL")
    }

    /// A connection to its PostgreSQL.
    pub async fn database(&self) -> Result<Db> {
        let url = self.setting("DATABASE_URL").context("this shape has no server of its own")?;
        Ok(Db::connect(&Location::Postgres(url.to_owned()), Pools::default()).await?)
    }

    /// The number of one of its PostgreSQL's processes that serve connections.
    pub fn a_postgres_backend(&self) -> Result<u32> {
        Snapshot::take()?.postgres_backend().context("nobody is connected to PostgreSQL")
    }

    /// The disk that the data is on.
    pub fn disk(&self) -> Result<Disk> {
        Ok(Disk::open(self.folder.path())?)
    }

    /// What the processes logged: warnings and errors, each with the role before it.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for role in ["simulator", "serve", "worker"] {
            let log = read(&self.folder.path().join(format!("{role}.log")));
            complaints.extend(log.lines().map(|line| format!("{role}: {line}")));
        }
        complaints
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The simulator's control API.
pub struct Provider {
    /// Where it listens.
    pub address: SocketAddr,
    http: reqwest::Client,
    base: String,
}

impl Provider {
    fn new(address: SocketAddr) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { address, http, base: format!("http://{address}/simulator/v1") })
    }

    /// Its counters.
    pub async fn stats(&self) -> Result<Stats> {
        Ok(self.http.get(format!("{}/stats", self.base)).send().await?.error_for_status()?.json().await?)
    }

    /// Every message that it accepted from us.
    pub async fn log(&self) -> Result<Vec<LogEntry>> {
        let text = self.http.get(format!("{}/log", self.base)).send().await?.error_for_status()?.text().await?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Turns the dial.
    pub async fn misbehave(&self, chaos: &Chaos) -> Result<()> {
        let answer = self.http.put(format!("{}/chaos", self.base)).json(chaos).send().await?;
        let _: Value = answer.error_for_status()?.json().await?;
        Ok(())
    }
}
