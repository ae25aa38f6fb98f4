//! What PostgreSQL does in its own way.

use super::{Db, Pools};
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

/// See [`super::json_object`].
pub fn json_object(alias: &str, columns: &[&str]) -> String {
    let pairs: Vec<String> = columns.iter().map(|column| format!("'{column}', {alias}.{column}")).collect();
    format!("jsonb_build_object({})", pairs.join(", "))
}
