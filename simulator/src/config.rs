//! What a simulated account owns, and how the simulator behaves.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    address::{Address, Channel},
    chaos::{Chaos, ChaosError},
    clock::Clock,
};

/// The account of [`Config::default`].
pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000051";
/// The auth token of [`Config::default`]. It opens nothing but the simulator.
pub const AUTH_TOKEN: &str = "simulated-auth-token";
/// A default sender: a long code for SMS, in the pool of [`MESSAGING_SERVICE`].
pub const LONG_CODE: &str = "+12025550100";
/// A default sender: a second long code for SMS, outside every pool.
pub const OTHER_LONG_CODE: &str = "+12025550101";
/// A default sender: a toll-free number for SMS.
pub const TOLL_FREE: &str = "+18335550102";
/// A default sender: a short code for SMS.
pub const SHORT_CODE: &str = "55501";
/// A default sender on WhatsApp, in the pool of [`MESSAGING_SERVICE`].
pub const WHATSAPP_SENDER: &str = "+12025550199";
/// The default Messaging Service.
pub const MESSAGING_SERVICE: &str = "MG00000000000000000000000000000051";

/// Senders of one account at most.
const SENDERS_MAX: usize = 1_000;

/// The kind of a sender, which decides what Twilio does with STOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SenderKind {
    /// Twilio handles all its default words and answers them itself.
    LongCode,
    /// The carrier handles STOP, START and UNSTOP, and nothing else.
    TollFree,
    /// Nothing is automatic.
    ShortCode,
    /// A WhatsApp sender: nothing is automatic, and the 24-hour window applies.
    Whatsapp,
}

/// A number that the account sends from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// E.164 or a short code, without a channel's prefix.
    pub number: String,
    /// What it is.
    pub kind: SenderKind,
}

impl Sender {
    /// A sender of `kind`.
    pub fn new(number: impl Into<String>, kind: SenderKind) -> Self {
        Self { number: number.into(), kind }
    }

    /// The channel that it sends on.
    pub fn channel(&self) -> Channel {
        match self.kind {
            SenderKind::Whatsapp => Channel::Whatsapp,
            _ => Channel::Sms,
        }
    }
}

/// A Messaging Service: a pool of senders under one SID, and one opt-out list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// `MG` and 32 hexadecimal digits.
    pub sid: String,
    /// The numbers of its senders.
    pub pool: Vec<String>,
    /// Whether Advanced Opt-Out is on: inbound webhooks then carry `OptOutType`.
    pub advanced_opt_out: bool,
}

/// What happens to creates above a sender's rate. Rates count SMS segments; a WhatsApp message
/// counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// No limit.
    #[default]
    Unlimited,
    /// More than `per_second` in any second are answered with 429 and 20429.
    Refuse {
        /// Segments per second.
        per_second: u32,
    },
    /// Messages wait in the sender's queue and leave at `per_second`. One that would wait longer
    /// than `queue_s` is refused with 21611, and one whose `ValidityPeriod` ends first fails
    /// with 30036.
    Queue {
        /// Segments per second.
        per_second: u32,
        /// The length of the queue, in seconds.
        queue_s: u32,
    },
}

/// Everything that a simulator is told when it is made.
#[derive(Clone)]
pub struct Config {
    /// The account: `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// The account's token: a password of the API and the key of every signature.
    pub auth_token: String,
    /// An API key (SID and secret) that opens the API as well.
    pub api_key: Option<(String, String)>,
    /// Where inbound messages are posted; without it they are only recorded.
    pub inbound_url: Option<Url>,
    /// The numbers of the account.
    pub senders: Vec<Sender>,
    /// Its Messaging Services.
    pub services: Vec<Service>,
    /// The rate of each sender.
    pub pace: Pace,
    /// How it misbehaves.
    pub chaos: Chaos,
    /// The seed of every decision of the chaos dial.
    pub seed: u64,
    /// The time of day.
    pub clock: Clock,
    /// Messages kept. Beyond it the ones that finished first are forgotten; if none has finished,
    /// creates are answered with 429.
    pub log_limit: usize,
    /// Webhooks under way at one moment.
    pub webhooks_in_flight: usize,
    /// The price of a segment in millionths of a dollar. The default is an arbitrary example.
    pub segment_price_usd_micros: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            account_sid: ACCOUNT_SID.to_owned(),
            auth_token: AUTH_TOKEN.to_owned(),
            api_key: None,
            inbound_url: None,
            senders: vec![
                Sender::new(LONG_CODE, SenderKind::LongCode),
                Sender::new(OTHER_LONG_CODE, SenderKind::LongCode),
                Sender::new(TOLL_FREE, SenderKind::TollFree),
                Sender::new(SHORT_CODE, SenderKind::ShortCode),
                Sender::new(WHATSAPP_SENDER, SenderKind::Whatsapp),
            ],
            services: vec![Service {
                sid: MESSAGING_SERVICE.to_owned(),
                pool: vec![LONG_CODE.to_owned(), WHATSAPP_SENDER.to_owned()],
                advanced_opt_out: false,
            }],
            pace: Pace::Unlimited,
            chaos: Chaos::default(),
            seed: 0,
            clock: Clock::system(),
            log_limit: 2_000_000,
            webhooks_in_flight: 64,
            segment_price_usd_micros: 8_000,
        }
    }
}

impl fmt::Debug for Config {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("account_sid", &self.account_sid)
            .field("inbound_url", &self.inbound_url.as_ref().map(Url::as_str))
            .field("pace", &self.pace)
            .field("chaos", &self.chaos)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Why a simulator could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The dial is not one.
    #[error(transparent)]
    Chaos(#[from] ChaosError),
    /// A sender's number is malformed, repeated, or beyond the limit.
    #[error("the sender {0} is malformed, repeated, or one too many")]
    Sender(String),
    /// A service's pool names a number that is no sender.
    #[error("the pool of {0} names a number that is no sender")]
    Pool(String),
    /// A limit is zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built")]
    Client(#[from] reqwest::Error),
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        self.chaos.validate()?;
        let mut numbers = BTreeSet::new();
        for sender in &self.senders {
            let address = Address::parse(&sender.channel().address(&sender.number));
            if address.is_none() || numbers.len() == SENDERS_MAX || !numbers.insert(&sender.number) {
                return Err(ConfigError::Sender(sender.number.clone()));
            }
        }
        let stray = |service: &&Service| service.pool.iter().any(|n| !numbers.contains(n));
        if let Some(service) = self.services.iter().find(stray) {
            return Err(ConfigError::Pool(service.sid.clone()));
        }
        let limits = [("log_limit", self.log_limit), ("webhooks_in_flight", self.webhooks_in_flight)];
        if let Some((name, _)) = limits.into_iter().find(|(_, limit)| *limit == 0) {
            return Err(ConfigError::Zero(name));
        }
        match self.pace {
            Pace::Refuse { per_second: 0 } | Pace::Queue { per_second: 0, .. } => Err(ConfigError::Zero("per_second")),
            _ => Ok(()),
        }
    }

    /// The sender with this number on this channel.
    pub(crate) fn sender(&self, channel: Channel, number: &str) -> Option<&Sender> {
        self.senders.iter().find(|sender| sender.number == number && sender.channel() == channel)
    }

    /// The service whose pool holds `number`.
    pub(crate) fn service_of(&self, number: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.pool.iter().any(|pooled| pooled == number))
    }
}
