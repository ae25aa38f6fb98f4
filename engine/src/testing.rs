//! The environment of tests: a real database of its own, the real Twilio client against the simulator on a real port, a
//! clock that stands still, and doorbells that ring only when the test says so.
//!
//! ```text
//! both! {
//!     async fn a_launch_reaches_everyone(env: TestEnv) {
//!         let user = env.user("+12025550143").name("Ada").opted_in(Channel::Sms).create().await;
//!         let campaign = env.campaign().launch().await;
//!         env.run_jobs().await;
//!         assert_eq!(env.simulator.truth().len(), 1);
//!     }
//! }
//! ```

mod builders;
pub mod postgres;
mod process;
pub mod redis;
pub mod sqlite;

pub use builders::{CampaignBuilder, UserBuilder};

use crate::{
    Actor, Clock, Db, Doorbell, Engine, Limits, Queue, Remembered,
    actor::{Client, Identity},
    db::{self, Location, Pools},
    delivery::Slots,
    jobs,
    live::Live,
    queue::LocalRing,
    rate_limit::LocalLimiter,
    twilio::{
        Secret,
        client::{Auth, TwilioClient, TwilioConfig},
    },
    webhooks,
};
use chrono::{DateTime, Utc};
use domain::operator::Role;
use migrations::{Migrator, MigratorTrait};
use simulator::Simulator;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// When every test begins: a Tuesday at 17:00 UTC, which is a fair hour to write to people from Los Angeles to Berlin.
pub const START: &str = "2026-06-02T17:00:00Z";

/// How many connections a test's engine has.
const POOLS: Pools = Pools { connections: 8, acquire_seconds: 30, asked_ms: 15_000 };

/// How many doorbells one [`TestEnv::run_jobs`] answers before it takes them for an endless ring.
const BELLS_MAX: usize = 10_000;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A SQLite file.
    Sqlite,
    /// A database of the PostgreSQL server that this process started.
    Postgres,
}

/// Keeps a test's database for as long as the test lasts.
#[derive(Debug)]
enum Place {
    Sqlite { _database: sqlite::Database },
    Postgres { _database: postgres::Database },
    Durable { _server: postgres::Durable },
}

/// An engine with everything around it, for one test. Dropping it fails the test if doorbells were left unanswered.
pub struct TestEnv {
    /// The engine.
    pub engine: Engine,
    /// The provider behind it, which tells the truth about what was sent.
    pub simulator: Simulator,
    /// An operator who may do everything.
    pub admin: Actor,
    /// The simulator's clock: it moves with the engine's.
    simulator_clock: simulator::Clock,
    ring: Arc<LocalRing>,
    may_leave_jobs: AtomicBool,
    names: AtomicUsize,
    location: Location,
    _serving: DropGuard,
    _uploads: TempDir,
    _place: Place,
}

impl TestEnv {
    /// An engine on an empty database with all tables.
    ///
    /// # Panics
    /// When something that it needs cannot be started; the message says what to install.
    pub async fn new(backend: Backend) -> Self {
        Self::with(backend, |_| {}).await
    }

    /// The same with other limits.
    ///
    /// # Panics
    /// As [`TestEnv::new`].
    pub async fn with(backend: Backend, change: impl FnOnce(&mut Limits)) -> Self {
        let (db, location, place) = open(backend).await;
        Self::on(db, location, place, change).await
    }

    /// An engine on a PostgreSQL server of its own that makes every commit durable: for measurements.
    ///
    /// # Panics
    /// As [`TestEnv::new`].
    pub async fn durable() -> Self {
        Self::durable_with(|_| {}).await
    }

    /// The same with other limits.
    ///
    /// # Panics
    /// As [`TestEnv::new`].
    pub async fn durable_with(change: impl FnOnce(&mut Limits)) -> Self {
        let server = postgres::Durable::start().unwrap_or_else(|error| panic!("{error}"));
        let location = Location::Postgres(server.url());
        let db = Db::connect(&location, POOLS).await.expect("the server takes connections");
        Migrator::up(db.for_migrations(), None).await.expect("the migrations apply to an empty database");
        Self::on(db, location, Place::Durable { _server: server }, change).await
    }

    async fn on(db: Db, location: Location, place: Place, change: impl FnOnce(&mut Limits)) -> Self {
        let start: DateTime<Utc> = START.parse().expect("a constant instant");
        let clock = Clock::manual(start);
        let simulator_clock = simulator::Clock::manual(start);
        let config = simulator::Config { clock: simulator_clock.clone(), ..simulator::Config::default() };
        let simulator = Simulator::new(config).expect("the simulator's defaults are sound");
        let closing = CancellationToken::new();
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let base = simulator.spawn(any_port, closing.clone()).await.expect("a port is free");
        let base = Url::parse(&base).expect("the simulator names its URL");
        let uploads = process::folder().unwrap_or_else(|error| panic!("{error}"));
        let mut limits = limits(base.clone(), &uploads);
        change(&mut limits);
        let ring = Arc::new(LocalRing::default());
        let engine = Engine {
            db,
            queue: Queue::new(ring.clone()),
            provider: Arc::new(client(base, &limits, clock.clone())),
            rates: Arc::new(LocalLimiter::default()),
            slots: Slots::new(limits.in_flight),
            breakers: Default::default(),
            remembered: Remembered::default(),
            poster: webhooks::Poster::new(&["127.0.0.1".to_owned()]),
            live: Live::default(),
            clock,
            limits: Arc::new(limits),
        };
        Self {
            admin: operator(&engine, Role::Admin),
            engine,
            simulator,
            simulator_clock,
            ring,
            may_leave_jobs: AtomicBool::new(false),
            names: AtomicUsize::new(0),
            location,
            _serving: closing.drop_guard(),
            _uploads: uploads,
            _place: place,
        }
    }

    /// An operator of this role, who is nobody in the database.
    pub fn operator(&self, role: Role) -> Actor {
        operator(&self.engine, role)
    }

    /// Where the database is, for a test that opens it in its own way.
    pub fn location(&self) -> Location {
        self.location.clone()
    }

    /// Moves the time, here and at the provider.
    pub fn advance(&self, by: Duration) {
        self.engine.clock.advance(by);
        self.simulator_clock.set(self.engine.clock.now());
    }

    /// Sets the time, here and at the provider; backwards too.
    pub fn set_time(&self, to: DateTime<Utc>) {
        self.engine.clock.set(to);
        self.simulator_clock.set(to);
    }

    /// Answers all doorbells, and those that they ring, as the worker does.
    ///
    /// # Panics
    /// When a job fails, or when they ring each other for ever.
    pub async fn run_jobs(&self) {
        for _ in 0..BELLS_MAX {
            let Some(bell) = self.ring.take_any() else { return };
            jobs::run(&self.engine, bell).await.unwrap_or_else(|error| panic!("{bell:?} failed: {error:?}"));
        }
        panic!("after {BELLS_MAX} doorbells there are more: {:?}", self.ring.depths());
    }

    /// Waits until every transaction that runs now is over, those of other tests on the same PostgreSQL server too: only then
    /// does the event stream show what was committed meanwhile.
    ///
    /// # Panics
    /// When one stays open for half a minute.
    pub async fn settled(&self) {
        if matches!(self.location, Location::Sqlite(_)) {
            return;
        }
        let number = |sql: &'static str| async move {
            db::scalar::<i64, _>(self.engine.db.read(), sql, Vec::new()).await.expect("the server answers").unwrap_or(0)
        };
        let mine = number("SELECT pg_current_xact_id()::text::bigint AS value").await;
        let over = async {
            while number("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS value").await <= mine {}
        };
        tokio::time::timeout(Duration::from_secs(30), over).await.expect("no transaction stays open");
    }

    /// Runs the sweep, and all that it rings for.
    ///
    /// # Panics
    /// As [`TestEnv::run_jobs`].
    pub async fn sweep(&self) {
        self.engine.queue.ring(Doorbell::Sweep).await;
        self.run_jobs().await;
    }

    /// Takes the doorbells that ring, without answering them.
    pub fn take_jobs(&self) -> Vec<Doorbell> {
        std::iter::from_fn(|| self.ring.take_any()).collect()
    }

    /// Lets the test end with doorbells unanswered.
    pub fn leave_jobs(&self) {
        self.may_leave_jobs.store(true, Ordering::SeqCst);
    }

    /// A name that this test has not used.
    fn fresh_name(&self, noun: &str) -> String {
        format!("{noun} {}", self.names.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if std::thread::panicking() || self.may_leave_jobs.load(Ordering::SeqCst) {
            return;
        }
        let left = self.take_jobs();
        assert!(
            left.is_empty(),
            "the test left doorbells unanswered (run_jobs, or leave_jobs if it means to): {left:?}"
        );
    }
}

async fn open(backend: Backend) -> (Db, Location, Place) {
    let (location, place) = match backend {
        Backend::Sqlite => {
            let database = sqlite::Database::migrated().await;
            (Location::Sqlite(database.path()), Place::Sqlite { _database: database })
        }
        Backend::Postgres => {
            let database = postgres::Database::migrated().await;
            (Location::Postgres(database.url()), Place::Postgres { _database: database })
        }
    };
    let db = Db::connect(&location, POOLS).await.expect("the test's own database takes connections");
    (db, location, place)
}

/// Small batches, so that a few messages already take several; delays of a second, which the test's clock passes at once.
/// Only the time-out of a request is measured in real time, and so it is generous.
fn limits(simulator: Url, uploads: &TempDir) -> Limits {
    Limits {
        simulator_url: Some(simulator),
        send_timeout: Duration::from_secs(10),
        lease: Duration::from_secs(30),
        reconcile_delay: Duration::from_secs(1),
        reconcile_gap: Duration::from_secs(1),
        claim_rows: 8,
        chunk_rows: 5,
        expansion_rows: 4,
        upload_dir: uploads.path().to_owned(),
        ..Limits::default()
    }
}

fn client(base_url: Url, limits: &Limits, clock: Clock) -> TwilioClient {
    let config = TwilioConfig {
        base_url,
        account_sid: simulator::ACCOUNT_SID.to_owned(),
        auth: Auth::Token(Secret::new(simulator::AUTH_TOKEN)),
        connect_timeout: limits.send_timeout / 2,
        total_timeout: limits.send_timeout,
    };
    TwilioClient::new(config, clock).expect("the client takes the simulator's account")
}

fn operator(engine: &Engine, role: Role) -> Actor {
    Actor {
        identity: Identity::Operator {
            id: engine.clock.new_id(),
            email: format!("{role}@example.org"),
            role,
            session: Vec::new(),
        },
        client: Client::default(),
    }
}

/// Makes of each `async fn name(env: TestEnv)` two tests, `name::sqlite` and `name::postgres`. The function may answer a
/// `Result`.
#[macro_export]
macro_rules! both {
    ($($(#[$attribute:meta])* async fn $name:ident($env:ident: TestEnv) $(-> $answer:ty)? $body:block)*) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn check($env: TestEnv) $(-> $answer)? $body

            #[tokio::test]
            async fn sqlite() $(-> $answer)? {
                check(TestEnv::new($crate::testing::Backend::Sqlite).await).await
            }

            #[tokio::test]
            async fn postgres() $(-> $answer)? {
                check(TestEnv::new($crate::testing::Backend::Postgres).await).await
            }
        }
    )*};
}
