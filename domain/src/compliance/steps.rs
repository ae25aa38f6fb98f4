//! What every gate says of one message, not only the first that stops it: for the question why, or why not.

use super::{Content, Facts, Gate, ORDER, Quiet, Verdict, WHATSAPP_WINDOW, ask};
use crate::{consent::words, phone::Channel, topic::SubscriptionState};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words! {
    /// What a gate says.
    Answer {
        /// It lets the message pass.
        Passes = "passes", "Passes";
        /// Not now.
        Waits = "waits", "Waits";
        /// Never.
        Stops = "stops", "Stops it";
    }
}

/// What one gate says, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Step {
    /// The gate.
    pub gate: Gate,
    /// What it says.
    pub answer: Answer,
    /// The fact that it used.
    pub fact: String,
    /// When it would pass, where that is known.
    pub until: Option<DateTime<Utc>>,
}

impl Step {
    /// What a gate that did not let the message pass says; `None` for a verdict that lets it pass.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Send { .. } => None,
            Verdict::Defer { gate, fact, until } => {
                Some(Self { gate: *gate, answer: Answer::Waits, fact: fact.clone(), until: *until })
            }
            Verdict::Skip { gate, fact } => {
                Some(Self { gate: *gate, answer: Answer::Stops, fact: fact.clone(), until: None })
            }
        }
    }
}

/// What every gate says, in the order in which they are asked.
pub fn steps(facts: &Facts<'_>, now: DateTime<Utc>) -> Vec<Step> {
    let step = |gate: &Gate| {
        let stopped = ask(*gate, facts, now).as_ref().and_then(Step::of);
        let passes = || Step { gate: *gate, answer: Answer::Passes, fact: passed(*gate, facts), until: None };
        stopped.unwrap_or_else(passes)
    };
    ORDER.iter().map(step).collect()
}

/// Why a gate lets a message pass.
fn passed(gate: Gate, facts: &Facts<'_>) -> String {
    let fixed = match gate {
        Gate::Campaign => "the campaign is running",
        Gate::Suppression => "not on the suppression list",
        Gate::Consent => return format!("opted in to {}", facts.channel),
        Gate::Topic => match facts.topic {
            None => "the campaign has no topic",
            Some((name, _, Some(SubscriptionState::Subscribed))) => return format!("follows \"{name}\""),
            Some((name, ..)) => return format!("did not leave \"{name}\", which reaches everyone else"),
        },
        Gate::Address => return format!("there is an address for {}", facts.channel),
        Gate::Window => match (facts.channel, facts.content, facts.last_inbound_at) {
            (Channel::Whatsapp, Content::FreeForm, Some(at)) => {
                return format!("open until {}", (at + WHATSAPP_WINDOW).format("%F %R UTC"));
            }
            (Channel::Whatsapp, Content::ProviderTemplate, _) => "approved templates need no open window",
            _ => "only WhatsApp has one",
        },
        Gate::Content => "every variable has a value",
        Gate::Frequency => "below the cap",
        Gate::Schedule => match facts.time_of_day {
            None => "the campaign starts for everyone at once",
            Some((_, zone)) => return format!("the time has come in {zone}"),
        },
        Gate::QuietHours => match &facts.quiet {
            Quiet::Open { until } => return format!("sending is allowed until {}", until.format("%F %R UTC")),
            Quiet::Closed { .. } => "",
        },
        Gate::Sender => "the sender may send",
        Gate::Rate | Gate::Provider => "",
    };
    fixed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::consent::ConsentState;
    use chrono::Duration;

    #[test]
    fn every_gate_speaks_and_the_first_that_stops_is_the_verdict() {
        let all = steps(&fine(), now());
        assert_eq!(all.iter().map(|step| step.gate).collect::<Vec<_>>(), ORDER);
        assert!(all.iter().all(|step| step.answer == Answer::Passes && !step.fact.is_empty()), "{all:?}");
        let mut facts = fine();
        facts.consent = ConsentState::OptedOut;
        facts.quiet = Quiet::Closed { next: now() + Duration::hours(2), rule: "night".into() };
        let all = steps(&facts, now());
        let stopped: Vec<&Step> = all.iter().filter(|step| step.answer != Answer::Passes).collect();
        assert_eq!((stopped[0].gate, stopped[0].answer), (Gate::Consent, Answer::Stops));
        assert_eq!((stopped[1].gate, stopped[1].until), (Gate::QuietHours, Some(now() + Duration::hours(2))));
        assert_eq!(Step::of(&super::super::decide(&facts, now())).as_ref(), Some(stopped[0]));
    }
}
