//! What PostgreSQL does in its own way.

use super::{ASKED_CONNECTIONS, Db, Pools, Reads};
use crate::error::Result;
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use std::time::Duration;

pub const LOCK: &str = " FOR UPDATE";
pub const LOCK_MESSAGES: &str = " FOR UPDATE OF m";
pub const LOCK_SUPPRESSIONS: &str = " FOR SHARE OF s";
pub const LOCK_BESIDE_USERS: &str = " FOR NO KEY UPDATE";
pub const LOCK_IN_USE: &str = " FOR KEY SHARE";
pub const LOCK_SHARED: &str = " FOR SHARE";
pub const LOCK_FREE: &str = " FOR UPDATE SKIP LOCKED";
pub const THIS_TRANSACTION: &str = "(SELECT base FROM feed_base) + pg_current_xact_id()::text::bigint";
pub const OLDEST_TRANSACTION: &str =
    "((SELECT base FROM feed_base) + pg_snapshot_xmin(pg_current_snapshot())::text::bigint)";
pub const REBASE_FEED: &str = "UPDATE feed_base SET base = top.tx + 1
    FROM (SELECT tx FROM feed ORDER BY tx DESC, id DESC LIMIT 1) top
    WHERE top.tx >= base + pg_current_xact_id()::text::bigint";
pub const PIN_PLANS: &str =
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off";

pub async fn connect(url: &str, pools: Pools) -> Result<Db> {
    let reading = (pools.connections / 3).max(1);
    let writing = pools.connections.saturating_sub(reading).max(1);
    let patience = Duration::from_secs(pools.acquire_seconds);
    let read = Reads::of(open(url, reading, pools, None).await?, reading, patience);
    let asked = open(url, ASKED_CONNECTIONS, pools, Some(pools.asked_ms)).await?;
    let asked = Reads::of(asked, ASKED_CONNECTIONS, patience);
    let write = open(url, writing, pools, None).await?;
    Ok(Db { read, asked, bulk: write.clone(), write, turns: None })
}

/// A pool, each of whose statements the server ends after `statement_ms`, if that is given.
async fn open(url: &str, connections: u32, pools: Pools, statement_ms: Option<u32>) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(u32::from(statement_ms.is_none()))
        .acquire_timeout(Duration::from_secs(pools.acquire_seconds))
        .connect_timeout(Duration::from_secs(pools.acquire_seconds))
        .idle_timeout(Duration::from_secs(300))
        .test_before_acquire(false)
        .record_stmt_in_spans(false)
        .sqlx_logging(false);
    // It takes longer to compile a statement than to answer it; and [`PIN_PLANS`] makes every scan of a small table look so dear
    // that it would be compiled.
    let mut settings = vec![("jit", "off".to_owned())];
    if let Some(statement_ms) = statement_ms {
        settings.extend([
            ("statement_timeout", statement_ms.to_string()),
            // How best to find people depends on what is asked for: one plan for every value would be wrong for most.
            ("plan_cache_mode", "force_custom_plan".to_owned()),
            // Those who agreed are millions where everyone is; few such statements run at once.
            ("work_mem", "32MB".to_owned()),
        ]);
    }
    options.map_sqlx_postgres_opts(move |options| options.options(settings.clone()));
    Ok(Database::connect(options).await?)
}

/// See [`super::digits`].
pub fn digits(text: &str) -> String {
    format!("regexp_replace({text}, '[^0-9]', '', 'g')")
}

/// See [`super::json_object`].
pub fn json_object(alias: &str, columns: &[&str]) -> String {
    let pairs: Vec<String> = columns.iter().map(|column| format!("'{column}', {alias}.{column}")).collect();
    format!("jsonb_build_object({})", pairs.join(", "))
}
