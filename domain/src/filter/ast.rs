//! What a filter is made of.

#[cfg(doc)]
use super::{MAX_LIST_ITEMS, MAX_NUMBER, MAX_NUMBER_CHARS};
use super::{MAX_NAME_BYTES, MAX_WINDOW_DAYS, Span};
use crate::{consent::ConsentState, message::State, phone::Channel};
use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

/// A part of a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of these: `and`.
    All(Vec<Expr>),
    /// At least one of these: `or`.
    Any(Vec<Expr>),
    /// Not this.
    Not(Box<Expr>),
    /// One condition.
    Test(Condition),
}

impl Expr {
    pub(super) fn collect<'a>(&'a self, found: &mut Vec<&'a Condition>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect(found)),
            Self::Not(inner) => inner.collect(found),
            Self::Test(condition) => found.push(condition),
        }
    }
}

impl From<Test> for Expr {
    fn from(test: Test) -> Self {
        Self::Test(Condition::from(test))
    }
}

/// One condition, and where it stood in the text. Conditions are equal when they ask the same, wherever they stood.
#[derive(Debug, Clone)]
pub struct Condition {
    /// What it asks.
    pub test: Test,
    /// The whole condition in the parsed text; 0..0 if it was built otherwise.
    pub span: Span,
    /// Its field or leading word.
    pub subject: Span,
    /// Its value, list, topic or scope.
    pub operand: Span,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.test == other.test
    }
}

impl From<Test> for Condition {
    fn from(test: Test) -> Self {
        Self { test, span: Span::default(), subject: Span::default(), operand: Span::default() }
    }
}

/// What a condition asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A field against a value.
    Compare {
        /// The field.
        field: Field,
        /// How.
        comparison: Comparison,
        /// The value.
        value: Literal,
    },
    /// A field against several values of one kind, any of which may be equal.
    OneOf {
        /// The field.
        field: Field,
        /// 1 to [`MAX_LIST_ITEMS`] values.
        values: Vec<Literal>,
    },
    /// Whether a field has a value.
    Presence {
        /// The field.
        field: Field,
        /// `is set`, else `is not set`.
        set: bool,
    },
    /// Whether the person chose to follow a topic.
    Subscribed {
        /// The topic's keyword.
        topic: String,
    },
    /// Whether something happened to the person.
    Happened {
        /// What.
        behaviour: Behaviour,
        /// In which time; ever, if there is none.
        window: Option<Window>,
        /// In which campaign or topic; any, if there is none.
        scope: Option<Scope>,
    },
}

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The phone number in E.164.
    Phone,
    /// The name.
    Name,
    /// The BCP 47 language tag.
    Locale,
    /// The IANA zone.
    Zone,
    /// The day, in UTC, on which the person became known.
    Created,
    /// Where the person stands on a channel.
    Consent(Channel),
    /// A custom attribute.
    Attribute(AttributeName),
}

/// The name of a custom attribute: 1 to [`MAX_NAME_BYTES`] bytes without quotes, backslashes and control characters,
/// so that it can stand in a JSON path without escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeName(String);

impl AttributeName {
    /// The list attribute that `tag` means.
    pub const TAGS: &'static str = "tags";

    /// The name, if it is one.
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
        (fits && !name.chars().any(|c| c.is_control() || matches!(c, '"' | '\\'))).then_some(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a field is held against a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `~`, contains.
    Contains,
    /// `starts with`
    StartsWith,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::AtMost,
        Self::Greater,
        Self::AtLeast,
        Self::Contains,
        Self::StartsWith,
    ];

    /// As written in a filter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Contains => "~",
            Self::StartsWith => "starts with",
        }
    }

    /// Whether it only makes sense for text.
    pub const fn is_textual(self) -> bool {
        matches!(self, Self::Contains | Self::StartsWith)
    }

    /// Whether it asks for an order, beyond equal or not.
    pub const fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::Greater | Self::AtLeast)
    }
}

/// A value in a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Text.
    Text(String),
    /// A number below [`MAX_NUMBER`], writable in [`MAX_NUMBER_CHARS`] characters.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A day.
    Date(NaiveDate),
    /// A state of consent.
    Consent(ConsentState),
}

impl Literal {
    /// What kind of value it is, in words.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Date(_) => "a date",
            Self::Consent(_) => "a state of consent",
        }
    }
}

/// Something that happened to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// A message may have reached them.
    Messaged,
    /// A message reached their handset.
    Delivered,
    /// They opened a message.
    Read,
    /// A message to them was refused or not delivered.
    Failed,
    /// They wrote to us.
    Replied,
    /// They became known.
    Joined,
    /// An import created or changed them.
    Imported,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Messaged, Self::Delivered, Self::Read, Self::Failed, Self::Replied, Self::Joined, Self::Imported];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messaged => "messaged",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Replied => "replied",
            Self::Joined => "joined",
            Self::Imported => "imported",
        }
    }

    /// The states of a message that say so; `None` for what is not about messages.
    pub const fn message_states(self) -> Option<&'static [State]> {
        match self {
            Self::Messaged => Some(&[
                State::Sending,
                State::Unknown,
                State::NeedsReview,
                State::Accepted,
                State::Scheduled,
                State::Queued,
                State::Transmitting,
                State::Sent,
                State::Delivered,
                State::Read,
            ]),
            Self::Delivered => Some(&[State::Delivered, State::Read]),
            Self::Read => Some(&[State::Read]),
            Self::Failed => Some(&[State::Rejected, State::Failed, State::Undelivered]),
            Self::Replied | Self::Joined | Self::Imported => None,
        }
    }
}

/// A time back from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// `within`, else `not within`.
    pub within: bool,
    /// How many units; at least 1, at most [`MAX_WINDOW_DAYS`] worth.
    pub amount: u32,
    /// Days or hours.
    pub unit: Unit,
}

impl Window {
    /// How far back the window reaches. A day is 24 hours.
    pub fn length(self) -> TimeDelta {
        let hours = match self.unit {
            Unit::Days => i64::from(self.amount) * 24,
            Unit::Hours => i64::from(self.amount),
        };
        TimeDelta::hours(hours)
    }

    pub(super) fn fits(self) -> bool {
        let most = match self.unit {
            Unit::Days => MAX_WINDOW_DAYS,
            Unit::Hours => MAX_WINDOW_DAYS * 24,
        };
        (1..=most).contains(&self.amount)
    }
}

/// The unit of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Days of 24 hours.
    Days,
    /// Hours.
    Hours,
}

/// Which messages a behaviour counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of campaigns with this name, in any ASCII case.
    Campaign(String),
    /// Those of campaigns on the topic with this keyword.
    Topic(String),
}
