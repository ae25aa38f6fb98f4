//! What every part of the simulator shares: the configuration, the state behind one lock, and
//! the ways to its two tasks.

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use reqwest::Client;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    chaos::Chaos,
    config::{Config, Pace},
    content::{self, Content},
    create::{Checks, Draft, Form, queue_full},
    life::Timer,
    log::Log,
    message::{LogEntry, Message, Origin, Status},
    opt_out::OptOuts,
    rate::Rate,
    twilio_error::TwilioError,
    webhook::Callback,
};

/// Counters since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Creates that arrived, refused ones included.
    pub creates: u64,
    /// Creates that became a message.
    pub accepted: u64,
    /// Refusals by error code.
    pub refused: BTreeMap<u32, u64>,
    /// Faults that the dial caused, by name.
    pub faults: BTreeMap<String, u64>,
    /// Callbacks answered with success.
    pub callbacks_made: u64,
    /// Callbacks that could not be made, or were answered otherwise.
    pub callbacks_failed: u64,
    /// Callbacks that the dial lost.
    pub callbacks_dropped: u64,
    /// Callbacks that the dial repeated.
    pub callbacks_duplicated: u64,
    /// Callbacks that the dial held back.
    pub callbacks_reordered: u64,
    /// Messages from phones.
    pub inbound: u64,
    /// Messages in the log.
    pub messages: usize,
    /// Messages whose life or callbacks are not over.
    pub unfinished: usize,
    /// Messages forgotten because the log was full. Above 0 the truth log is not whole.
    pub evicted: u64,
    /// People seen.
    pub phones: usize,
    /// Pairs that opted out.
    pub opted_out: usize,
    /// What each sender took in.
    pub senders: Vec<SenderStats>,
}

/// The measured rate of one sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderStats {
    /// Its number.
    pub number: String,
    /// Messages accepted.
    pub accepted: u64,
    /// Messages refused for their rate.
    pub refused: u64,
    /// The most segments accepted in any second.
    pub peak_per_second: u32,
}

/// Everything that changes.
pub(crate) struct State {
    /// The run: the first half of every SID, new at each start and reset, so that SIDs never
    /// repeat.
    pub nonce: u64,
    pub log: Log,
    pub opt_outs: OptOuts,
    /// When a person last wrote to a WhatsApp sender, by (person, sender).
    pub windows: HashMap<(Arc<str>, Arc<str>), i64>,
    pub contents: BTreeMap<String, Content>,
    pub chaos: Chaos,
    /// Phones whose receipts were set by hand.
    pub receipts: HashMap<String, bool>,
    pub inbound_url: Option<Url>,
    pub rates: HashMap<Arc<str>, Rate>,
    pub creates: u64,
    pub lists: u64,
    pub timers: BinaryHeap<Timer>,
    pub timer_order: u64,
    /// Scheduled messages by the time they are due.
    pub scheduled: BTreeSet<(i64, u64)>,
    /// Creates that wait for their first callback.
    pub early: HashMap<u64, oneshot::Sender<()>>,
    pub stats: Stats,
}

impl State {
    pub fn new(config: &Config) -> Self {
        Self {
            nonce: rand::random(),
            log: Log::default(),
            opt_outs: OptOuts::default(),
            windows: HashMap::new(),
            contents: content::seeded(),
            chaos: config.chaos.clone(),
            receipts: HashMap::new(),
            inbound_url: config.inbound_url.clone(),
            rates: HashMap::new(),
            creates: 0,
            lists: 0,
            timers: BinaryHeap::new(),
            timer_order: 0,
            scheduled: BTreeSet::new(),
            early: HashMap::new(),
            stats: Stats::default(),
        }
    }

    /// `SM` or `MM` (with media), then the run and the message's number.
    pub fn sid(&self, message: &Message) -> String {
        let prefix = if message.media.is_empty() { "SM" } else { "MM" };
        format!("{prefix}{:016x}{:016x}", self.nonce, message.number)
    }

    /// The number behind one of our SIDs.
    pub fn number_of(&self, sid: &str) -> Option<u64> {
        let hex = sid.strip_prefix("SM").or_else(|| sid.strip_prefix("MM"))?;
        let value = u128::from_str_radix(hex, 16).ok()?;
        let number = value as u64;
        let message = self.log.get(number)?;
        (self.sid(message) == sid).then_some(number)
    }

    pub fn entry(&self, message: &Message) -> LogEntry {
        message.entry(self.sid(message))
    }
}

/// An accepted create.
pub(crate) struct Accepted {
    pub number: u64,
    /// Rings when the first callback was answered, if it is to overtake the create's answer.
    pub early: Option<oneshot::Receiver<()>>,
}

/// The inside of a simulator.
pub(crate) struct Shared {
    pub config: Config,
    state: Mutex<State>,
    pub client: Client,
    pub callbacks: mpsc::UnboundedSender<Callback>,
    /// One per webhook under way.
    pub slots: Arc<Semaphore>,
    pub wake: Notify,
    /// Rung when the last unfinished message finishes.
    pub quiet: Notify,
    pub closing: CancellationToken,
}

impl Shared {
    pub fn new(
        config: Config,
        client: Client,
        callbacks: mpsc::UnboundedSender<Callback>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            state: Mutex::new(State::new(&config)),
            slots: Arc::new(Semaphore::new(config.webhooks_in_flight)),
            config,
            client,
            callbacks,
            wake: Notify::new(),
            quiet: Notify::new(),
            closing,
        }
    }

    /// The state. No panic leaves it half changed in a way that matters to a simulator.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a create, stores it and starts its life.
    pub fn accept(&self, form: &Form) -> Result<Accepted, TwilioError> {
        let mut state = self.lock();
        let now_ms = self.config.clock.now_ms();
        let checks = Checks { config: &self.config, contents: &state.contents, opt_outs: &state.opt_outs, now_ms };
        let draft = checks.draft(form)?;
        self.admit(&mut state, &draft)?;
        if !state.log.make_room(self.config.log_limit) {
            return Err(TwilioError::too_many_requests(None));
        }
        let number = self.store(&mut state, draft, now_ms);
        state.stats.accepted += 1;
        let wants_early = self.dice(&state).early(number);
        let early = match state.log.get_mut(number) {
            Some(message)
                if wants_early
                    && !message.muted
                    && message.status_callback.is_some()
                    && message.send_at_ms.is_none() =>
            {
                message.early = true;
                let (ring, rings) = oneshot::channel();
                state.early.insert(number, ring);
                Some(rings)
            }
            _ => None,
        };
        self.begin(&mut state, number);
        Ok(Accepted { number, early })
    }

    /// Holds the sender to its rate. Scheduled messages take their turn when they are due.
    fn admit(&self, state: &mut State, draft: &Draft) -> Result<(), TwilioError> {
        if draft.send_at_ms.is_some() {
            return Ok(());
        }
        let now = Instant::now();
        let rate = state.rates.entry(draft.sender.clone()).or_default();
        match self.config.pace {
            Pace::Refuse { per_second } if !rate.fits(now, draft.segments, per_second) => {
                rate.refused += 1;
                return Err(TwilioError::too_many_requests(Some(1)));
            }
            Pace::Queue { queue_s, .. } if rate.wait(now).as_secs() >= u64::from(queue_s) => {
                rate.refused += 1;
                return Err(queue_full(&draft.channel.address(&draft.sender)));
            }
            _ => {}
        }
        rate.count(now, draft.segments);
        Ok(())
    }

    fn store(&self, state: &mut State, draft: Draft, now_ms: i64) -> u64 {
        let status = match (&draft.service, draft.send_at_ms) {
            (_, Some(_)) => Status::Scheduled,
            (Some(_), None) => Status::Accepted,
            (None, None) => Status::Queued,
        };
        let phone = state.log.intern(&draft.phone);
        state.log.push(Message {
            number: 0,
            channel: draft.channel,
            origin: Origin::Api,
            status,
            doom: draft.doom,
            pending: 0,
            held: None,
            muted: draft.muted,
            early: false,
            segments: draft.segments,
            error: None,
            validity_s: draft.validity_s,
            created_ms: now_ms,
            updated_ms: now_ms,
            sent_ms: None,
            send_at_ms: draft.send_at_ms,
            phone,
            sender: draft.sender,
            service: draft.service,
            content_sid: draft.content_sid,
            body: draft.body.into(),
            media: draft.media,
            status_callback: draft.status_callback,
        })
    }
}
