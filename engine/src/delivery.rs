//! The send path: claim, gates, send, settle (DELIVERY.md, protocol 2 to 4). Nothing else sends.
//!
//! A claim is one transaction that asks every gate for a batch of messages and commits the intent to send; only then do
//! bytes leave. Outcomes are settled in batches as they arrive. Whatever dies in between leaves rows in `sending` with a
//! lease; the sweep turns those into `unknown`, and they are never sent again blindly.

mod claim;
mod context;
mod forecast;
mod frequency;
mod gates;
mod pace;
mod priority;
mod send;
mod settle;

pub(crate) use claim::text_hash;
pub use context::{needs_window, quiet_override};
pub(crate) use forecast::forecast;
pub use gates::rehearse;

use crate::{
    Engine, Result,
    breakers::{self, Admission},
    kill_switch::Glance,
    rate_limit::Key,
    sweep,
};
use claim::Pick;
use context::Context;
use domain::{
    campaign::{CampaignForm, CampaignStatus},
    compliance::Step,
    ids::{CampaignId, UserId},
    rate::Grant,
};
use pace::Pace;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

/// What every gate says of one person now, for a campaign that stands so: of its pinned template once it was launched,
/// else of the form.
///
/// # Errors
/// [`crate::Error::Invalid`] for a form without sender or template.
pub(crate) async fn steps(
    engine: &Engine,
    id: CampaignId,
    form: &CampaignForm,
    status: CampaignStatus,
    user: UserId,
) -> Result<Vec<Step>> {
    let mut context = match Context::of_campaign(engine, id).await? {
        Some(context) => context,
        None => Context::of_form(engine, form).await?,
    };
    context.held_by = breakers::why(engine.db.read(), &context.scopes()).await?;
    gates::steps_of(engine, &context, status, user).await
}

/// What this process is sending now. Cheap to clone.
#[derive(Clone)]
pub struct Slots {
    /// One permit for each request that may be under way.
    in_flight: Arc<Semaphore>,
    /// One permit for each message that may be claimed before there is room for its request: while some are sent, the next are
    /// claimed, in batches that are worth their transaction. As many as may be under way, and no more: what is claimed when a
    /// process dies is unknown until the provider was asked.
    ahead: Arc<Semaphore>,
    /// How many of those must be free before a claim is made.
    worthwhile: u32,
    /// The campaigns that a run in this process works on: a second doorbell for one of them is answered already.
    running: Arc<Mutex<HashSet<CampaignId>>>,
    /// What was last seen of the kill switch.
    kill_switch: Glance,
}

impl Slots {
    /// Room for so many requests at once.
    pub fn new(in_flight: usize) -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(in_flight)),
            ahead: Arc::new(Semaphore::new(in_flight)),
            worthwhile: u32::try_from(in_flight.div_ceil(2)).unwrap_or(u32::MAX),
            running: Arc::default(),
            kill_switch: Glance::default(),
        }
    }

    /// Waits until a claim is worth its transaction: room for as many messages as it may take, `most` at the most.
    async fn room_to_claim(&self, most: u32) -> Result<OwnedSemaphorePermit> {
        let least = self.worthwhile.clamp(1, most.max(1));
        let mut room = self.ahead.clone().acquire_many_owned(least).await.map_err(crate::Error::internal)?;
        let more = u32::try_from(self.ahead.available_permits()).unwrap_or(u32::MAX).min(most.saturating_sub(least));
        if let Ok(more) = self.ahead.clone().try_acquire_many_owned(more) {
            room.merge(more);
        }
        Ok(room)
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

/// How long units of the rate gather after a claim that they kept small, so that the next one is worth its transaction:
/// well within the 100 ms that the rate grants ahead, so that no turn passes unused.
const GATHER: Duration = Duration::from_millis(40);

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
        // A breaker that closes rings for everything that waits; so does the sweep, for the next probe.
        Ended::NotRunning | Ended::Held => {}
    }
    Ok(())
}

/// Why a run ended.
enum Ended {
    SliceOver,
    NothingDue,
    NotRunning,
    Held,
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
    let scopes = context.scopes();
    let mut pace = Pace::of(&keys);
    // A probe whose claim found only people to skip goes on to the next ones.
    let mut is_probe = false;
    loop {
        while sends.try_join_next().is_some() {}
        if started.elapsed() >= engine.limits.slice {
            return Ok(Ended::SliceOver);
        }
        // Waits for room, and leaves it to others while it is asked whether there is anything to hold this one up.
        drop(engine.slots.room_to_claim(engine.limits.claim_rows).await?);
        priority::make_way(engine, context).await?;
        if !is_probe {
            is_probe = match breakers::admit(engine, &scopes).await? {
                Admission::Free => false,
                Admission::Probe => true,
                Admission::Hold => return Ok(Ended::Held),
            };
        }
        let mut room = engine.slots.room_to_claim(engine.limits.claim_rows).await?;
        let wanted = match is_probe {
            true => 1,
            false => u32::try_from(room.num_permits()).unwrap_or(u32::MAX),
        };
        engine.rates.adjust(&keys, pace.lost().into()).await?;
        let (granted, start) = match engine.rates.take(&keys, wanted).await? {
            Grant::Granted { units, in_us } => (units, Instant::now() + Duration::from_micros(in_us)),
            Grant::Wait(us) => {
                drop(room);
                tokio::time::sleep(Duration::from_micros(us).min(NAP_MAX)).await;
                continue;
            }
        };
        let pick = claim::claim(engine, context, granted, is_probe).await;
        let used = if let Ok(Pick::Claimed(claimed)) = &pick { claimed.units } else { 0 };
        adjust(engine, &keys, granted, used).await?;
        match pick? {
            Pick::NotRunning => return Ok(Ended::NotRunning),
            Pick::Nothing => return Ok(Ended::NothingDue),
            Pick::AwaitsCanary => return Ok(Ended::Held),
            Pick::Claimed(claimed) => {
                engine.live.campaign(context.id);
                is_probe &= claimed.outgoing.is_empty();
                for outgoing in claimed.outgoing {
                    let turn = pace.next(start, outgoing.units);
                    let place = room.split(1);
                    let (engine, context, settler, pace) =
                        (engine.clone(), context.clone(), settler.clone(), pace.clone());
                    sends.spawn(async move {
                        send::send(&engine, &context, outgoing, turn, place, &pace, &settler).await;
                    });
                }
                drop(room);
                if granted < wanted {
                    tokio::time::sleep(GATHER).await;
                }
            }
        }
    }
}

/// Gives back what was granted and not used, or charges what was used beyond the grant.
async fn adjust(engine: &Engine, keys: &[Key], granted: u32, used: u32) -> Result<()> {
    engine.rates.adjust(keys, i64::from(used) - i64::from(granted)).await
}
