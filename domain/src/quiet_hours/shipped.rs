//! The rules that ship with the program.

use super::{Policy, Rule, Window};
use crate::zone::records;
use chrono::NaiveDate;
use std::sync::LazyLock;

static SHIPPED: LazyLock<Policy> = LazyLock::new(|| {
    let mut rules: Vec<Rule> = Vec::new();
    for record in records(include_str!("../../data/quiet_hours.csv")) {
        let [jurisdiction, days, from, to, valid_from, source, note] = std::array::from_fn(|i| record[i].to_owned());
        let window: Window = format!("{from}-{to}").parse().expect("embedded windows are well-formed");
        let days = weekdays(&days).expect("embedded days are well-formed");
        let valid_from: Option<NaiveDate> =
            (!valid_from.is_empty()).then(|| valid_from.parse().expect("embedded dates are well-formed"));
        // Rows of one jurisdiction and statute are days of one rule.
        let same = rules.iter().position(|rule| {
            rule.jurisdiction == jurisdiction && rule.source == source && rule.valid_from == valid_from
        });
        let rule = same.unwrap_or_else(|| {
            rules.push(Rule { jurisdiction, windows: [None; 7], valid_from, source, note });
            rules.len() - 1
        });
        for day in days {
            rules[rule].windows[day] = Some(window);
        }
    }
    Policy::new(rules)
});

impl Policy {
    /// The rules of `data/quiet_hours.csv`.
    pub fn shipped() -> Self {
        SHIPPED.clone()
    }
}

/// `mon`, or `mon-sat`, as days from Monday.
fn weekdays(text: &str) -> Option<std::ops::RangeInclusive<usize>> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(day(first)?..=day(last)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quiet_hours::DEFAULT;

    #[test]
    fn the_shipped_rules_are_read_whole() {
        let policy = Policy::shipped();
        let rule =
            |code: &str| policy.rules().iter().find(|rule| rule.jurisdiction == code).expect("a well-formed example");
        let windows = |code: &str| rule(code).windows.map(|window| window.expect("a well-formed example").to_string());
        assert_eq!(policy.rules().len(), 7);
        assert_eq!(windows(DEFAULT), ["08:00-21:00"; 7].map(String::from));
        assert_eq!(windows("US-FL"), ["08:00-20:00"; 7].map(String::from));
        assert_eq!(windows("US-TX")[..6], ["09:00-21:00"; 6].map(String::from));
        assert_eq!(windows("US-TX")[6], "12:00-21:00");
        assert_eq!(rule("US-FL").valid_from, NaiveDate::from_ymd_opt(2021, 7, 1));
        for rule in policy.rules().iter().filter(|rule| rule.jurisdiction != DEFAULT) {
            assert!(!rule.source.is_empty(), "{}", rule.jurisdiction);
        }
    }

    #[test]
    fn weekdays_are_read() {
        assert_eq!(weekdays("mon-sun"), Some(0..=6));
        assert_eq!(weekdays("sun"), Some(6..=6));
        assert_eq!(weekdays("day"), None);
    }
}
