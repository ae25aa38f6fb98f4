//! The send path: claim, gates, send, settle (DELIVERY.md, protocol 2 to 4). Nothing else sends.
//!
//! A claim is one transaction that asks every gate for a batch of messages and commits the intent to send; only then do
//! bytes leave. Outcomes are settled in batches as they arrive. Whatever dies in between leaves rows in `sending` with a
//! lease; the sweep turns those into `unknown`, and they are never sent again blindly.

mod claim;
mod context;
mod gates;
mod send;
mod settle;

pub(crate) use claim::text_hash;
pub use context::{needs_window, quiet_override};
pub use gates::rehearse;

use crate::{Engine, Result, rate_limit::Key, sweep};
use claim::Pick;
use context::Context;
use domain::{ids::CampaignId, rate::Grant};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// What this process is sending now. Cheap to clone.
#[derive(Clone)]
pub struct Slots {
    /// One permit for each request that may be under way.
    in_flight: Arc<Semaphore>,
    /// The campaigns that a run in this process works on: a second doorbell for one of them is answered already.
    running: Arc<Mutex<HashSet<CampaignId>>>,
}

impl Slots {
    /// Room for so many requests at once.
    pub fn new(in_flight: usize) -> Self {
        Self { in_flight: Arc::new(Semaphore::new(in_flight)), running: Arc::default() }
    }

    fn enter(&self, campaign: CampaignId) -> Option<Running> {
        let entered = self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(campaign);
        entered.then(|| Running { slots: self.clone(), campaign })
    }
}

/// A run that works on a campaign; it leaves when it is dropped.
struct Running {
    slots: Slots,
    campaign: CampaignId,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.slots.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.campaign);
    }
}

/// The longest nap while the rate has no room: a pause must be noticed soon.
const NAP_MAX: Duration = Duration::from_millis(200);

/// Sends what is due of a campaign, until there is nothing, the campaign stops, or the slice of time is over.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away: what was claimed is settled by its lease, and the sweep rings
/// again.
pub async fn run(engine: &Engine, id: CampaignId) -> Result<()> {
    let Some(_running) = engine.slots.enter(id) else { return Ok(()) };
    let Some(context) = Context::of_campaign(engine, id).await? else { return Ok(()) };
    let context = Arc::new(context);
    let (settler, results) = settle::channel(engine, &context);
    let settling = tokio::spawn(settle::run(engine.clone(), context.clone(), results));
    let mut sends = JoinSet::new();
    let ended = claim_and_send(engine, &context, &settler, &mut sends).await;
    while sends.join_next().await.is_some() {}
    drop(settler);
    settling.await.map_err(crate::Error::internal)?;
    engine.live.campaign(id);
    match ended? {
        Ended::SliceOver => engine.queue.ring(crate::Doorbell::Deliver(id)).await,
        Ended::NothingDue => sweep::complete(engine, id).await?,
        Ended::NotRunning => {}
    }
    Ok(())
}

/// Why a run ended.
enum Ended {
    SliceOver,
    NothingDue,
    NotRunning,
}

/// Claims batch after batch, never more than the rate grants now, and hands each to tasks that send it.
async fn claim_and_send(
    engine: &Engine,
    context: &Arc<Context>,
    settler: &settle::Settler,
    sends: &mut JoinSet<()>,
) -> Result<Ended> {
    let started = Instant::now();
    let keys = context.rate_keys();
    loop {
        while sends.try_join_next().is_some() {}
        if started.elapsed() >= engine.limits.slice {
            return Ok(Ended::SliceOver);
        }
        let free = engine.slots.in_flight.available_permits();
        if free == 0 {
            // Wait for one request to end, and give its permit back at once: each send takes its own.
            drop(engine.slots.in_flight.acquire().await);
            continue;
        }
        let wanted = engine.limits.claim_rows.min(u32::try_from(free).unwrap_or(u32::MAX));
        let granted = match engine.rates.take(&keys, wanted).await? {
            Grant::Granted(units) => units,
            Grant::Wait(us) => {
                tokio::time::sleep(Duration::from_micros(us).min(NAP_MAX)).await;
                continue;
            }
        };
        let pick = claim::claim(engine, context, granted).await;
        let used = if let Ok(Pick::Claimed(claimed)) = &pick { claimed.units } else { 0 };
        adjust(engine, &keys, granted, used).await?;
        match pick? {
            Pick::NotRunning => return Ok(Ended::NotRunning),
            Pick::Nothing => return Ok(Ended::NothingDue),
            Pick::Claimed(claimed) => {
                engine.live.campaign(context.id);
                for outgoing in claimed.outgoing {
                    let (engine, context, settler) = (engine.clone(), context.clone(), settler.clone());
                    sends.spawn(async move { send::send(&engine, &context, outgoing, &settler).await });
                }
            }
        }
    }
}

/// Gives back what was granted and not used, or charges what was used beyond the grant.
async fn adjust(engine: &Engine, keys: &[Key], granted: u32, used: u32) -> Result<()> {
    engine.rates.adjust(keys, i64::from(used) - i64::from(granted)).await
}
