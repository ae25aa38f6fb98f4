//! When sending is allowed, over every zone, rule and change of the clocks.
//!
//! Sending is allowed at an instant if every rule allows what every zone's wall clock shows then. What a rule says in a
//! zone can change only where the wall clock reads midnight or a bound of one of its windows, or where the clock is
//! put forward or back. Those instants are few; the search looks at each in order.

use super::{Jurisdiction, MINUTES_A_DAY, Policy, Rule};
use crate::{
    compliance::Quiet,
    zone::{Zone, instant, local, timestamp},
};
use chrono::{DateTime, Duration, Utc};
use jiff::{ToSpan, civil::Date};

/// How far ahead an allowed instant is looked for. A week holds every weekday; one day more holds every zone's.
pub const SEARCH_DAYS: i64 = 8;
/// How far ahead the end of an allowed stretch is looked for.
const UNTIL_DAYS: i64 = 2;

/// Whether a person may be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hours {
    /// Now.
    Allowed {
        /// When quiet hours begin; or two days ahead, if they do not begin before.
        until: DateTime<Utc>,
    },
    /// Later.
    Quiet {
        /// The first instant at which every rule allows in every zone.
        next: DateTime<Utc>,
        /// The rule that forbids longest, in words.
        rule: String,
        /// The zone in which it does.
        zone: String,
    },
    /// No instant of the next days suits all of the possible zones and rules: the person's own zone must be entered, or
    /// the window widened.
    Never {
        /// A rule that forbids now, in words.
        rule: String,
        /// The zone in which it does.
        zone: String,
    },
}

impl Hours {
    /// The fact for the gate. Where no hour suits, the question is asked again after the days that were searched.
    pub fn into_fact(self, now: DateTime<Utc>) -> Quiet {
        match self {
            Self::Allowed { until } => Quiet::Open { until },
            Self::Quiet { next, rule, zone } => Quiet::Closed { next, rule: format!("{rule}, in {zone}") },
            Self::Never { rule, zone } => Quiet::Closed {
                next: now + Duration::days(SEARCH_DAYS),
                rule: format!("no hour suits every zone the number may be in: {rule}, in {zone}"),
            },
        }
    }
}

/// One rule in one zone.
#[derive(Clone, Copy)]
struct Constraint<'a> {
    rule: &'a Rule,
    zone: &'a Zone,
}

/// Whether, and else when, a person may be written to. `zones` are all that the person may live in, and each must
/// allow; universal time stands for none.
pub fn next_allowed(policy: &Policy, zones: &[Zone], jurisdiction: &Jurisdiction, now: DateTime<Utc>) -> Hours {
    let utc = [Zone::utc()];
    let zones = if zones.is_empty() { &utc } else { zones };
    let constraints: Vec<Constraint<'_>> = policy
        .applying(jurisdiction)
        .flat_map(|rule| zones.iter().map(move |zone| Constraint { rule, zone }))
        .collect();
    let Some(first) = latest_opening(&constraints, now, now + Duration::days(SEARCH_DAYS)) else {
        return Hours::Allowed { until: end_of_allowed(&constraints, now) };
    };
    let (rule, zone) = (first.0.rule.describe(), first.0.zone.name().to_owned());
    match earliest(&constraints, first.1, now) {
        Some(next) => Hours::Quiet { next, rule, zone },
        None => Hours::Never { rule, zone },
    }
}

/// Of the constraints that forbid at an instant, the one that does so longest, with the instant it next allows (`None`
/// if not before `limit`). `None` if all allow.
fn latest_opening<'c, 'a>(
    constraints: &'c [Constraint<'a>],
    at: DateTime<Utc>,
    limit: DateTime<Utc>,
) -> Option<(&'c Constraint<'a>, Option<DateTime<Utc>>)> {
    constraints
        .iter()
        .filter(|constraint| !constraint.allows(at))
        .map(|constraint| (constraint, constraint.next_change(at, limit, true)))
        .max_by_key(|(_, opening)| opening.unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// The first instant from `opening` at which all allow. Nothing before the latest opening can be one, so the search
/// leaps from one to the next.
fn earliest(
    constraints: &[Constraint<'_>],
    opening: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let limit = now + Duration::days(SEARCH_DAYS);
    let mut at = opening?;
    while let Some((_, opening)) = latest_opening(constraints, at, limit) {
        at = opening?;
    }
    Some(at)
}

fn end_of_allowed(constraints: &[Constraint<'_>], now: DateTime<Utc>) -> DateTime<Utc> {
    let limit = now + Duration::days(UNTIL_DAYS);
    let ends = constraints.iter().filter_map(|constraint| constraint.next_change(now, limit, false));
    ends.min().unwrap_or(limit)
}

impl Constraint<'_> {
    fn allows(&self, at: DateTime<Utc>) -> bool {
        self.rule.allows(local(at, self.zone))
    }

    /// The first instant after `after` and not after `limit` from which the rule allows, or no longer allows.
    fn next_change(&self, after: DateTime<Utc>, limit: DateTime<Utc>, to_allowed: bool) -> Option<DateTime<Utc>> {
        let minutes = self.bounds();
        // The day before, for clocks that are put back over midnight.
        let mut day = self.zone.rules().to_datetime(timestamp(after)).date().yesterday().ok()?;
        let mut best: Option<DateTime<Utc>> = self
            .zone
            .rules()
            .following(timestamp(after))
            .map(|transition| instant(transition.timestamp()))
            .take_while(|at| *at <= limit)
            .find(|at| self.allows(*at) == to_allowed);
        let last = best.unwrap_or(limit);
        let first_hit = |day: Date| {
            let readings = self.readings(day, &minutes).into_iter();
            readings.filter(|at| *at > after && *at <= last && self.allows(*at) == to_allowed).min()
        };
        loop {
            let tomorrow = day.tomorrow().ok()?;
            if let Some(hit) = first_hit(day) {
                // A clock that is put back over midnight shows tomorrow before it shows today again.
                best = [best, Some(hit), first_hit(tomorrow)].into_iter().flatten().min();
                return best;
            }
            let begins = self.zone.rules().to_timestamp(tomorrow.at(0, 0, 0, 0)).ok()?;
            if instant(begins) > last + Duration::days(1) {
                return best;
            }
            day = tomorrow;
        }
    }

    /// Minutes of the day at which the rule can change its mind.
    fn bounds(&self) -> Vec<u16> {
        let windows = self.rule.windows.iter().flatten();
        let mut minutes: Vec<u16> = windows.flat_map(|window| [window.from, window.to % MINUTES_A_DAY]).collect();
        minutes.push(0);
        minutes.sort_unstable();
        minutes.dedup();
        minutes
    }

    /// The instants at which the wall clock reads these minutes of a day: two where it is put back over them. Where it
    /// is put forward over them, nearby instants, which do no harm.
    fn readings(&self, day: Date, minutes: &[u16]) -> Vec<DateTime<Utc>> {
        let mut found = Vec::with_capacity(2 * minutes.len());
        for minute in minutes {
            let Ok(reading) = day.at(0, 0, 0, 0).checked_add(i64::from(*minute).minutes()) else { continue };
            let ambiguous = self.zone.rules().to_ambiguous_timestamp(reading);
            found.extend(ambiguous.earlier().ok().map(instant));
            if ambiguous.is_ambiguous() {
                found.extend(ambiguous.later().ok().map(instant));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
