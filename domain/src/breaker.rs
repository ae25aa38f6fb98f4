//! The circuit breaker: when the provider, or one sender, fails again and again, messages wait instead of being spent.
//!
//! It opens on a rate by class over the last outcomes, lets one probe through at most every few seconds, and closes when a
//! probe succeeds (DELIVERY.md, Breaker).

use crate::ids::SenderId;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, fmt, str::FromStr};

/// How often a probe goes out while it is open.
pub const PROBE_EVERY: Duration = Duration::seconds(5);
/// So many failures in a row open it.
pub const FAILURES: usize = 10;
/// How many of the last outcomes are looked at for those whose fate is unknown.
pub const WINDOW: usize = 50;
/// This share of [`WINDOW`] with an unknown fate opens it too: each of them would need a person in the end.
pub const UNKNOWN_SHARE: f64 = 0.5;
/// Outcomes older than this no longer count.
pub const FORGOTTEN_AFTER: Duration = Duration::seconds(60);

/// What a breaker stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BreakerScope))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything: the provider, or our account there.
    Account,
    /// One sender.
    Sender(SenderId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("account"),
            Self::Sender(id) => write!(f, "sender:{id}"),
        }
    }
}

/// The text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the scope of a breaker")]
pub struct NoScope;

impl FromStr for Scope {
    type Err = NoScope;

    fn from_str(text: &str) -> Result<Self, NoScope> {
        match text.strip_prefix("sender:") {
            Some(id) => Ok(Self::Sender(id.parse().map_err(|_| NoScope)?)),
            None if text == "account" => Ok(Self::Account),
            None => Err(NoScope),
        }
    }
}

/// How one try counts for a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It works.
    Good,
    /// It does not, and nothing was sent.
    Bad,
    /// It may have been sent.
    Unknown,
    /// It will not work until somebody changes something: opens at once.
    Fatal,
}

/// The last outcomes of one scope.
#[derive(Debug, Clone, Default)]
pub struct Outcomes(VecDeque<(DateTime<Utc>, Sign)>);

impl Outcomes {
    /// Takes one in; says why the breaker should open, if it should.
    pub fn add(&mut self, sign: Sign, now: DateTime<Utc>) -> Option<Trip> {
        if sign == Sign::Fatal {
            return Some(Trip::Fatal);
        }
        self.0.push_back((now, sign));
        while self.0.len() > WINDOW || self.0.front().is_some_and(|(at, _)| now - *at > FORGOTTEN_AFTER) {
            self.0.pop_front();
        }
        let in_a_row = self.0.iter().rev().take_while(|(_, sign)| *sign != Sign::Good).count();
        let unknown = self.0.iter().filter(|(_, sign)| *sign == Sign::Unknown).count();
        if in_a_row >= FAILURES {
            return Some(Trip::InARow);
        }
        let share = unknown as f64 / WINDOW as f64;
        (self.0.len() == WINDOW && share >= UNKNOWN_SHARE).then_some(Trip::Unknown)
    }

    /// Begins anew, once the breaker opened or closed.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Why a breaker opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trip {
    /// [`FAILURES`] in a row.
    InARow,
    /// Too many of unknown fate.
    Unknown,
    /// An error that a person must deal with.
    Fatal,
}

impl Trip {
    /// In words.
    pub fn describe(self) -> String {
        match self {
            Self::InARow => format!("{FAILURES} failures in a row"),
            Self::Unknown => format!("the fate of half of the last {WINDOW} messages is unknown"),
            Self::Fatal => "an error that does not pass by itself".to_owned(),
        }
    }
}

/// A breaker that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenBreaker {
    /// What it stops.
    pub scope: Scope,
    /// The sender's name, for a sender's.
    pub sender_name: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, in words.
    pub why: String,
    /// When the next probe may go out.
    pub probe_at: DateTime<Utc>,
}

impl OpenBreaker {
    /// What it stops, in words.
    pub fn what(&self) -> String {
        match (&self.scope, &self.sender_name) {
            (Scope::Account, _) => "The provider".to_owned(),
            (Scope::Sender(_), Some(name)) => name.clone(),
            (Scope::Sender(_), None) => "A sender that is gone".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000 + second, 0).expect("a fixed instant")
    }

    /// Feeds signs, one a second, and answers after how many it opened, and why.
    fn opens(signs: impl IntoIterator<Item = Sign>, every_s: i64) -> Option<(usize, Trip)> {
        let mut outcomes = Outcomes::default();
        let each = signs.into_iter().enumerate();
        each.map(|(n, sign)| (n + 1, outcomes.add(sign, at(n as i64 * every_s)))).find_map(|(n, trip)| Some((n, trip?)))
    }

    #[test]
    fn it_opens_within_ten_failures_and_not_before() {
        use Sign::{Bad, Fatal, Good, Unknown};
        assert_eq!(opens([Bad; 9], 0), None);
        assert_eq!(opens([Bad; 10], 0), Some((10, Trip::InARow)));
        assert_eq!(opens([Good; 200].into_iter().chain([Bad, Unknown].repeat(5)), 0), Some((210, Trip::InARow)));
        assert_eq!(opens([Good, Fatal], 0), Some((2, Trip::Fatal)));
        // Every second one fails: no outage, but too many that a person would have to decide on.
        assert_eq!(opens([Good, Bad].repeat(500), 0), None);
        assert_eq!(opens([Good, Unknown].repeat(500), 0), Some((WINDOW, Trip::Unknown)));
        assert_eq!(opens([Good, Good, Unknown].repeat(500), 0), None);
        // What is a minute old says nothing of now.
        assert_eq!(opens([Bad; 200], 7), None);
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in [Scope::Account, Scope::Sender(SenderId(uuid::Uuid::from_u128(7)))] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert_eq!("sender:x".parse::<Scope>(), Err(NoScope));
        assert_eq!("".parse::<Scope>(), Err(NoScope));
    }
}
