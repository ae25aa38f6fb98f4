//! Bulk makes way: while a single message or a test from the same sender waits to be claimed, a campaign takes nothing of the rate
//! that they share.

use super::context::Context;
use crate::{Engine, Result, db, values};
use domain::{campaign::CampaignStatus, ids::SenderId};
use std::time::{Duration, Instant};

/// How long a campaign makes way before it takes a turn all the same: whoever waits may have a worker that died.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long until it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits while somebody goes first.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub async fn make_way(engine: &Engine, context: &Context) -> Result<()> {
    if !context.is_bulk {
        return Ok(());
    }
    let began = Instant::now();
    while began.elapsed() < PATIENCE && goes_first(engine, context.sender_id).await? {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Whether a message that is no campaign's waits for its claim at this sender.
async fn goes_first(engine: &Engine, sender: SenderId) -> Result<bool> {
    let sql = "SELECT 1 AS value FROM campaigns c WHERE c.sender_id = $1 AND c.kind <> 'bulk' AND c.status = $2 AND (
            EXISTS (SELECT 1 FROM campaign_chunks k WHERE k.campaign_id = c.id AND NOT k.done)
            OR EXISTS (SELECT 1 FROM waits w WHERE w.campaign_id = c.id AND w.why IN ('retry', 'deferral') AND w.due_at <= $3))
        LIMIT 1";
    let values = values![sender.0, CampaignStatus::Running.as_str(), engine.clock.now()];
    Ok(db::scalar::<i32, _>(engine.db.read(), sql, values).await?.is_some())
}
