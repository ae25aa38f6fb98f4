//! A day as the provider's list has it, beside what is known here.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// How many days back a day may be compared: the provider keeps its list longer than anybody needs here.
pub const DAYS_MAX: i64 = 90;

/// A day that was compared, or is being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reconciliation {
    /// The day, in UTC, by when messages were sent.
    pub day: NaiveDate,
    /// When the last comparison began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it is under way.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many messages of ours the provider lists.
    pub listed: i64,
    /// How many had gone further than was known here, because a report was lost.
    pub healed: i64,
    /// How many prices were new.
    pub priced: i64,
    /// How many of the listed ones nobody here sent: another system's, or the fate of one that is not known yet.
    pub strange: i64,
}

/// What the provider charged for messages, as far as it has said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Charged {
    /// ISO 4217 code.
    pub currency: String,
    /// In millionths of the currency.
    pub micros: i64,
    /// For how many messages.
    pub messages: i64,
}

/// A price as the provider writes it (a decimal number, negative), in millionths; `None` if it is no such number.
pub fn micros(price: &str) -> Option<i64> {
    let price = price.trim().trim_start_matches('-');
    let (whole, part) = price.split_once('.').unwrap_or((price, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) {
        return None;
    }
    // Beyond a millionth nothing is charged.
    let part: String = part.chars().chain(std::iter::repeat('0')).take(6).collect();
    format!("{whole}{part}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_to_the_millionth() {
        for (text, expected) in [
            ("-0.00750", Some(7_500)),
            ("0.0075", Some(7_500)),
            ("-1", Some(1_000_000)),
            ("-.5", Some(500_000)),
            ("0", Some(0)),
            ("-12.3456789", Some(12_345_678)),
            ("", None),
            ("-", None),
            (".", None),
            ("1e3", None),
            ("1,5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }
}
