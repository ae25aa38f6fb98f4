//! PostgreSQL for tests: one server per test process, started when it is first asked for; a database per test, copied
//! from one that was migrated once.

use super::process::{RunAs, Server, StartError, find, folder};
use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database as Sea, DatabaseConnection};
use std::{
    path::Path,
    process::Command,
    sync::{LazyLock, mpsc},
};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The database that each test's is copied from.
const TEMPLATE: &str = "ese_template";

/// Nothing here survives the tests, so nothing is made to survive a power cut.
const SETTINGS: [&str; 13] = [
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "checkpoint_timeout=1h",
    "max_wal_size=4GB",
    // A copy waits for whoever else is in the template, the autovacuum included.
    "autovacuum=off",
    "max_connections=300",
    "dynamic_shared_memory_type=mmap",
    "logging_collector=off",
    "lc_messages=C",
];

/// What a server for measurements has instead: as durable as in production, its memory as PostgreSQL ships it.
const DURABLE_SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "max_connections=100",
    "dynamic_shared_memory_type=mmap",
    "logging_collector=off",
    "lc_messages=C",
];

static SERVER: LazyLock<Result<Server, StartError>> = LazyLock::new(|| start(&SETTINGS));

/// Where the server is: the URL of its own database `postgres`. Starts it if need be, which blocks for a second or two.
///
/// # Panics
/// When it cannot be started; the message says what to install.
pub fn url() -> String {
    url_of("postgres")
}

fn url_of(database: &str) -> String {
    match &*SERVER {
        Ok(server) => url_at(server, database),
        Err(error) => panic!("{error}"),
    }
}

fn url_at(server: &Server, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{}/{database}", server.port)
}

/// A server of its own that makes every commit durable: what is measured on it is what production pays. Dropping it stops
/// it.
#[derive(Debug)]
pub struct Durable(Server);

impl Durable {
    /// Starts one, which blocks for a second or two.
    ///
    /// # Errors
    /// What is missing, in words that say what to install.
    pub fn start() -> Result<Self, StartError> {
        start(&DURABLE_SETTINGS).map(Self)
    }

    /// The URL of its own database, which is empty.
    pub fn url(&self) -> String {
        url_at(&self.0, "postgres")
    }
}

fn start(settings: &'static [&'static str]) -> Result<Server, StartError> {
    let missing = || {
        StartError::new(
            "these tests need PostgreSQL, and initdb was not found on the path or in /usr/lib/postgresql/*/bin: \
             install it (Debian: apt-get install postgresql; macOS: brew install postgresql)",
        )
    };
    let initdb = find("initdb").and_then(|path| path.canonicalize().ok()).ok_or_else(missing)?;
    // Beside it, so that both are of one version.
    let postgres = initdb.with_file_name("postgres");
    let folder = folder()?;
    let user = RunAs::not_root(folder.path())?;
    user.own(folder.path())?;
    let data = folder.path().join("data");
    init(&user.command(init_command(&initdb, &data)), folder.path())?;
    let sockets = folder.path().display().to_string();
    // SIGQUIT is its immediate shutdown: no checkpoint, but its shared memory is given back.
    Server::start(folder, "QUIT", |port| {
        let mut command = vec![postgres.display().to_string(), "-D".into(), data.display().to_string()];
        command.extend(["-p".into(), port.to_string(), "-k".into(), sockets.clone()]);
        command.extend(settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
        user.command(command)
    })
}

fn init_command(initdb: &Path, data: &Path) -> Vec<String> {
    let options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"];
    let mut command = vec![initdb.display().to_string(), "-D".into(), data.display().to_string()];
    command.extend(options.map(str::to_owned));
    command
}

fn init(command: &[String], folder: &Path) -> Result<(), StartError> {
    let [program, arguments @ ..] = command else { return Err(StartError::new("there is no initdb to run")) };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| StartError::new(format!("{program} could not be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(StartError::new(format!("initdb failed: {}", String::from_utf8_lossy(&output.stderr))))
}

/// A database of its own. Dropping it drops it there too, in the background.
#[derive(Debug)]
pub struct Database {
    name: String,
}

impl Database {
    /// An empty one, without tables.
    ///
    /// # Panics
    /// When the server cannot be started, or does not do it.
    pub async fn empty() -> Self {
        Self::create("template0").await
    }

    /// One with all tables, and nothing in them.
    ///
    /// # Panics
    /// When the server cannot be started, or does not do it.
    pub async fn migrated() -> Self {
        static MIGRATED: OnceCell<()> = OnceCell::const_new();
        MIGRATED.get_or_init(make_template).await;
        Self::create(TEMPLATE).await
    }

    async fn create(template: &str) -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let server = connect("postgres").await;
        run(&server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        close(server).await;
        Self { name }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        url_of(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // If the thread is gone, so is the process, and then the server with all its databases.
        let _ = DROPS.send(std::mem::take(&mut self.name));
    }
}

/// Drops databases one after another: hundreds of them would fill the disk before the process ends.
static DROPS: LazyLock<mpsc::Sender<String>> = LazyLock::new(|| {
    let (sender, names) = mpsc::channel::<String>();
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for one thread");
        runtime.block_on(async {
            let server = connect("postgres").await;
            for name in names {
                run(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            }
        });
    });
    sender
});

async fn make_template() {
    let server = connect("postgres").await;
    // There is one if an earlier try was cut short.
    run(&server, &format!("DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")).await;
    run(&server, &format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0")).await;
    close(server).await;
    let template = connect(TEMPLATE).await;
    Migrator::up(&template, None).await.expect("the migrations apply to an empty database");
    close(template).await;
}

async fn connect(database: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url_of(database));
    options.max_connections(1).sqlx_logging(false);
    Sea::connect(options).await.expect("the tests' own PostgreSQL takes connections")
}

async fn run(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn close(connection: DatabaseConnection) {
    connection.close().await.expect("a connection closes");
}
