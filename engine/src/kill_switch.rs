//! The kill switch: it stops everything that is sent, within a second, and stays on until a person lets sending go on.
//!
//! It is a row in the database, so every process sees it and a restart changes nothing. A claim reads it before it takes
//! anything; a message that was claimed before reads it again, unless its claim is young, just before it leaves.

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    settings,
};
use domain::{
    health::{REASON_MAX_CHARS, Stop},
    operator::Operation,
};
use sea_orm::ConnectionTrait;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// How old a claim may be before its messages ask again whether they may leave.
const FRESH: Duration = Duration::from_millis(400);
/// How long an answer is good for, for all messages of the process together. With [`FRESH`] well within the second.
const GOOD_FOR: Duration = Duration::from_millis(200);

/// The stop, if the switch is on.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor) -> Result<Option<Stop>> {
    authorize(Operation::CampaignRead, actor)?;
    read(engine.db.read()).await
}

/// Stops all sending. What the provider has already cannot be called back; what is claimed and has not left goes back to
/// the queue.
///
/// # Errors
/// [`Error::Invalid`] without a reason, [`Error::Conflict`] if it is on already, [`Error::Forbidden`].
pub async fn stop(engine: &Engine, actor: &Actor, reason: &str) -> Result<Stop> {
    authorize(Operation::DeliveryStop, actor)?;
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::invalid("reason", "say why, for those who see the stop"));
    }
    if reason.chars().count() > REASON_MAX_CHARS {
        return Err(Error::invalid("reason", format!("a reason has at most {REASON_MAX_CHARS} characters")));
    }
    let tx = engine.db.begin_urgent().await?;
    if let Some(stop) = read(&tx).await? {
        return Err(Error::conflict(format!("{} stopped all sending before", stop.by)));
    }
    let stop = Stop { reason: reason.to_owned(), by: actor.label().to_owned(), since: engine.clock.now() };
    settings::put(engine, &tx, settings::KILL_SWITCH, &stop).await?;
    let after = Some(serde_json::to_value(&stop)?);
    let act = Act { action: "delivery.stop", target: "delivery".to_owned(), before: None, after };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.live.changed("health");
    Ok(stop)
}

/// Lets sending go on.
///
/// # Errors
/// [`Error::Conflict`] if it is not stopped, [`Error::Forbidden`].
pub async fn release(engine: &Engine, actor: &Actor) -> Result<()> {
    authorize(Operation::DeliveryStop, actor)?;
    let tx = engine.db.begin().await?;
    let stop = read(&tx).await?.ok_or_else(|| Error::conflict("sending is not stopped"))?;
    settings::remove(&tx, settings::KILL_SWITCH).await?;
    let before = Some(serde_json::to_value(&stop)?);
    let act = Act { action: "delivery.release", target: "delivery".to_owned(), before, after: None };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.live.changed("health");
    // The sweep rings for every campaign that has work.
    engine.queue.ring(Doorbell::Sweep).await;
    Ok(())
}

/// The stop, if the switch is on, within a use case.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn read<C: ConnectionTrait>(conn: &C) -> Result<Option<Stop>> {
    settings::get(conn, settings::KILL_SWITCH).await
}

/// What this process last saw of the switch. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Glance(Arc<Mutex<Option<(Instant, bool)>>>);

impl Glance {
    /// Whether a message may leave whose claim was committed at that time. A switch that cannot be read holds it back: it
    /// goes back to the queue, and nothing is lost.
    pub(crate) async fn lets_go(&self, engine: &Engine, committed: Instant) -> bool {
        if committed.elapsed() < FRESH {
            return true;
        }
        let mut seen = self.0.lock().await;
        if let Some((at, on)) = *seen
            && at.elapsed() < GOOD_FOR
        {
            return !on;
        }
        let asked = Instant::now();
        let on = match read(engine.db.read()).await {
            Ok(stop) => stop.is_some(),
            Err(error) => {
                tracing::warn!(error = %error, "the kill switch cannot be read; what was claimed is given back");
                true
            }
        };
        *seen = Some((asked, on));
        !on
    }
}
