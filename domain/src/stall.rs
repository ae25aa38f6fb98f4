//! Why a campaign that runs does not move: one cause, from facts, in words.

use crate::{compliance::Gate, consent::words, health::Stop};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

words! {
    /// What holds a campaign up, in the order in which it is looked for.
    Cause {
        /// Everything is stopped.
        KillSwitch = "kill_switch", "All sending is stopped";
        /// No process works.
        NoWorker = "no_worker", "No process works";
        /// What came while the database was away is read first.
        Spool = "spool", "What people wrote is taken in first";
        /// The sender is off.
        SenderOff = "sender_off", "The sender is switched off";
        /// A circuit breaker is open.
        Breaker = "breaker", "A circuit breaker is open";
        /// The audience is being read.
        Reading = "reading", "The audience is being read";
        /// The canary is not judged yet.
        Canary = "canary", "The first messages are awaited";
        /// Requests are under way.
        UnderWay = "under_way", "Requests are under way";
        /// Everyone who is left waits for a time.
        NotDue = "not_due", "Nobody is due yet";
        /// What became of the last messages is looked for at the provider.
        Unknown = "unknown", "The fate of some messages is looked for";
        /// There is work, and nobody does it.
        Overdue = "overdue", "Work is due, and nothing moves";
    }
}

/// What is known of a campaign that runs.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The kill switch, if it is on.
    pub stop: Option<Stop>,
    /// Processes that were heard of lately.
    pub workers: usize,
    /// Whether a process may hold what a person wrote.
    pub spooled: bool,
    /// Whether the sender may send.
    pub sender_enabled: bool,
    /// Why a breaker holds it.
    pub breaker: Option<String>,
    /// Whether the audience is still being read.
    pub expanding: bool,
    /// How many first messages are awaited before the rest goes on; `None` if the rest may go.
    pub canary: Option<i64>,
    /// Messages that can be claimed at once.
    pub claimable: bool,
    /// Messages under way.
    pub sending: i64,
    /// Messages of unknown fate.
    pub unknown: i64,
    /// When the next waiting message is due, and the gate that deferred it last.
    pub next: Option<(DateTime<Utc>, Option<Gate>)>,
    /// When the provider last took one of its messages, or else the launch.
    pub moved_at: Option<DateTime<Utc>>,
}

/// Why it does not move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stall {
    /// The cause.
    pub cause: Cause,
    /// More about it, in words.
    pub detail: String,
    /// Whether it goes on only if a person does something.
    pub needs_person: bool,
}

/// How long work may be due before nothing else explains it.
const PATIENCE: Duration = Duration::seconds(30);

/// What holds the campaign up; `None` while it moves, or is about to.
pub fn cause(facts: &Facts, now: DateTime<Utc>) -> Option<Stall> {
    let stall = |cause, detail: String, needs_person| Some(Stall { cause, detail, needs_person });
    if let Some(stop) = &facts.stop {
        return stall(Cause::KillSwitch, format!("{} stopped it: {}", stop.by, stop.reason), true);
    }
    if facts.workers == 0 {
        return stall(Cause::NoWorker, "start one: ese serve, or ese worker".to_owned(), true);
    }
    if facts.spooled {
        let detail = "it came while the database was away, or a web process is silent";
        return stall(Cause::Spool, detail.to_owned(), false);
    }
    if !facts.sender_enabled {
        return stall(Cause::SenderOff, "switch it on, or cancel the campaign".to_owned(), true);
    }
    if let Some(why) = &facts.breaker {
        return stall(Cause::Breaker, why.clone(), false);
    }
    let quiet = facts.moved_at.is_none_or(|at| now - at > PATIENCE);
    let due = facts.next.filter(|(at, _)| *at <= now);
    if facts.claimable || due.is_some() {
        return match quiet {
            true => stall(Cause::Overdue, "look at the page Health; the log of the workers says more".to_owned(), true),
            false => None,
        };
    }
    if facts.expanding {
        return stall(Cause::Reading, "messages go out as soon as people are found".to_owned(), false);
    }
    if facts.sending > 0 {
        return stall(Cause::UnderWay, format!("{} are with the provider", facts.sending), false);
    }
    if let Some(first) = facts.canary {
        let detail = format!("the rest goes out once it is known what became of the first {first}");
        return stall(Cause::Canary, detail, false);
    }
    if let Some((at, gate)) = facts.next {
        let why = gate.map(|gate| format!(" ({})", gate.label().to_lowercase())).unwrap_or_default();
        return stall(Cause::NotDue, format!("the next one is due {}{why}", at.format("%F %R UTC")), false);
    }
    match facts.unknown {
        0 => None,
        some => stall(Cause::Unknown, format!("{some} are looked for on the provider's list"), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).expect("a fixed instant")
    }

    /// Each cause alone is named; of any two, the one that is looked for first.
    #[test]
    fn the_first_cause_is_named() {
        type Set = fn(&mut Facts);
        let causes: &[(Cause, Set)] = &[
            (Cause::KillSwitch, |f| f.stop = Some(Stop { reason: "a mistake".into(), by: "Ann".into(), since: now() })),
            (Cause::NoWorker, |f| f.workers = 0),
            (Cause::Spool, |f| f.spooled = true),
            (Cause::SenderOff, |f| f.sender_enabled = false),
            (Cause::Breaker, |f| f.breaker = Some("20003".into())),
            (Cause::Overdue, |f| f.claimable = true),
            (Cause::Reading, |f| f.expanding = true),
            (Cause::UnderWay, |f| f.sending = 3),
            (Cause::Canary, |f| f.canary = Some(50)),
            (Cause::NotDue, |f| f.next = Some((now() + Duration::hours(3), Some(Gate::QuietHours)))),
            (Cause::Unknown, |f| f.unknown = 2),
        ];
        let fine = Facts { workers: 1, sender_enabled: true, ..Facts::default() };
        assert_eq!(cause(&fine, now()), None);
        for (at, (first, set)) in causes.iter().enumerate() {
            for (_, later) in &causes[at..] {
                let mut facts = fine.clone();
                later(&mut facts);
                set(&mut facts);
                assert_eq!(cause(&facts, now()).map(|stall| stall.cause), Some(*first), "{facts:?}");
            }
        }
    }

    #[test]
    fn work_that_was_done_just_now_is_no_standstill() {
        let moving =
            Facts { workers: 1, sender_enabled: true, claimable: true, moved_at: Some(now()), ..Facts::default() };
        assert_eq!(cause(&moving, now()), None);
        let late = cause(&moving, now() + Duration::seconds(31)).expect("a standstill");
        assert!(late.cause == Cause::Overdue && late.needs_person);
    }
}
