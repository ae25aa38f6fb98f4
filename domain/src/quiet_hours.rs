//! Quiet hours: when a person may be written to, by the clock on that person's wall.
//!
//! Every rule that applies must allow: our own default, the country's, the state's, and the campaign's. So a rule can
//! only make a policy stricter. Where the person's zone is not known, every zone that the number may belong to must
//! allow. `data/quiet_hours.csv` holds the shipped rules with their sources; it is no legal advice.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike, Weekday};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

#[cfg(feature = "server")]
mod evaluate;
#[cfg(feature = "server")]
mod shipped;
#[cfg(feature = "server")]
pub use evaluate::{Hours, SEARCH_DAYS, next_allowed};

const MINUTES_A_DAY: u16 = 24 * 60;

/// A stretch of the day in which sending is allowed, in minutes from local midnight. It holds `from` and ends before
/// `to`; with `from` after `to` it runs over midnight and belongs to the day it begins on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    from: u16,
    to: u16,
}

/// A text or a pair of times is not a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Begins when it ends.
    #[error("the window is empty: it begins when it ends")]
    Empty,
    /// Not `HH:MM-HH:MM`, 00:00 to 24:00.
    #[error("write the window as 08:00-21:00")]
    Malformed,
}

impl Window {
    /// A window between two minutes of the day: `from` 0 to 1439, `to` 1 to 1440 (midnight at the end is 1440).
    ///
    /// # Errors
    /// [`WindowError::Empty`] if they are equal, [`WindowError::Malformed`] if out of range.
    pub fn new(from: u16, to: u16) -> Result<Self, WindowError> {
        // 08:00-00:00 ends at midnight.
        let to = if to == 0 && from != 0 { MINUTES_A_DAY } else { to };
        if from == to {
            return Err(WindowError::Empty);
        }
        if from >= MINUTES_A_DAY || to > MINUTES_A_DAY {
            return Err(WindowError::Malformed);
        }
        Ok(Self { from, to })
    }

    /// The first minute of the day in it.
    pub fn from(self) -> u16 {
        self.from
    }

    /// The minute of the day that ends it.
    pub fn to(self) -> u16 {
        self.to
    }

    fn runs_over_midnight(self) -> bool {
        self.from > self.to
    }

    /// Whether it holds a minute of the day that it begins on.
    fn holds_today(self, minute: u16) -> bool {
        minute >= self.from && (self.runs_over_midnight() || minute < self.to)
    }

    /// Whether it, begun the day before, still holds a minute.
    fn holds_tomorrow(self, minute: u16) -> bool {
        self.runs_over_midnight() && minute < self.to
    }

    /// Whether every minute of it is also in the other.
    pub fn is_within(self, other: Self) -> bool {
        (0..MINUTES_A_DAY).all(|minute| {
            (!self.holds_today(minute) || other.holds_today(minute))
                && (!self.holds_tomorrow(minute) || other.holds_tomorrow(minute))
        })
    }
}

impl FromStr for Window {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Self, WindowError> {
        let minute = |time: &str| {
            let (hour, minute) = time.trim().split_once(':')?;
            let two_digits = |part: &str| {
                (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u16>().ok())?
            };
            let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
            (minute < 60 && hour * 60 + minute <= MINUTES_A_DAY).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once(['-', '–']).ok_or(WindowError::Malformed)?;
        let pair = minute(from).zip(minute(to)).ok_or(WindowError::Malformed)?;
        Self::new(pair.0, pair.1)
    }
}

impl TryFrom<String> for Window {
    type Error = WindowError;
    fn try_from(text: String) -> Result<Self, WindowError> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}-{:02}:{:02}", self.from / 60, self.from % 60, self.to / 60, self.to % 60)
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The allowed windows of one jurisdiction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `default`, a country (`US`), a state (`US-FL`), or `campaign`.
    pub jurisdiction: String,
    /// Monday to Sunday; `None` is quiet all day.
    pub windows: [Option<Window>; 7],
    /// The first day on which it holds, by the person's calendar; always, if `None`.
    pub valid_from: Option<NaiveDate>,
    /// The statute.
    pub source: String,
    /// What else to know.
    pub note: String,
}

impl Rule {
    /// A rule with the same window every day.
    pub fn daily(jurisdiction: &str, window: Window) -> Self {
        Self {
            jurisdiction: jurisdiction.to_owned(),
            windows: [Some(window); 7],
            valid_from: None,
            source: String::new(),
            note: String::new(),
        }
    }

    /// Whether it allows sending when a wall clock shows this.
    pub fn allows(&self, local: NaiveDateTime) -> bool {
        if self.valid_from.is_some_and(|first| local.date() < first) {
            return true;
        }
        let minute = u16::try_from(local.hour() * 60 + local.minute()).unwrap_or(0);
        let window = |day: Weekday| self.windows[day.num_days_from_monday() as usize];
        let today = local.weekday();
        window(today).is_some_and(|window| window.holds_today(minute))
            || window(today.pred()).is_some_and(|window| window.holds_tomorrow(minute))
    }

    /// In words, for the person who asks why a message waits.
    pub fn describe(&self) -> String {
        let source = if self.source.is_empty() { String::new() } else { format!(" ({})", self.source) };
        let mut windows: Vec<String> = Vec::new();
        for window in self.windows.iter().flatten().map(ToString::to_string) {
            if !windows.contains(&window) {
                windows.push(window);
            }
        }
        format!("{} allows {}{source}", self.jurisdiction, windows.join(" or "))
    }
}

/// The rules of an installation, as its settings show them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietRules {
    /// Those that ship with the program.
    pub shipped: Vec<Rule>,
    /// The workspace's own.
    pub own: Vec<Rule>,
}

/// Whose law a person presumably falls under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Jurisdiction {
    /// ISO 3166 two-letter code.
    pub country: Option<String>,
    /// Postal code of the state, where rules differ by state.
    pub state: Option<String>,
}

impl Jurisdiction {
    fn includes(&self, code: &str) -> bool {
        let Some(country) = self.country.as_deref() else { return false };
        match code.split_once('-') {
            None => code == country,
            Some((of, state)) => of == country && self.state.as_deref() == Some(state),
        }
    }
}

/// The name of our own default among the rules.
pub const DEFAULT: &str = "default";
/// The name of a campaign's own window among the rules.
pub const CAMPAIGN: &str = "campaign";

/// All rules of an installation, and at most one of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// A window would allow what the default forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{window} is not within the default of {default}; a campaign may only be stricter")]
pub struct NotStricter {
    /// The window.
    pub window: Window,
    /// The default.
    pub default: Window,
}

impl Policy {
    /// A policy of these rules. Every rule that applies to a person must allow.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The policy with a campaign's own window, in place of an earlier one.
    ///
    /// # Errors
    /// [`NotStricter`] if the window is not within every day of the default. Even then nothing would be sent in quiet
    /// hours, because every rule must allow; it is refused so that nobody counts on it.
    pub fn with_campaign_window(&self, window: Window) -> Result<Self, NotStricter> {
        let defaults = self.rules.iter().filter(|rule| rule.jurisdiction == DEFAULT);
        for default in defaults.flat_map(|rule| rule.windows.iter().flatten()) {
            if !window.is_within(*default) {
                return Err(NotStricter { window, default: *default });
            }
        }
        let mut rules: Vec<Rule> = self.rules.iter().filter(|rule| rule.jurisdiction != CAMPAIGN).cloned().collect();
        rules.push(Rule::daily(CAMPAIGN, window));
        Ok(Self { rules })
    }

    /// The rules that apply to a person.
    pub fn applying<'p>(&'p self, jurisdiction: &'p Jurisdiction) -> impl Iterator<Item = &'p Rule> {
        self.rules.iter().filter(move |rule| {
            rule.jurisdiction == DEFAULT || rule.jurisdiction == CAMPAIGN || jurisdiction.includes(&rule.jurisdiction)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        text.parse().expect("a well-formed example")
    }

    #[test]
    fn windows_are_read_and_written() {
        for text in ["08:00-21:00", "00:00-24:00", "22:00-02:30", "23:59-24:00"] {
            assert_eq!(window(text).to_string(), text);
        }
        assert_eq!(window("08:00-00:00"), window("08:00-24:00"));
        for empty in ["08:00-08:00", "00:00-00:00"] {
            assert_eq!(empty.parse::<Window>(), Err(WindowError::Empty), "{empty}");
        }
        for bad in
            ["", "8:00-21:00", "08:00", "08:60-21:00", "08:00-24:01", "24:00-08:00", "aa:00-21:00", "+8:00-21:00"]
        {
            assert_eq!(bad.parse::<Window>(), Err(WindowError::Malformed), "{bad}");
        }
        assert_eq!(Window::new(1440, 10), Err(WindowError::Malformed));
        assert_eq!(Window::new(0, 1441), Err(WindowError::Malformed));
        assert!(serde_json::from_str::<Window>("\"08:00-08:00\"").is_err());
        assert_eq!(serde_json::to_string(&window("08:00-21:00")).expect("a well-formed example"), "\"08:00-21:00\"");
    }

    #[test]
    fn rules_hold_by_the_wall_clock() {
        let day = Rule::daily("x", window("08:00-21:00"));
        let night = Rule { windows: [Some(window("22:00-02:00")), None, None, None, None, None, None], ..day.clone() };
        let later = Rule { valid_from: NaiveDate::from_ymd_opt(2026, 6, 3), ..day.clone() };
        // 2026-06-01 is a Monday.
        for (rule, local, allowed) in [
            (&day, "2026-06-01T07:59:59", false),
            (&day, "2026-06-01T08:00:00", true),
            (&day, "2026-06-01T20:59:59", true),
            (&day, "2026-06-01T21:00:00", false),
            (&night, "2026-06-01T01:00:00", false),
            (&night, "2026-06-01T22:00:00", true),
            (&night, "2026-06-02T01:59:59", true),
            (&night, "2026-06-02T02:00:00", false),
            (&night, "2026-06-02T22:30:00", false),
            (&later, "2026-06-02T03:00:00", true),
            (&later, "2026-06-03T03:00:00", false),
        ] {
            assert_eq!(rule.allows(local.parse().expect("a well-formed example")), allowed, "{rule:?} at {local}");
        }
    }

    #[test]
    fn a_campaign_may_only_be_stricter() {
        let policy = Policy::new(vec![Rule::daily(DEFAULT, window("08:00-21:00"))]);
        let strict = policy.with_campaign_window(window("10:00-18:00")).expect("a well-formed example");
        assert_eq!(strict.rules().len(), 2);
        assert_eq!(strict.with_campaign_window(window("09:00-12:00")).expect("a well-formed example").rules().len(), 2);
        assert!(policy.with_campaign_window(window("08:00-21:00")).is_ok());
        for loose in ["07:59-21:00", "08:00-21:01", "00:00-24:00", "20:00-09:00"] {
            assert!(policy.with_campaign_window(window(loose)).is_err(), "{loose}");
        }
    }

    #[test]
    fn rules_apply_by_place() {
        let open = window("00:00-24:00");
        let policy =
            Policy::new([DEFAULT, "US", "US-FL", "US-TX", "DE", CAMPAIGN].map(|code| Rule::daily(code, open)).into());
        let place = |country: &str, state: Option<&str>| Jurisdiction {
            country: Some(country.into()),
            state: state.map(Into::into),
        };
        for (place, expected) in [
            (Jurisdiction::default(), "default campaign"),
            (place("US", None), "default US campaign"),
            (place("US", Some("FL")), "default US US-FL campaign"),
            (place("DE", Some("FL")), "default DE campaign"),
        ] {
            let codes: Vec<&str> = policy.applying(&place).map(|rule| rule.jurisdiction.as_str()).collect();
            assert_eq!(codes.join(" "), expected);
        }
    }
}
