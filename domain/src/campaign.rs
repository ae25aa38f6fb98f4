//! Campaigns: what is sent to whom, when and how fast; and where a campaign stands.

use crate::{
    compliance::Gate,
    consent::words,
    frequency::Cap,
    ids::{CampaignId, SenderId, TemplateId, TopicId},
    message::{Bucket, State},
    phone::Channel,
    stall::Stall,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

mod approval;
mod audience;
mod start;
mod why;

pub use approval::Approval;
pub use audience::{Audience, EXCLUDED_MAX, Exclusions, audience_filter};
pub use start::{Listed, Start};
pub use why::{Place, Why};

words! {
    /// Where a campaign stands.
    CampaignStatus {
        /// Being written.
        Draft = "draft", "Draft";
        /// Starts at its time.
        Scheduled = "scheduled", "Scheduled";
        /// Sends.
        Running = "running", "Running";
        /// An operator, or the brake, stopped it for now.
        Paused = "paused", "Paused";
        /// Its start was missed by more than its deadline: it asks.
        Held = "held", "Held";
        /// All its messages are settled.
        Completed = "completed", "Completed";
        /// Stopped for good.
        Canceled = "canceled", "Canceled";
    }
}

words! {
    /// What kind of work a campaign is.
    CampaignKind {
        /// A marketer's campaign to an audience.
        Bulk = "bulk", "Campaign";
        /// Standing: test sends.
        Test = "test", "Test sends";
        /// Standing: replies from the inbox.
        Reply = "reply", "Replies";
        /// Standing: single sends by integrations.
        Single = "single", "Single sends";
    }
}

words! {
    /// What becomes of a message whose fate cannot be found out.
    UnknownPolicy {
        /// A person decides: nobody gets two.
        Review = "review", "Hold for review";
        /// It is sent again: somebody may get two.
        Resend = "resend", "Send again";
    }
}

/// What may happen to a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Start now.
    Launch,
    /// Start later.
    Schedule,
    /// Back to a draft.
    Unschedule,
    /// Its time has come.
    Start,
    /// Its time has passed by more than the deadline.
    Hold,
    /// Stop for now.
    Pause,
    /// Go on.
    Resume,
    /// Stop for good.
    Cancel,
    /// All is settled.
    Complete,
    /// A settled message was put back to the queue.
    Reopen,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 10] = [
        Self::Launch,
        Self::Schedule,
        Self::Unschedule,
        Self::Start,
        Self::Hold,
        Self::Pause,
        Self::Resume,
        Self::Cancel,
        Self::Complete,
        Self::Reopen,
    ];

    /// The verb, for the audit log and for people.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Schedule => "schedule",
            Self::Unschedule => "unschedule",
            Self::Start => "start",
            Self::Hold => "hold",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Complete => "complete",
            Self::Reopen => "reopen",
        }
    }
}

/// The move is not allowed from this status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("you cannot {} a campaign that is {from}", event.verb())]
pub struct Refused {
    /// Where it stands.
    pub from: CampaignStatus,
    /// What was asked.
    pub event: Event,
}

/// The one place where a campaign's status changes.
///
/// # Errors
/// [`Refused`] when the move is not in the table.
pub const fn transition(from: CampaignStatus, event: Event) -> Result<CampaignStatus, Refused> {
    use CampaignStatus::{Canceled, Completed, Draft, Held, Paused, Running, Scheduled};
    let to = match (from, event) {
        (Draft, Event::Launch) | (Scheduled, Event::Launch | Event::Start) => Running,
        (Draft | Scheduled, Event::Schedule) => Scheduled,
        (Scheduled | Held, Event::Unschedule) => Draft,
        (Scheduled, Event::Hold) => Held,
        (Held, Event::Launch) => Running,
        (Running, Event::Pause) => Paused,
        (Paused, Event::Resume) => Running,
        (Scheduled | Held | Running | Paused, Event::Cancel) => Canceled,
        (Running, Event::Complete) => Completed,
        (Completed, Event::Reopen) => Running,
        _ => return Err(Refused { from, event }),
    };
    Ok(to)
}

/// Whether a campaign that stands so can be put away: nothing will happen to it by itself.
pub const fn may_archive(status: CampaignStatus) -> bool {
    matches!(status, CampaignStatus::Draft | CampaignStatus::Completed | CampaignStatus::Canceled)
}

/// What an operator enters for a campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct CampaignForm {
    /// Its name.
    pub name: String,
    /// The sender; it decides the channel.
    pub sender: Option<SenderId>,
    /// The template.
    pub template: Option<TemplateId>,
    /// On which topic: only those whom the topic reaches get it.
    pub topic: Option<TopicId>,
    /// To whom.
    pub audience: Audience,
    /// When it starts.
    #[serde(default)]
    pub start: Start,
    /// At most this many message segments a second.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, maximum = 4_294_967_295u64))]
    pub rate_per_second: Option<u32>,
    /// A frequency cap beside the workspace's.
    #[serde(default)]
    pub frequency_cap: Option<Cap>,
    /// So many people get it first; the others once it is known what became of those.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, maximum = 4_294_967_295u64))]
    pub canary: Option<u32>,
    /// Stricter quiet hours than the rules': not before this local time, as `HH:MM`.
    pub not_before: Option<String>,
    /// Stricter quiet hours than the rules': not after this local time, as `HH:MM`.
    pub not_after: Option<String>,
    /// How long after its time it may still start by itself, in minutes.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, maximum = 4_294_967_295u64))]
    pub start_deadline_minutes: u32,
    /// What becomes of messages whose fate cannot be found out.
    pub unknown_policy: UnknownPolicy,
}

impl Default for CampaignForm {
    fn default() -> Self {
        Self {
            name: String::new(),
            sender: None,
            template: None,
            topic: None,
            audience: Audience::default(),
            start: Start::Now,
            rate_per_second: None,
            frequency_cap: None,
            canary: None,
            not_before: None,
            not_after: None,
            start_deadline_minutes: 60,
            unknown_policy: UnknownPolicy::Review,
        }
    }
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// What kind of work it is.
    pub kind: CampaignKind,
    /// Where it stands.
    pub status: CampaignStatus,
    /// Why it stands there, if that needs saying: "paused by …", "missed its start".
    pub status_reason: Option<String>,
    /// What the operator entered.
    pub form: CampaignForm,
    /// The channel, by its sender.
    pub channel: Option<Channel>,
    /// The sender's name.
    pub sender_name: Option<String>,
    /// The template's name.
    pub template_name: Option<String>,
    /// The version pinned at launch.
    pub template_version: Option<i32>,
    /// SHA-256 over the frozen definition, in hex; set at launch.
    pub audience_hash: Option<String>,
    /// Whether a second operator let it start.
    pub approval: Approval,
    /// When it starts: for a local time, when the first clocks on earth show it.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it was put away.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was launched.
    pub launched_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// One row of the campaigns list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CampaignRow {
    /// The campaign.
    pub campaign: Campaign,
    /// Its counters.
    pub progress: Progress,
}

/// How many messages stand where: read from the rollup, never counted live.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Where the campaign stands.
    pub status: Option<CampaignStatus>,
    /// Whether the audience is still being read.
    pub expanding: bool,
    /// How many people are in the audience so far.
    pub audience: i64,
    /// Messages by state.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<serde_json::Value>>))]
    pub states: Vec<(State, i64)>,
    /// How many people wrote back after their message.
    pub replied: i64,
    /// How many opted out after their message.
    pub opted_out: i64,
    /// Skips and deferrals by gate.
    pub gates: Vec<GateCount>,
    /// Failures by code.
    pub errors: Vec<ErrorCount>,
    /// Messages that the provider took, per second, over the last few seconds.
    pub rate_now: f64,
    /// When the next waiting message is due.
    pub next_due_at: Option<DateTime<Utc>>,
    /// Why nothing moves, while it runs and nothing does.
    #[serde(default)]
    pub stall: Option<Stall>,
}

/// How many messages a gate stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateCount {
    /// The gate.
    pub gate: Gate,
    /// `skip` or `defer`.
    pub verdict: String,
    /// How many.
    pub count: i64,
}

/// How many messages failed with a code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorCount {
    /// The provider's code.
    pub code: i32,
    /// How many.
    pub count: i64,
    /// What it means.
    pub text: String,
    /// What to do.
    pub advice: String,
}

impl Progress {
    /// How many stand in this column of the balance.
    pub fn bucket(&self, bucket: Bucket) -> i64 {
        self.states.iter().filter(|(state, _)| state.bucket() == bucket).map(|(_, n)| n).sum()
    }

    /// How many reached at least this state of the provider, failures left out.
    pub fn reached(&self, at_least: State) -> i64 {
        self.states
            .iter()
            .filter(|(state, _)| state.rank() >= at_least.rank() && state.bucket() == Bucket::Sent)
            .map(|(_, n)| n)
            .sum()
    }

    /// Whether audience = the sum of the columns.
    pub fn balances(&self) -> bool {
        Bucket::ALL.iter().map(|bucket| self.bucket(*bucket)).sum::<i64>() == self.audience
    }

    /// The share of the audience that is settled, 0 to 1.
    pub fn settled_share(&self) -> f64 {
        if self.audience == 0 {
            return 0.0;
        }
        let settled: i64 = self.states.iter().filter(|(state, _)| state.is_settled()).map(|(_, n)| n).sum();
        settled as f64 / self.audience as f64
    }
}

/// What the composer shows of a campaign before it is launched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preview {
    /// How many people the audience holds now.
    pub audience: i64,
    /// The text as some of them would get it, and what stops the others.
    pub samples: Vec<PreviewSample>,
    /// What stands against a launch, by field; empty if it can be launched.
    pub problems: Vec<crate::problem::FieldProblem>,
    /// What is worth knowing before a launch.
    pub warnings: Vec<String>,
}

/// One person's message, before it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewSample {
    /// Who.
    pub user: String,
    /// The text, if it renders.
    pub text: Option<String>,
    /// What the gates would say now.
    pub verdict: String,
    /// How many message segments it takes.
    pub segments: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_grid_of_moves() {
        use CampaignStatus::*;
        let allowed = [
            (Draft, Event::Launch, Running),
            (Draft, Event::Schedule, Scheduled),
            (Scheduled, Event::Launch, Running),
            (Scheduled, Event::Start, Running),
            (Scheduled, Event::Schedule, Scheduled),
            (Scheduled, Event::Unschedule, Draft),
            (Scheduled, Event::Hold, Held),
            (Scheduled, Event::Cancel, Canceled),
            (Held, Event::Launch, Running),
            (Held, Event::Unschedule, Draft),
            (Held, Event::Cancel, Canceled),
            (Running, Event::Pause, Paused),
            (Running, Event::Cancel, Canceled),
            (Running, Event::Complete, Completed),
            (Paused, Event::Resume, Running),
            (Paused, Event::Cancel, Canceled),
            (Completed, Event::Reopen, Running),
        ];
        for from in CampaignStatus::ALL {
            for event in Event::ALL {
                let expected = allowed.iter().find(|(f, e, _)| f == from && *e == event).map(|(_, _, to)| *to);
                assert_eq!(transition(*from, event).ok(), expected, "{from} {event:?}");
            }
        }
    }

    #[test]
    fn the_balance_counts_every_state_once() {
        let progress = Progress {
            audience: State::ALL.len() as i64,
            states: State::ALL.iter().map(|state| (*state, 1)).collect(),
            ..Progress::default()
        };
        assert!(progress.balances());
        assert_eq!(progress.reached(State::Delivered), 2);
        assert!(!Progress { audience: 1, ..Progress::default() }.balances());
    }
}
