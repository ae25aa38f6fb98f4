//! What integrations are told: events in the order in which they were committed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

use crate::message::State;

/// How long events are kept, in days.
pub const KEPT_DAYS: i64 = 30;

macro_rules! kinds {
    // The text is a plain token: as a literal of a macro, the description of the API would not see it.
    ($($(#[$doc:meta])* $name:ident = $text:tt, $label:literal;)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum EventType { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl EventType {
            /// All of them.
            pub const ALL: &'static [EventType] = &[$(EventType::$name,)*];

            /// The word, as stored and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(EventType::$name => $text,)* }
            }

            /// Words for people.
            pub const fn label(self) -> &'static str {
                match self { $(EventType::$name => $label,)* }
            }
        }
    };
}

kinds! {
    /// The provider took a message.
    MessageSent = "message.sent", "A message was taken by the provider";
    /// A message reached the handset.
    MessageDelivered = "message.delivered", "A message reached the handset";
    /// A person opened a message.
    MessageRead = "message.read", "A message was opened";
    /// A message was refused or could not be delivered.
    MessageFailed = "message.failed", "A message was refused or not delivered";
    /// A gate said no; the decision says which.
    MessageSkipped = "message.skipped", "A gate kept a message from being sent";
    /// A message was canceled, or its time ran out.
    MessageCanceled = "message.canceled", "A message was canceled or expired";
    /// A person wrote.
    InboundReceived = "inbound.received", "A person wrote";
    /// A person agreed to a channel.
    ConsentOptedIn = "consent.opted_in", "A person opted in";
    /// A person ended a channel.
    ConsentOptedOut = "consent.opted_out", "A person opted out";
    /// The evidence of an opt-in was withdrawn.
    ConsentWithdrawn = "consent.withdrawn", "The evidence of an opt-in was withdrawn";
    /// A person follows a topic.
    ConsentSubscribed = "consent.subscribed", "A person follows a topic";
    /// A person left a topic.
    ConsentUnsubscribed = "consent.unsubscribed", "A person left a topic";
    /// A campaign waits for its time.
    CampaignScheduled = "campaign.scheduled", "A campaign was scheduled";
    /// A campaign sends.
    CampaignRunning = "campaign.running", "A campaign runs";
    /// A campaign pauses.
    CampaignPaused = "campaign.paused", "A campaign paused";
    /// A campaign missed its time and asks.
    CampaignHeld = "campaign.held", "A campaign was held";
    /// A campaign is done.
    CampaignCompleted = "campaign.completed", "A campaign was completed";
    /// A campaign was canceled.
    CampaignCanceled = "campaign.canceled", "A campaign was canceled";
    /// An import was applied.
    ImportCompleted = "import.completed", "An import was applied";
    /// An import ended before its end.
    ImportFailed = "import.failed", "An import failed";
    /// An import was taken back.
    ImportUndone = "import.undone", "An import was undone";
}

impl EventType {
    /// What a message's arrival in this state tells; `None` for steps that are ours alone.
    pub const fn of_message(state: State) -> Option<Self> {
        Some(match state {
            State::Pending | State::Sending | State::Unknown | State::NeedsReview => return None,
            State::Accepted | State::Scheduled | State::Queued | State::Transmitting | State::Sent => Self::MessageSent,
            State::Delivered => Self::MessageDelivered,
            State::Read => Self::MessageRead,
            State::Rejected | State::Failed | State::Undelivered => Self::MessageFailed,
            State::Skipped => Self::MessageSkipped,
            State::Expired | State::Canceled | State::ProviderCanceled => Self::MessageCanceled,
        })
    }

    /// The noun before the dot.
    pub fn noun(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is not the type of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the type of an event")]
pub struct NoEventType(String);

impl FromStr for EventType {
    type Err = NoEventType;

    fn from_str(text: &str) -> Result<Self, NoEventType> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| NoEventType(text.to_owned()))
    }
}

/// Where an event stands among all: by the transaction that committed it, then by its number. On the wire it is the event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The transaction.
    pub tx: i64,
    /// The number.
    pub id: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{:x}_{:x}", self.tx, self.id)
    }
}

/// The text is not an event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an event's id")]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (tx, id) = text.strip_prefix("evt_").and_then(|rest| rest.split_once('_')).ok_or(NoPosition)?;
        let number = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            plain.then(|| i64::from_str_radix(text, 16).ok()).flatten().ok_or(NoPosition)
        };
        Ok(Self { tx: number(tx)?, id: number(id)? })
    }
}

/// One event, as the event stream and webhooks tell it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FeedEvent {
    /// Its id, which is its place in the stream: the same wherever it is told, however often.
    #[cfg_attr(feature = "openapi", schema(example = "evt_2f1_8a"))]
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When.
    pub timestamp: DateTime<Utc>,
    /// To what, and how: ids, and what belongs to the type. What a person wrote is `null` once they were erased.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_as_written() {
        for kind in EventType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.as_str().into()));
            assert!(["message", "inbound", "consent", "campaign", "import"].contains(&kind.noun()), "{kind}");
        }
        assert!("message".parse::<EventType>().is_err());
    }

    #[test]
    fn positions_are_read_as_written_and_in_no_other_form() {
        let position = Position { tx: 742, id: 0x1f };
        assert_eq!(position.to_string(), "evt_2e6_1f");
        assert_eq!("evt_2e6_1f".parse(), Ok(position));
        for bad in [
            "",
            "evt_",
            "evt_1",
            "evt_1_",
            "evt_+1_2",
            "evt_1_-2",
            "1_2",
            "evt_1_2_3",
            "evt_A_1",
            "evt_fffffffffffffffff_1",
        ] {
            assert_eq!(bad.parse::<Position>(), Err(NoPosition), "{bad}");
        }
    }

    #[test]
    fn a_message_tells_each_stage_once() {
        assert_eq!(EventType::of_message(State::Queued), EventType::of_message(State::Sent));
        assert_eq!(EventType::of_message(State::Sending), None);
        let told = State::ALL.iter().filter(|state| EventType::of_message(**state).is_some());
        assert_eq!(told.count(), State::ALL.len() - 4);
    }
}
