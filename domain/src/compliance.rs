//! The gates that a message passes, in their fixed order, each with the fact it used.
//!
//! Why was this message not sent? The first gate that does not pass decides; its fact is what is stored and shown.

use crate::{
    campaign::CampaignStatus,
    consent::{ConsentState, words},
    phone::Channel,
    topic::{SubscriptionState, TopicKind, reaches},
};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

mod steps;

pub use steps::{Answer, Step, steps};

words! {
    /// A gate, in the order they are asked (DELIVERY.md, Decisions).
    Gate {
        /// The campaign is running.
        Campaign = "campaign", "Campaign not running";
        /// The person is not suppressed.
        Suppression = "suppression", "Suppressed";
        /// The person agreed to the channel.
        Consent = "consent", "No consent";
        /// The topic reaches the person.
        Topic = "topic", "Topic not followed";
        /// There is an address, and it is usable.
        Address = "address", "Address unusable";
        /// WhatsApp's 24-hour window is open, or the content is an approved template.
        Window = "window", "WhatsApp window closed";
        /// Every variable has a value.
        Content = "content", "A variable has no value";
        /// The person did not get too many messages.
        Frequency = "frequency", "Frequency cap";
        /// The campaign's time of day has come where the person lives.
        Schedule = "schedule", "Not the person's time yet";
        /// It is not the person's quiet time.
        QuietHours = "quiet_hours", "Quiet hours";
        /// The sender may send.
        Sender = "sender", "Sender stopped";
        /// There is room in the rate.
        Rate = "rate", "Rate limit";
        /// The provider asked to wait, or did not process the request.
        Provider = "provider", "Provider asked to wait";
    }
}

impl Gate {
    /// What it looks at, as the name of a line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Campaign => "Campaign",
            Self::Suppression => "Suppression list",
            Self::Consent => "Consent",
            Self::Topic => "Topic",
            Self::Address => "Address",
            Self::Window => "WhatsApp window",
            Self::Content => "Content",
            Self::Frequency => "Frequency cap",
            Self::Schedule => "Time of day",
            Self::QuietHours => "Quiet hours",
            Self::Sender => "Sender",
            Self::Rate => "Rate",
            Self::Provider => "Provider",
        }
    }
}

/// How long a person's message keeps WhatsApp's window open (TWILIO.md 9).
pub const WHATSAPP_WINDOW: Duration = Duration::hours(24);

/// What a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text of our own.
    FreeForm,
    /// A template that the provider holds (WhatsApp's ContentSid).
    ProviderTemplate,
}

/// Quiet hours for one person now, worked out from the zone and the rules.
#[derive(Debug, Clone, PartialEq)]
pub enum Quiet {
    /// Sending is allowed until this instant.
    Open {
        /// The end of the allowed window.
        until: DateTime<Utc>,
    },
    /// Not now.
    Closed {
        /// When sending is allowed again.
        next: DateTime<Utc>,
        /// The rule and zone, in words.
        rule: String,
    },
}

/// Everything the gates ask about one message.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Where the campaign stands.
    pub campaign: CampaignStatus,
    /// Whether the person is suppressed, and why.
    pub suppressed: Option<&'a str>,
    /// The channel.
    pub channel: Channel,
    /// The person's consent on it.
    pub consent: ConsentState,
    /// The campaign's topic and the person's choice on it.
    pub topic: Option<(&'a str, TopicKind, Option<SubscriptionState>)>,
    /// Whether there is an address for the channel.
    pub has_address: bool,
    /// What the message carries.
    pub content: Content,
    /// When the person last wrote to this sender (WhatsApp).
    pub last_inbound_at: Option<DateTime<Utc>>,
    /// The variable that has no value and no fallback.
    pub missing_variable: Option<&'a str>,
    /// That the person got as many messages as the frequency cap allows, in words.
    pub over_cap: Option<&'a str>,
    /// When the campaign's local time comes for the person, and the zone that decides; `None` if it has none.
    pub time_of_day: Option<(DateTime<Utc>, &'a str)>,
    /// Quiet hours now.
    pub quiet: Quiet,
    /// Whether the sender may send; else why not.
    pub sender_stopped: Option<&'a str>,
}

/// What the gates say of one message.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Send it; the carrier may hold it until then.
    Send {
        /// The end of the person's allowed window.
        until: DateTime<Utc>,
    },
    /// Not now.
    Defer {
        /// The gate that decided.
        gate: Gate,
        /// The fact it used.
        fact: String,
        /// When to ask again; `None` when an event will tell (the campaign resumes).
        until: Option<DateTime<Utc>>,
    },
    /// Never.
    Skip {
        /// The gate that decided.
        gate: Gate,
        /// The fact it used.
        fact: String,
    },
}

/// Asks the gates in their order; the first that does not pass decides.
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Verdict {
    let stopped = ORDER.iter().find_map(|gate| ask(*gate, facts, now));
    stopped.unwrap_or(Verdict::Send { until: closes(facts) })
}

/// The gates that a claim asks, in their order. The others (rate, provider) answer after it.
const ORDER: [Gate; 11] = [
    Gate::Campaign,
    Gate::Suppression,
    Gate::Consent,
    Gate::Topic,
    Gate::Address,
    Gate::Window,
    Gate::Content,
    Gate::Frequency,
    Gate::Schedule,
    Gate::QuietHours,
    Gate::Sender,
];

/// When the person's allowed window ends: now, if it has not begun.
const fn closes(facts: &Facts<'_>) -> DateTime<Utc> {
    match &facts.quiet {
        Quiet::Open { until } => *until,
        Quiet::Closed { next, .. } => *next,
    }
}

/// What one gate says; `None` if it lets the message pass.
fn ask(gate: Gate, facts: &Facts<'_>, now: DateTime<Utc>) -> Option<Verdict> {
    let skip = |fact: String| Some(Verdict::Skip { gate, fact });
    let defer = |fact: String, until| Some(Verdict::Defer { gate, fact, until });
    match gate {
        Gate::Campaign if facts.campaign != CampaignStatus::Running => {
            defer(format!("the campaign is {}", facts.campaign), None)
        }
        Gate::Suppression => facts.suppressed.and_then(|why| skip(why.to_owned())),
        Gate::Consent => match facts.consent {
            ConsentState::OptedIn => None,
            ConsentState::OptedOut => skip(format!("opted out of {}", facts.channel)),
            ConsentState::None => skip(format!("never agreed to {}", facts.channel)),
        },
        Gate::Topic => {
            let (name, kind, choice) = facts.topic?;
            let why = if choice.is_some() { "left" } else { "never subscribed to" };
            if reaches(kind, choice) { None } else { skip(format!("{why} \"{name}\"")) }
        }
        Gate::Address if !facts.has_address => skip(format!("no address for {}", facts.channel)),
        Gate::Window if facts.channel == Channel::Whatsapp && facts.content == Content::FreeForm => {
            match facts.last_inbound_at {
                Some(at) if now < at + WHATSAPP_WINDOW => None,
                Some(at) => skip(format!("last wrote {}, more than 24 hours ago", at.format("%F %R UTC"))),
                None => skip("never wrote to this sender; a template is needed".to_owned()),
            }
        }
        Gate::Content => facts.missing_variable.and_then(|variable| skip(format!("\"{variable}\" has no value"))),
        Gate::Frequency => facts.over_cap.and_then(|why| skip(why.to_owned())),
        Gate::Schedule => {
            let (at, zone) = facts.time_of_day?;
            let later = now < at;
            if later { defer(format!("the campaign's time of day comes later in {zone}"), Some(at)) } else { None }
        }
        Gate::QuietHours => match &facts.quiet {
            Quiet::Open { .. } => None,
            Quiet::Closed { next, rule } => defer(rule.clone(), Some(*next)),
        },
        Gate::Sender => facts.sender_stopped.and_then(|why| defer(why.to_owned(), None)),
        Gate::Campaign | Gate::Address | Gate::Window | Gate::Rate | Gate::Provider => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).expect("a fixed instant")
    }

    pub(super) fn fine() -> Facts<'static> {
        Facts {
            campaign: CampaignStatus::Running,
            suppressed: None,
            channel: Channel::Sms,
            consent: ConsentState::OptedIn,
            topic: None,
            has_address: true,
            content: Content::FreeForm,
            last_inbound_at: None,
            missing_variable: None,
            over_cap: None,
            time_of_day: None,
            quiet: Quiet::Open { until: now() + Duration::hours(3) },
            sender_stopped: None,
        }
    }

    fn gate(verdict: &Verdict) -> Option<Gate> {
        match verdict {
            Verdict::Send { .. } => None,
            Verdict::Defer { gate, .. } | Verdict::Skip { gate, .. } => Some(*gate),
        }
    }

    /// Each breach alone is named, and of any two the earlier gate decides.
    #[test]
    fn the_first_gate_in_order_decides() {
        type Breach = fn(&mut Facts<'static>);
        let breaches: &[(Gate, Breach)] = &[
            (Gate::Campaign, |f| f.campaign = CampaignStatus::Paused),
            (Gate::Suppression, |f| f.suppressed = Some("erased")),
            (Gate::Consent, |f| f.consent = ConsentState::OptedOut),
            (Gate::Topic, |f| f.topic = Some(("offers", TopicKind::OptIn, None))),
            (Gate::Address, |f| f.has_address = false),
            (Gate::Window, |f| f.channel = Channel::Whatsapp),
            (Gate::Content, |f| f.missing_variable = Some("name")),
            (Gate::Frequency, |f| f.over_cap = Some("has 1 message in 1 day")),
            (Gate::Schedule, |f| f.time_of_day = Some((now() + Duration::hours(1), "Europe/Berlin"))),
            (Gate::QuietHours, |f| f.quiet = Quiet::Closed { next: now() + Duration::hours(9), rule: "night".into() }),
            (Gate::Sender, |f| f.sender_stopped = Some("breaker open")),
        ];
        assert_eq!(gate(&decide(&fine(), now())), None);
        for (i, (first, breach)) in breaches.iter().enumerate() {
            let mut facts = fine();
            breach(&mut facts);
            assert_eq!(gate(&decide(&facts, now())), Some(*first));
            for (_, later) in &breaches[i + 1..] {
                let mut both = facts.clone();
                later(&mut both);
                assert_eq!(gate(&decide(&both, now())), Some(*first));
            }
        }
    }

    #[test]
    fn the_whatsapp_window_closes_after_24_hours() {
        let cases = [(None, false), (Some(Duration::hours(23)), true), (Some(Duration::hours(24)), false)];
        for (ago, open) in cases {
            let mut facts = fine();
            facts.channel = Channel::Whatsapp;
            facts.last_inbound_at = ago.map(|ago| now() - ago);
            assert_eq!(gate(&decide(&facts, now())).is_none(), open, "{ago:?}");
            facts.content = Content::ProviderTemplate;
            assert_eq!(gate(&decide(&facts, now())), None);
        }
    }

    #[test]
    fn silence_is_not_consent() {
        let mut facts = fine();
        facts.consent = ConsentState::None;
        assert_eq!(gate(&decide(&facts, now())), Some(Gate::Consent));
    }
}
