//! The configuration: every variable, what it means, and what is refused. The only file that reads the environment.

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use domain::phone::Channel;
use engine::{db::Location, twilio::Secret};
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use url::{Host, Url};

/// Where Twilio's API is.
const TWILIO: &str = "https://api.twilio.com";

/// Every setting. Each is a variable of the environment and, of the same name, an option of the command line.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The database: `sqlite:PATH` or `postgres://…`. Without it, a SQLite file in DATA_DIR.
    #[arg(long, env, hide_env_values = true, global = true, value_parser = secret)]
    pub database_url: Option<Secret>,
    /// Redis, which lets several processes share the work: `redis://…`. Needs PostgreSQL.
    #[arg(long, env, hide_env_values = true, global = true, value_parser = secret)]
    pub redis_url: Option<Secret>,
    /// The address to listen on.
    #[arg(long, env, global = true, default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// The URL that browsers and Twilio reach us under: https, or http on this machine. Without it, LISTEN's.
    #[arg(long, env, global = true)]
    pub public_url: Option<String>,
    /// The folder for the SQLite file and for uploads while they are read.
    #[arg(long, env, global = true, default_value = "data")]
    pub data_dir: PathBuf,
    /// The folder of the built dashboard. Without it, `site` beside the program, or else `target/site`.
    #[arg(long, env, global = true)]
    pub leptos_site_root: Option<PathBuf>,
    /// `production` refuses what is only for trying out.
    #[arg(long, env, global = true, value_enum, default_value_t = Environment::Development)]
    pub environment: Environment,

    /// The Twilio account (`AC…`).
    #[arg(long, env, global = true)]
    pub twilio_account_sid: Option<String>,
    /// The account's auth token: it checks the signatures of webhooks, and signs in where no API key is given.
    #[arg(long, env, hide_env_values = true, global = true, value_parser = secret)]
    pub twilio_auth_token: Option<Secret>,
    /// The other auth token, while tokens are rotated: its signatures count too.
    #[arg(long, env, hide_env_values = true, global = true, value_parser = secret)]
    pub twilio_auth_token_secondary: Option<Secret>,
    /// An API key (`SK…`) to send with.
    #[arg(long, env, global = true)]
    pub twilio_api_key: Option<String>,
    /// The API key's secret.
    #[arg(long, env, hide_env_values = true, global = true, value_parser = secret)]
    pub twilio_api_secret: Option<Secret>,
    /// Where Twilio's API is; a proxy, or a regional edge.
    #[arg(long, env, global = true, default_value = TWILIO)]
    pub twilio_base_url: Url,

    /// Whether the simulator stands in for Twilio; `auto`: while no Twilio keys are given.
    #[arg(long, env, global = true, value_enum, default_value_t = Switch::Auto)]
    pub simulator: Switch,
    /// The address of the simulator that `serve` and `simulator` start; port 0 takes a free one.
    #[arg(long, env, global = true, default_value = "127.0.0.1:0")]
    pub simulator_listen: SocketAddr,
    /// A simulator that runs in another process (`ese simulator`, or another `ese serve`).
    #[arg(long, env, global = true)]
    pub simulator_url: Option<Url>,

    /// Database connections of this process, 2 to 200.
    #[arg(long, env, global = true, default_value_t = 16)]
    pub database_connections: u32,
    /// How long one request to the provider may take, in milliseconds.
    #[arg(long, env, global = true, default_value_t = 10_000)]
    pub send_timeout_ms: u64,
    /// How long a claim is held, in milliseconds: at least three times SEND_TIMEOUT_MS.
    #[arg(long, env, global = true, default_value_t = 30_000)]
    pub lease_ms: u64,
    /// How long after its lease a message of unknown fate is first looked for, in milliseconds.
    #[arg(long, env, global = true, default_value_t = 60_000)]
    pub reconcile_delay_ms: u64,
    /// How long between two looks, in milliseconds.
    #[arg(long, env, global = true, default_value_t = 30_000)]
    pub reconcile_gap_ms: u64,
    /// How many messages one claim may take, 1 to 1,000.
    #[arg(long, env, global = true, default_value_t = 400)]
    pub claim_rows: u32,
    /// How many requests to the provider may be under way in one process, 1 to 4,096.
    #[arg(long, env, global = true, default_value_t = 256)]
    pub in_flight: usize,
    /// SMS senders with their rates in message segments a second: `+12025550100=10,MG…=100`.
    #[arg(long, env, global = true, value_delimiter = ',', value_parser = sender)]
    pub sms_senders: Vec<(String, u32)>,
    /// WhatsApp senders with their rates in messages a second: `+12025550199=80`.
    #[arg(long, env, global = true, value_delimiter = ',', value_parser = sender)]
    pub whatsapp_senders: Vec<(String, u32)>,

    /// The largest import file, in bytes.
    #[arg(long, env, global = true, default_value_t = 2 * 1024 * 1024 * 1024)]
    pub upload_max_bytes: u64,
    /// How many bytes of webhooks are kept on the disk while the database is away; beyond it they are answered with 503.
    #[arg(long, env, global = true, default_value_t = 256 * 1024 * 1024)]
    pub spool_max_bytes: u64,
    /// Hosts of your own network that webhooks may be sent to although they are not on the public internet, as `host` or
    /// `host:port`, separated by commas; for these http will do.
    #[arg(long, env, global = true, value_delimiter = ',')]
    pub webhook_hosts: Vec<String>,
    /// Proxies whose X-Forwarded-For is believed: addresses or networks, separated by commas.
    #[arg(long, env, global = true, value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// What is logged, as `tracing` writes it: `info`, `info,engine=debug`, …
    #[arg(long, env, global = true, default_value = "info,sqlx=warn,apalis=warn,apalis_core=warn,apalis_redis=warn")]
    pub log: String,
    /// How it is logged.
    #[arg(long, env, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// What an installation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// Trying out, development, tests.
    Development,
    /// Real people.
    Production,
}

/// On, off, or as it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// As it fits.
    Auto,
    /// On.
    On,
    /// Off.
    Off,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// The settings, checked: what holds together, and nothing that does not.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the database is.
    pub database: Location,
    /// Redis, for several processes.
    pub redis_url: Option<Secret>,
    /// Who carries messages.
    pub provider: Provider,
    /// The URL that browsers and the provider reach us under.
    pub public_url: Url,
    /// The built dashboard.
    pub site_root: PathBuf,
    /// Whether the dashboard's files carry hashes in their names.
    pub hashed_files: bool,
    /// The senders that must exist.
    pub senders: Vec<(Channel, String, u32)>,
    /// The rest, as it was given.
    pub settings: Settings,
}

/// Who carries messages.
#[derive(Debug, Clone)]
pub enum Provider {
    /// Twilio.
    Twilio {
        /// The account.
        account_sid: String,
        /// The tokens that sign webhooks.
        tokens: Vec<Secret>,
        /// The API key to send with; without it, the first token.
        api_key: Option<(String, Secret)>,
        /// Where its API is.
        base_url: Url,
    },
    /// The simulator: in this process, or elsewhere.
    Simulator {
        /// Where it is, unless this process starts it.
        url: Option<Url>,
    },
}

impl Config {
    /// Checks the settings.
    ///
    /// # Errors
    /// The first that is wrong, by the variable's name, and why.
    pub fn new(settings: Settings) -> Result<Self> {
        let database = database(settings.database_url.as_ref(), &settings.data_dir)?;
        if let (Location::Sqlite(_), Some(_)) = (&database, &settings.redis_url) {
            bail!(
                "REDIS_URL: Redis is for several processes, and a SQLite file is for one; set DATABASE_URL to \
                 postgres://… or leave REDIS_URL out"
            );
        }
        limits(&settings)?;
        let public_url = public_url(&settings)?;
        let provider = provider(&settings)?;
        let senders = senders(&settings, &provider);
        let (site_root, hashed_files) = site(settings.leptos_site_root.as_deref());
        let redis_url = settings.redis_url.clone();
        Ok(Self { database, redis_url, provider, public_url, site_root, hashed_files, senders, settings })
    }

    /// What the engine is told of it. `simulator_url` is where the simulator is, if one stands in for Twilio.
    pub fn limits(&self, simulator_url: Option<Url>) -> engine::Limits {
        let ms = Duration::from_millis;
        engine::Limits {
            public_url: self.public_url.clone(),
            simulator_url,
            send_timeout: ms(self.settings.send_timeout_ms),
            lease: ms(self.settings.lease_ms),
            reconcile_delay: ms(self.settings.reconcile_delay_ms),
            reconcile_gap: ms(self.settings.reconcile_gap_ms),
            claim_rows: self.settings.claim_rows,
            in_flight: self.settings.in_flight,
            upload_bytes: self.settings.upload_max_bytes,
            upload_dir: self.settings.data_dir.join("uploads"),
            ..engine::Limits::default()
        }
    }

    /// Whether messages go to people.
    pub fn is_real(&self) -> bool {
        matches!(self.provider, Provider::Twilio { .. })
    }
}

fn database(url: Option<&Secret>, data_dir: &Path) -> Result<Location> {
    let Some(url) = url.map(Secret::expose).filter(|url| !url.is_empty()) else {
        return Ok(Location::Sqlite(data_dir.join("ese.sqlite")));
    };
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Location::Postgres(url.to_owned()));
    }
    let path = url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    match path {
        Some(path) if !path.is_empty() && !path.contains(":memory:") => Ok(Location::Sqlite(path.into())),
        _ => bail!("DATABASE_URL: this is neither sqlite:PATH nor postgres://…"),
    }
}

fn limits(settings: &Settings) -> Result<()> {
    let within = |name: &str, value: u64, least: u64, most: u64| {
        ensure!((least..=most).contains(&value), "{name}: {value} is not between {least} and {most}");
        Ok(())
    };
    within("DATABASE_CONNECTIONS", settings.database_connections.into(), 2, 200)?;
    within("SEND_TIMEOUT_MS", settings.send_timeout_ms, 100, 120_000)?;
    within("LEASE_MS", settings.lease_ms, 300, 3_600_000)?;
    within("RECONCILE_DELAY_MS", settings.reconcile_delay_ms, 0, 3_600_000)?;
    within("RECONCILE_GAP_MS", settings.reconcile_gap_ms, 0, 3_600_000)?;
    within("CLAIM_ROWS", settings.claim_rows.into(), 1, 1_000)?;
    within("IN_FLIGHT", settings.in_flight as u64, 1, 4_096)?;
    within("UPLOAD_MAX_BYTES", settings.upload_max_bytes, 1, 1 << 40)?;
    within("SPOOL_MAX_BYTES", settings.spool_max_bytes, 1 << 16, 1 << 40)?;
    let least = settings.send_timeout_ms * 3;
    ensure!(
        settings.lease_ms >= least,
        "LEASE_MS: {} is less than three times SEND_TIMEOUT_MS ({least}); a claim could run out while its request is \
         still under way",
        settings.lease_ms
    );
    Ok(())
}

fn public_url(settings: &Settings) -> Result<Url> {
    let Some(text) = settings.public_url.as_deref().filter(|text| !text.is_empty()) else {
        let ip = settings.listen.ip();
        let host = if ip.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { ip };
        let url = format!("http://{}", SocketAddr::new(host, settings.listen.port()));
        let url = Url::parse(&url).context("LISTEN: no URL can be made of it")?;
        ensure!(is_loopback(&url), "PUBLIC_URL: needed where LISTEN is not an address of this machine alone");
        return Ok(url);
    };
    let url = Url::parse(text).context("PUBLIC_URL: this is not a URL")?;
    let host = url.host_str().unwrap_or_default();
    ensure!(!host.is_empty(), "PUBLIC_URL: it has no host");
    ensure!(
        !host.contains('_'),
        "PUBLIC_URL: Twilio calls no host whose name has an underscore in it; use another name for {host}"
    );
    ensure!(
        url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)),
        "PUBLIC_URL: https is needed (http only on this machine): the session's cookie must not travel in the clear"
    );
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    ensure!(bare, "PUBLIC_URL: scheme, host and port only; the dashboard is at the root of its host");
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn provider(settings: &Settings) -> Result<Provider> {
    let account = settings.twilio_account_sid.clone().filter(|text| !text.is_empty());
    let token = given(settings.twilio_auth_token.as_ref());
    let key = settings.twilio_api_key.clone().filter(|text| !text.is_empty());
    let key_secret = given(settings.twilio_api_secret.as_ref());
    let any = account.is_some() || token.is_some() || key.is_some() || key_secret.is_some();
    let simulated = match settings.simulator {
        Switch::On => true,
        Switch::Off => false,
        Switch::Auto => !any,
    };
    if simulated {
        ensure!(
            settings.environment != Environment::Production,
            "SIMULATOR: in production there is none; give the Twilio keys (TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN)"
        );
        return Ok(Provider::Simulator { url: settings.simulator_url.clone() });
    }
    let account_sid = account.context("TWILIO_ACCOUNT_SID: needed, since the simulator is off")?;
    let fits = account_sid.strip_prefix("AC").is_some_and(|rest| rest.len() == 32 && is_hex(rest));
    ensure!(fits, "TWILIO_ACCOUNT_SID: an account is AC and 32 hexadecimal digits");
    let token = token.context("TWILIO_AUTH_TOKEN: needed even with an API key: webhooks are signed with it")?;
    let api_key = match (key, key_secret) {
        (Some(key), Some(secret)) => Some((key, secret)),
        (None, None) => None,
        (Some(_), None) => bail!("TWILIO_API_SECRET: needed with TWILIO_API_KEY"),
        (None, Some(_)) => bail!("TWILIO_API_KEY: needed with TWILIO_API_SECRET"),
    };
    let base_url = settings.twilio_base_url.clone();
    ensure!(
        base_url.scheme() == "https" || settings.environment != Environment::Production,
        "TWILIO_BASE_URL: https is needed in production"
    );
    let tokens = [Some(token), given(settings.twilio_auth_token_secondary.as_ref())].into_iter().flatten().collect();
    Ok(Provider::Twilio { account_sid, tokens, api_key, base_url })
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A secret that was given: compose files pass unset variables as empty ones.
fn given(secret: Option<&Secret>) -> Option<Secret> {
    secret.filter(|secret| !secret.expose().is_empty()).cloned()
}

/// The senders that must exist. The simulator has its own where none are named.
fn senders(settings: &Settings, provider: &Provider) -> Vec<(Channel, String, u32)> {
    let of = |channel, list: &[(String, u32)]| -> Vec<_> {
        list.iter().map(|(address, rate)| (channel, address.clone(), *rate)).collect()
    };
    let mut senders = of(Channel::Sms, &settings.sms_senders);
    senders.extend(of(Channel::Whatsapp, &settings.whatsapp_senders));
    if matches!(provider, Provider::Simulator { .. }) {
        let shipped = [(Channel::Sms, simulator::LONG_CODE, 100), (Channel::Whatsapp, simulator::WHATSAPP_SENDER, 80)];
        for (channel, address, rate) in shipped {
            if senders.iter().all(|(of, _, _)| *of != channel) {
                senders.push((channel, address.to_owned(), rate));
            }
        }
    }
    senders
}

/// Where the dashboard's files are, and whether their names carry hashes: cargo-leptos leaves their list beside the program.
fn site(given: Option<&Path>) -> (PathBuf, bool) {
    let beside = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_default();
    let root = match given {
        Some(root) => root.to_path_buf(),
        None if beside.join("site").is_dir() => beside.join("site"),
        None => PathBuf::from("target/site"),
    };
    (root, beside.join("hash.txt").is_file())
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// `ADDRESS=RATE`.
fn sender(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("`{text}` is not ADDRESS=RATE, such as +12025550100=10");
    let (address, rate) = text.trim().split_once('=').ok_or_else(wrong)?;
    match rate.trim().parse() {
        Ok(rate) if rate > 0 && !address.trim().is_empty() => Ok((address.trim().to_owned(), rate)),
        _ => Err(wrong()),
    }
}

/// An address or a network.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("`{text}` is no address or network"))
}
