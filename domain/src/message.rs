//! One message to one user: its states, who may move it, and the rule that merges the provider's reports.
//!
//! The state is stored as its merge rank (a smallint). Our own states rank below 100 and the provider's from 100 up, so
//! that whatever the provider reports wins over what we only planned; among the provider's the order is TWILIO.md 5.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

mod view;

pub use view::{
    Decision, DecisionEntry, DecisionQuery, Exchange, HistoryEntry, MessageDetail, MessageQuery, MessageRow,
    SingleSendForm,
};

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $rank:literal, $text:literal;)*) => {
        /// The state of a message. The number is its merge rank.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        #[repr(i16)]
        pub enum State { $($(#[$doc])* $name = $rank,)* }

        impl State {
            /// Every state, by rank.
            pub const ALL: &'static [State] = &[$(State::$name,)*];

            /// The merge rank, as stored.
            pub const fn rank(self) -> i16 { self as i16 }

            /// The state with this rank.
            pub const fn from_rank(rank: i16) -> Option<State> {
                match rank { $($rank => Some(State::$name),)* _ => None }
            }

            /// The word on the wire and in the URL.
            pub const fn as_str(self) -> &'static str {
                match self { $(State::$name => $text,)* }
            }
        }
    };
}

states! {
    /// Waits to be claimed.
    Pending = 0, "pending";
    /// Claimed: the intent is committed, the request may be under way.
    Sending = 10, "sending";
    /// The provider may or may not have it: never sent again on its own.
    Unknown = 20, "unknown";
    /// Reconciling found no trace: a person decides.
    NeedsReview = 30, "needs_review";
    /// A gate said no; the decision says which.
    Skipped = 40, "skipped";
    /// Its time ran out before it could be sent.
    Expired = 50, "expired";
    /// The campaign was canceled before it was sent.
    Canceled = 60, "canceled";
    /// The provider refused the request; nothing was accepted.
    Rejected = 70, "rejected";
    /// The provider has it, and has not chosen a sender yet.
    Accepted = 100, "accepted";
    /// The provider holds it until its time.
    Scheduled = 110, "scheduled";
    /// In the provider's queue.
    Queued = 120, "queued";
    /// The provider is handing it to the carrier (Twilio's word is `sending`).
    Transmitting = 130, "transmitting";
    /// The carrier took it. Some carriers never say more.
    Sent = 140, "sent";
    /// The provider canceled it.
    ProviderCanceled = 150, "provider_canceled";
    /// The provider could not send it.
    Failed = 160, "failed";
    /// The carrier could not deliver it.
    Undelivered = 170, "undelivered";
    /// It reached the handset.
    Delivered = 180, "delivered";
    /// The person opened it (WhatsApp, where receipts are on).
    Read = 190, "read";
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is not a message state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a message state")]
pub struct UnknownState;

impl FromStr for State {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.iter().copied().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

impl State {
    /// Whether the provider is known to hold the message.
    pub const fn is_providers(self) -> bool {
        self.rank() >= Self::Accepted.rank()
    }

    /// Whether this is an end: nothing but a further report of the provider changes it. `Sent` is not one, though some
    /// carriers stop there.
    pub const fn is_end(self) -> bool {
        !matches!(
            self,
            Self::Pending
                | Self::Sending
                | Self::Unknown
                | Self::NeedsReview
                | Self::Accepted
                | Self::Scheduled
                | Self::Queued
                | Self::Transmitting
                | Self::Sent
        )
    }

    /// Whether our own work on it is over, so that a campaign may complete.
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Sending | Self::Unknown)
    }

    /// The column of the campaign's balance that counts it.
    pub const fn bucket(self) -> Bucket {
        match self {
            Self::Pending => Bucket::Pending,
            Self::Sending => Bucket::Sending,
            Self::Unknown => Bucket::Unknown,
            Self::NeedsReview => Bucket::NeedsReview,
            Self::Skipped => Bucket::Skipped,
            Self::Expired => Bucket::Expired,
            Self::Canceled | Self::ProviderCanceled => Bucket::Canceled,
            Self::Rejected | Self::Failed | Self::Undelivered => Bucket::Failed,
            Self::Accepted | Self::Scheduled | Self::Queued | Self::Transmitting | Self::Sent => Bucket::Sent,
            Self::Delivered | Self::Read => Bucket::Sent,
        }
    }

    /// One word for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Sending => "Sending",
            Self::Unknown => "Unknown",
            Self::NeedsReview => "Needs review",
            Self::Skipped => "Skipped",
            Self::Expired => "Expired",
            Self::Canceled | Self::ProviderCanceled => "Canceled",
            Self::Rejected => "Refused",
            Self::Accepted => "Accepted",
            Self::Scheduled => "Scheduled",
            Self::Queued => "Queued",
            Self::Transmitting => "Transmitting",
            Self::Sent => "Sent",
            Self::Failed => "Failed",
            Self::Undelivered => "Undelivered",
            Self::Delivered => "Delivered",
            Self::Read => "Read",
        }
    }
}

/// A column of the balance: audience = the sum over all of them (DELIVERY.md, protocol 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Waits.
    Pending,
    /// Under way.
    Sending,
    /// At the provider, or beyond.
    Sent,
    /// A gate said no.
    Skipped,
    /// Refused, failed or undelivered.
    Failed,
    /// Out of time.
    Expired,
    /// Canceled.
    Canceled,
    /// Possibly sent.
    Unknown,
    /// A person decides.
    NeedsReview,
}

impl Bucket {
    /// All columns, in the order they are shown.
    pub const ALL: [Bucket; 9] = [
        Self::Pending,
        Self::Sending,
        Self::Sent,
        Self::Skipped,
        Self::Failed,
        Self::Expired,
        Self::Canceled,
        Self::Unknown,
        Self::NeedsReview,
    ];

    /// Words for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Sending => "Sending",
            Self::Sent => "Sent",
            Self::Skipped => "Skipped",
            Self::Failed => "Failed",
            Self::Expired => "Expired",
            Self::Canceled => "Canceled",
            Self::Unknown => "Unknown",
            Self::NeedsReview => "Needs review",
        }
    }
}

/// What may happen to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A worker takes it: the intent is about to be committed.
    Claim,
    /// Nothing left the machine, or the provider said it did nothing: back to the queue.
    Release,
    /// The provider took it in this state.
    Accept(State),
    /// The provider refused it.
    Reject,
    /// The outcome cannot be known.
    LoseTrack,
    /// Both looks at the provider's list found nothing.
    GiveToReview,
    /// A person, or the campaign's rule, decided to send again.
    Resend,
    /// A person, or the campaign's rule, decided that it was not sent and shall not be.
    Close,
    /// The provider gave it up for a passing reason: back to the queue, for another attempt.
    Retry,
    /// A gate said no for good.
    Skip,
    /// Its time ran out.
    Expire,
    /// The campaign was canceled.
    Cancel,
    /// The provider reports a state.
    Report(State),
}

/// The move is not allowed from this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message that is {from} does not take {event:?}")]
pub struct Refused {
    /// Where it stands.
    pub from: State,
    /// What was asked.
    pub event: Event,
}

/// The one place where a message's state changes.
///
/// # Errors
/// [`Refused`] when the move is not in the table. A report of the provider never is: it merges by rank.
pub const fn transition(from: State, event: Event) -> Result<State, Refused> {
    let to = match (from, event) {
        (State::Pending, Event::Claim) => State::Sending,
        (State::Pending, Event::Skip) => State::Skipped,
        (State::Pending, Event::Expire) => State::Expired,
        (State::Pending, Event::Cancel) => State::Canceled,
        (State::Sending, Event::Release) => State::Pending,
        (State::Sending, Event::Reject) => State::Rejected,
        (State::Sending, Event::LoseTrack) => State::Unknown,
        (State::Unknown, Event::GiveToReview) => State::NeedsReview,
        (State::Unknown | State::NeedsReview, Event::Resend) => State::Pending,
        (State::NeedsReview, Event::Close) => State::Expired,
        (State::Failed | State::Undelivered, Event::Retry) => State::Pending,
        (State::Sending | State::Unknown | State::NeedsReview, Event::Accept(state)) if state.is_providers() => state,
        (_, Event::Report(state)) if state.is_providers() => merge(from, state),
        _ => return Err(Refused { from, event }),
    };
    Ok(to)
}

/// The merge rule: the highest rank ever reported is the state (TWILIO.md 5).
pub const fn merge(current: State, reported: State) -> State {
    if reported.rank() > current.rank() { reported } else { current }
}

/// Whether two reports of the provider are ends that contradict each other: a message cannot both have failed and have
/// been delivered. `Read` after `Delivered` is one end, not two.
pub const fn conflicts(current: State, reported: State) -> bool {
    const fn end(state: State) -> i16 {
        match state {
            State::ProviderCanceled | State::Failed | State::Undelivered => state.rank(),
            State::Delivered | State::Read => State::Delivered.rank(),
            _ => 0,
        }
    }
    end(current) != 0 && end(reported) != 0 && end(current) != end(reported)
}

/// How one attempt to send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Outcome {
    /// Not settled yet.
    Open = 0,
    /// The provider took it.
    Accepted = 1,
    /// Nothing was written, or the provider said it was not processed.
    NotSent = 2,
    /// The provider refused it.
    Rejected = 3,
    /// Cannot be known from the answer.
    Unknown = 4,
    /// The lease ran out before the worker settled.
    LeaseExpired = 5,
    /// The claim had grown too old to write; given back.
    Stale = 6,
    /// The provider took it and gave it up for a passing reason; another attempt follows.
    GivenUp = 7,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Outcome; 8] = [
        Self::Open,
        Self::Accepted,
        Self::NotSent,
        Self::Rejected,
        Self::Unknown,
        Self::LeaseExpired,
        Self::Stale,
        Self::GivenUp,
    ];

    /// The code, as stored.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The outcome with this code.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }

    /// Words for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Open => "under way",
            Self::Accepted => "accepted",
            Self::NotSent => "not sent, will be tried again",
            Self::Rejected => "refused",
            Self::Unknown => "outcome unknown",
            Self::LeaseExpired => "the worker vanished",
            Self::Stale => "given back unsent",
            Self::GivenUp => "accepted, later given up, and tried again",
        }
    }
}

/// Flags of a message, as bits of its `flags` column.
pub mod flags {
    /// Contradicting ends were reported.
    pub const CONFLICT: i16 = 1;
    /// The provider holds it twice.
    pub const DUPLICATE: i16 = 2;
    /// The SID begins with `MM`, not `SM`.
    pub const MM_SID: i16 = 4;
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVIDERS: [State; 10] = [
        State::Accepted,
        State::Scheduled,
        State::Queued,
        State::Transmitting,
        State::Sent,
        State::ProviderCanceled,
        State::Failed,
        State::Undelivered,
        State::Delivered,
        State::Read,
    ];

    #[test]
    fn ranks_ascend_and_round_trip() {
        for pair in State::ALL.windows(2) {
            assert!(pair[0].rank() < pair[1].rank());
        }
        for state in State::ALL {
            assert_eq!(State::from_rank(state.rank()), Some(*state));
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        assert!(PROVIDERS.iter().all(|state| state.is_providers()));
    }

    #[test]
    fn the_full_grid_of_moves() {
        use Event::*;
        let moves = [
            Claim,
            Release,
            Accept(State::Queued),
            Reject,
            LoseTrack,
            GiveToReview,
            Resend,
            Close,
            Skip,
            Expire,
            Cancel,
        ];
        let allowed: &[(State, Event, State)] = &[
            (State::Pending, Claim, State::Sending),
            (State::Pending, Skip, State::Skipped),
            (State::Pending, Expire, State::Expired),
            (State::Pending, Cancel, State::Canceled),
            (State::Sending, Release, State::Pending),
            (State::Sending, Accept(State::Queued), State::Queued),
            (State::Sending, Reject, State::Rejected),
            (State::Sending, LoseTrack, State::Unknown),
            (State::Unknown, Accept(State::Queued), State::Queued),
            (State::Unknown, GiveToReview, State::NeedsReview),
            (State::Unknown, Resend, State::Pending),
            (State::NeedsReview, Accept(State::Queued), State::Queued),
            (State::NeedsReview, Resend, State::Pending),
            (State::NeedsReview, Close, State::Expired),
        ];
        for from in State::ALL {
            for event in moves {
                let expected = allowed.iter().find(|(f, e, _)| f == from && *e == event).map(|(_, _, to)| *to);
                assert_eq!(transition(*from, event).ok(), expected, "{from} {event:?}");
            }
        }
    }

    /// Every order of every multiset of reports ends in the same state: the maximum.
    #[test]
    fn reports_merge_the_same_in_every_order() {
        fn permute(rest: &mut Vec<State>, done: &mut Vec<State>, check: &mut impl FnMut(&[State])) {
            if rest.is_empty() {
                return check(done);
            }
            for i in 0..rest.len() {
                let state = rest.remove(i);
                done.push(state);
                permute(rest, done, check);
                done.pop();
                rest.insert(i, state);
            }
        }
        for start in [State::Pending, State::Sending, State::Unknown, State::NeedsReview, State::Skipped] {
            let mut reports =
                vec![State::Queued, State::Sent, State::Sent, State::Undelivered, State::Delivered, State::Read];
            permute(&mut reports, &mut Vec::new(), &mut |order| {
                let end = order.iter().fold(start, |state, report| {
                    transition(state, Event::Report(*report)).expect("reports always merge")
                });
                assert_eq!(end, State::Read);
            });
        }
    }

    #[test]
    fn only_contradicting_ends_conflict() {
        for a in PROVIDERS {
            for b in PROVIDERS {
                let group = |state| match state {
                    State::ProviderCanceled => 1,
                    State::Failed => 2,
                    State::Undelivered => 3,
                    State::Delivered | State::Read => 4,
                    _ => 0,
                };
                assert_eq!(conflicts(a, b), group(a) != 0 && group(b) != 0 && group(a) != group(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn an_own_state_is_never_taken_for_a_report() {
        assert!(transition(State::Queued, Event::Report(State::Skipped)).is_err());
        assert!(transition(State::Sending, Event::Accept(State::Pending)).is_err());
    }
}
