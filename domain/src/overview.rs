//! The first page.

use crate::{
    campaign::CampaignRow,
    ids::{CampaignId, MessageKey},
};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// What the overview shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// How many people there are.
    pub users: i64,
    /// How many of them opted in on any channel.
    pub opted_in: i64,
    /// Campaigns that send now.
    pub running: Vec<CampaignRow>,
    /// Campaigns that start next.
    pub scheduled: Vec<CampaignRow>,
    /// Today's figures (UTC).
    pub today: DayFigures,
    /// The last 30 days, oldest first.
    pub days: Vec<DayFigures>,
    /// What needs a person.
    pub attention: Vec<Attention>,
}

/// One day's figures (UTC).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DayFigures {
    /// The day.
    pub day: NaiveDate,
    /// Messages that the provider took.
    pub sent: i64,
    /// Of those, delivered.
    pub delivered: i64,
    /// Of those, read.
    pub read: i64,
    /// Of those, failed.
    pub failed: i64,
    /// Messages people wrote.
    pub replies: i64,
    /// Opt-outs.
    pub opt_outs: i64,
}

/// Something that needs a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Attention {
    /// A campaign missed its start.
    HeldCampaign {
        /// Which.
        id: CampaignId,
        /// Its name.
        name: String,
        /// When it should have started.
        scheduled_at: Option<DateTime<Utc>>,
    },
    /// Messages whose fate cannot be found out.
    NeedsReview {
        /// Of which campaign.
        id: CampaignId,
        /// Its name.
        name: String,
        /// How many.
        count: i64,
        /// The first of them.
        first: MessageKey,
    },
    /// Work that was given up.
    DeadLetters {
        /// How many.
        count: i64,
    },
    /// Messages that read like an opt-out without being one.
    ProbableOptOuts {
        /// How many in the last 30 days.
        count: i64,
    },
}
