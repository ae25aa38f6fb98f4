//! The parts, put together: what `main` runs and what tests start.

use crate::{
    api::Cursors,
    config::{Config, Provider},
    connections::{self, Bounds},
    health::Health,
    live::Rooms,
    problem, seed, simulator,
    web::{self, Served, Web},
    worker::{self, Bells},
};
use anyhow::{Context as _, Result, bail};
use axum::Router;
use engine::{
    Actor, Clock, Db, Engine, Queue, Remembered, api_keys,
    db::{Location, Pools},
    delivery::Slots,
    feed,
    live::{self, Live},
    operators,
    queue::{
        LocalRing,
        redis::{Redis, RedisRing},
    },
    rate_limit::{LocalLimiter, Rates, redis::RedisLimiter},
    receipts::Ingest,
    senders,
    spool::{self, Spool},
    twilio::{
        Secret,
        client::{Auth, TwilioClient, TwilioConfig},
        signature::Verifier,
    },
    webhooks::Poster,
    workers,
};
use leptos::config::LeptosOptions;
use migrations::{Migrator, MigratorTrait as _};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long a process that is told to stop may take to finish what it has begun.
const GRACE: Duration = Duration::from_secs(15);
/// How long a connection to the provider may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Before every key in Redis. The braces keep them on one node of a cluster.
const REDIS_PREFIX: &str = "{ese}";

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Answers requests; works as well, if there is no Redis to share the work through, or if told to.
    Serve {
        /// Works as well, whatever there is.
        with_workers: bool,
    },
    /// Works.
    Worker,
    /// Does one thing and ends.
    Command,
}

/// A process, ready to run.
pub struct Application {
    /// The use cases.
    pub engine: Engine,
    /// Where it answers requests.
    pub address: Option<SocketAddr>,
    /// A token that signs the first administrator in, while nobody has a password.
    pub first_sign_in: Option<String>,
    config: Arc<Config>,
    web: Option<(TcpListener, Router)>,
    works: Option<(workers::Kind, Bells)>,
    spool: Option<Spool>,
    /// What stops listening first.
    shutdown: CancellationToken,
    _simulator: Option<simulator::Running>,
}

/// Who carries messages, as it was found or started.
struct Carrier {
    account_sid: String,
    tokens: Vec<Secret>,
    auth: Auth,
    base_url: Url,
    simulator_url: Option<Url>,
    running: Option<simulator::Running>,
}

impl Application {
    /// Connects, migrates, and starts what the role needs, short of answering and working: that is [`Application::run`].
    ///
    /// # Errors
    /// What is missing or refused, in words for whoever starts it.
    pub async fn build(mut config: Config, role: Role) -> Result<Self> {
        refuse(&config, role)?;
        let shutdown = CancellationToken::new();
        let listener = listen(&mut config, role).await?;
        let pools = Pools { connections: config.settings.database_connections, ..Pools::default() };
        let db = Db::connect(&config.database, pools).await.context("DATABASE_URL: the database cannot be reached")?;
        Migrator::up(db.for_migrations(), None).await.context("the migrations could not be applied")?;
        let redis = match &config.redis_url {
            Some(url) => {
                let redis = Redis::connect(url.expose(), REDIS_PREFIX).await;
                Some(redis.context("REDIS_URL: Redis cannot be reached")?)
            }
            None => None,
        };
        let (bells, queue, rates, live) = shared(redis.as_ref(), &shutdown);
        let carrier = carrier(&config, role, &shutdown).await?;
        let clock = Clock::system();
        let client = TwilioConfig {
            base_url: carrier.base_url,
            account_sid: carrier.account_sid.clone(),
            auth: carrier.auth,
            connect_timeout: CONNECT_TIMEOUT.min(Duration::from_millis(config.settings.send_timeout_ms / 2)),
            total_timeout: Duration::from_millis(config.settings.send_timeout_ms),
        };
        let provider = Arc::new(TwilioClient::new(client, clock.clone()).context("the provider cannot be used")?);
        let limits = Arc::new(config.limits(carrier.simulator_url));
        let slots = Slots::new(limits.in_flight);
        let poster = Poster::new(&config.settings.webhook_hosts);
        let breakers = Default::default();
        let remembered = Remembered::default();
        let engine = Engine { db, queue, provider, rates, slots, breakers, remembered, poster, live, clock, limits };
        feed::rebase(&engine).await.context("the event stream could not be looked at")?;
        for (channel, address, rate) in &config.senders {
            let ensured = senders::ensure(&engine, &Actor::system(), *channel, address, address, *rate).await;
            ensured.with_context(|| format!("SMS_SENDERS, WHATSAPP_SENDERS: {address}"))?;
        }
        let config = Arc::new(config);
        let mut application = Self {
            engine,
            address: None,
            first_sign_in: None,
            config,
            web: None,
            works: works(role, redis.is_some()).map(|kind| (kind, bells)),
            spool: None,
            shutdown,
            _simulator: carrier.running,
        };
        if let Some(listener) = listener {
            let verifier = Verifier::new(&application.config.public_url, &carrier.tokens)?;
            application.open(listener, redis, verifier, &carrier.account_sid).await?;
        }
        Ok(application)
    }

    /// Makes the web part, and lets the first person in.
    async fn open(
        &mut self,
        listener: TcpListener,
        redis: Option<Redis>,
        verifier: Verifier,
        account_sid: &str,
    ) -> Result<()> {
        if !self.config.is_real() && operators::is_fresh(&self.engine).await? {
            seed::run(&self.engine).await?;
        }
        self.first_sign_in = operators::first_sign_in(&self.engine).await?;
        let folder = self.config.settings.data_dir.join("spool");
        let spool = Spool::open(&folder, self.config.settings.spool_max_bytes)
            .with_context(|| format!("{}: the spool of webhooks cannot be opened", folder.display()))?;
        let cursor_key = api_keys::cursor_key(&self.engine).await.context("the key of cursors cannot be read")?;
        let served = Served {
            ingest: Ingest::start(self.engine.clone()),
            rooms: Rooms::new(self.engine.clone(), self.shutdown.clone()),
            engine: self.engine.clone(),
            leptos: leptos(&self.config),
            config: self.config.clone(),
            verifier,
            account_sid: account_sid.to_owned(),
            health: Health { redis },
            cursors: Cursors::new(cursor_key),
            spool: spool.clone(),
        };
        self.spool = Some(spool);
        self.address = Some(listener.local_addr()?);
        self.web = Some((listener, web::router(Web::from(served))));
        Ok(())
    }

    /// The URL that browsers reach it under.
    pub fn public_url(&self) -> &Url {
        &self.config.public_url
    }

    /// Answers and works until `stop` completes; then takes nothing new, and ends what was begun within 15 seconds.
    ///
    /// # Errors
    /// If it cannot go on; whoever runs it is to start it anew.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let Self { engine, web, works, spool, shutdown, .. } = self;
        let signal = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop => signal.cancel(),
                () = signal.cancelled() => {}
            }
        });
        let ends = shutdown.clone();
        let answer = async move {
            let Some((listener, router)) = web else { return Ok(()) };
            connections::serve(listener, router, Bounds::default(), ends).await;
            anyhow::Ok(())
        };
        let keeping = keep(engine.clone(), spool, shutdown.clone());
        let (db, told) = (engine.db.clone(), shutdown.clone());
        let work = async move {
            let Some((kind, bells)) = works else { return Ok(()) };
            worker::run(engine, kind, bells, told).await
        };
        let all = async { tokio::try_join!(answer, work, keeping) };
        tokio::pin!(all);
        tokio::select! {
            ended = &mut all => ended.map(|_| ())?,
            () = shutdown.cancelled() => {
                let ended = tokio::time::timeout(GRACE, all).await;
                ended.context("what was under way took longer than 15 seconds to end")?.map(|_| ())?;
            }
        }
        db.close().await;
        Ok(())
    }
}

/// Takes in what came while the database was away, and says that there is nothing left.
async fn keep(engine: Engine, spool: Option<Spool>, shutdown: CancellationToken) -> Result<()> {
    let Some(spool) = spool else { return Ok(()) };
    let mut rounds = tokio::time::interval(spool::KEEP_EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(rounds.tick()).await.is_some() {
        if let Err(error) = spool.keep(&engine).await {
            tracing::warn!(error.chain = %problem::chain(&error), spool.depth = spool.depth(), "the spool waits");
        }
    }
    if let Err(error) = spool.leave(&engine).await {
        tracing::warn!(error.chain = %problem::chain(&error), "the spool could not say that it ends");
    }
    Ok(())
}

/// Refuses roles that the configuration cannot hold, and says why.
fn refuse(config: &Config, role: Role) -> Result<()> {
    if role != Role::Worker {
        return Ok(());
    }
    if matches!(config.database, Location::Sqlite(_)) {
        bail!("DATABASE_URL: a SQLite file is for one process, which is `ese serve`; workers need postgres://…");
    }
    if config.redis_url.is_none() {
        bail!("REDIS_URL: without Redis there is one process, which is `ese serve`; workers need redis://…");
    }
    if matches!(config.provider, Provider::Simulator { url: None }) {
        bail!("SIMULATOR_URL: a worker needs the simulator of another process, or the Twilio keys");
    }
    Ok(())
}

/// Listens before anything else is done, so that a port that is taken is found out at once. A free port that the system
/// chose becomes part of the public URL.
async fn listen(config: &mut Config, role: Role) -> Result<Option<TcpListener>> {
    if !matches!(role, Role::Serve { .. }) {
        return Ok(None);
    }
    let listen = config.settings.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("LISTEN: cannot listen on {listen}"))?;
    if config.settings.public_url.is_none() && listen.port() == 0 {
        let port = listener.local_addr()?.port();
        config.public_url.set_port(Some(port)).map_err(|()| anyhow::anyhow!("PUBLIC_URL: it takes no port"))?;
    }
    Ok(Some(listener))
}

/// What processes share through Redis, or one process has for itself.
fn shared(redis: Option<&Redis>, shutdown: &CancellationToken) -> (Bells, Queue, Rates, Live) {
    match redis {
        Some(redis) => {
            let ring = RedisRing::new(redis.clone());
            let rates: Rates = Arc::new(RedisLimiter::new(redis.clone()));
            let live = live::redis::relay(redis.clone(), shutdown.clone());
            (Bells::Shared(ring.clone()), Queue::new(Arc::new(ring)), rates, live)
        }
        None => {
            let ring = Arc::new(LocalRing::default());
            let rates: Rates = Arc::new(LocalLimiter::default());
            (Bells::Local(ring.clone()), Queue::new(ring), rates, Live::default())
        }
    }
}

fn works(role: Role, has_redis: bool) -> Option<workers::Kind> {
    match role {
        Role::Serve { with_workers } => (with_workers || !has_redis).then_some(workers::Kind::Serve),
        Role::Worker => Some(workers::Kind::Worker),
        Role::Command => None,
    }
}

async fn carrier(config: &Config, role: Role, shutdown: &CancellationToken) -> Result<Carrier> {
    let url = match &config.provider {
        Provider::Twilio { account_sid, tokens, api_key, base_url } => {
            let auth = match (api_key, tokens.first()) {
                (Some((sid, secret)), _) => Auth::ApiKey { sid: sid.clone(), secret: secret.clone() },
                (None, Some(token)) => Auth::Token(token.clone()),
                (None, None) => bail!("TWILIO_AUTH_TOKEN: needed"),
            };
            return Ok(Carrier {
                account_sid: account_sid.clone(),
                tokens: tokens.clone(),
                auth,
                base_url: base_url.clone(),
                simulator_url: None,
                running: None,
            });
        }
        Provider::Simulator { url } => url.clone(),
    };
    let (url, running) = match (url, role) {
        (Some(url), _) => (url, None),
        (None, Role::Serve { .. }) => {
            let listen = config.settings.simulator_listen;
            let running = simulator::start(listen, &config.public_url, &config.senders, shutdown.clone()).await?;
            (running.url.clone(), Some(running))
        }
        // Nothing is sent by a command: any address will do.
        (None, _) => (config.public_url.clone(), None),
    };
    let token = Secret::new(::simulator::AUTH_TOKEN);
    Ok(Carrier {
        account_sid: ::simulator::ACCOUNT_SID.to_owned(),
        tokens: vec![token.clone()],
        auth: Auth::Token(token),
        simulator_url: Some(url.clone()),
        base_url: url,
        running,
    })
}

fn leptos(config: &Config) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("ese")
        .site_root(config.site_root.to_string_lossy().into_owned())
        .site_pkg_dir("pkg")
        .hash_files(config.hashed_files)
        .site_addr(config.settings.listen)
        .build()
}
