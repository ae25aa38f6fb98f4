//! B7: pages of the lists of users and messages, the first beside one far down, through the engine and through the API;
//! beside them the same page by OFFSET, and by a program that does nothing but list.
//!
//! How long a page takes is asked of one connection, page after page; what it costs of several at once, as a server has them
//! when its cost matters: one that is woken for each single page pays for being woken.

use crate::{
    crowd::Crowd,
    machine::{Machine, Snapshot},
    open_loop::Latencies,
    plain,
    process::{self, Process},
    report::{Figure, Outcome, Target},
    rounds::Spread,
    wire::{self, Connection, Request},
};
use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use domain::{
    api_key::{ApiKeyForm, RATE_MAX_PER_SECOND, Scope},
    message::{MessageQuery, State},
    page::PageRequest,
    user::UserSort,
};
use engine::{Engine, api_keys, db, messages, testing, users, values};
use futures::future;
use sea_orm::FromQueryResult;
use serde_json::json;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::sync::Mutex;
use uuid::Uuid;

/// How long the server may take for a page, in milliseconds: 99 of 100.
const PAGE_GATE_MS: f64 = 20.0;
/// How much longer a page far down may take than the first.
const DEEP_GATE: f64 = 1.5;
/// What a page through the API may cost the web process, in CPU µs.
const CPU_GATE_US: f64 = 500.0;
/// Where "far down" is.
const DEEP: f64 = 0.9;
/// How many people are looked at to find places far down.
const SAMPLED: f64 = 20_000.0;
/// How many rows a page has.
const PAGE_ROWS: u32 = 50;
/// How many pages are asked for at once when it is measured what they cost.
const AT_ONCE: usize = 4;
/// How often all pages of a turn are asked for when it is measured what they cost: the kernel tells CPU time in hundredths of a
/// second, which is as much as twenty pages take.
const COST_TURNS: usize = 5;
/// How often a page is read by OFFSET.
const OFFSET_PAGES: usize = 3;

/// Lists of people: every order, and filters from everyone to few.
const USERS: [(&str, UserSort); 10] = [
    ("", UserSort::Newest),
    ("", UserSort::Oldest),
    ("", UserSort::Name),
    ("", UserSort::NameDown),
    ("", UserSort::Changed),
    ("", UserSort::Unchanged),
    ("consent.sms = opted_in", UserSort::Newest),
    ("plan = \"pro\" and age >= 30", UserSort::Newest),
    ("city = \"Ulm\"", UserSort::Newest),
    ("tag = \"vip\"", UserSort::Changed),
];

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often each turn is taken.
    pub rounds: usize,
    /// How many pages a turn reads of each kind.
    pub pages: usize,
}

/// What is listed.
enum Of {
    Users(&'static str, UserSort),
    Messages(MessageQuery),
}

/// One list, and places far down in it.
struct List {
    name: String,
    of: Of,
    deep: Vec<String>,
}

/// What one list came to.
#[derive(Default)]
struct Measured {
    first: Vec<f64>,
    deep: Vec<f64>,
    all: Vec<Duration>,
}

impl Measured {
    fn turn(&mut self, first: Vec<Duration>, deep: Vec<Duration>) {
        self.all.extend(first.iter().chain(&deep));
        self.first.push(Latencies::new(first).quantile_ms(0.5));
        self.deep.push(Latencies::new(deep).quantile_ms(0.5));
    }

    fn figures(&self, name: &str) -> [Figure; 4] {
        let all = Latencies::new(self.all.clone());
        [
            Figure::new(format!("{name}: p99"), all.quantile_ms(0.99), "ms").with(Target::AtMost(PAGE_GATE_MS)),
            Figure::of(format!("{name}: deep ÷ first"), Spread::of_ratios(&self.deep, &self.first), "×")
                .with(Target::AtMost(DEEP_GATE)),
            Figure::of(format!("{name}: first page, p50"), Spread::of(self.first.iter().copied()), "ms"),
            Figure::of(format!("{name}: deep page, p50"), Spread::of(self.deep.iter().copied()), "ms"),
        ]
    }
}

/// Runs it.
pub async fn run(machine: &Machine, crowd: &Crowd, settings: Settings) -> Result<Outcome> {
    let before = Snapshot::take()?;
    let lists = lists(crowd, settings.pages).await?;
    let mut figures = Vec::new();
    for list in &lists {
        eprintln!("bench: {}", list.name);
        let mut measured = Measured::default();
        // Once before it counts, so that what the database must read from disk is read.
        for round in 0..=settings.rounds {
            let (first, deep) = turn(crowd, list, settings.pages).await?;
            if round > 0 {
                measured.turn(first, deep);
            }
        }
        figures.extend(measured.figures(&list.name));
    }
    figures.extend(api(crowd, &lists, settings).await?);
    figures.extend(crowd.embedded.pages(&USERS, settings.pages, PAGE_ROWS).await?);
    figures.push(Figure::of("users by OFFSET at the same depth", Spread::of(by_offset(crowd).await?), "ms"));
    figures.push(Figure::new("making the rows", crowd.took.as_secs_f64(), "s"));
    let after = Snapshot::take()?;
    Ok(Outcome {
        scenario: "b7",
        settings: format!(
            "{} people and as many messages on PostgreSQL, pages of {PAGE_ROWS}; {} rounds of {} first pages and as many at {:.0} % \
             of the list, in turn",
            crowd.rows,
            settings.rounds,
            settings.pages,
            DEEP * 100.0
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: after.others_since(&before, machine.cores),
        figures,
        complaints: Vec::new(),
    })
}

/// Every order, filters from everyone to one person, and the ways to ask for messages.
async fn lists(crowd: &Crowd, places: usize) -> Result<Vec<List>> {
    let mut lists = Vec::new();
    for (filter, sort) in USERS {
        let name = format!("users, {}{}{filter}", sort.as_str(), if filter.is_empty() { "" } else { ", " });
        lists.push(List { name, of: Of::Users(filter, sort), deep: deep_users(crowd, sort, places).await? });
    }
    // One person, by a value that nobody else has: there is no page far down.
    let one = List {
        name: "users, newest, code = \"c77\"".into(),
        of: Of::Users("code = \"c77\"", UserSort::Newest),
        deep: Vec::new(),
    };
    lists.push(one);
    // The last but one of the list, so that rare messages still fill a page from there on.
    let campaign = *crowd.campaigns.get(1).context("there are campaigns")?;
    let each = crowd.rows / crate::crowd::CAMPAIGNS;
    let last = (f64::from(each) * (1.0 - DEEP)) as u32;
    let places = || (0..places as u32).map(|n| format!("{campaign}.{}", last - n.min(last / 2))).collect::<Vec<_>>();
    for (name, query) in [
        ("messages", MessageQuery::default()),
        ("messages, of a campaign", MessageQuery { campaign: Some(campaign), ..MessageQuery::default() }),
        ("messages, delivered", MessageQuery { state: Some(State::Delivered), ..MessageQuery::default() }),
        ("messages, failed", MessageQuery { state: Some(State::Failed), ..MessageQuery::default() }),
    ] {
        lists.push(List { name: name.into(), of: Of::Messages(query), deep: places() });
    }
    Ok(lists)
}

#[derive(FromQueryResult)]
struct Place {
    id: Uuid,
    updated_at: DateTime<Utc>,
}

/// Cursors of users far down in an order.
async fn deep_users(crowd: &Crowd, sort: UserSort, places: usize) -> Result<Vec<String>> {
    let by = match sort {
        UserSort::Newest => "id DESC",
        UserSort::Oldest => "id",
        UserSort::Name => "lower(coalesce(name, '') COLLATE \"C\"), id",
        UserSort::NameDown => "lower(coalesce(name, '') COLLATE \"C\") DESC, id DESC",
        UserSort::Changed => "updated_at DESC, id DESC",
        UserSort::Unchanged => "updated_at, id",
    };
    // A sample, as the very place does not matter, and going to it by OFFSET would take minutes.
    let percent = (100.0 * SAMPLED / f64::from(crowd.rows)).min(100.0);
    let sql = format!(
        "WITH sampled AS MATERIALIZED (SELECT id, updated_at, name FROM users TABLESAMPLE SYSTEM ({percent}) WHERE merged_into IS NULL)
         SELECT id, updated_at FROM sampled ORDER BY {by} LIMIT $1 OFFSET (SELECT count(*) * {DEEP} FROM sampled)::bigint"
    );
    let found: Vec<Place> = db::all(crowd.env.engine.db.read(), &sql, values![places as i64]).await?;
    ensure!(!found.is_empty(), "there is nobody far down");
    let cursor = |place: Place| match sort {
        UserSort::Changed | UserSort::Unchanged => {
            format!("{}.{}", place.updated_at.timestamp_nanos_opt().unwrap_or_default(), place.id)
        }
        _ => place.id.to_string(),
    };
    Ok(found.into_iter().map(cursor).collect())
}

/// So many first pages and as many deep ones, in turn; where there is none far down, the first again.
async fn turn(crowd: &Crowd, list: &List, pages: usize) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut first, mut deep) = (Vec::new(), Vec::new());
    for n in 0..pages {
        first.push(page(crowd, list, None).await?);
        deep.push(page(crowd, list, list.deep.get(n % list.deep.len().max(1)).cloned()).await?);
    }
    Ok((first, deep))
}

async fn page(crowd: &Crowd, list: &List, after: Option<String>) -> Result<Duration> {
    let testing::TestEnv { engine, admin, .. } = &crowd.env;
    let request = PageRequest { after, limit: PAGE_ROWS };
    let began = Instant::now();
    let rows = match &list.of {
        Of::Users(filter, sort) => users::list_sorted(engine, admin, filter, *sort, &request).await?.rows.len(),
        Of::Messages(query) => messages::list(engine, admin, query, &request).await?.rows.len(),
    };
    let took = began.elapsed();
    ensure!(rows == list.rows(), "{}: the page has {rows} rows", list.name);
    Ok(took)
}

impl List {
    /// How many rows a page of it has.
    fn rows(&self) -> usize {
        if self.deep.is_empty() { 1 } else { PAGE_ROWS as usize }
    }

    /// Its address in the API, at a place.
    fn target(&self, after: Option<&String>, cursors: &api_keys::CursorKey) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &PAGE_ROWS.to_string());
        if let Some(after) = after {
            query.append_pair("cursor", &cursor(cursors, after));
        }
        match &self.of {
            Of::Users(filter, sort) => {
                query.append_pair("filter", filter).append_pair("sort", sort.as_str());
                format!("/api/v1/users?{}", query.finish())
            }
            Of::Messages(asked) => {
                if let Some(campaign) = asked.campaign {
                    query.append_pair("campaign", &campaign.to_string());
                }
                if let Some(state) = asked.state {
                    query.append_pair("state", state.as_str());
                }
                format!("/api/v1/messages?{}", query.finish())
            }
        }
    }
}

/// A cursor as the API gives them: its own place, and its tag before it.
fn cursor(key: &api_keys::CursorKey, after: &str) -> String {
    let content = json!([true, [after]]).to_string();
    let mut bytes = key.tag(content.as_bytes()).to_vec();
    bytes.extend(content.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The program on the crowd's database, as a process of its own.
struct Api {
    address: SocketAddr,
    serve: Process,
    secret: String,
    _folder: TempDir,
}

impl Api {
    async fn start(crowd: &Crowd) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ese-bench-").tempdir()?;
        let (address, provider) = (process::free_address()?, process::free_address()?);
        let environment = vec![
            ("DATA_DIR", folder.path().display().to_string()),
            ("DATABASE_URL", database(crowd)?),
            ("LISTEN", address.to_string()),
            ("SIMULATOR", "on".to_owned()),
            ("SIMULATOR_LISTEN", provider.to_string()),
            ("LOG", "warn".to_owned()),
        ];
        // An operator who is there before the first start: then no demo people are made.
        let create = ["operator", "create", "--email", "bench@example.org", "--name", "Bench", "--role", "admin"];
        process::command(&create, &environment, folder.path())?;
        let form = ApiKeyForm {
            name: "Bench".to_owned(),
            scopes: Scope::ALL.to_vec(),
            expires_in_days: None,
            rate_per_second: Some(RATE_MAX_PER_SECOND),
        };
        let secret = api_keys::create(&crowd.env.engine, &crowd.env.admin, &form).await?.secret;
        let serve = Process::start("serve", &environment, folder.path())?;
        serve.line("Dashboard:")?;
        Ok(Self { address, serve, secret, _folder: folder })
    }

    fn request(&self, target: &str) -> Vec<u8> {
        format!("GET {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n", self.address, self.secret)
            .into_bytes()
    }
}

/// The peer of pages, on the crowd's database.
struct Plain {
    address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Plain {
    fn start(crowd: &Crowd) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ese-bench-").tempdir()?;
        let program = std::env::current_exe()?.display().to_string();
        let process = Process::run("plain", &[&program, "--plain", &database(crowd)?], &[], folder.path())?;
        let address = process.line(plain::READY)?.parse()?;
        Ok(Self { address, process, _folder: folder })
    }

    /// First pages and pages far down, in turn.
    fn requests(&self, deep: &[String]) -> Vec<Request> {
        let first = wire::get(self.address, plain::PATH);
        let deep = deep.iter().map(|place| wire::get(self.address, &format!("{}?before={place}", plain::PATH)));
        deep.flat_map(|deep| [first.clone(), deep]).collect()
    }
}

fn database(crowd: &Crowd) -> Result<String> {
    match crowd.env.location() {
        db::Location::Postgres(database) => Ok(database),
        db::Location::Sqlite(_) => anyhow::bail!("the crowd is on PostgreSQL"),
    }
}

/// The same pages through the API, and what each costs.
async fn api(crowd: &Crowd, lists: &[List], settings: Settings) -> Result<Vec<Figure>> {
    let (api, plain) = (Api::start(crowd).await?, Plain::start(crowd)?);
    let cursors = cursor_key(&crowd.env.engine).await?;
    let mut connection = Connection::open(api.address).await?;
    let (ours, peers) = (Several::open(api.address).await?, Several::open(plain.address).await?);
    let by_id = lists.first().map(|list| plain.requests(&list.deep)).unwrap_or_default();
    let (mut figures, mut plainly) = (Vec::new(), Vec::new());
    for list in lists {
        eprintln!("bench: API, {}", list.name);
        let first = api.request(&list.target(None, &cursors));
        let deep: Vec<_> = list.deep.iter().map(|place| api.request(&list.target(Some(place), &cursors))).collect();
        let turns: Vec<Request> = (0..settings.pages)
            .flat_map(|n| [first.clone(), deep.get(n % deep.len().max(1)).unwrap_or(&first).clone()])
            .collect();
        let mut measured = Measured::default();
        let (mut web, mut postgres, mut peer) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=settings.rounds {
            let (mut firsts, mut deeps) = (Vec::new(), Vec::new());
            for pair in turns.chunks(2) {
                firsts.push(ask(&mut connection, &pair[0]).await.with_context(|| list.name.clone())?);
                deeps.push(ask(&mut connection, &pair[pair.len() - 1]).await?);
            }
            let cost = ours.ask(&turns, api.serve.pid).await.with_context(|| list.name.clone())?;
            let bare = peers.ask(&by_id, plain.process.pid).await?;
            if round > 0 {
                web.push(cost.server);
                postgres.push(cost.postgres);
                peer.push(bare.server);
                measured.turn(firsts, deeps);
            }
        }
        let name = format!("API, {}", list.name);
        figures.extend(measured.figures(&name));
        let cpu = Figure::of(format!("{name}: CPU of `serve`"), Spread::of(web.iter().copied()), "µs/page");
        figures.push(cpu.with(Target::AtMost(CPU_GATE_US)));
        figures.push(Figure::of(format!("{name}: CPU ÷ the plain page's"), Spread::of_ratios(&web, &peer), "×"));
        figures.push(Figure::of(format!("{name}: CPU of PostgreSQL"), Spread::of(postgres), "µs/page"));
        plainly.extend(peer);
    }
    figures.push(Figure::of("the plain page, users, newest: CPU of its server", Spread::of(plainly), "µs/page"));
    Ok(figures)
}

/// What a page cost, in CPU µs.
struct Cost {
    server: f64,
    postgres: f64,
}

/// Several connections to one server.
struct Several(Vec<Mutex<Connection>>);

impl Several {
    async fn open(address: SocketAddr) -> Result<Self> {
        let each = (0..AT_ONCE).map(|_| Connection::open(address));
        Ok(Self(future::try_join_all(each).await?.into_iter().map(Mutex::new).collect()))
    }

    /// Asks for all of these so many times, over all connections at once, and for what each cost the process of this number.
    async fn ask(&self, requests: &[Request], pid: u32) -> Result<Cost> {
        let all = requests.len() * COST_TURNS;
        let before = Snapshot::take()?;
        let each = self.0.iter().enumerate().map(async |(place, connection)| {
            let mut connection = connection.lock().await;
            for request in requests.iter().cycle().take(all).skip(place).step_by(AT_ONCE) {
                ask(&mut connection, request).await?;
            }
            anyhow::Ok(())
        });
        future::try_join_all(each).await?;
        let after = Snapshot::take()?;
        let page = |cpu: Duration| cpu.as_secs_f64() * 1e6 / all as f64;
        Ok(Cost { server: page(after.cpu_since(&before, pid)), postgres: page(after.cpu_of_our(&before, "postgres")) })
    }
}

async fn cursor_key(engine: &Engine) -> Result<api_keys::CursorKey> {
    Ok(api_keys::cursor_key(engine).await?)
}

async fn ask(connection: &mut Connection, request: &[u8]) -> Result<Duration> {
    let began = Instant::now();
    let status = connection.send(request).await?;
    ensure!(status == 200, "a page was answered {status}");
    Ok(began.elapsed())
}

/// The peer: a page at the same depth as lists without a cursor read it, in milliseconds.
async fn by_offset(crowd: &Crowd) -> Result<Vec<f64>> {
    let depth = (f64::from(crowd.rows) * DEEP) as i64;
    let mut took = Vec::new();
    for _ in 0..OFFSET_PAGES {
        let began = Instant::now();
        let sql = "SELECT id, updated_at FROM users WHERE merged_into IS NULL ORDER BY id DESC LIMIT $1 OFFSET $2";
        let found: Vec<Place> = db::all(crowd.env.engine.db.read(), sql, values![i64::from(PAGE_ROWS), depth]).await?;
        ensure!(found.len() == PAGE_ROWS as usize, "a page by OFFSET has {} rows", found.len());
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(took)
}
