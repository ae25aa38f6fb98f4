//! Consent: what people allowed, per channel, as a fold of an append-only ledger.
//!
//! Nothing but the person's own act, or an operator with evidence, raises consent above an opt-out. An opt-out on one
//! channel says nothing about another.

use crate::{
    ids::{ConsentEventId, TopicId, UserId},
    phone::Channel,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal, $label:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];
            /// The word, as stored and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
            /// Words for people.
            pub const fn label(self) -> &'static str {
                match self { $($name::$variant => $label,)* }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::consent::UnknownWord;
            fn from_str(text: &str) -> Result<Self, $crate::consent::UnknownWord> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|one| one.as_str() == text)
                    .ok_or_else(|| $crate::consent::UnknownWord { word: text.to_owned(), of: stringify!($name) })
            }
        }
    };
}
pub(crate) use words;

/// A stored word is not one of its enum's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{word}\" is not a {of}")]
pub struct UnknownWord {
    /// The word.
    pub word: String,
    /// The enum.
    pub of: &'static str,
}

words! {
    /// Where a person stands on one channel.
    #[derive(Default)]
    ConsentState {
        /// Never said anything: no marketing.
        #[default]
        None = "none", "No consent";
        /// Agreed.
        OptedIn = "opted_in", "Opted in";
        /// Refused.
        OptedOut = "opted_out", "Opted out";
    }
}

words! {
    /// What a ledger entry records.
    ConsentKind {
        /// The person agreed.
        OptIn = "opt_in", "Opt-in";
        /// The person refused.
        OptOut = "opt_out", "Opt-out";
        /// What was taken for an agreement was none: an import was undone, or its evidence did not hold.
        Withdraw = "withdraw", "Evidence withdrawn";
        /// The person follows a topic.
        Subscribe = "subscribe", "Subscribed to a topic";
        /// The person left a topic.
        Unsubscribe = "unsubscribe", "Left a topic";
    }
}

words! {
    /// Who or what caused a ledger entry.
    ConsentSource {
        /// The person wrote a keyword.
        Keyword = "keyword", "Keyword";
        /// A file said so, with evidence.
        Import = "import", "Import";
        /// An operator, with evidence.
        Operator = "operator", "Operator";
        /// An integration, with evidence.
        Api = "api", "API";
        /// The provider reported an opt-out (error 21610 and its kin).
        Provider = "provider", "Provider";
        /// The person, on the preference page.
        Preferences = "preferences", "Preference page";
    }
}

impl ConsentSource {
    /// Whether an entry of this source is the person's own act.
    pub const fn is_own_act(self) -> bool {
        matches!(self, Self::Keyword | Self::Preferences)
    }

    /// Whether it may raise what someone agreed to above what they refused: their own act, or an operator, who gives evidence.
    pub const fn may_lift(self) -> bool {
        self.is_own_act() || matches!(self, Self::Operator)
    }
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentEvent {
    /// Its id; later entries have higher ones.
    pub id: ConsentEventId,
    /// Whose.
    pub user_id: UserId,
    /// On which channel.
    pub channel: Channel,
    /// On which topic, for topic entries.
    pub topic_id: Option<TopicId>,
    /// What.
    pub kind: ConsentKind,
    /// By whom or what.
    pub source: ConsentSource,
    /// The sender's address that a keyword was written to.
    pub sender: Option<String>,
    /// The evidence: keyword and SID, file and line, or an operator's statement.
    pub evidence: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The folded state of one person on one channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Folded {
    /// Where the person stands.
    pub state: ConsentState,
    /// Senders that still hold a STOP of this person: START to one does not lift another's (TWILIO.md 10).
    pub stops: BTreeSet<String>,
}

/// Why an entry does not change the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmoved {
    /// An import or integration may not raise consent above an opt-out.
    #[error("the person opted out, and only the person or an operator with evidence can change that")]
    OptedOut,
    /// It already says so.
    #[error("nothing changed")]
    Same,
}

/// Folds one entry into the state. This is the only place where consent moves.
///
/// # Errors
/// [`Unmoved`] when the entry leaves the state as it is; the caller decides whether the entry is still recorded.
pub fn fold(
    mut current: Folded,
    kind: ConsentKind,
    source: ConsentSource,
    sender: Option<&str>,
) -> Result<Folded, Unmoved> {
    let before = current.clone();
    match kind {
        ConsentKind::OptOut => {
            if let Some(sender) = sender {
                current.stops.insert(sender.to_owned());
            }
            current.state = ConsentState::OptedOut;
        }
        ConsentKind::OptIn => {
            if current.state == ConsentState::OptedOut && !source.may_lift() {
                return Err(Unmoved::OptedOut);
            }
            match (source, sender) {
                // START to one sender lifts that sender's STOP only.
                (ConsentSource::Keyword, Some(sender)) => {
                    current.stops.remove(sender);
                }
                _ => current.stops.clear(),
            }
            if current.stops.is_empty() {
                current.state = ConsentState::OptedIn;
            }
        }
        // It takes an agreement back and never an opt-out: nobody hears from us because of it.
        ConsentKind::Withdraw if current.state == ConsentState::OptedIn => current.state = ConsentState::None,
        ConsentKind::Withdraw | ConsentKind::Subscribe | ConsentKind::Unsubscribe => {}
    }
    if current == before { Err(Unmoved::Same) } else { Ok(current) }
}

/// One person's standing on a channel, as pages show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentView {
    /// The channel.
    pub channel: Channel,
    /// The state.
    pub state: ConsentState,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

impl FromStr for Folded {
    type Err = UnknownWord;
    /// A state without stops, as an import's column names it.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Ok(Self { state: text.parse()?, stops: BTreeSet::new() })
    }
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry: what, by whom, at which sender.
    type Step = (ConsentKind, ConsentSource, Option<&'static str>);

    fn run(steps: &[Step]) -> ConsentState {
        let mut folded = Folded::default();
        for (kind, source, sender) in steps {
            folded = fold(folded.clone(), *kind, *source, *sender).unwrap_or(folded);
        }
        folded.state
    }

    #[test]
    fn the_person_decides() {
        use ConsentKind::{OptIn, OptOut, Withdraw};
        use ConsentSource::{Api, Import, Keyword, Operator, Preferences};
        let cases: &[(&[Step], ConsentState)] = &[
            (&[], ConsentState::None),
            (&[(OptIn, Import, None)], ConsentState::OptedIn),
            (&[(OptIn, Import, None), (OptOut, Keyword, Some("a"))], ConsentState::OptedOut),
            (&[(OptOut, Keyword, Some("a")), (OptIn, Import, None)], ConsentState::OptedOut),
            (&[(OptOut, Keyword, Some("a")), (OptIn, Api, None)], ConsentState::OptedOut),
            (&[(OptOut, Keyword, Some("a")), (OptIn, Operator, None)], ConsentState::OptedIn),
            (&[(OptOut, Keyword, Some("a")), (OptIn, Keyword, Some("a"))], ConsentState::OptedIn),
            (&[(OptOut, Keyword, Some("a")), (OptIn, Keyword, Some("b"))], ConsentState::OptedOut),
            (
                &[(OptOut, Keyword, Some("a")), (OptOut, Keyword, Some("b")), (OptIn, Keyword, Some("a"))],
                ConsentState::OptedOut,
            ),
            (&[(OptOut, Keyword, Some("a")), (OptIn, Preferences, None)], ConsentState::OptedIn),
            (&[(OptIn, Import, None), (Withdraw, Import, None)], ConsentState::None),
            (&[(OptOut, Keyword, Some("a")), (Withdraw, Import, None)], ConsentState::OptedOut),
            (&[(Withdraw, Operator, None)], ConsentState::None),
        ];
        for (steps, expected) in cases {
            assert_eq!(run(steps), *expected, "{steps:?}");
        }
    }

    #[test]
    fn nothing_but_act_or_evidence_lifts_an_opt_out() {
        for source in ConsentSource::ALL {
            let out = Folded { state: ConsentState::OptedOut, stops: BTreeSet::new() };
            let lifted = fold(out, ConsentKind::OptIn, *source, None).is_ok();
            assert_eq!(lifted, source.is_own_act() || *source == ConsentSource::Operator, "{source}");
        }
    }
}
