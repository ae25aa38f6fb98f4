//! Numbers, times and sizes as people read them. Pure, so that the server and the browser write the same text.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A whole number with separators: `1,234,567`.
pub fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        text.push('−');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun: `1 person`, `2,000 people`.
pub fn counted(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A share as a percentage with at most one decimal: `0.1234` is `12.3 %`. A share that is not nothing is never shown as
/// 0, nor one that is not all as 100.
pub fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0).round();
    if share > 0.0 && tenths < 1.0 {
        "< 0.1 %".to_owned()
    } else if share < 1.0 && tenths >= 1_000.0 {
        "> 99.9 %".to_owned()
    } else if tenths % 10.0 == 0.0 {
        format!("{} %", tenths / 10.0)
    } else {
        format!("{:.1} %", tenths / 10.0)
    }
}

/// The share of `part` in `whole` as a percentage; a dash where there is no whole.
pub fn share(part: i64, whole: i64) -> String {
    if whole == 0 { "–".to_owned() } else { percent(part as f64 / whole as f64) }
}

/// A rate with a decimal below ten: `0.4`, `12`.
pub fn rate(per_second: f64) -> String {
    if per_second < 10.0 && per_second > 0.0 { format!("{per_second:.1}") } else { number(per_second.round() as i64) }
}

/// A size of a file: `812 B`, `1.4 MB`.
pub fn bytes(n: i64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if n < 1_000 {
        return format!("{n} B");
    }
    let mut size = n as f64 / 1_000.0;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1_000.0;
        unit += 1;
    }
    if size < 9.95 { format!("{size:.1} {}", UNITS[unit]) } else { format!("{size:.0} {}", UNITS[unit]) }
}

/// A length of time in its two greatest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 days 4 h`.
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two =
        |large: String, small: i64, unit: &str| if small == 0 { large } else { format!("{large} {small} {unit}") };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => two(format!("{minutes} min"), seconds % 60, "s"),
        3_600..86_400 => two(format!("{hours} h"), minutes % 60, "min"),
        _ => two(counted(days, "day", "days"), hours % 24, "h"),
    }
}

/// How long ago, or how long until: `just now`, `5 min ago`, `in 2 h`; from 30 days on the date.
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    let text = match seconds.unsigned_abs() {
        // Clocks of two machines differ by moments: what lies that little ahead has just happened.
        0..45 => return "just now".to_owned(),
        n @ 45..3_600 => format!("{} min", (n / 60).max(1)),
        n @ 3_600..86_400 => format!("{} h", n / 3_600),
        n @ 86_400..2_592_000 => counted((n / 86_400) as i64, "day", "days"),
        _ => return day(at.date_naive()),
    };
    if seconds >= 0 { format!("{text} ago") } else { format!("in {text}") }
}

/// A day: `23 Nov 2026`.
pub fn day(day: NaiveDate) -> String {
    format!("{} {} {}", day.day(), MONTHS[day.month0() as usize], day.year())
}

/// A day without its year: `23 Nov`.
pub fn short_day(day: NaiveDate) -> String {
    format!("{} {}", day.day(), MONTHS[day.month0() as usize])
}

/// An instant to the second, in the zone that is `offset_minutes` ahead of UTC: `23 Nov 2026, 20:26:05 UTC+1`.
pub fn exact(at: DateTime<Utc>, offset_minutes: i32) -> String {
    let local = shifted(at, offset_minutes);
    let time = format!("{:02}:{:02}:{:02}", local.hour(), local.minute(), local.second());
    format!("{}, {time} {}", day(local.date()), zone(offset_minutes))
}

/// An instant to the minute, in the zone that is `offset_minutes` ahead of UTC: `23 Nov 2026, 20:26 UTC+1`.
pub fn to_the_minute(at: DateTime<Utc>, offset_minutes: i32) -> String {
    let local = shifted(at, offset_minutes);
    format!("{}, {:02}:{:02} {}", day(local.date()), local.hour(), local.minute(), zone(offset_minutes))
}

fn shifted(at: DateTime<Utc>, offset_minutes: i32) -> NaiveDateTime {
    at.naive_utc() + TimeDelta::minutes(offset_minutes.into())
}

fn zone(offset_minutes: i32) -> String {
    let sign = if offset_minutes < 0 { '−' } else { '+' };
    let (hours, minutes) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
    match (hours, minutes) {
        (0, 0) => "UTC".to_owned(),
        (_, 0) => format!("UTC{sign}{hours}"),
        _ => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// A sum of money in millionths, with as many decimals as it has, and at least two.
pub fn money(micros: i64, currency: &str) -> String {
    format!("{currency} {}", decimal(micros))
}

/// How much more or less it is.
pub fn money_difference(micros: i64, currency: &str) -> String {
    let sign = match micros {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", money(micros.abs(), currency))
}

/// Millionths as a decimal number.
pub fn decimal(micros: i64) -> String {
    let fraction = format!("{:06}", micros.rem_euclid(1_000_000));
    let kept = fraction.trim_end_matches('0').len().max(2);
    format!("{}.{}", number(micros.div_euclid(1_000_000)), &fraction[..kept])
}

/// A decimal number in millionths; `None` for what is none, is negative, or has more than six decimals.
pub fn micros(text: &str) -> Option<i64> {
    let text = text.trim().replace(',', ".");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    #[test]
    fn numbers() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "−1,234,567"), (100_000, "100,000")]
        {
            assert_eq!(number(n), text);
        }
        assert_eq!(number(i64::MIN), "−9,223,372,036,854,775,808");
    }

    #[test]
    fn shares_are_never_rounded_to_nothing_or_all() {
        let cases = [
            (0.0, "0 %"),
            (0.0004, "< 0.1 %"),
            (0.5, "50 %"),
            (0.1234, "12.3 %"),
            (0.99999, "> 99.9 %"),
            (1.0, "100 %"),
        ];
        for (share, text) in cases {
            assert_eq!(percent(share), text, "{share}");
        }
        assert_eq!(share(1, 0), "–");
    }

    #[test]
    fn sizes_and_rates() {
        for (n, text) in
            [(0, "0 B"), (999, "999 B"), (1_400_000, "1.4 MB"), (999_900, "1.0 MB"), (2_000_000_000, "2.0 GB")]
        {
            assert_eq!(bytes(n), text);
        }
        assert_eq!((rate(0.0), rate(0.44), rate(1234.4)), ("0".to_owned(), "0.4".to_owned(), "1,234".to_owned()));
    }

    #[test]
    fn lengths_of_time() {
        let cases =
            [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (7_500, "2 h 5 min"), (86_400, "1 day")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn times_relative_to_now() {
        let now = 1_800_000_000;
        let cases = [
            (0, "just now"),
            (-44, "just now"),
            (-45, "1 min ago"),
            (-3_599, "59 min ago"),
            (-7_200, "2 h ago"),
            (-86_400, "1 day ago"),
            (300, "in 5 min"),
            (10, "just now"),
            (-2_592_000, "16 Dec 2026"),
        ];
        for (offset, text) in cases {
            assert_eq!(relative(at(now + offset), at(now)), text, "{offset}");
        }
    }

    #[test]
    fn exact_times_name_their_zone() {
        let cases = [
            (0, "15 Jan 2027, 08:00:00 UTC"),
            (60, "15 Jan 2027, 09:00:00 UTC+1"),
            (-570, "14 Jan 2027, 22:30:00 UTC−9:30"),
        ];
        for (offset, text) in cases {
            assert_eq!(exact(at(1_800_000_000), offset), text);
        }
        assert_eq!(to_the_minute(at(1_800_000_000), 330), "15 Jan 2027, 13:30 UTC+5:30");
    }

    #[test]
    fn money_keeps_its_small_change() {
        for (millionths, expected) in [
            (0, "USD 0.00"),
            (8_300, "USD 0.0083"),
            (1_500_000, "USD 1.50"),
            (1, "USD 0.000001"),
            (12_345_000_000, "USD 12,345.00"),
        ] {
            assert_eq!(money(millionths, "USD").replace(['\u{a0}', '\u{202f}'], ","), expected);
        }
        for (text, expected) in [
            ("0.0083", Some(8_300)),
            ("1", Some(1_000_000)),
            (" 0,5 ", Some(500_000)),
            ("", None),
            ("-1", None),
            ("0.0000001", None),
            ("x", None),
        ] {
            assert_eq!(micros(text), expected, "{text:?}");
        }
    }
}
