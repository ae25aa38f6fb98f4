//! What SQLite does in its own way: one writer, in WAL mode.

use super::{Db, Kind, Pools};
use crate::error::{Error, Result};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, SqliteTransactionMode, TransactionOptions,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

/// The write lock is the only lock.
pub const LOCK: &str = "";

pub async fn connect(path: &Path, pools: Pools) -> Result<Db> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::Unavailable { what: "the folder of the database", source: Box::new(error) })?;
    }
    // One connection writes what must survive a power cut, another what is done again; readers never wait for them.
    Ok(Db {
        turns: Some(super::turns::Turns::default()),
        write: open(path, 1, SqliteSynchronous::Full, pools).await?,
        bulk: open(path, 1, SqliteSynchronous::Normal, pools).await?,
        read: open(path, pools.connections.min(8), SqliteSynchronous::Normal, pools).await?,
    })
}

async fn open(
    path: &Path,
    connections: u32,
    synchronous: SqliteSynchronous,
    pools: Pools,
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
    Ok(Database::connect(options).await?)
}

/// A transaction that takes the write lock at once.
pub fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// See [`super::rows`].
pub fn rows(parameter: usize, alias: &str, columns: &[(&str, Kind)]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, kind)| {
            let value = format!("json_extract(value, '$.{name}')");
            match kind {
                Kind::Id | Kind::Bytes => format!("unhex({value}) AS {name}"),
                _ => format!("{value} AS {name}"),
            }
        })
        .collect();
    format!("(SELECT {} FROM json_each(${parameter})) AS {alias}", columns.join(", "))
}
