//! The command line: one program with several roles.

use crate::{
    application::{Application, Role},
    config::{Config, Provider, Settings},
    remote::{self, CampaignCommand, EventsCommand, ImportCommand},
    seed, simulator, telemetry,
};
use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, Subcommand};
use domain::{
    api_key::{ApiKeyForm, Scope},
    ids::ApiKeyId,
    operator,
};
use engine::{
    Actor, Db, api_keys, consents,
    db::{Location, Pools},
    operators, rebuild,
};
use migrations::{Migrator, MigratorTrait as _};
use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Event Stream Engine: WhatsApp and SMS campaigns on Twilio.
#[derive(Debug, Parser)]
#[command(name = "ese", version, max_term_width = 120)]
pub struct Cli {
    /// The settings.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer requests; and work as well, unless REDIS_URL is set.
    Serve {
        /// Work as well, even with REDIS_URL.
        #[arg(long)]
        with_workers: bool,
    },
    /// Work: send, import, reconcile. Needs PostgreSQL and Redis.
    Worker,
    /// Bring the database's tables up to date (`serve` and `worker` do it too).
    Migrate {
        /// Take back the last N migrations, with everything in their tables.
        #[arg(long, value_name = "N", conflicts_with = "status")]
        down: Option<u32>,
        /// Say which are applied, and change nothing.
        #[arg(long)]
        status: bool,
    },
    /// Run the simulator as a process of its own, on SIMULATOR_LISTEN.
    Simulator,
    /// Fill the database with made-up people and campaigns; doing so again changes nothing.
    Seed,
    /// People at the dashboard.
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Keys of the REST API.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Bring a file of people into a running server, by its API: checked first, and applied with --apply.
    Import(ImportCommand),
    /// Launch, pause, resume, cancel and watch campaigns of a running server, by its API.
    #[command(subcommand)]
    Campaign(CampaignCommand),
    /// What happens at a running server, by its API.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Say whether a consent receipt was issued here, and nobody changed it since; the exit code is the answer.
    VerifyReceipt {
        /// The file, as it was downloaded.
        file: std::path::PathBuf,
    },
    /// Fold the raw log, the ledgers and the rows again, and name every table that says something else; then put counters right.
    /// The exit code says whether anything differed. Run it while nothing is sent and nothing comes in.
    Rebuild {
        /// Only look: change nothing.
        #[arg(long)]
        verify: bool,
    },
    /// Ask a running `serve` whether it lives; the exit code is the answer.
    Healthcheck,
}

/// People at the dashboard.
#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Make one, and print a link that lets them in.
    Create {
        /// The e-mail address: the sign-in name.
        #[arg(long)]
        email: String,
        /// The name.
        #[arg(long)]
        name: String,
        /// viewer, agent, marketer, approver or admin.
        #[arg(long)]
        role: operator::Role,
    },
    /// Print a link that lets one in, once, within 15 minutes.
    Link {
        /// The e-mail address.
        #[arg(long)]
        email: String,
    },
}

/// Keys of the REST API.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make one, and print it: it is not shown again.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do, such as users:read; several are separated by commas. Left out: everything that keys may do.
        #[arg(long, value_delimiter = ',')]
        scope: Vec<Scope>,
        /// After how many days it stops to hold.
        #[arg(long)]
        expires_in_days: Option<u32>,
        /// How many requests it may make a second.
        #[arg(long)]
        rate_per_second: Option<u32>,
    },
    /// List them.
    List,
    /// Take one back.
    Revoke {
        /// Its id.
        id: ApiKeyId,
    },
}

/// Does what the command line says.
///
/// # Errors
/// Why it could not, in words for whoever started it.
pub async fn run(cli: Cli) -> Result<()> {
    telemetry::start(&cli.settings.log, cli.settings.log_format)?;
    // What is done at a server somewhere needs no configuration of one here.
    let command = match cli.command {
        Command::Import(command) => return remote::import(command).await,
        Command::Campaign(command) => return remote::campaign(command).await,
        Command::Events(command) => return remote::events(command).await,
        here => here,
    };
    let config = Config::new(cli.settings)?;
    match command {
        Command::Serve { with_workers } => serve(config, with_workers).await,
        Command::Worker => {
            let application = Application::build(config, Role::Worker).await?;
            tracing::info!(worker.name = application.engine.limits.worker, "working");
            application.run(stop()).await
        }
        Command::Migrate { down, status } => migrate(&config, down, status).await,
        Command::Simulator => simulate(&config).await,
        Command::Seed => {
            ensure!(
                !config.is_real(),
                "SIMULATOR: made-up people are for the simulator; with Twilio's keys given there is no seed"
            );
            let application = Application::build(config, Role::Command).await?;
            seed::run(&application.engine).await
        }
        Command::Operator(command) => operator(config, command).await,
        Command::Key(command) => key(config, command).await,
        Command::VerifyReceipt { file } => verify_receipt(config, &file).await,
        Command::Rebuild { verify } => rebuild(config, verify).await,
        Command::Healthcheck => healthcheck(config.settings.listen),
        Command::Import(_) | Command::Campaign(_) | Command::Events(_) => bail!("these need no configuration"),
    }
}

async fn rebuild(config: Config, only_verify: bool) -> Result<()> {
    let application = Application::build(config, Role::Command).await?;
    let engine = &application.engine;
    let found = rebuild::verify(engine).await?;
    let mut out = std::io::stdout();
    for difference in &found.differences {
        writeln!(out, "{difference}")?;
    }
    writeln!(
        out,
        "{} messages folded, {} of them erased; {} differences",
        found.messages,
        found.erased,
        found.differences.len()
    )?;
    if !only_verify {
        writeln!(out, "{} campaigns' counters put right", rebuild::counters_anew(engine).await?)?;
    }
    ensure!(found.differences.is_empty(), "the tables are not what they were made of");
    Ok(())
}

async fn key(config: Config, command: KeyCommand) -> Result<()> {
    let application = Application::build(config, Role::Command).await?;
    let (engine, actor) = (&application.engine, Actor::system());
    let mut out = std::io::stdout();
    match command {
        KeyCommand::Create { name, scope, expires_in_days, rate_per_second } => {
            let scopes = if scope.is_empty() { Scope::ALL.to_vec() } else { scope };
            let form = ApiKeyForm { name, scopes, expires_in_days, rate_per_second };
            writeln!(out, "{}", api_keys::create(engine, &actor, &form).await?.secret)?;
        }
        KeyCommand::List => {
            for key in api_keys::list(engine, &actor).await? {
                let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
                let state = if key.revoked_at.is_some() { "revoked" } else { "holds" };
                writeln!(out, "{}  {}…  {state}  {}  {}", key.id, key.prefix, key.name, scopes.join(","))?;
            }
        }
        KeyCommand::Revoke { id } => {
            let key = api_keys::revoke(engine, &actor, id).await?;
            writeln!(out, "Revoked {} ({}…)", key.name, key.prefix)?;
        }
    }
    Ok(())
}

async fn verify_receipt(config: Config, file: &std::path::Path) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let receipt = serde_json::from_str(&text).with_context(|| format!("{}: this is no receipt", file.display()))?;
    let application = Application::build(config, Role::Command).await?;
    ensure!(
        consents::verify_receipt(&application.engine, &receipt).await?,
        "{}: not issued here, or changed since",
        file.display()
    );
    println!("{}: issued here, and unchanged", file.display());
    Ok(())
}

async fn serve(config: Config, with_workers: bool) -> Result<()> {
    let simulated = !config.is_real();
    let application = Application::build(config, Role::Serve { with_workers }).await?;
    let url = application.public_url().clone();
    tracing::info!(url = %url, simulated, "serving");
    let mut out = std::io::stdout();
    writeln!(out, "Dashboard: {url}")?;
    if let Some(token) = &application.first_sign_in {
        writeln!(out, "Sign in:   {}", link(&url, token)?)?;
        writeln!(out, "           (works once, within 15 minutes; then set a password at {})", url.join("/account")?)?;
    }
    out.flush()?;
    application.run(stop()).await
}

/// The page that spends a sign-in token.
fn link(public_url: &Url, token: &str) -> Result<Url> {
    let mut url = public_url.join("/sign-in/link").context("PUBLIC_URL: it takes no path")?;
    url.query_pairs_mut().append_pair("token", token);
    Ok(url)
}

async fn migrate(config: &Config, down: Option<u32>, status: bool) -> Result<()> {
    let db = Db::connect(&config.database, Pools::default())
        .await
        .context("DATABASE_URL: the database cannot be reached")?;
    let connection = db.for_migrations();
    if status {
        let pending = Migrator::get_pending_migrations(connection).await?;
        for migration in Migrator::get_migration_files() {
            let waits = pending.iter().any(|other| other.name() == migration.name());
            writeln!(std::io::stdout(), "{} {}", if waits { "pending" } else { "applied" }, migration.name())?;
        }
    } else if let Some(count) = down {
        Migrator::down(connection, Some(count)).await?;
    } else {
        Migrator::up(connection, None).await?;
    }
    db.close().await;
    Ok(())
}

async fn simulate(config: &Config) -> Result<()> {
    ensure!(
        matches!(config.provider, Provider::Simulator { .. }),
        "SIMULATOR: it is off, since Twilio's keys are given"
    );
    let shutdown = CancellationToken::new();
    let running =
        simulator::start(config.settings.simulator_listen, &config.public_url, &config.senders, shutdown.clone())
            .await?;
    writeln!(std::io::stdout(), "Simulator: {}", running.url)?;
    stop().await;
    shutdown.cancel();
    Ok(())
}

async fn operator(config: Config, command: OperatorCommand) -> Result<()> {
    if let Location::Sqlite(path) = &config.database {
        ensure!(path.exists(), "DATABASE_URL: there is no database at {} yet; start `ese serve` once", path.display());
    }
    let application = Application::build(config, Role::Command).await?;
    let (engine, system) = (&application.engine, Actor::system());
    let email = match command {
        OperatorCommand::Create { email, name, role } => {
            operators::create(engine, &system, &email, &name, role).await?.email
        }
        OperatorCommand::Link { email } => email,
    };
    let token = operators::issue_link(engine, &system, &email).await?;
    writeln!(std::io::stdout(), "Sign in: {}", link(application.public_url(), &token)?)?;
    Ok(())
}

/// One request to our own `/healthz`, by hand: an HTTP client is the engine's business, and this needs none.
fn healthcheck(listen: SocketAddr) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let mut stream =
        TcpStream::connect_timeout(&SocketAddr::new(ip, listen.port()), PATIENCE).context("nobody listens")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).context("no answer")?;
    match &head[9..] {
        b"204" => Ok(()),
        status => bail!("the answer is {}", String::from_utf8_lossy(status)),
    }
}

/// Completes when the process is told to stop.
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(error) => {
                tracing::warn!(error = %error, "SIGTERM cannot be heard");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminated => {}
        // Without a terminal there is nothing to press Ctrl-C on; SIGTERM is heard all the same.
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping");
}
