//! What the provider reports of our messages: stored raw, then merged by rank, in one transaction for a whole batch.
//!
//! Reports come unordered, repeated, early, late and for messages that we do not know yet. The highest rank ever reported
//! is the state, so that none of this matters.

mod retries;

use crate::{
    Doorbell, Engine, Error, Result, cells, consequences,
    db::{self, Kind, Rows, Tx},
    events::{self, EventKind, RawEvent, by_key},
    provider::Sid,
    states::{self, Current, Move},
    twilio::webhook::StatusCallback,
    values,
};
use chrono::Duration;
use domain::{
    ids::{CampaignId, EventId, MessageKey},
    message::{Event, State, conflicts, flags, transition},
    phone::Channel,
};
use sea_orm::FromQueryResult;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// How many receipts may wait for their turn; beyond it the provider is asked to come again.
const WAITING_MAX: usize = 8_192;
/// How many receipts one transaction takes: enough to share its commit, and few enough that a STOP waits only moments for
/// its turn behind it.
const BATCH_MAX: usize = 200;

/// A report, as it came.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The message and the attempt, if the callback's URL named them.
    pub key: Option<(MessageKey, i16)>,
    /// What it says.
    pub callback: StatusCallback,
    /// The request's body, verbatim.
    pub raw: String,
}

/// Takes reports and answers when they are durable: one writer, whose fsync is the timer. Cheap to clone.
#[derive(Clone)]
pub struct Ingest(mpsc::Sender<Waiting>);

type Waiting = (Receipt, oneshot::Sender<Result<(), Arc<Error>>>);

impl Ingest {
    /// Starts the writer. It ends when the last clone is dropped and all that waits is written.
    pub fn start(engine: Engine) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write(engine, receiver));
        Self(sender)
    }

    /// Takes one report; returns once it is durable.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many wait or the database is away: the provider comes again.
    pub async fn submit(&self, receipt: Receipt) -> Result<()> {
        let away = |source: &str| Error::Unavailable { what: "the event log", source: source.into() };
        let (done, waits) = oneshot::channel();
        self.0.try_send((receipt, done)).map_err(|_| away("too many receipts wait"))?;
        waits.await.map_err(|_| away("the writer ended"))?.map_err(|error| away(&error.to_string()))
    }
}

async fn write(engine: Engine, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let (receipts, answers): (Vec<Receipt>, Vec<_>) = batch.drain(..).unzip();
        let results = match apply(&engine, &receipts).await {
            Ok(()) => vec![Ok(()); receipts.len()],
            // One that cannot be stored must not take its neighbours with it.
            Err(_) => one_by_one(&engine, &receipts).await,
        };
        for (answer, result) in answers.into_iter().zip(results) {
            // Whoever asked may have gone.
            let _ = answer.send(result);
        }
    }
}

async fn one_by_one(engine: &Engine, receipts: &[Receipt]) -> Vec<Result<(), Arc<Error>>> {
    let mut results = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        let result = apply(engine, std::slice::from_ref(receipt)).await;
        if let Err(error) = &result {
            tracing::error!(sid = %receipt.callback.sid, error = ?error, "a receipt could not be stored");
        }
        results.push(result.map_err(Arc::new));
    }
    results
}

/// Stores reports and applies them.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away; then nothing of the batch is stored.
pub async fn apply(engine: &Engine, receipts: &[Receipt]) -> Result<()> {
    let tx = engine.db.begin().await?;
    db::pin_plans(&tx).await?;
    let stored = events::append(engine, &tx, &receipts.iter().map(raw_event).collect::<Vec<_>>()).await?;
    let fresh: Vec<(&Receipt, EventId)> =
        receipts.iter().zip(stored).filter_map(|(receipt, event)| Some((receipt, event?))).collect();
    let reports = identify(engine, &tx, &fresh).await?;
    let touched = merge_reports(engine, &tx, reports).await?;
    tx.commit().await?;
    touched.tell(engine).await;
    Ok(())
}

fn raw_event(receipt: &Receipt) -> RawEvent {
    let callback = &receipt.callback;
    RawEvent {
        kind: EventKind::Status,
        dedupe_key: Some(format!(
            "status:{}:{}:{}",
            callback.sid,
            callback.status,
            callback.error_code.unwrap_or_default()
        )),
        sid: Some(callback.sid.uuid()),
        message: receipt.key,
        payload: receipt.raw.clone(),
    }
}

/// A report whose message is known.
struct Report {
    key: MessageKey,
    attempt: i16,
    sid: Sid,
    state: State,
    error_code: i32,
    channel: Channel,
}

#[derive(FromQueryResult)]
struct KnownRow {
    campaign_id: Uuid,
    seq: i64,
}

/// Finds each report's message: by the key in the callback's URL, else by the provider's id. The others wait to be bound.
async fn identify(engine: &Engine, tx: &Tx, fresh: &[(&Receipt, EventId)]) -> Result<Vec<Report>> {
    let keys: Vec<MessageKey> = fresh.iter().filter_map(|(receipt, _)| Some(receipt.key?.0)).collect();
    let known = known_keys(tx, &keys).await?;
    let sids: Vec<Uuid> = fresh.iter().map(|(receipt, _)| receipt.callback.sid.uuid()).collect();
    let bound = states::bound(tx, &sids).await?;
    let mut reports = Vec::new();
    let mut unbound = Vec::new();
    for (receipt, event) in fresh {
        let callback = &receipt.callback;
        let Some(state) = callback.state else { continue };
        let key = receipt.key.filter(|(key, _)| known.contains(key));
        match key.or_else(|| bound.get(&callback.sid.uuid()).copied()) {
            Some((key, attempt)) => reports.push(Report {
                key,
                attempt,
                sid: callback.sid,
                state,
                error_code: callback.error_code.unwrap_or_default(),
                channel: channel_of(callback),
            }),
            None => unbound.push((*event, callback, state)),
        }
    }
    keep_unbound(engine, tx, unbound).await?;
    Ok(reports)
}

fn channel_of(callback: &StatusCallback) -> Channel {
    if callback.to.as_deref().is_some_and(|to| to.starts_with("whatsapp:")) { Channel::Whatsapp } else { Channel::Sms }
}

async fn known_keys(tx: &Tx, keys: &[MessageKey]) -> Result<BTreeSet<MessageKey>> {
    let rows: Vec<KnownRow> = db::of_rows(tx, Rows::keys(keys), values![], |table| {
        format!(
            "SELECT m.campaign_id, m.seq FROM {table}
             JOIN messages m ON m.campaign_id = r.campaign_id AND m.seq = r.seq"
        )
    })
    .await?;
    Ok(rows.into_iter().map(|row| MessageKey { campaign: row.campaign_id.into(), seq: row.seq }).collect())
}

async fn keep_unbound(engine: &Engine, tx: &Tx, unbound: Vec<(EventId, &StatusCallback, State)>) -> Result<()> {
    let columns = [
        ("event_id", Kind::Id),
        ("sid", Kind::Id),
        ("status", Kind::Small),
        ("error_code", Kind::Int),
        ("mm", Kind::Bool),
        ("channel", Kind::Text),
    ];
    let unbound = Rows::of(columns, unbound, |(event, callback, state)| {
        let (sid, code) = (callback.sid, callback.error_code.unwrap_or_default());
        cells![event.0, sid.uuid(), state.rank(), code, sid.is_mm(), channel_of(callback).as_str()]
    });
    db::bulk(tx, unbound, values![engine.clock.now()], |table| {
        format!(
            "INSERT INTO unbound_receipts (event_id, sid, status, error_code, mm, channel, at)
             SELECT event_id, sid, status, error_code, mm, channel, $1 FROM {table}"
        )
    })
    .await?;
    Ok(())
}

/// What a batch of reports moved.
struct Touched {
    campaigns: BTreeSet<CampaignId>,
    /// Whether messages went back to the queue.
    retries: bool,
}

impl Touched {
    /// Tells everyone, after the commit.
    async fn tell(self, engine: &Engine) {
        for campaign in self.campaigns {
            engine.live.campaign(campaign);
        }
        if self.retries {
            // It opens campaigns again that were complete.
            engine.queue.ring(Doorbell::Sweep).await;
        }
    }
}

/// Merges reports into their messages.
async fn merge_reports(engine: &Engine, tx: &Tx, reports: Vec<Report>) -> Result<Touched> {
    let grouped = by_key(reports, |report| report.key);
    let mut keys: Vec<MessageKey> = grouped.keys().copied().collect();
    keys.sort();
    let current = states::lock(tx, &keys).await?;
    let mut moves = Vec::new();
    let mut bound = Vec::new();
    let mut adopted = Vec::new();
    for key in keys {
        let Some(current) = current.get(&key) else { continue };
        let reports = &grouped[&key];
        for report in reports {
            bound.push((report.sid.uuid(), key, report.attempt));
        }
        if let Some(merged) = merge_one(current, reports)? {
            moves.push(merged);
            if !current.state.is_providers() {
                adopted.push(key);
            }
        }
    }
    states::bind(engine, tx, &bound).await?;
    let again = retries::plan(engine, tx, &mut moves).await?;
    states::apply(engine, tx, &moves).await?;
    states::stop_waiting(tx, &adopted).await?;
    let retries = !again.is_empty();
    retries::store(engine, tx, &current, again).await?;
    let mut failed: Vec<&Move> = moves.iter().filter(|m| m.error_code != 0).collect();
    // In the order in which claims lock people.
    failed.sort_by_key(|report| current[&report.key].user);
    for report in failed {
        let channel = grouped[&report.key].first().map_or(Channel::Sms, |first| first.channel);
        consequences::apply(engine, tx, channel, current[&report.key].user, None, report.error_code).await?;
    }
    Ok(Touched { campaigns: moves.iter().map(|m| m.key.campaign).collect(), retries })
}

/// The move that a message's reports add up to; `None` if they change nothing.
fn merge_one(current: &Current, reports: &[Report]) -> Result<Option<Move>> {
    let mut state = current.state;
    let mut raised = 0;
    let mut error_code = 0;
    let mut sid = None;
    for report in reports {
        if report.attempt <= current.given_up {
            // What comes late of an attempt that was given up is history, unless it did reach the person after all.
            if !matches!(report.state, State::Delivered | State::Read) {
                continue;
            }
            raised |=
                if current.state == State::Pending { flags::CONFLICT } else { flags::CONFLICT | flags::DUPLICATE };
        }
        let after = transition(state, Event::Report(report.state))?;
        if conflicts(state, report.state) {
            raised |= flags::CONFLICT;
        }
        if after != state {
            error_code = report.error_code;
        }
        state = after;
        let holds = sid.unwrap_or(current.sid);
        if holds.is_nil() {
            sid = Some(report.sid.uuid());
            raised |= if report.sid.is_mm() { flags::MM_SID } else { 0 };
        } else if holds != report.sid.uuid() {
            raised |= flags::DUPLICATE;
        }
    }
    let changes = state != current.state || raised != 0 || sid.is_some();
    Ok(changes.then(|| Move { sid, flags: raised, error_code, ..Move::plain(current, state) }))
}

#[derive(FromQueryResult)]
struct UnboundRow {
    event_id: Uuid,
    sid: Uuid,
    status: i16,
    error_code: i32,
    mm: bool,
    channel: String,
}

/// Applies reports that came before their message was known, and forgets those that waited for 48 hours (DELIVERY.md asks
/// for 24 at least). The sweep calls it.
///
/// # Errors
/// [`Error::Unavailable`] when the database is away.
pub async fn bind_waiting(engine: &Engine) -> Result<()> {
    let none: Option<i32> =
        db::scalar(engine.db.read(), "SELECT 1 AS value FROM unbound_receipts LIMIT 1", values![]).await?;
    if none.is_none() {
        return Ok(());
    }
    let tx = engine.db.begin().await?;
    let rows: Vec<UnboundRow> = db::all(
        &tx,
        "SELECT u.event_id, u.sid, u.status, u.error_code, u.mm, u.channel FROM unbound_receipts u
         JOIN provider_messages p ON p.sid = u.sid ORDER BY u.event_id LIMIT 1000",
        values![],
    )
    .await?;
    let bound = states::bound(&tx, &rows.iter().map(|row| row.sid).collect::<Vec<_>>()).await?;
    let reports = rows
        .iter()
        .filter_map(|row| {
            let (key, attempt) = *bound.get(&row.sid)?;
            let state = State::from_rank(row.status)?;
            let sid = Sid::from_parts(row.sid, row.mm);
            Some(Report { key, attempt, sid, state, error_code: row.error_code, channel: row.channel.parse().ok()? })
        })
        .collect();
    let touched = merge_reports(engine, &tx, reports).await?;
    let applied = Rows::ids(rows.iter().map(|row| row.event_id));
    db::bulk(&tx, applied, values![], |table| {
        format!("DELETE FROM unbound_receipts WHERE event_id IN (SELECT id FROM {table})")
    })
    .await?;
    let old = engine.clock.now() - Duration::hours(48);
    db::exec(&tx, "DELETE FROM unbound_receipts WHERE at < $1", values![old]).await?;
    tx.commit().await?;
    touched.tell(engine).await;
    Ok(())
}

/// Reads the message and the attempt that a status callback's URL carries: `m={campaign}.{seq}&a={attempt}`.
pub fn key_of(query: &str) -> Option<(MessageKey, i16)> {
    let mut key = None;
    let mut attempt = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "m" => key = value.parse().ok(),
            "a" => attempt = value.parse().ok().filter(|attempt| *attempt > 0),
            _ => {}
        }
    }
    Some((key?, attempt?))
}
