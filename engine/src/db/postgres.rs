//! What PostgreSQL does in its own way.

use super::{Db, Kind, Pools};
use crate::error::Result;
use sea_orm::{ConnectOptions, Database};
use std::time::Duration;

pub const LOCK: &str = " FOR UPDATE";
pub const LOCK_MESSAGES: &str = " FOR UPDATE OF m";
pub const LOCK_SUPPRESSIONS: &str = " FOR SHARE OF s";
pub const LOCK_SHARED: &str = " FOR SHARE";
pub const LOCK_FREE: &str = " FOR UPDATE SKIP LOCKED";
pub const PIN_PLANS: &str =
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off";

pub async fn connect(url: &str, pools: Pools) -> Result<Db> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(pools.connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(pools.acquire_seconds))
        .connect_timeout(Duration::from_secs(pools.acquire_seconds))
        .idle_timeout(Duration::from_secs(300))
        .test_before_acquire(false)
        .record_stmt_in_spans(false)
        .sqlx_logging(false);
    let pool = Database::connect(options).await?;
    Ok(Db { read: pool.clone(), write: pool.clone(), bulk: pool, turns: None })
}

/// See [`super::rows`].
pub fn rows(parameter: usize, alias: &str, columns: &[(&str, Kind)]) -> String {
    let columns: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {}", word(*kind))).collect();
    let selected: Vec<String> = columns_of(columns.as_slice());
    format!(
        "(SELECT {} FROM jsonb_to_recordset(${parameter}::jsonb) AS raw({})) AS {alias}",
        selected.join(", "),
        columns.join(", ")
    )
}

/// Bytes travel as hex text and are decoded in the SELECT.
fn columns_of(columns: &[String]) -> Vec<String> {
    columns
        .iter()
        .map(|column| {
            let name = column.split(' ').next().unwrap_or(column);
            if column.ends_with(" text /* bytes */") {
                format!("decode({name}, 'hex') AS {name}")
            } else {
                name.to_owned()
            }
        })
        .collect()
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid",
        Kind::Int => "bigint",
        Kind::Small => "smallint",
        Kind::Text => "text",
        Kind::Time => "timestamptz",
        Kind::Bytes => "text /* bytes */",
        Kind::Bool => "boolean",
        Kind::Json => "jsonb",
    }
}

/// See [`super::json_object`].
pub fn json_object(alias: &str, columns: &[&str]) -> String {
    let pairs: Vec<String> = columns.iter().map(|column| format!("'{column}', {alias}.{column}")).collect();
    format!("jsonb_build_object({})", pairs.join(", "))
}
