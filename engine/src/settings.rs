//! Settings of the installation, as JSON by key.

use crate::{Engine, Result, db, values};
use sea_orm::ConnectionTrait;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// While this is set, nothing is sent: why, by whom and since when.
pub const KILL_SWITCH: &str = "kill_switch";

/// Whether campaigns start only by the word of a second operator.
pub const APPROVAL_REQUIRED: &str = "approval_required";

/// How many messages a person may get.
pub const FREQUENCY_CAPS: &str = "frequency_caps";

/// What pauses a campaign by itself.
pub const BRAKE: &str = "brake";

/// The workspace's own rules of quiet hours.
pub const QUIET_RULES: &str = "quiet_rules";

/// Reads a setting; `None` if it was never set.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away, [`crate::Error::Internal`] if it holds something else.
pub async fn get<T: DeserializeOwned, C: ConnectionTrait>(conn: &C, key: &str) -> Result<Option<T>> {
    let value: Option<Value> = db::scalar(conn, "SELECT value FROM settings WHERE key = $1", values![key]).await?;
    Ok(value.map(serde_json::from_value).transpose()?)
}

/// Writes a setting, in the caller's transaction.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn put<T: Serialize, C: ConnectionTrait>(engine: &Engine, conn: &C, key: &str, value: &T) -> Result<()> {
    db::exec(
        conn,
        "INSERT INTO settings (key, value, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        values![key, serde_json::to_value(value)?, engine.clock.now()],
    )
    .await?;
    Ok(())
}

/// Removes a setting, in the caller's transaction.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn remove<C: ConnectionTrait>(conn: &C, key: &str) -> Result<()> {
    db::exec(conn, "DELETE FROM settings WHERE key = $1", values![key]).await?;
    Ok(())
}

/// Writes a setting unless it is there, and reads what is there then: of several processes that start at once, one wins.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn get_or_put<T: Serialize + DeserializeOwned, C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    key: &str,
    value: &T,
) -> Result<T> {
    db::exec(
        conn,
        "INSERT INTO settings (key, value, updated_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING",
        values![key, serde_json::to_value(value)?, engine.clock.now()],
    )
    .await?;
    get(conn, key).await?.ok_or_else(|| crate::Error::internal(format!("setting {key} vanished")))
}
