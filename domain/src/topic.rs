//! Topics that people follow, and their subscriptions.

use crate::{consent::words, ids::TopicId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words! {
    /// Who receives a topic without having chosen.
    TopicKind {
        /// Only those who subscribed.
        OptIn = "opt_in", "Only those who subscribed";
        /// Everyone who did not leave it.
        OptOut = "opt_out", "Everyone who did not leave it";
    }
}

words! {
    /// A person's choice on a topic.
    SubscriptionState {
        /// Follows it.
        Subscribed = "subscribed", "Subscribed";
        /// Left it.
        Unsubscribed = "unsubscribed", "Left";
    }
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// The word people write after SUBSCRIBE: lower-case letters and digits, at most 34.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Who receives it without having chosen.
    pub kind: TopicKind,
    /// How many follow it.
    pub subscribed: i64,
    /// How many left it.
    pub unsubscribed: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What an operator enters for a topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TopicForm {
    /// The keyword.
    pub key: String,
    /// The name.
    pub name: String,
    /// Who receives it without having chosen.
    pub kind: TopicKind,
}

/// A topic's keyword is letters and digits: what Twilio takes as a keyword too (TWILIO.md 10).
pub fn valid_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= 34 && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Whether a topic reaches a person with this choice.
pub fn reaches(kind: TopicKind, choice: Option<SubscriptionState>) -> bool {
    match choice {
        Some(SubscriptionState::Subscribed) => true,
        Some(SubscriptionState::Unsubscribed) => false,
        None => kind == TopicKind::OptOut,
    }
}

/// A person's choice on one topic, as pages show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionView {
    /// The topic.
    pub topic_id: TopicId,
    /// Its name.
    pub name: String,
    /// The choice; `None` if the person never chose.
    pub state: Option<SubscriptionState>,
    /// Whether a campaign on the topic would reach the person.
    pub reached: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_beats_the_kind() {
        for kind in TopicKind::ALL {
            assert!(reaches(*kind, Some(SubscriptionState::Subscribed)));
            assert!(!reaches(*kind, Some(SubscriptionState::Unsubscribed)));
        }
        assert!(reaches(TopicKind::OptOut, None));
        assert!(!reaches(TopicKind::OptIn, None));
    }
}
