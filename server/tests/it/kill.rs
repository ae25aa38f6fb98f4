//! Workers are killed in mid-campaign, against a provider that times out after accepting. Afterwards the simulator's own
//! log is the judge: nobody got two, and nobody got none.
//!
//! The processes are the real binary; the provider and the database outlive them.

use domain::{
    campaign::{CampaignForm, CampaignStatus, UnknownPolicy},
    consent::ConsentKind,
    ids::CampaignId,
    message::Bucket,
    phone::Channel,
    template::TemplateForm,
    user::UserForm,
};
use engine::{
    Actor, Clock, Db, Engine, Limits, Queue, campaigns, consents,
    db::{Location, Pools},
    delivery::Slots,
    live::Live,
    queue::LocalRing,
    rate_limit::LocalLimiter,
    senders, templates,
    testing::{postgres, redis, sqlite},
    twilio::{
        Secret,
        client::{Auth, TwilioClient, TwilioConfig},
    },
    users,
};
use simulator::{Chaos, Simulator, Span};
use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// How many people a campaign goes to.
const PEOPLE: u32 = 400;
/// Where their numbers begin: behind those of the simulator's senders.
const FIRST_NUMBER: u32 = 2_000;
/// When the test is over, whatever happened.
const DEADLINE: Duration = Duration::from_secs(150);

/// The world around the processes that are killed.
struct World {
    engine: Engine,
    simulator: Simulator,
    simulator_url: Url,
    environment: Vec<(String, String)>,
    public: SocketAddr,
    folder: tempfile::TempDir,
    _serving: DropGuard,
}

/// A process that ends with the test.
struct Process(Child);

impl Process {
    /// As the kernel does it when memory runs out: at once, without a word to the process.
    fn kill(&mut self) {
        self.0.kill().expect("the process is ours");
        self.0.wait().expect("the process is ours");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a bound listener has an address")
}

/// A zone in which it is about noon now, so that no quiet hours are near.
fn zone_at_noon(now: chrono::DateTime<chrono::Utc>) -> String {
    use chrono::Timelike;
    let offset = 12 - i64::from(now.hour());
    // The sign of these names is turned round: Etc/GMT-3 is three hours east.
    match offset {
        0 => "Etc/GMT".to_owned(),
        east if east > 0 => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", -west),
    }
}

/// Lies in every way that leaves a message accepted: time-outs and server errors after accepting, early, doubled and
/// dropped callbacks; and sometimes refuses for now.
fn lies() -> Chaos {
    Chaos {
        create_latency_ms: Span::between(5, 25),
        step_ms: Span::between(5, 40),
        callback_delay_ms: Span::between(0, 40),
        hang_after_accept: 0.02,
        hang_ms: 1_500,
        server_error_after_accept: 0.03,
        reset_after_accept: 0.02,
        rate_limited: 0.05,
        early_callback: 0.2,
        callback_duplicated: 0.1,
        callback_dropped: 0.1,
        callback_reordered: 0.2,
        ..Chaos::default()
    }
}

impl World {
    async fn new(location: Location, mut environment: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let closing = CancellationToken::new();
        let public = free_port();
        let simulator = Simulator::new(simulator::Config { chaos: lies(), ..simulator::Config::default() })
            .expect("the simulator takes its settings");
        let simulator_url =
            simulator.spawn(SocketAddr::from(([127, 0, 0, 1], 0)), closing.clone()).await.expect("a port is free");
        let simulator_url = Url::parse(&simulator_url).expect("the simulator names its URL");
        let db = Db::connect(&location, Pools::default()).await.expect("the database is there");
        let limits = Limits::default();
        let clock = Clock::system();
        let config = TwilioConfig {
            base_url: simulator_url.clone(),
            account_sid: simulator::ACCOUNT_SID.to_owned(),
            auth: Auth::Token(Secret::new(simulator::AUTH_TOKEN)),
            connect_timeout: Duration::from_secs(1),
            total_timeout: Duration::from_secs(2),
        };
        let engine = Engine {
            db,
            // Nobody answers this process' doorbells: the sweep of the others finds the work.
            queue: Queue::new(Arc::new(LocalRing::default())),
            provider: Arc::new(TwilioClient::new(config, clock.clone()).expect("a client")),
            rates: Arc::new(LocalLimiter::default()),
            breakers: engine::breakers::Breakers::default(),
            remembered: engine::Remembered::default(),
            poster: engine::webhooks::Poster::new(&[]),
            slots: Slots::new(1),
            live: Live::default(),
            clock,
            limits: Arc::new(limits),
        };
        for (name, value) in [
            ("DATA_DIR", folder.path().display().to_string()),
            ("SIMULATOR", "on".to_owned()),
            ("SIMULATOR_URL", simulator_url.to_string()),
            ("SEND_TIMEOUT_MS", "200".to_owned()),
            ("LEASE_MS", "600".to_owned()),
            ("RECONCILE_DELAY_MS", "300".to_owned()),
            ("RECONCILE_GAP_MS", "300".to_owned()),
            ("PUBLIC_URL", format!("http://{public}")),
            ("LOG", "warn".to_owned()),
        ] {
            environment.push((name.to_owned(), value));
        }
        Self { engine, simulator, simulator_url, environment, public, folder, _serving: closing.drop_guard() }
    }

    fn start(&self, role: &str, listen: SocketAddr) -> Process {
        let child = Command::new(env!("CARGO_BIN_EXE_ese"))
            .arg(role)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("LISTEN", listen.to_string())
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary was built for this test");
        Process(child)
    }

    /// A campaign to everyone, launched but not begun.
    async fn launch(&self) -> CampaignId {
        let (engine, actor) = (&self.engine, Actor::system());
        let zone = zone_at_noon(engine.clock.now());
        for n in 0..PEOPLE {
            let form = UserForm {
                phone: format!("+1202555{:04}", FIRST_NUMBER + n),
                name: format!("Person {n}"),
                zone: zone.clone(),
                ..UserForm::default()
            };
            let user = users::create(engine, &actor, &form).await.expect("a user");
            consents::record(engine, &actor, user.id, Channel::Sms, ConsentKind::OptIn, "agreed in a test")
                .await
                .expect("a consent");
        }
        let sender =
            senders::ensure(engine, &actor, Channel::Sms, simulator::LONG_CODE, "SMS", 150).await.expect("a sender");
        let template = TemplateForm {
            name: "Kill".to_owned(),
            channel: Channel::Sms,
            body: "Hello {{ name }}".to_owned(),
            content_sid: String::new(),
            content_variables: Default::default(),
            locales: Default::default(),
        };
        let template = templates::create(engine, &actor, &template).await.expect("a template");
        let form = CampaignForm {
            name: "Killed in mid-campaign".to_owned(),
            sender: Some(sender.id),
            template: Some(template.id),
            unknown_policy: UnknownPolicy::Resend,
            ..CampaignForm::default()
        };
        let draft = campaigns::create(engine, &actor, &form).await.expect("a draft");
        campaigns::launch(engine, &actor, draft.id).await.expect("a launch").id
    }

    /// Waits until the simulator took so many messages.
    async fn until_taken(&self, count: usize) {
        let until = Instant::now() + DEADLINE;
        while self.simulator.truth().len() < count {
            assert!(Instant::now() < until, "only {} of {count} messages arrived", self.simulator.truth().len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the campaign is complete.
    async fn until_complete(&self, id: CampaignId) {
        let until = Instant::now() + DEADLINE;
        loop {
            let row = campaigns::get(&self.engine, &Actor::system(), id).await.expect("the campaign");
            assert!(row.progress.balances(), "{:?}", row.progress);
            if row.campaign.status == CampaignStatus::Completed {
                return;
            }
            assert!(Instant::now() < until, "stuck: {:?}", row.progress);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The provider's own log against ours.
    async fn judge(&self, id: CampaignId) {
        let mut got: HashMap<String, u32> = HashMap::new();
        for entry in self.simulator.truth() {
            *got.entry(entry.to).or_default() += 1;
        }
        let twice: Vec<_> = got.iter().filter(|(_, count)| **count != 1).collect();
        assert!(twice.is_empty(), "got it more than once: {twice:?}");
        assert_eq!(got.len(), PEOPLE as usize, "some got nothing");
        let progress = campaigns::progress(&self.engine, &Actor::system(), id).await.expect("the counters");
        assert_eq!(progress.bucket(Bucket::Sent), i64::from(PEOPLE), "{progress:?}");
        let recount = engine::states::recount(self.engine.db.read(), id).await.expect("a recount");
        assert_eq!(progress.states, recount);
        // And all that is kept against what it was made of, by the program itself.
        let verify = Command::new(env!("CARGO_BIN_EXE_ese"))
            .args(["rebuild", "--verify"])
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder.path())
            .output()
            .expect("the binary was built for this test");
        let said = String::from_utf8_lossy(&verify.stdout);
        assert!(verify.status.success(), "{said}{}", String::from_utf8_lossy(&verify.stderr));
        assert!(said.contains(&format!("{PEOPLE} messages folded, 0 of them erased; 0 differences")), "{said}");
    }
}

/// The embedded default: one process with everything, on SQLite, killed three times and started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_on_sqlite() {
    let database = sqlite::Database::migrated().await;
    let path = database.path();
    let environment = vec![("DATABASE_URL".to_owned(), format!("sqlite:{}", path.display()))];
    let world = World::new(Location::Sqlite(path), environment).await;
    let campaign = world.launch().await;
    for share in [4, 2, 1] {
        let mut process = world.start("serve", world.public);
        world.until_taken(PEOPLE as usize / share - PEOPLE as usize / 8).await;
        process.kill();
    }
    let mut last = world.start("serve", world.public);
    world.until_complete(campaign).await;
    // Callbacks still come in, and would move messages between two looks at them.
    last.kill();
    world.judge(campaign).await;
}

/// Scaled: PostgreSQL, Redis, one web process and two workers, one of which is killed again and again; and at last all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_on_postgres_and_redis() {
    let database = postgres::Database::migrated().await;
    let url = database.url();
    let environment = vec![("DATABASE_URL".to_owned(), url.clone()), ("REDIS_URL".to_owned(), redis::url())];
    let world = World::new(Location::Postgres(url), environment).await;
    let campaign = world.launch().await;
    let mut web = world.start("serve", world.public);
    let mut steady = world.start("worker", free_port());
    for eighth in [1, 2, 4] {
        let mut victim = world.start("worker", free_port());
        world.until_taken(PEOPLE as usize * eighth / 8).await;
        victim.kill();
    }
    web.kill();
    steady.kill();
    let mut web = world.start("serve", world.public);
    let mut worker = world.start("worker", free_port());
    world.until_complete(campaign).await;
    // Callbacks still come in, and would move messages between two looks at them.
    web.kill();
    worker.kill();
    world.judge(campaign).await;
    assert!(world.simulator_url.host_str().is_some_and(|host| host == "127.0.0.1"));
}
