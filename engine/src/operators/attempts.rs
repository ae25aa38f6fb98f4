//! How often a password may be tried: counted per account and per address over 15 minutes.

use crate::{Client, Engine, Error, Result, db, values};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The window in which wrong passwords are counted.
const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// One try. It counts as wrong from the moment it begins, so that many at once cannot slip by, and is taken back when it
/// turns out right.
pub(super) struct Attempt {
    account: String,
    rows: Vec<Uuid>,
}

impl Attempt {
    /// Begins a try.
    ///
    /// # Errors
    /// [`Error::TooMany`] when the account or the address has used up its tries; such a try is not counted, so that waiting
    /// is enough.
    pub(super) async fn begin(engine: &Engine, email: &str, client: &Client) -> Result<Self> {
        let now = engine.clock.now();
        let email: String = email.chars().take(254).collect();
        let account = format!("account:{email}");
        let mut subjects = vec![account.clone()];
        subjects.extend(client.address.as_ref().map(|address| format!("address:{address}")));
        let mut attempt = Self { account, rows: Vec::new() };
        let tx = engine.db.begin().await?;
        db::exec(&tx, "DELETE FROM sign_in_failures WHERE at < $1", values![now - WINDOW]).await?;
        for subject in &subjects {
            let id: Uuid = engine.clock.new_id();
            db::exec(
                &tx,
                "INSERT INTO sign_in_failures (subject, at, id) VALUES ($1, $2, $3)",
                values![subject.as_str(), now, id],
            )
            .await?;
            attempt.rows.push(id);
        }
        tx.commit().await?;
        for subject in &subjects {
            if let Some(first) = used_up(engine, subject, now).await? {
                attempt.take_back(engine).await?;
                let wait = (first + WINDOW - now).num_seconds().max(1);
                return Err(Error::TooMany { retry_after_s: wait.unsigned_abs() });
            }
        }
        Ok(attempt)
    }

    /// The password was right: neither this try nor the account's earlier ones count any more.
    pub(super) async fn succeeded(self, engine: &Engine) -> Result<()> {
        let tx = engine.db.begin().await?;
        db::exec(&tx, "DELETE FROM sign_in_failures WHERE subject = $1", values![self.account.as_str()]).await?;
        tx.commit().await?;
        self.take_back(engine).await
    }

    async fn take_back(&self, engine: &Engine) -> Result<()> {
        let tx = engine.db.begin().await?;
        for id in &self.rows {
            db::exec(&tx, "DELETE FROM sign_in_failures WHERE id = $1", values![*id]).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The oldest try that still counts, if there are more of them than allowed.
async fn used_up(engine: &Engine, subject: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let since = now - WINDOW;
    let tries: Option<i64> = db::scalar(
        engine.db.read(),
        "SELECT count(*) AS value FROM sign_in_failures WHERE subject = $1 AND at >= $2",
        values![subject, since],
    )
    .await?;
    if tries.unwrap_or(0) <= i64::from(engine.limits.sign_in_failures) {
        return Ok(None);
    }
    db::scalar(
        engine.db.read(),
        "SELECT at AS value FROM sign_in_failures WHERE subject = $1 AND at >= $2 ORDER BY at LIMIT 1",
        values![subject, since],
    )
    .await
}
