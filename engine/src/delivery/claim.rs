//! The claim: one transaction that picks messages, asks the gates, and commits the intent to send.

use super::{
    context::Context,
    gates::{self, Hold, Judged},
};
use crate::{
    Engine, Result, cells,
    db::{self, Kind, Rows, Tx},
    decisions::{self, Decided},
    kill_switch,
    provider::{Outbound, OutboundContent},
    spool,
    states::{self, Current, Move, Wait},
    templates::Rendered,
    values,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    campaign::CampaignStatus,
    compliance::{Gate, Verdict},
    ids::{MessageKey, UserId},
    message::{Event, State, transition},
    phone::Channel,
};
use sea_orm::FromQueryResult;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc, time::Instant};
use uuid::Uuid;

/// What a claim brought.
pub(super) enum Pick {
    /// The campaign does not run, or the kill switch is on.
    NotRunning,
    /// Nothing is due now.
    Nothing,
    /// The rest of the audience waits until it is known what became of the first.
    AwaitsCanary,
    /// Messages were looked at; some may be sent.
    Claimed(Claimed),
}

/// Messages whose intent is committed.
pub(super) struct Claimed {
    pub outgoing: Vec<Outgoing>,
    /// How many units of the rate they cost.
    pub units: u32,
}

/// One message to hand over.
pub(super) struct Outgoing {
    pub key: MessageKey,
    pub user: UserId,
    /// How many units of the rate it costs.
    pub units: u32,
    pub attempt: i16,
    pub outbound: Outbound,
    /// How often it was put back before.
    pub tries: i32,
    /// Whether it finds out for a breaker if the provider works again.
    pub is_probe: bool,
    pub claim: Arc<Claim>,
}

/// The claim that a message belongs to.
pub(super) struct Claim {
    pub id: Uuid,
    /// When the intent was committed, by a clock that only goes forward.
    pub committed: Instant,
    /// How many of its messages are not settled yet.
    pub open: std::sync::atomic::AtomicUsize,
}

/// A message that may be claimed.
struct Candidate {
    current: Current,
    tries: i32,
    waited: bool,
}

/// How long a message waits whose gate cannot say until when.
const ASK_AGAIN: Duration = Duration::seconds(30);

/// Claims up to `granted` units' worth of a campaign's messages: what waited and is due first, then what is next in its
/// chunks.
pub(super) async fn claim(engine: &Engine, context: &Context, granted: u32, is_probe: bool) -> Result<Pick> {
    let tx = engine.db.begin().await?;
    db::pin_plans(&tx).await?;
    if !may_claim(engine, &tx, context).await? {
        return Ok(Pick::NotRunning);
    }
    let due = due_waits(engine, &tx, context, granted).await?;
    let (candidates, chunk) = if due.is_empty() {
        let Some(chunk) = next_chunk(&tx, context).await? else { return Ok(Pick::Nothing) };
        if context.canary.is_some_and(|first| chunk.next > first) {
            return Ok(Pick::AwaitsCanary);
        }
        (in_chunk(&tx, context, &chunk, granted).await?, Some(chunk))
    } else {
        (due, None)
    };
    let users: Vec<UserId> = candidates.iter().map(|candidate| candidate.current.user).collect();
    let judged =
        gates::judge(engine, &tx, context, CampaignStatus::Running, &users, Hold::Locked, engine.clock.now()).await?;
    let mut batch = Batch::new(engine, context, granted);
    let mut taken_to = chunk.as_ref().map_or(0, |chunk| chunk.last(context, granted));
    for candidate in candidates {
        let seq = candidate.current.key.seq;
        if !batch.add(candidate, &judged)? {
            // The grant is used up: this message and those behind it stay where they are.
            taken_to = seq - 1;
            break;
        }
    }
    if let Some(chunk) = chunk {
        advance(&tx, context, &chunk, taken_to).await?;
    }
    let claimed = batch.store(&tx).await?;
    tx.commit().await?;
    Ok(Pick::Claimed(claimed.after_commit(is_probe)))
}

/// Whether the campaign runs, the kill switch is off, and nobody holds a message of a person that was not taken in yet. On PostgreSQL the row is held against a
/// change of its status until the commit, so that a pause takes effect between two claims; the expansion goes on meanwhile.
async fn may_claim(engine: &Engine, tx: &Tx, context: &Context) -> Result<bool> {
    let lock = db::lock_in_use(tx);
    let status: Option<String> =
        db::scalar(tx, &format!("SELECT status AS value FROM campaigns WHERE id = $1{lock}"), values![context.id.0])
            .await?;
    let stopped = kill_switch::read(tx).await?.is_some() || spool::holds_claims(engine, tx).await?;
    Ok(status.as_deref() == Some(CampaignStatus::Running.as_str()) && !stopped)
}

#[derive(FromQueryResult)]
struct WaitRow {
    seq: i64,
    tries: i32,
}

/// Messages of the campaign that waited and are due. Another worker's are passed over.
async fn due_waits(engine: &Engine, tx: &Tx, context: &Context, limit: u32) -> Result<Vec<Candidate>> {
    let lock = db::lock_free(tx);
    let rows: Vec<WaitRow> = db::all(
        tx,
        &format!(
            "SELECT seq, tries FROM waits WHERE campaign_id = $1 AND why IN ('retry', 'deferral') AND due_at <= $2
             ORDER BY due_at LIMIT $3{lock}"
        ),
        values![context.id.0, engine.clock.now(), i64::from(limit)],
    )
    .await?;
    let keys: Vec<MessageKey> = rows.iter().map(|row| MessageKey { campaign: context.id, seq: row.seq }).collect();
    let found = states::lock(tx, &keys).await?;
    // A wait whose message moved on without it is of no use any more.
    let stale: Vec<MessageKey> =
        keys.iter().copied().filter(|key| found.get(key).is_none_or(|m| m.state != State::Pending)).collect();
    states::stop_waiting(tx, &stale).await?;
    let tries: HashMap<i64, i32> = rows.iter().map(|row| (row.seq, row.tries)).collect();
    let mut due: Vec<Candidate> = found
        .into_values()
        .filter(|current| current.state == State::Pending)
        .map(|current| Candidate { current, tries: tries.get(&current.key.seq).copied().unwrap_or(0), waited: true })
        .collect();
    due.sort_by_key(|candidate| candidate.current.key);
    Ok(due)
}

#[derive(FromQueryResult)]
struct Chunk {
    no: i32,
    hi: i64,
    next: i64,
}

impl Chunk {
    /// The last seq that a claim of so many messages looks at.
    fn last(&self, context: &Context, limit: u32) -> i64 {
        let last = self.hi.min(self.next + i64::from(limit) - 1);
        context.canary.map_or(last, |first| last.min(first))
    }
}

/// The first chunk with unclaimed messages that no other worker claims from at this moment.
async fn next_chunk(tx: &Tx, context: &Context) -> Result<Option<Chunk>> {
    let lock = db::lock_free(tx);
    db::one(
        tx,
        &format!(
            "SELECT no, hi, next FROM campaign_chunks WHERE campaign_id = $1 AND NOT done ORDER BY no LIMIT 1{lock}"
        ),
        values![context.id.0],
    )
    .await
}

#[derive(FromQueryResult)]
struct PendingRow {
    seq: i64,
    user_id: Uuid,
    attempt: i16,
    sid: Uuid,
}

async fn in_chunk(tx: &Tx, context: &Context, chunk: &Chunk, limit: u32) -> Result<Vec<Candidate>> {
    // A message that waits is claimed by its wait alone, even if its chunk has not come to it yet.
    let rows: Vec<PendingRow> = db::all(
        tx,
        "SELECT m.seq, m.user_id, m.attempt, m.sid FROM messages m
         WHERE m.campaign_id = $1 AND m.seq BETWEEN $2 AND $3 AND m.state = 0
           AND NOT EXISTS (SELECT 1 FROM waits w WHERE w.campaign_id = m.campaign_id AND w.seq = m.seq)
         ORDER BY m.seq",
        values![context.id.0, chunk.next, chunk.last(context, limit)],
    )
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Candidate {
            current: Current {
                key: MessageKey { campaign: context.id, seq: row.seq },
                user: UserId(row.user_id),
                state: State::Pending,
                attempt: row.attempt,
                sid: row.sid,
                given_up: 0,
            },
            tries: 0,
            waited: false,
        })
        .collect())
}

async fn advance(tx: &Tx, context: &Context, chunk: &Chunk, taken_to: i64) -> Result<()> {
    db::exec(
        tx,
        "UPDATE campaign_chunks SET next = $3, done = $4 WHERE campaign_id = $1 AND no = $2",
        values![context.id.0, chunk.no, taken_to + 1, taken_to >= chunk.hi],
    )
    .await?;
    Ok(())
}

/// What a claim changes, collected before it is written.
struct Batch<'a> {
    engine: &'a Engine,
    context: &'a Context,
    granted: u32,
    units: u32,
    now: DateTime<Utc>,
    claim: Uuid,
    moves: Vec<Move>,
    waits: Vec<Wait>,
    no_longer_waiting: Vec<MessageKey>,
    decisions: Vec<Decided>,
    attempts: Vec<Attempt>,
    outgoing: Vec<Intent>,
}

/// What an attempt keeps of what it is about to send.
struct Attempt {
    seq: i64,
    number: i16,
    body_hash: [u8; 32],
    consent_event: Option<Uuid>,
}

struct Intent {
    key: MessageKey,
    user: UserId,
    units: u32,
    attempt: i16,
    outbound: Outbound,
    tries: i32,
}

impl<'a> Batch<'a> {
    fn new(engine: &'a Engine, context: &'a Context, granted: u32) -> Self {
        Self {
            engine,
            context,
            granted,
            units: 0,
            now: engine.clock.now(),
            claim: engine.clock.new_id(),
            moves: Vec::new(),
            waits: Vec::new(),
            no_longer_waiting: Vec::new(),
            decisions: Vec::new(),
            attempts: Vec::new(),
            outgoing: Vec::new(),
        }
    }

    /// Takes a message in; `false` if the grant has no room for it.
    fn add(&mut self, candidate: Candidate, judged: &HashMap<UserId, Judged>) -> Result<bool> {
        let current = candidate.current;
        let gone = Verdict::Skip { gate: Gate::Address, fact: "this person is gone".to_owned() };
        let one = judged.get(&current.user);
        let verdict = one.map_or(&gone, |one| &one.verdict);
        match (verdict, one) {
            (Verdict::Send { until }, Some(one)) => {
                // One that is larger than a whole grant goes alone, and the rate is owed the rest.
                if self.units > 0 && self.units + one.units > self.granted {
                    return Ok(false);
                }
                self.units += one.units;
                self.intend(&candidate, one, *until)?;
            }
            (Verdict::Skip { gate, fact }, _) => {
                self.moves.push(Move::plain(&current, transition(State::Pending, Event::Skip)?));
                self.decide(&current, "skip", *gate, fact, None);
                if candidate.waited {
                    self.no_longer_waiting.push(current.key);
                }
            }
            (Verdict::Defer { gate, fact, until }, _) => {
                let due_at = until.unwrap_or(self.now + ASK_AGAIN);
                self.decide(&current, "defer", *gate, fact, Some(due_at));
                self.waits.push(Wait { key: current.key, why: "deferral", due_at, tries: candidate.tries });
            }
            (Verdict::Send { .. }, None) => {}
        }
        Ok(true)
    }

    fn decide(
        &mut self,
        current: &Current,
        verdict: &'static str,
        gate: Gate,
        fact: &str,
        next_at: Option<DateTime<Utc>>,
    ) {
        self.decisions.push(Decided {
            key: current.key,
            user: current.user,
            verdict,
            gate,
            fact: fact.to_owned(),
            next_at,
        });
    }

    fn intend(&mut self, candidate: &Candidate, judged: &Judged, until: DateTime<Utc>) -> Result<()> {
        let current = candidate.current;
        let (Some(to), Some(rendered)) = (&judged.to, &judged.rendered) else {
            return Err(crate::Error::internal(format!("message {} passed the gates without an address", current.key)));
        };
        let attempt = current.attempt + 1;
        let outbound = self.outbound(current.key, attempt, to, rendered, until);
        self.moves.push(Move { claims: true, ..Move::plain(&current, transition(State::Pending, Event::Claim)?) });
        if candidate.waited {
            self.no_longer_waiting.push(current.key);
        }
        self.attempts.push(Attempt {
            seq: current.key.seq,
            number: attempt,
            body_hash: content_hash(&outbound.content),
            consent_event: judged.consent_event,
        });
        self.outgoing.push(Intent {
            key: current.key,
            user: current.user,
            units: judged.units,
            attempt,
            outbound,
            tries: candidate.tries,
        });
        Ok(())
    }

    fn outbound(&self, key: MessageKey, attempt: i16, to: &str, rendered: &Rendered, until: DateTime<Utc>) -> Outbound {
        let limits = &self.engine.limits;
        let mut callback = limits.public_url.clone();
        callback.set_path("/webhooks/twilio/status");
        callback.set_query(Some(&format!("m={key}&a={attempt}")));
        let left = (until - self.now).num_seconds() - i64::from(limits.window_margin_seconds);
        let validity = u32::try_from(left.clamp(1, i64::from(limits.validity_seconds))).unwrap_or(1);
        Outbound {
            to: to.to_owned(),
            from: self.context.from(),
            content: match &rendered.content {
                Some((content_sid, variables)) => {
                    let variables =
                        variables.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
                    OutboundContent::Template { content_sid: content_sid.clone(), variables: variables.collect() }
                }
                None => OutboundContent::Text(rendered.text.clone()),
            },
            status_callback: callback,
            validity_period_s: (self.context.channel == Channel::Sms).then_some(validity),
        }
    }

    async fn store(self, tx: &Tx) -> Result<Stored> {
        let moved = states::apply(self.engine, tx, &self.moves).await?;
        if moved.len() != self.moves.len() {
            // The rows were locked, or their chunk was: nobody else may have moved them.
            return Err(crate::Error::internal(format!(
                "a claim moved {} of {} messages",
                moved.len(),
                self.moves.len()
            )));
        }
        states::wait(tx, &self.waits).await?;
        states::stop_waiting(tx, &self.no_longer_waiting).await?;
        decisions::record(self.engine, tx, &self.decisions).await?;
        self.store_attempts(tx).await?;
        Ok(Stored { claim: self.claim, units: self.units, outgoing: self.outgoing })
    }

    async fn store_attempts(&self, tx: &Tx) -> Result<()> {
        if self.attempts.is_empty() {
            return Ok(());
        }
        let lease = Duration::from_std(self.engine.limits.lease).map_err(crate::Error::internal)?;
        let lease_until = self.now + lease;
        let worker = &self.engine.limits.worker;
        db::exec(
            tx,
            "INSERT INTO claims (id, campaign_id, worker, lease_until) VALUES ($1, $2, $3, $4)",
            values![self.claim, self.context.id.0, worker.as_str(), lease_until],
        )
        .await?;
        let columns =
            [("seq", Kind::Int), ("attempt", Kind::Small), ("body_hash", Kind::Bytes), ("consent_event_id", Kind::Id)];
        let attempts = Rows::of(columns, &self.attempts, |one| {
            cells![one.seq, one.number, one.body_hash.to_vec(), one.consent_event]
        });
        let (campaign, sender) = (self.context.id.0, self.context.sender_id.0);
        let values = values![campaign, self.claim, sender, self.now, lease_until, worker.as_str()];
        db::bulk(tx, attempts, values, |table| {
            format!(
                "INSERT INTO attempts (campaign_id, seq, attempt, claim_id, sender_id, started_at, lease_until, worker,
                    body_hash, consent_event_id)
                 SELECT $1, seq, attempt, $2, $3, $4, $5, $6, body_hash, consent_event_id FROM {table}"
            )
        })
        .await?;
        Ok(())
    }
}

/// A claim that is written, but not committed yet.
struct Stored {
    claim: Uuid,
    units: u32,
    outgoing: Vec<Intent>,
}

impl Stored {
    fn after_commit(self, is_probe: bool) -> Claimed {
        let claim = Arc::new(Claim { id: self.claim, committed: Instant::now(), open: self.outgoing.len().into() });
        let outgoing = self
            .outgoing
            .into_iter()
            .map(|intent| Outgoing {
                key: intent.key,
                user: intent.user,
                units: intent.units,
                attempt: intent.attempt,
                outbound: intent.outbound,
                tries: intent.tries,
                is_probe,
                claim: claim.clone(),
            })
            .collect();
        Claimed { outgoing, units: self.units }
    }
}

/// What tells one content from another: the text, or the template with its variables.
pub(crate) fn content_hash(content: &OutboundContent) -> [u8; 32] {
    match content {
        OutboundContent::Text(text) => text_hash(text),
        OutboundContent::Template { content_sid, variables } => {
            Sha256::digest(json!([content_sid, variables]).to_string().as_bytes()).into()
        }
    }
}

/// The hash of a text, as an attempt keeps it.
pub(crate) fn text_hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
