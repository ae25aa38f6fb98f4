//! The chaos dial: how often, and how, the provider misbehaves.
//!
//! Every decision is a pure function of the seed, a counter (of create requests, or of accepted
//! messages) and the kind of decision. Two runs that make the same requests in the same order
//! meet the same faults.

use serde::{Deserialize, Serialize};

use crate::message::Status;

/// Outcomes in one dial at most.
const OUTCOMES_MAX: usize = 32;
/// Delays and hangs at most, in milliseconds: ten minutes.
const DELAY_MAX_MS: u64 = 600_000;

/// A uniform range of milliseconds, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The shortest, in milliseconds.
    pub min_ms: u64,
    /// The longest, in milliseconds.
    pub max_ms: u64,
}

impl Span {
    /// Always `ms`.
    pub const fn fixed(ms: u64) -> Self {
        Self::between(ms, ms)
    }

    /// From `min_ms` to `max_ms`.
    pub const fn between(min_ms: u64, max_ms: u64) -> Self {
        Self { min_ms, max_ms }
    }
}

/// A share of messages that end badly, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The share of messages, 0 to 1.
    pub share: f64,
    /// `failed` (never sent) or `undelivered` (sent, and refused by the carrier).
    pub status: Status,
    /// The error code of the callback, such as 30003.
    pub code: u32,
}

/// The dial. Shares are between 0 and 1; the default is a provider that behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chaos {
    /// How long a create takes before it is looked at.
    pub create_latency_ms: Span,
    /// Time between one status and the next.
    pub step_ms: Span,
    /// Time from a status to its callback, on top.
    pub callback_delay_ms: Span,

    /// Creates answered with 429 and not processed.
    pub rate_limited: f64,
    /// Seconds in the `Retry-After` of such a 429.
    pub retry_after_s: Option<u32>,
    /// Creates answered with 500 and not accepted.
    pub server_error: f64,
    /// Creates answered with 500 although the message was accepted.
    pub server_error_after_accept: f64,
    /// Creates that are neither accepted nor answered; see `hang_ms`.
    pub hang: f64,
    /// Creates that are accepted and never answered; see `hang_ms`.
    pub hang_after_accept: f64,
    /// How long a hanging connection stays open before it is reset.
    pub hang_ms: u64,
    /// Connections reset before the message is accepted.
    pub reset: f64,
    /// Connections reset after the message is accepted.
    pub reset_after_accept: f64,

    /// Messages whose first callback is answered before the create's answer leaves.
    pub early_callback: f64,
    /// Callbacks that are never made.
    pub callback_dropped: f64,
    /// Callbacks that are made twice.
    pub callback_duplicated: f64,
    /// Callbacks held back until a later one of the same message was made.
    pub callback_reordered: f64,

    /// Messages that end badly. The shares add up to 1 at most; the rest is delivered.
    pub outcomes: Vec<Outcome>,
    /// Messages that stay at `sent` for ever, as with carriers that send no receipts.
    pub ends_at_sent: f64,
    /// Phones whose owner lets WhatsApp report `read`.
    pub read_receipts: f64,

    /// Lists answered with 500.
    pub list_error: f64,
    /// How long a new message is missing from lists.
    pub list_lag_ms: u64,
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            create_latency_ms: Span::default(),
            step_ms: Span::between(40, 200),
            callback_delay_ms: Span::default(),
            rate_limited: 0.0,
            retry_after_s: None,
            server_error: 0.0,
            server_error_after_accept: 0.0,
            hang: 0.0,
            hang_after_accept: 0.0,
            hang_ms: 30_000,
            reset: 0.0,
            reset_after_accept: 0.0,
            early_callback: 0.0,
            callback_dropped: 0.0,
            callback_duplicated: 0.0,
            callback_reordered: 0.0,
            outcomes: Vec::new(),
            ends_at_sent: 0.0,
            read_receipts: 1.0,
            list_error: 0.0,
            list_lag_ms: 0,
        }
    }
}

/// Why a dial was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChaosError {
    /// A share, or the sum of shares that exclude each other, is not between 0 and 1.
    #[error("{0} must be a share between 0 and 1")]
    Share(&'static str),
    /// A range is upside down, or longer than ten minutes.
    #[error("{0} must be a range of at most {DELAY_MAX_MS} ms, the smaller end first")]
    Span(&'static str),
    /// An outcome is neither `failed` nor `undelivered`.
    #[error("an outcome must be failed or undelivered")]
    Outcome,
    /// More outcomes than the dial holds.
    #[error("at most {OUTCOMES_MAX} outcomes")]
    TooManyOutcomes,
}

impl Chaos {
    /// Checks that shares are shares and ranges are ranges.
    pub fn validate(&self) -> Result<(), ChaosError> {
        if self.outcomes.len() > OUTCOMES_MAX {
            return Err(ChaosError::TooManyOutcomes);
        }
        let endings: f64 = self.outcomes.iter().map(|outcome| outcome.share).sum();
        let faults: f64 = self.faults().iter().map(|(share, _)| share).sum();
        let shares = [
            ("rate_limited", self.rate_limited),
            ("server_error", self.server_error),
            ("server_error_after_accept", self.server_error_after_accept),
            ("hang", self.hang),
            ("hang_after_accept", self.hang_after_accept),
            ("reset", self.reset),
            ("reset_after_accept", self.reset_after_accept),
            ("early_callback", self.early_callback),
            ("callback_dropped", self.callback_dropped),
            ("callback_duplicated", self.callback_duplicated),
            ("callback_reordered", self.callback_reordered),
            ("ends_at_sent", self.ends_at_sent),
            ("read_receipts", self.read_receipts),
            ("list_error", self.list_error),
        ];
        let sums = [("the sum of outcomes", endings), ("the sum of create faults", faults)];
        if let Some((name, _)) = shares
            .into_iter()
            .chain(self.outcomes.iter().map(|o| ("an outcome's share", o.share)))
            .chain(sums)
            // Sums of shares such as 0.1 are not exact.
            .find(|(_, share)| !(0.0..=1.0 + 1e-9).contains(share))
        {
            return Err(ChaosError::Share(name));
        }
        let spans = [
            ("create_latency_ms", self.create_latency_ms),
            ("step_ms", self.step_ms),
            ("callback_delay_ms", self.callback_delay_ms),
            ("hang_ms", Span::fixed(self.hang_ms)),
            ("list_lag_ms", Span::fixed(self.list_lag_ms)),
        ];
        if let Some((name, _)) =
            spans.into_iter().find(|(_, span)| span.min_ms > span.max_ms || span.max_ms > DELAY_MAX_MS)
        {
            return Err(ChaosError::Span(name));
        }
        let ends = [Status::Failed, Status::Undelivered];
        if self.outcomes.iter().any(|o| !ends.contains(&o.status)) {
            return Err(ChaosError::Outcome);
        }
        Ok(())
    }

    /// The faults of a create, which exclude each other.
    fn faults(&self) -> [(f64, Fault); 7] {
        [
            (self.rate_limited, Fault::RateLimited),
            (self.server_error, Fault::ServerError),
            (self.hang, Fault::Hang),
            (self.reset, Fault::Reset),
            (self.server_error_after_accept, Fault::ServerErrorAfterAccept),
            (self.hang_after_accept, Fault::HangAfterAccept),
            (self.reset_after_accept, Fault::ResetAfterAccept),
        ]
    }
}

/// What goes wrong with one create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    RateLimited,
    ServerError,
    Hang,
    Reset,
    ServerErrorAfterAccept,
    HangAfterAccept,
    ResetAfterAccept,
}

impl Fault {
    /// The name of the share that causes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::ServerErrorAfterAccept => "server_error_after_accept",
            Self::HangAfterAccept => "hang_after_accept",
            Self::ResetAfterAccept => "reset_after_accept",
        }
    }
}

/// The kinds of decision, each with a stream of its own, so that turning one share up does not
/// change which messages another one hits.
#[derive(Clone, Copy)]
enum Stream {
    Latency = 1,
    Fault,
    Early,
    Outcome,
    EndsAtSent,
    Receipts,
    List,
    Step,
    Delay,
    Drop,
    Duplicate,
    Reorder,
}

/// The seeded decisions of one dial.
pub(crate) struct Dice<'a> {
    pub chaos: &'a Chaos,
    pub seed: u64,
}

impl Dice<'_> {
    /// How long create number `request` takes, in milliseconds.
    pub fn latency_ms(&self, request: u64) -> u64 {
        self.span(self.chaos.create_latency_ms, Stream::Latency, request, 0)
    }

    /// What goes wrong with create number `request`.
    pub fn fault(&self, request: u64) -> Option<Fault> {
        let mut roll = self.roll(Stream::Fault, request, 0);
        self.chaos.faults().into_iter().find_map(|(share, fault)| {
            roll -= share;
            (roll < 0.0).then_some(fault)
        })
    }

    /// Whether a list request, by its number, is answered with an error.
    pub fn list_error(&self, request: u64) -> bool {
        self.roll(Stream::List, request, 0) < self.chaos.list_error
    }

    /// The bad end of message `number`, if it has one.
    pub fn outcome(&self, number: u64) -> Option<(Status, u32)> {
        let mut roll = self.roll(Stream::Outcome, number, 0);
        self.chaos.outcomes.iter().find_map(|outcome| {
            roll -= outcome.share;
            (roll < 0.0).then_some((outcome.status, outcome.code))
        })
    }

    /// Whether message `number` never gets a receipt.
    pub fn ends_at_sent(&self, number: u64) -> bool {
        self.roll(Stream::EndsAtSent, number, 0) < self.chaos.ends_at_sent
    }

    /// Whether the first callback of message `number` overtakes the answer.
    pub fn early(&self, number: u64) -> bool {
        self.roll(Stream::Early, number, 0) < self.chaos.early_callback
    }

    /// Whether `phone` reports `read`.
    pub fn receipts(&self, phone: &str) -> bool {
        // FNV-1a: the same for ever, unlike the standard library's hasher.
        let hash = phone
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        self.roll(Stream::Receipts, hash, 0) < self.chaos.read_receipts
    }

    /// Time until message `number` reaches `status`, in milliseconds.
    pub fn step_ms(&self, number: u64, status: Status) -> u64 {
        self.span(self.chaos.step_ms, Stream::Step, number, status as u64)
    }

    /// Time until the callback of `status` is made, in milliseconds.
    pub fn delay_ms(&self, number: u64, status: Status) -> u64 {
        let span = self.chaos.callback_delay_ms;
        self.span(span, Stream::Delay, number, status as u64)
    }

    /// Whether the callback of `status` is lost.
    pub fn dropped(&self, number: u64, status: Status) -> bool {
        self.roll(Stream::Drop, number, status as u64) < self.chaos.callback_dropped
    }

    /// Whether the callback of `status` is made twice.
    pub fn duplicated(&self, number: u64, status: Status) -> bool {
        self.roll(Stream::Duplicate, number, status as u64) < self.chaos.callback_duplicated
    }

    /// Whether the callback of `status` waits for a later one.
    pub fn reordered(&self, number: u64, status: Status) -> bool {
        self.roll(Stream::Reorder, number, status as u64) < self.chaos.callback_reordered
    }

    /// A number in [0, 1) that depends on the arguments and the seed alone.
    fn roll(&self, stream: Stream, counter: u64, salt: u64) -> f64 {
        /// 2⁻⁵³: the spacing of doubles just below 1.
        const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
        (self.bits(stream, counter, salt) >> 11) as f64 * UNIT
    }

    fn span(&self, span: Span, stream: Stream, counter: u64, salt: u64) -> u64 {
        let width = span.max_ms - span.min_ms + 1;
        span.min_ms + self.bits(stream, counter, salt) % width
    }

    fn bits(&self, stream: Stream, counter: u64, salt: u64) -> u64 {
        let mixed = splitmix64(self.seed ^ splitmix64(counter));
        splitmix64(mixed ^ ((stream as u64) << 32 | salt))
    }
}

/// The output function of SplitMix64 (Steele, Lea and Flood, 2014).
fn splitmix64(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_met() {
        let chaos = Chaos {
            rate_limited: 0.1,
            hang_after_accept: 0.2,
            outcomes: vec![Outcome { share: 0.3, status: Status::Undelivered, code: 30003 }],
            ..Chaos::default()
        };
        let dice = Dice { chaos: &chaos, seed: 7 };
        let count = |hit: &dyn Fn(u64) -> bool| (0..10_000).filter(|n| hit(*n)).count();
        let limited = count(&|n| dice.fault(n) == Some(Fault::RateLimited));
        let hanging = count(&|n| dice.fault(n) == Some(Fault::HangAfterAccept));
        let undelivered = count(&|n| dice.outcome(n) == Some((Status::Undelivered, 30003)));
        assert!((900..1_100).contains(&limited), "{limited}");
        assert!((1_850..2_150).contains(&hanging), "{hanging}");
        assert!((2_850..3_150).contains(&undelivered), "{undelivered}");
    }

    proptest! {
        #[test]
        fn spans_hold(min in 0u64..1_000, width in 0u64..1_000, number: u64, seed: u64) {
            let chaos = Chaos { create_latency_ms: Span::between(min, min + width), ..Chaos::default() };
            let ms = Dice { chaos: &chaos, seed }.latency_ms(number);
            prop_assert!((min..=min + width).contains(&ms));
        }

        #[test]
        fn the_seed_decides(seed: u64, number: u64, share in 0.0f64..1.0) {
            let chaos = Chaos { callback_dropped: share, ..Chaos::default() };
            let once = Dice { chaos: &chaos, seed }.dropped(number, Status::Sent);
            let again = Dice { chaos: &chaos.clone(), seed }.dropped(number, Status::Sent);
            prop_assert_eq!(once, again);
        }
    }

    #[test]
    fn bad_dials_are_refused() {
        let check = |chaos: Chaos, expected| assert_eq!(chaos.validate(), Err(expected));
        check(Chaos { hang: -0.1, ..Chaos::default() }, ChaosError::Share("hang"));
        check(Chaos { hang: 0.6, reset: 0.6, ..Chaos::default() }, ChaosError::Share("the sum of create faults"));
        check(Chaos { list_error: f64::NAN, ..Chaos::default() }, ChaosError::Share("list_error"));
        check(Chaos { step_ms: Span::between(2, 1), ..Chaos::default() }, ChaosError::Span("step_ms"));
        check(
            Chaos { outcomes: vec![Outcome { share: 0.1, status: Status::Sent, code: 1 }], ..Chaos::default() },
            ChaosError::Outcome,
        );
        assert_eq!(Chaos::default().validate(), Ok(()));
    }
}
