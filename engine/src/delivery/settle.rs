//! Outcomes are written in batches, each by compare-and-set on (state, attempt): whoever moved a message first wins, and
//! what the provider accepted is adopted in any case.

use super::{claim::Outgoing, context::Context, send::Ending};
use crate::{
    Engine, Result, breakers, campaigns, cells, consequences,
    db::{self, Kind, Rows, Tx},
    decisions::{self, Decided},
    events::{self, EventKind, RawEvent},
    provider::{Accepted, SendError},
    states::{self, Current, Move, Wait},
    twilio::codes::{self, Class},
    values,
};
use domain::{
    breaker::{Scope, Sign},
    campaign,
    compliance::Gate,
    ids::{CampaignId, MessageKey},
    message::{Event, Outcome, State, flags, transition},
    retry::{self, Schedule},
};
use rand::Rng;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How many outcomes one transaction settles.
const BATCH_MAX: usize = 400;
/// How long outcomes gather, so that a batch is worth its transaction. Nobody waits for it: a request's place is free before.
const GATHER: Duration = Duration::from_millis(20);

/// How a message that was not sent comes again.
#[derive(Debug, Clone, Copy)]
enum Again {
    /// By this schedule: it was a try.
    By(Schedule),
    /// Soon, and without a try counted: nobody was asked, or the fault was not the message's.
    Unasked,
}

/// An outcome to settle.
pub(super) struct Settled {
    pub outgoing: Outgoing,
    pub ending: Ending,
}

/// Takes outcomes.
#[derive(Clone)]
pub(super) struct Settler(mpsc::Sender<Settled>);

impl Settler {
    pub async fn settle(&self, settled: Settled) {
        // The receiver lives until all senders are gone; were it gone, the lease would settle the message as unknown.
        let _ = self.0.send(settled).await;
    }
}

/// A channel of outcomes, bounded by what may be under way.
pub(super) fn channel(engine: &Engine, _context: &Context) -> (Settler, mpsc::Receiver<Settled>) {
    let (sender, receiver) = mpsc::channel(engine.limits.in_flight.max(1));
    (Settler(sender), receiver)
}

/// Settles what arrives until all senders are gone. While one batch commits, the next one gathers.
pub(super) async fn run(engine: Engine, context: Arc<Context>, mut results: mpsc::Receiver<Settled>) {
    let mut batch = Vec::new();
    while results.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let gathered = tokio::time::Instant::now() + GATHER;
        while let room @ 1.. = BATCH_MAX - batch.len() {
            let more = tokio::time::timeout_at(gathered, results.recv_many(&mut batch, room)).await;
            if !more.is_ok_and(|more| more > 0) {
                break;
            }
        }
        settle_with_patience(&engine, &context, &batch).await;
        engine.live.campaign(context.id);
        batch.clear();
    }
}

/// Tries until the leases of the batch run out; after that the sweep settles it as unknown, and a callback or the
/// provider's list tells.
async fn settle_with_patience(engine: &Engine, context: &Context, batch: &[Settled]) {
    let mut pause = Duration::from_millis(50);
    let oldest = batch.iter().map(|settled| settled.outgoing.claim.committed).min();
    loop {
        let error = match settle(engine, context, batch).await {
            Ok(()) => return,
            Err(error) => error,
        };
        let held = oldest.map(|committed| committed.elapsed()).unwrap_or_default();
        if held >= engine.limits.lease {
            tracing::error!(campaign.id = %context.id, error = ?error, batch.size = batch.len(), "a batch could not be settled; its leases have run out");
            return;
        }
        tracing::warn!(campaign.id = %context.id, error = ?error, "settling failed; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

async fn settle(engine: &Engine, context: &Context, batch: &[Settled]) -> Result<()> {
    let tx = engine.db.begin().await?;
    db::pin_plans(&tx).await?;
    let keys: Vec<MessageKey> = batch.iter().map(|settled| settled.outgoing.key).collect();
    let current = states::lock(&tx, &keys).await?;
    let mut writes = Writes::new(engine, context);
    for settled in batch {
        if let Some(current) = current.get(&settled.outgoing.key) {
            writes.add(settled, current)?;
        }
    }
    let finished = finished_claims(batch);
    let (opened, closed) = writes.store(&tx, &finished).await?;
    tx.commit().await?;
    if opened || !closed.is_empty() {
        breakers::changed(engine, &closed).await;
    }
    for settled in batch {
        settled.outgoing.claim.open.fetch_sub(1, Ordering::AcqRel);
    }
    Ok(())
}

/// The claims whose last open messages are in this batch.
fn finished_claims(batch: &[Settled]) -> Vec<Uuid> {
    let mut in_batch: HashMap<Uuid, (usize, &Settled)> = HashMap::new();
    for settled in batch {
        in_batch.entry(settled.outgoing.claim.id).or_insert((0, settled)).0 += 1;
    }
    in_batch
        .into_iter()
        .filter(|(_, (count, settled))| settled.outgoing.claim.open.load(Ordering::Acquire) == *count)
        .map(|(id, _)| id)
        .collect()
}

/// What a batch changes, collected before it is written.
struct Writes<'a> {
    engine: &'a Engine,
    context: &'a Context,
    moves: Vec<Move>,
    waits: Vec<Wait>,
    decisions: Vec<Decided>,
    bound: Vec<(Uuid, MessageKey, i16)>,
    events: Vec<RawEvent>,
    outcomes: Vec<(MessageKey, i16, Outcome, i32)>,
    taken: BTreeMap<CampaignId, i64>,
    verdicts: Vec<(domain::ids::UserId, String, i32)>,
    /// The code for which the campaign stops.
    stop: Option<i32>,
    /// Breakers to open, and why.
    opened: Vec<(Scope, String)>,
    /// Breakers whose probe succeeded.
    closed: Vec<Scope>,
}

impl<'a> Writes<'a> {
    fn new(engine: &'a Engine, context: &'a Context) -> Self {
        Self {
            engine,
            context,
            moves: Vec::new(),
            waits: Vec::new(),
            decisions: Vec::new(),
            bound: Vec::new(),
            events: Vec::new(),
            outcomes: Vec::new(),
            taken: BTreeMap::new(),
            verdicts: Vec::new(),
            stop: None,
            opened: Vec::new(),
            closed: Vec::new(),
        }
    }

    fn add(&mut self, settled: &Settled, current: &Current) -> Result<()> {
        let outgoing = &settled.outgoing;
        match &settled.ending {
            Ending::Stale => {
                self.outcome(outgoing, Outcome::Stale, 0);
                // Nobody was asked: it is no try.
                self.put_back(outgoing, current, Again::Unasked, None, None)
            }
            Ending::Answered(Ok(accepted)) => {
                self.sign(outgoing, Scope::Account, Sign::Good, "");
                self.sign(outgoing, self.sender(), Sign::Good, "");
                self.exchange(outgoing, Some(accepted.sid.uuid()), &accepted.exchange)?;
                self.outcome(outgoing, Outcome::Accepted, 0);
                self.accept(outgoing, current, accepted);
                Ok(())
            }
            Ending::Answered(Err(error)) => {
                self.exchange(outgoing, None, error.exchange())?;
                self.refused(outgoing, current, error)
            }
        }
    }

    fn refused(&mut self, outgoing: &Outgoing, current: &Current, error: &SendError) -> Result<()> {
        match error {
            SendError::NotSent { retry_after_s, code, why, .. } => {
                self.outcome(outgoing, Outcome::NotSent, code.unwrap_or(0));
                self.sign(outgoing, Scope::Account, Sign::Bad, why);
                self.put_back(outgoing, current, self.again(outgoing, retry::NOT_PROCESSED), *retry_after_s, Some(why))
            }
            SendError::Rejected { code, .. } => {
                self.outcome(outgoing, Outcome::Rejected, *code);
                self.rejected(outgoing, current, *code)
            }
            SendError::Unknown { why, .. } => {
                self.outcome(outgoing, Outcome::Unknown, 0);
                self.sign(outgoing, Scope::Account, Sign::Unknown, why);
                self.lose_track(outgoing, current)
            }
        }
    }

    /// A refusal: what its class says of the person, the sender and the account.
    fn rejected(&mut self, outgoing: &Outgoing, current: &Current, code: i32) -> Result<()> {
        let (class, words) = (codes::class(code), format!("{code}: {}", codes::text(code)));
        match class {
            Class::AccountStopped => self.sign(outgoing, Scope::Account, Sign::Fatal, &words),
            Class::SenderWrong | Class::TryLater => {
                self.sign(outgoing, Scope::Account, Sign::Good, "");
                self.sign(outgoing, self.sender(), Sign::Bad, &words);
            }
            _ => {
                self.sign(outgoing, Scope::Account, Sign::Good, "");
                self.sign(outgoing, self.sender(), Sign::Good, "");
            }
        }
        // A refusal sent nothing, so what no person is to blame for can wait: no message is spent on an outage.
        let is_everyones = matches!(class, Class::AccountStopped | Class::SenderWrong);
        let held = outgoing.is_probe || self.engine.breakers.holds(&self.context.scopes());
        if class == Class::AccountStopped || (is_everyones && held) {
            return self.put_back(outgoing, current, Again::Unasked, None, Some(&words));
        }
        match class.schedule() {
            Some(schedule) => {
                self.put_back(outgoing, current, self.again(outgoing, schedule), None, Some(codes::text(code)))
            }
            None => self.reject(outgoing, current, code, class),
        }
    }

    fn sender(&self) -> Scope {
        Scope::Sender(self.context.sender_id)
    }

    /// Counts an outcome for a breaker; a probe's decides whether it closes.
    fn sign(&mut self, outgoing: &Outgoing, scope: Scope, sign: Sign, words: &str) {
        if outgoing.is_probe {
            if sign == Sign::Good {
                self.closed.push(scope);
            }
            return;
        }
        if let Some(trip) = self.engine.breakers.observe(scope, sign, self.engine.clock.now()) {
            self.opened.push((scope, format!("{trip}; the last: {words}")));
        }
    }

    /// How a message that was not sent comes again; while a breaker is open no try is counted.
    fn again(&self, outgoing: &Outgoing, schedule: Schedule) -> Again {
        let held = outgoing.is_probe || self.engine.breakers.holds(&self.context.scopes());
        if held { Again::Unasked } else { Again::By(schedule) }
    }

    /// Adopts what the provider took. Whatever happened to the row meanwhile (a callback that came first, a lease that
    /// ran out, an operator who put it back to the queue), the provider has it, and that is what counts.
    fn accept(&mut self, outgoing: &Outgoing, current: &Current, accepted: &Accepted) {
        self.bound.push((accepted.sid.uuid(), outgoing.key, outgoing.attempt));
        *self.taken.entry(outgoing.key.campaign).or_default() += 1;
        let to = transition(current.state, Event::Accept(accepted.state))
            .or_else(|_| transition(current.state, Event::Report(accepted.state)))
            .unwrap_or(current.state);
        let other = !current.sid.is_nil() && current.sid != accepted.sid.uuid();
        let mut raised = if accepted.sid.is_mm() { flags::MM_SID } else { 0 };
        if other {
            raised |= flags::DUPLICATE;
            tracing::error!(message.key = %outgoing.key, "the provider holds this message twice");
        }
        let sid = (!other).then(|| accepted.sid.uuid());
        self.moves.push(Move { sid, flags: raised, ..Move::plain(current, to) });
    }

    /// Back to the queue, to be claimed again after a while: nothing was sent.
    fn put_back(
        &mut self,
        outgoing: &Outgoing,
        current: &Current,
        again: Again,
        asked_s: Option<u32>,
        why: Option<&str>,
    ) -> Result<()> {
        if current.attempt != outgoing.attempt || current.state != State::Sending {
            return Ok(());
        }
        let (schedule, tries, counted) = match again {
            Again::By(schedule) => (schedule, outgoing.tries + 1, outgoing.tries + 1),
            Again::Unasked => (retry::NOT_PROCESSED, outgoing.tries, 1),
        };
        let random = rand::rng().random::<f64>();
        let Some(wait) = retry::next(schedule, u32::try_from(counted).unwrap_or(u32::MAX), random, asked_s) else {
            return self.reject(outgoing, current, 0, Class::Unknown);
        };
        let due_at = self.engine.clock.now() + wait;
        self.moves.push(Move::plain(current, transition(current.state, Event::Release)?));
        self.waits.push(Wait { key: outgoing.key, why: "retry", due_at, tries });
        if let Some(why) = why {
            self.decisions.push(Decided {
                key: outgoing.key,
                user: outgoing.user,
                verdict: "defer",
                gate: Gate::Provider,
                fact: why.to_owned(),
                next_at: Some(due_at),
            });
        }
        Ok(())
    }

    fn reject(&mut self, outgoing: &Outgoing, current: &Current, code: i32, class: Class) -> Result<()> {
        if current.attempt != outgoing.attempt || current.state != State::Sending {
            return Ok(());
        }
        let to = transition(current.state, Event::Reject)?;
        self.moves.push(Move { error_code: code, ..Move::plain(current, to) });
        self.verdicts.push((outgoing.user, outgoing.outbound.to.clone(), code));
        if class == Class::ContentWrong {
            self.stop = Some(code);
        }
        Ok(())
    }

    fn lose_track(&mut self, outgoing: &Outgoing, current: &Current) -> Result<()> {
        if current.attempt != outgoing.attempt || current.state != State::Sending {
            return Ok(());
        }
        self.moves.push(Move::plain(current, transition(current.state, Event::LoseTrack)?));
        let limits = &self.engine.limits;
        let left = limits.lease.saturating_sub(outgoing.claim.committed.elapsed());
        let delay = chrono::Duration::from_std(left + limits.reconcile_delay).map_err(crate::Error::internal)?;
        let due_at = self.engine.clock.now() + delay;
        self.waits.push(Wait { key: outgoing.key, why: "unknown", due_at, tries: 0 });
        Ok(())
    }

    fn exchange(
        &mut self,
        outgoing: &Outgoing,
        sid: Option<Uuid>,
        exchange: &crate::provider::RawExchange,
    ) -> Result<()> {
        self.events.push(RawEvent {
            kind: EventKind::Create,
            dedupe_key: None,
            sid,
            message: Some((outgoing.key, outgoing.attempt)),
            payload: serde_json::to_string(exchange)?,
        });
        Ok(())
    }

    fn outcome(&mut self, outgoing: &Outgoing, outcome: Outcome, code: i32) {
        self.outcomes.push((outgoing.key, outgoing.attempt, outcome, code));
    }

    /// Writes it all; answers whether breakers opened, and which closed.
    async fn store(self, tx: &Tx, finished: &[Uuid]) -> Result<(bool, Vec<Scope>)> {
        let engine = self.engine;
        events::append(engine, tx, &self.events).await?;
        states::bind(engine, tx, &self.bound).await?;
        states::apply(engine, tx, &self.moves).await?;
        let accepted: Vec<MessageKey> = self.bound.iter().map(|(_, key, _)| *key).collect();
        states::stop_waiting(tx, &accepted).await?;
        states::wait(tx, &self.waits).await?;
        decisions::record(engine, tx, &self.decisions).await?;
        states::count_taken(engine, tx, &self.taken).await?;
        store_outcomes(engine, tx, self.outcomes).await?;
        let mut verdicts = self.verdicts;
        // In the order in which claims lock people.
        verdicts.sort_by_key(|(user, ..)| *user);
        for (user, address, code) in &verdicts {
            consequences::apply(engine, tx, self.context.channel, *user, Some(address), *code).await?;
        }
        let sql = |table: &str| format!("DELETE FROM claims WHERE id IN (SELECT id FROM {table})");
        db::bulk(tx, Rows::ids(finished.iter().copied()), values![], sql).await?;
        if let Some(code) = self.stop {
            stop_campaign(engine, tx, self.context.id, code).await?;
        }
        for (scope, why) in &self.opened {
            breakers::open(engine, tx, *scope, why).await?;
        }
        breakers::close(engine, tx, &self.closed).await?;
        Ok((!self.opened.is_empty(), self.closed))
    }
}

async fn store_outcomes(engine: &Engine, tx: &Tx, outcomes: Vec<(MessageKey, i16, Outcome, i32)>) -> Result<()> {
    // The campaign comes with each row, although it is the same one: given as a constant, it lets SQLite read all attempts
    // of the campaign for every batch, and look for each of them in the batch.
    let columns = [
        ("campaign_id", Kind::Id),
        ("seq", Kind::Int),
        ("attempt", Kind::Small),
        ("outcome", Kind::Small),
        ("error_code", Kind::Int),
    ];
    let outcomes = Rows::of(columns, outcomes, |(key, attempt, outcome, code)| {
        cells![key.campaign.0, key.seq, attempt, outcome.code(), code]
    });
    db::bulk(tx, outcomes, values![engine.clock.now()], |table| {
        format!(
            "UPDATE attempts SET outcome = r.outcome, error_code = r.error_code, settled_at = $1 FROM {table}
             WHERE attempts.campaign_id = r.campaign_id AND attempts.seq = r.seq AND attempts.attempt = r.attempt"
        )
    })
    .await?;
    Ok(())
}

/// Content that is refused for one is refused for the next: the campaign pauses, and says why.
async fn stop_campaign(engine: &Engine, tx: &Tx, id: CampaignId, code: i32) -> Result<()> {
    let record = campaigns::load_for_update(tx, id).await?;
    if record.status()? != campaign::CampaignStatus::Running {
        return Ok(());
    }
    let why = format!("paused: the content is refused ({code}: {})", codes::text(code));
    let actor = crate::Actor::system();
    campaigns::move_status(engine, tx, &actor, &record, campaign::Event::Pause, Some(why), None).await
}
