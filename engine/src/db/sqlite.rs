//! What SQLite does in its own way: one writer, in WAL mode.

use super::{ASKED_CONNECTIONS, Db, Pools, Reads};
use crate::error::{Error, Result};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, SqliteTransactionMode, TransactionOptions,
    sqlx::sqlite::{SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// The write lock is the only lock.
pub const THIS_TRANSACTION: &str = "0";
pub const LOCK: &str = "";

pub async fn connect(path: &Path, pools: Pools) -> Result<Db> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::Unavailable { what: "the folder of the database", source: Box::new(error) })?;
    }
    let patience = Duration::from_secs(pools.acquire_seconds);
    let reading = pools.connections.min(8);
    let read = open(path, reading, SqliteSynchronous::Normal, pools, None).await?;
    let asked = open(path, ASKED_CONNECTIONS, SqliteSynchronous::Normal, pools, Some(pools.asked_ms)).await?;
    // One connection writes what must survive a power cut, another what is done again; readers never wait for them.
    Ok(Db {
        turns: Some(super::turns::Turns::default()),
        write: open(path, 1, SqliteSynchronous::Full, pools, None).await?,
        bulk: open(path, 1, SqliteSynchronous::Normal, pools, None).await?,
        read: Reads::of(read, reading, patience),
        asked: Reads::of(asked, ASKED_CONNECTIONS, patience),
    })
}

async fn open(
    path: &Path,
    connections: u32,
    synchronous: SqliteSynchronous,
    pools: Pools,
    statement_ms: Option<u32>,
) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", path.display()));
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(pools.acquire_seconds.max(30)))
        .test_before_acquire(false)
        .record_stmt_in_spans(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            options
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(Duration::from_secs(30))
                .foreign_keys(true)
                .statement_cache_capacity(256)
        });
    if let Some(statement_ms) = statement_ms {
        let most = Duration::from_millis(statement_ms.into());
        options.map_sqlx_sqlite_pool_opts(move |options| {
            options.after_connect(move |connection, _| Box::pin(end_in_time(connection, most))).before_acquire(
                move |connection, _| Box::pin(async move { end_in_time(connection, most).await.map(|()| true) }),
            )
        });
    }
    Ok(Database::connect(options).await?)
}

/// Lets SQLite ask, every so many steps of its machine, whether the time is over. Each statement outside a transaction
/// takes its connection from the pool anew, so that the time begins with it.
async fn end_in_time(connection: &mut SqliteConnection, most: Duration) -> Result<(), sea_orm::SqlxError> {
    const EVERY_STEPS: i32 = 10_000;
    let began = Instant::now();
    connection.lock_handle().await?.set_progress_handler(EVERY_STEPS, move || began.elapsed() < most);
    Ok(())
}

/// A transaction that takes the write lock at once.
pub fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// See [`super::digits`]. It takes off what is written between the digits of numbers, and leaves the rest.
pub fn digits(text: &str) -> String {
    " -()./+\u{a0}".chars().fold(text.to_owned(), |text, c| format!("replace({text}, '{c}', '')"))
}

/// See [`super::json_object`].
pub fn json_object(alias: &str, columns: &[&str]) -> String {
    let pairs: Vec<String> = columns
        .iter()
        .map(|column| {
            let value = format!("{alias}.{column}");
            format!("'{column}', CASE WHEN typeof({value}) = 'blob' THEN {} ELSE {value} END", uuid_text(&value))
        })
        .collect();
    format!("json_object({})", pairs.join(", "))
}

/// The text of an id that is stored as 16 bytes.
fn uuid_text(value: &str) -> String {
    let part = |from: u32, length: u32| format!("substr(lower(hex({value})), {from}, {length})");
    [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)].join(" || '-' || ")
}
