//! Twilio on the wire: the whole loop without an account.
//!
//! A [`Simulator`] speaks Twilio's messaging protocol: it takes creates, answers fetches and lists,
//! makes signed status callbacks, lets phones write back, and keeps Twilio's opt-out list and
//! WhatsApp's 24-hour window. Its [`Chaos`] dial makes it lie as real providers do, by a seed; its
//! truth log says what was accepted all the same, so that a test can prove "nobody got two, and
//! nobody got none".
//!
//! It has no persistence, and its control API (`/simulator/v1`) knows no password: it is for
//! development and tests, and is never to be reached from outside.

mod address;
mod api;
mod chaos;
mod clock;
mod config;
mod content;
mod control;
mod create;
mod inbound;
mod life;
mod log;
mod message;
mod opt_out;
mod rate;
mod segments;
mod shared;
mod signature;
mod twilio_error;
mod twiml;
mod webhook;
mod wire;

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc};

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

pub use crate::{
    address::Channel,
    chaos::{Chaos, ChaosError, Outcome as ChaosOutcome, Span},
    clock::Clock,
    config::{
        ACCOUNT_SID, AUTH_TOKEN, Config, ConfigError, LONG_CODE, MESSAGING_SERVICE, OTHER_LONG_CODE, Pace, SHORT_CODE,
        Sender, SenderKind, Service, TOLL_FREE, WHATSAPP_SENDER,
    },
    content::{Content, OFFER_CONTENT, ORDER_UPDATE_CONTENT},
    inbound::{Inbound, InboundError, Media, Outcome as InboundOutcome},
    message::{LogEntry, Origin, Status},
    shared::{SenderStats, Stats},
    signature::sign,
    twilio_error::TwilioError,
};
use crate::{
    shared::{Shared, State},
    wire::{Wire, WireListener},
};

/// Entries of one page at most.
pub const PAGE_MAX: usize = 1_000;
/// Phones whose receipts may be set by hand.
const RECEIPTS_MAX: usize = 100_000;

/// A phone, and the last message on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The person's number, without a channel's prefix.
    pub number: String,
    /// The newest message, in either direction.
    pub last: LogEntry,
    /// How many messages it holds, in both directions.
    pub count: usize,
}

/// Why a content was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The SID is not `HX` and 32 hexadecimal digits.
    #[error("a content's SID is HX and 32 hexadecimal digits")]
    Sid,
    /// The body is empty or longer than 1,600 characters.
    #[error("a content's body has 1 to 1,600 characters")]
    Body,
    /// The registry is full.
    #[error("the registry is full")]
    Full,
}

/// The simulated provider. Clones share everything; with the last one its tasks end.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
    _tasks: Arc<DropGuard>,
}

impl Simulator {
    /// Makes a simulator and starts its two tasks on the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let client = webhook::client()?;
        let (callbacks, due) = mpsc::unbounded_channel();
        let closing = CancellationToken::new();
        let shared = Arc::new(Shared::new(config, client, callbacks, closing.clone()));
        tokio::spawn(life::run(shared.clone()));
        tokio::spawn(webhook::run(shared.clone(), due));
        Ok(Self { shared, _tasks: Arc::new(closing.drop_guard()) })
    }

    /// Twilio's API and the control API. Mounted on another server, the dial's resets are answers
    /// that break off; [`Simulator::serve`] resets the connection itself.
    pub fn router(&self) -> Router {
        api::router().merge(control::router()).with_state(self.clone())
    }

    /// Serves on `listener` until `shutdown`, then lets go of hanging connections.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let listener = WireListener { inner: listener, shutdown: shutdown.clone() };
        let service = self.router().into_make_service_with_connect_info::<Wire>();
        axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned()).await
    }

    /// Binds `address` (port 0 picks a free one), serves in the background until `shutdown`, and
    /// returns the base URL.
    pub async fn spawn(&self, address: SocketAddr, shutdown: CancellationToken) -> io::Result<String> {
        let listener = TcpListener::bind(address).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let simulator = self.clone();
        tokio::spawn(async move {
            if let Err(error) = simulator.serve(listener, shutdown).await {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        Ok(base)
    }

    /// A message from a phone: recorded, posted to the inbound URL, and answered.
    pub async fn inbound(&self, inbound: Inbound) -> Result<InboundOutcome, InboundError> {
        self.shared.receive(inbound).await
    }

    /// Sets where inbound messages are posted.
    pub fn set_inbound_url(&self, url: Option<Url>) {
        self.shared.lock().inbound_url = url;
    }

    /// The dial as it stands.
    pub fn chaos(&self) -> Chaos {
        self.shared.lock().chaos.clone()
    }

    /// Turns the dial, at once and for messages under way as well.
    pub fn set_chaos(&self, chaos: Chaos) -> Result<(), ChaosError> {
        chaos.validate()?;
        self.shared.lock().chaos = chaos;
        Ok(())
    }

    /// Every message that the application made and that was accepted, oldest first. For large
    /// logs, page through [`Simulator::truth_since`].
    pub fn truth(&self) -> Vec<LogEntry> {
        self.truth_since(0, usize::MAX)
    }

    /// Up to `limit` of them with a number above `since`.
    pub fn truth_since(&self, since: u64, limit: usize) -> Vec<LogEntry> {
        let state = self.shared.lock();
        state
            .log
            .since(since, usize::MAX)
            .filter(|message| message.origin == Origin::Api)
            .take(limit)
            .map(|message| state.entry(message))
            .collect()
    }

    /// How many accepted messages each (recipient's address, body) got: a value above 1 is a
    /// double send.
    pub fn truth_counts(&self) -> HashMap<(String, String), u32> {
        let state = self.shared.lock();
        let mut counts = HashMap::new();
        for message in state.log.since(0, usize::MAX) {
            if message.origin == Origin::Api {
                let key = (message.to(), message.body.to_string());
                *counts.entry(key).or_default() += 1;
            }
        }
        counts
    }

    /// Up to `limit` (at most [`PAGE_MAX`]) phones whose number contains `part` and whose last
    /// message is below `before`, most recent first.
    pub fn phones(&self, part: &str, before: u64, limit: usize) -> Vec<Phone> {
        let state = self.shared.lock();
        let numbers = state.log.phones(part, before, limit.min(PAGE_MAX));
        numbers
            .into_iter()
            .filter_map(|number| {
                let last = *state.log.thread(&number, u64::MAX, 1).first()?;
                Some(Phone {
                    number: number.to_string(),
                    last: state.entry(last),
                    count: state.log.thread_len(&number),
                })
            })
            .collect()
    }

    /// Up to `limit` (at most [`PAGE_MAX`]) messages of one phone below `before`, both
    /// directions, newest first.
    pub fn thread(&self, phone: &str, before: u64, limit: usize) -> Vec<LogEntry> {
        let state = self.shared.lock();
        let messages = state.log.thread(phone, before, limit.min(PAGE_MAX));
        messages.into_iter().map(|m| state.entry(m)).collect()
    }

    /// Sets whether a phone lets WhatsApp report `read`. Beyond 100,000 phones, and for all that
    /// were not set, the dial's share decides.
    pub fn set_read_receipts(&self, phone: &str, on: bool) {
        let mut state = self.shared.lock();
        if state.receipts.len() < RECEIPTS_MAX || state.receipts.contains_key(phone) {
            state.receipts.insert(phone.to_owned(), on);
        }
    }

    /// The content registry.
    pub fn contents(&self) -> Vec<Content> {
        self.shared.lock().contents.values().cloned().collect()
    }

    /// Adds a content, or replaces the one with its SID.
    pub fn add_content(&self, content: Content) -> Result<(), ContentError> {
        let digits = content.sid.strip_prefix("HX").ok_or(ContentError::Sid)?;
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ContentError::Sid);
        }
        if !(1..=1_600).contains(&content.body.chars().count()) {
            return Err(ContentError::Body);
        }
        let contents = &mut self.shared.lock().contents;
        if contents.len() >= content::CONTENTS_MAX && !contents.contains_key(&content.sid) {
            return Err(ContentError::Full);
        }
        contents.insert(content.sid.clone(), content);
        Ok(())
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let state = self.shared.lock();
        let mut senders: Vec<SenderStats> = state
            .rates
            .iter()
            .map(|(number, rate)| SenderStats {
                number: number.to_string(),
                accepted: rate.accepted,
                refused: rate.refused,
                peak_per_second: rate.peak_per_second,
            })
            .collect();
        senders.sort_by(|a, b| a.number.cmp(&b.number));
        Stats {
            messages: state.log.len(),
            unfinished: state.log.unfinished(),
            evicted: state.log.evicted,
            phones: state.log.phones_len(),
            opted_out: state.opt_outs.len(),
            senders,
            ..state.stats.clone()
        }
    }

    /// Forgets every message, opt-out, window, setting of a phone and added content, and starts
    /// the dial's decisions over. The dial and the inbound URL stay as they are.
    pub fn reset(&self) {
        let mut state = self.shared.lock();
        let fresh = State {
            chaos: state.chaos.clone(),
            inbound_url: state.inbound_url.clone(),
            ..State::new(&self.shared.config)
        };
        *state = fresh;
        self.shared.quiet.notify_waiters();
    }

    /// Waits until every message has reached its end and every callback was made or given up.
    /// Scheduled messages count as unfinished until they are released.
    pub async fn settled(&self) {
        loop {
            let quiet = self.shared.quiet.notified();
            if self.shared.lock().log.unfinished() == 0 {
                return;
            }
            quiet.await;
        }
    }
}
