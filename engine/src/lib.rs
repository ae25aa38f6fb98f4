//! Every use case; the only crate that speaks SQL, Redis and outgoing HTTP.
//!
//! Each behaviour is one public function in the module of its noun. REST handlers, server functions and worker jobs are
//! short callers of it.

pub mod actor;
pub mod api_keys;
pub mod attributes;
pub mod audit;
pub mod backfill;
pub mod brakes;
pub mod breakers;
pub mod campaigns;
pub mod clock;
pub mod consents;
pub mod consequences;
mod csv_text;
pub mod db;
pub mod dead_letters;
pub mod decisions;
pub mod delivery;
mod entity;
pub mod error;
pub mod events;
pub mod expansion;
pub mod exports;
pub mod feed;
pub mod filter_sql;
pub mod forecasts;
pub mod frequency_caps;
pub mod health;
pub mod idempotency;
pub mod imports;
pub mod inbound;
pub mod jobs;
pub mod kill_switch;
pub mod limits;
pub mod live;
pub mod messages;
pub mod operators;
pub mod overview;
pub mod phones;
pub mod preferences;
pub mod prices;
pub mod provider;
pub mod queue;
pub mod quiet_rules;
pub mod rate_limit;
pub mod rebuild;
pub mod receipts;
pub mod recent;
pub mod reconcile;
pub mod segments;
pub mod senders;
pub mod settings;
mod signing;
pub mod single_sends;
pub mod spool;
pub(crate) mod standing;
pub mod states;
pub mod subscriptions;
pub mod suppressions;
pub mod sweep;
pub mod templates;
pub mod test_sends;
#[cfg(feature = "testing")]
pub mod testing;
pub mod topics;
pub mod twilio;
pub mod user_views;
pub mod users;
pub mod webhooks;
pub mod workers;

pub use actor::{Actor, Client};
pub use clock::Clock;
pub use db::Db;
pub use error::{Error, Result};
pub use limits::Limits;
pub use queue::{Doorbell, Queue};

use std::sync::Arc;

/// What this process read a moment ago, and need not read again yet. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Remembered {
    /// Keys of the API.
    pub keys: api_keys::RecentKeys,
    /// What the database said of how rare values are.
    pub hints: segments::Hints,
    /// What attributes are declared.
    pub declared: attributes::LatelyDeclared,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            keys: api_keys::no_keys_yet(),
            hints: segments::no_hints_yet(),
            declared: attributes::nothing_declared_yet(),
        }
    }
}

/// Everything a use case needs. Cheap to clone; holds no logic.
#[derive(Clone)]
pub struct Engine {
    /// The database: the truth and the queue.
    pub db: Db,
    /// Doorbells that say "there is work".
    pub queue: Queue,
    /// Who carries our messages.
    pub provider: Arc<dyn provider::Provider>,
    /// Rate limits, shared by all workers.
    pub rates: rate_limit::Rates,
    /// What this process is sending now.
    pub slots: delivery::Slots,
    /// What this process knows of the circuit breakers.
    pub breakers: breakers::Breakers,
    /// What this process read a moment ago.
    pub remembered: Remembered,
    /// Posts to the endpoints of outgoing webhooks.
    pub poster: webhooks::Poster,
    /// Hints to open pages.
    pub live: live::Live,
    /// Time and new ids.
    pub clock: Clock,
    /// Bounds and delays.
    pub limits: Arc<Limits>,
}

/// SHA-256 of bytes.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
