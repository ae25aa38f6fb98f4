//! Made-up people, the same each time: numbers of North America's exchange 555, and a zone where it is about noon now, so
//! that nobody's quiet hours stand in the way.

use chrono::{DateTime, Timelike as _, Utc};
use std::fmt::Write as _;

/// Area codes, each good for as many people. Washington's is left out: the simulator's own senders are there.
const AREAS: [u32; 5] = [206, 212, 303, 312, 415];
const PER_AREA: u32 = 10_000;
/// The most people there can be.
pub const MAX: u32 = AREAS.len() as u32 * PER_AREA;

/// The n-th person's number, from 0.
pub fn phone(n: u32) -> String {
    let area = AREAS[(n / PER_AREA) as usize % AREAS.len()];
    format!("+1{area}555{:04}", n % PER_AREA)
}

/// A file of so many people who all agreed to SMS.
pub fn csv(count: u32, now: DateTime<Utc>) -> String {
    let zone = zone_at_noon(now);
    let mut text = String::from("phone,name,zone,consent_sms\n");
    for n in 0..count {
        let phone = phone(n);
        writeln!(text, "{phone},Person {n},{zone},yes").expect("a string takes all text");
    }
    text
}

/// A zone in which it is about noon.
fn zone_at_noon(now: DateTime<Utc>) -> String {
    let east = 12 - i64::from(now.hour());
    // The sign of these names is turned round: Etc/GMT-3 is three hours east.
    match east {
        0 => "Etc/GMT".to_owned(),
        1.. => format!("Etc/GMT-{east}"),
        _ => format!("Etc/GMT+{}", -east),
    }
}
