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

/// How long a person's message keeps WhatsApp's window open (TWILIO.md 9).
pub const WHATSAPP_WINDOW: Duration = Duration::hours(24);

/// What a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    let skip = |gate, fact: String| Verdict::Skip { gate, fact };
    if facts.campaign != CampaignStatus::Running {
        return Verdict::Defer {
            gate: Gate::Campaign,
            fact: format!("the campaign is {}", facts.campaign),
            until: None,
        };
    }
    if let Some(why) = facts.suppressed {
        return skip(Gate::Suppression, why.to_owned());
    }
    match facts.consent {
        ConsentState::OptedIn => {}
        ConsentState::OptedOut => return skip(Gate::Consent, format!("opted out of {}", facts.channel)),
        ConsentState::None => return skip(Gate::Consent, format!("never agreed to {}", facts.channel)),
    }
    if let Some((name, kind, choice)) = facts.topic
        && !reaches(kind, choice)
    {
        let why = if choice.is_some() { "left" } else { "never subscribed to" };
        return skip(Gate::Topic, format!("{why} \"{name}\""));
    }
    if !facts.has_address {
        return skip(Gate::Address, format!("no address for {}", facts.channel));
    }
    if facts.channel == Channel::Whatsapp && facts.content == Content::FreeForm {
        match facts.last_inbound_at {
            Some(at) if now < at + WHATSAPP_WINDOW => {}
            Some(at) => {
                return skip(Gate::Window, format!("last wrote {}, more than 24 hours ago", at.format("%F %R UTC")));
            }
            None => return skip(Gate::Window, "never wrote to this sender; a template is needed".to_owned()),
        }
    }
    if let Some(variable) = facts.missing_variable {
        return skip(Gate::Content, format!("\"{variable}\" has no value"));
    }
    if let Some(why) = facts.over_cap {
        return skip(Gate::Frequency, why.to_owned());
    }
    if let Some((at, zone)) = facts.time_of_day
        && now < at
    {
        return Verdict::Defer {
            gate: Gate::Schedule,
            fact: format!("the campaign's time of day comes later in {zone}"),
            until: Some(at),
        };
    }
    let until = match &facts.quiet {
        Quiet::Open { until } => *until,
        Quiet::Closed { next, rule } => {
            return Verdict::Defer { gate: Gate::QuietHours, fact: rule.clone(), until: Some(*next) };
        }
    };
    if let Some(why) = facts.sender_stopped {
        return Verdict::Defer { gate: Gate::Sender, fact: why.to_owned(), until: None };
    }
    Verdict::Send { until }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).expect("a fixed instant")
    }

    fn fine() -> Facts<'static> {
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
