//! Outgoing webhooks: who is told of which events, and when a delivery that failed is tried again.

use crate::{
    consent::words,
    feed::{EventType, FeedEvent},
    ids::{CampaignId, WebhookId},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// How many endpoints there may be.
pub const ENDPOINTS_MAX: usize = 50;
/// The longest URL, in characters.
pub const URL_MAX_CHARS: usize = 1_000;
/// The longest description, in characters.
pub const DESCRIPTION_MAX_CHARS: usize = 200;
/// How long an endpoint may fail before it is disabled, in days.
pub const FAILING_DAYS: i64 = 5;
/// How long the secret before the present one still signs too, in hours.
pub const ROTATION_HOURS: i64 = 24;

/// How long after each attempt the next follows, in seconds.
const SCHEDULE_S: [u64; 7] = [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 10 * 3_600];
/// By how much a wait is drawn out or cut short, so that many do not come back at once.
const JITTER: f64 = 0.1;

/// When the next attempt follows the one with this number (from 1); `None` after the last. `random` is 0 to 1; `asked_s` is what
/// the receiver asked for, which may only make it later, by an hour at the most.
pub fn retry_after(attempt: u32, random: f64, asked_s: Option<u64>) -> Option<Duration> {
    let base = *SCHEDULE_S.get(usize::try_from(attempt.checked_sub(1)?).ok()?)?;
    let wait = Duration::from_secs(base).mul_f64(1.0 - JITTER + 2.0 * JITTER * random.clamp(0.0, 1.0));
    Some(wait.max(Duration::from_secs(asked_s.unwrap_or(0).min(3_600))))
}

words! {
    /// What became of an event on its way to an endpoint.
    DeliveryState {
        /// To be tried, at once or again.
        Pending = "pending", "Waits";
        /// The endpoint took it.
        Delivered = "delivered", "Delivered";
        /// All attempts failed.
        Failed = "failed", "Failed";
    }
}

/// An endpoint that is told of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where events are posted to.
    pub url: String,
    /// What it is for.
    pub description: String,
    /// Which events; none named means all.
    pub types: Vec<EventType>,
    /// Only what concerns this campaign.
    pub campaign: Option<CampaignId>,
    /// Whether events are delivered. While they are not, they wait, for 30 days.
    pub enabled: bool,
    /// Why it was disabled, if nobody did.
    pub disabled_because: Option<String>,
    /// Since when nothing was delivered; `None` while all is well.
    pub failing_since: Option<DateTime<Utc>>,
    /// When something was last delivered.
    pub delivered_at: Option<DateTime<Utc>>,
    /// How many deliveries wait.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub waiting: i64,
    /// When its secret was last changed.
    pub rotated_at: Option<DateTime<Utc>>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What an endpoint is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WebhookForm {
    /// Where events are posted to: https, a host that the internet reaches.
    pub url: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Which events; none named means all.
    #[serde(default)]
    pub types: Vec<EventType>,
    /// Only what concerns this campaign.
    #[serde(default)]
    pub campaign: Option<CampaignId>,
    /// Whether events are delivered.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// An endpoint with the secret that its receiver checks signatures with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedWebhook {
    /// The endpoint.
    pub webhook: Webhook,
    /// The secret (`whsec_…`), as Standard Webhooks has it. It is not shown again: a request that is repeated gets `null`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub secret: String,
}

impl fmt::Debug for SignedWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedWebhook").field("webhook", &self.webhook).finish_non_exhaustive()
    }
}

/// One event on its way to an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDelivery {
    /// The event.
    pub event: FeedEvent,
    /// What became of it.
    pub state: DeliveryState,
    /// When it is tried (again), while it waits.
    pub due_at: Option<DateTime<Utc>>,
    /// The attempts, newest first.
    pub attempts: Vec<WebhookAttempt>,
}

/// One attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookAttempt {
    /// When it began.
    pub at: DateTime<Utc>,
    /// The status that the endpoint answered; `None` if it did not.
    pub status: Option<u16>,
    /// Why it failed; `None` if it did not.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, maximum = 4_294_967_295_u64))]
    pub took_ms: u32,
    /// How the answer began.
    pub response: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_follow_the_schedule_with_jitter_and_end() {
        let seconds = |attempt, random| retry_after(attempt, random, None).map(|wait| wait.as_secs_f64());
        let middle: Vec<Option<f64>> = (0..=8).map(|attempt| seconds(attempt, 0.5)).collect();
        let expected = [5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0].map(Some);
        assert_eq!(middle[0], None);
        assert_eq!(middle[1..8], expected);
        assert_eq!(middle[8], None);
        assert_eq!((seconds(1, 0.0), seconds(1, 1.0)), (Some(4.5), Some(5.5)));
        assert_eq!(retry_after(1, 0.5, Some(60)), Some(Duration::from_secs(60)), "later, as asked");
        assert_eq!(retry_after(1, 0.5, Some(1 << 40)), Some(Duration::from_secs(3_600)), "but not for ever");
        assert_eq!(retry_after(2, 0.5, Some(1)), Some(Duration::from_secs(300)), "never sooner");
    }
}
