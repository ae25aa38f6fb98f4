//! How the engine is: what holds sending up, who works, and what waits for a person.

use crate::{
    breaker::OpenBreaker,
    ids::{CampaignId, WebhookId},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The longest reason of a stop, in characters.
pub const REASON_MAX_CHARS: usize = 500;

/// The kill switch is on: nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stop {
    /// Why, in the words of whoever pressed it.
    pub reason: String,
    /// Who pressed it.
    pub by: String,
    /// When.
    pub since: DateTime<Utc>,
}

/// A process that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worker {
    /// Its name, new at each start.
    pub name: String,
    /// Whether it answers requests too.
    pub serves: bool,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub seen_at: DateTime<Utc>,
    /// Whether that is recent enough to count it.
    pub is_alive: bool,
}

/// How doorbells travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Bells {
    /// Within the process: there is no Redis.
    Local,
    /// Through Redis, which answers.
    Shared,
    /// Through Redis, which is away: the sweep finds the work instead.
    Away,
}

/// Messages of a campaign whose fate is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unsure {
    /// Of which campaign.
    pub campaign: CampaignId,
    /// Its name.
    pub name: String,
    /// Those that are still looked for at the provider.
    pub unknown: i64,
    /// Those that a person must decide on.
    pub needs_review: i64,
}

/// A webhook that nothing reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TroubledWebhook {
    /// Which.
    pub id: WebhookId,
    /// The host of its URL: the rest may hold a secret.
    pub host: String,
    /// Whether it is still tried.
    pub enabled: bool,
    /// Why it was disabled.
    pub because: Option<String>,
    /// Since when nothing was delivered.
    pub failing_since: Option<DateTime<Utc>>,
}

/// What the page on the engine's health shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// The kill switch, if it is on.
    pub stop: Option<Stop>,
    /// Breakers that are open: the provider's first.
    pub breakers: Vec<OpenBreaker>,
    /// Webhooks that nothing reaches, or that were disabled for it.
    pub troubled_webhooks: Vec<TroubledWebhook>,
    /// What people wrote while the database was away, and was not taken in yet.
    pub spooled: i64,
    /// Processes that were heard of in the last minutes, newest first.
    pub workers: Vec<Worker>,
    /// Messages of running campaigns that are still to be sent.
    pub pending: i64,
    /// Since when the message waits that should have gone first and has not.
    pub overdue_since: Option<DateTime<Utc>>,
    /// Campaigns with messages whose fate is not known, newest first.
    pub unsure: Vec<Unsure>,
    /// Pieces of work that were given up and that nobody decided on.
    pub dead_letters: i64,
    /// The name of the database, which answered, or this could not be shown.
    pub database: String,
    /// How doorbells travel.
    pub bells: Bells,
}
