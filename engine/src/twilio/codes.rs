//! Twilio's error codes, sorted by what to do about them: the table of `codes.csv`, one row per code.
//!
//! The classes are those of TWILIO.md 8; each row names the page of Twilio's documentation that it rests on. A code in a
//! 5xx answer to a create decides nothing: whether the message was sent is unknown first, and the classes count for 4xx
//! answers and for callbacks.

use domain::retry::{self, Schedule};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, sync::LazyLock};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The person does not want messages: opt them out on that channel.
    OptedOut,
    /// Nothing reaches this address: suppress it.
    AddressUnusable,
    /// The content or a parameter is wrong, for everyone alike: stop the campaign.
    ContentWrong,
    /// The sender is not set up for this: stop the sender.
    SenderWrong,
    /// The account cannot send: open the circuit and tell a person.
    AccountStopped,
    /// Taken for abuse: never again, and brake the campaign where it happens often.
    Filtered,
    /// Not allowed now, or not to this person: hold or drop.
    Policy,
    /// Full or too fast: try later, a bounded number of times.
    TryLater,
    /// The day's allowance is spent: try the next day.
    TryNextDay,
    /// Try once or twice later.
    TryOnceOrTwice,
    /// It ran out of time: plan it anew if it is still wanted.
    Expired,
    /// A code that is not in the table: no retry, and a person looks.
    Unknown,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 12] = [
        Self::OptedOut,
        Self::AddressUnusable,
        Self::ContentWrong,
        Self::SenderWrong,
        Self::AccountStopped,
        Self::Filtered,
        Self::Policy,
        Self::TryLater,
        Self::TryNextDay,
        Self::TryOnceOrTwice,
        Self::Expired,
        Self::Unknown,
    ];

    /// The name in the table and in the logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::AddressUnusable => "address_unusable",
            Self::ContentWrong => "content_wrong",
            Self::SenderWrong => "sender_wrong",
            Self::AccountStopped => "account_stopped",
            Self::Filtered => "filtered",
            Self::Policy => "policy",
            Self::TryLater => "try_later",
            Self::TryNextDay => "try_next_day",
            Self::TryOnceOrTwice => "try_once_or_twice",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }
}

impl Class {
    /// When a message that failed so is tried again; `None` for never.
    pub const fn schedule(self) -> Option<Schedule> {
        match self {
            Self::TryLater => Some(retry::LATER),
            Self::TryNextDay => Some(retry::NEXT_DAY),
            Self::TryOnceOrTwice => Some(retry::ONCE_OR_TWICE),
            _ => None,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One code of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// The code.
    pub code: i32,
    /// What to do about it.
    pub class: Class,
    /// What happened, in words for a marketer.
    pub text: String,
    /// What they can do.
    pub advice: String,
    /// The page of Twilio's documentation.
    pub source: String,
}

static TABLE: LazyLock<BTreeMap<i32, Entry>> = LazyLock::new(|| {
    csv::Reader::from_reader(include_bytes!("codes.csv").as_slice())
        .into_deserialize::<Entry>()
        .map(|row| row.map(|entry| (entry.code, entry)).expect("codes.csv is compiled in and tested"))
        .collect()
});

/// The row of a code, if it is in the table.
pub fn entry(code: i32) -> Option<&'static Entry> {
    TABLE.get(&code)
}

/// Every row, by code.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLE.values()
}

/// What to do about a code.
pub fn class(code: i32) -> Class {
    entry(code).map_or(Class::Unknown, |entry| entry.class)
}

/// What happened, in words for a marketer.
pub fn text(code: i32) -> &'static str {
    entry(code).map_or("Twilio reported an error that is not in our table.", |entry| &entry.text)
}

/// What a marketer can do about a code.
pub fn advice(code: i32) -> &'static str {
    entry(code).map_or("It is not tried again. Look the code up in Twilio's documentation.", |entry| &entry.advice)
}

/// The page of Twilio's documentation about a code.
pub fn source(code: i32) -> String {
    format!("https://www.twilio.com/docs/api/errors/{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TWILIO.md 8, and what else the simulator answers with.
    const EXPECTED: &[(Class, &[i32])] = &[
        (Class::OptedOut, &[21610, 63014, 63033]),
        (Class::AddressUnusable, &[21211, 21214, 21217, 21614, 21635, 21266, 30005, 30006, 63003, 63024]),
        (
            Class::ContentWrong,
            &[
                21602, 21604, 21617, 21619, 21620, 21654, 21655, 21656, 30019, 63005, 63013, 63016, 63019, 63021,
                63027, 63028, 63029, 63030, 63031, 63034, 63040, 63041,
            ],
        ),
        (
            Class::SenderWrong,
            &[
                21212, 21606, 21603, 21609, 21408, 21612, 21701, 21910, 21703, 21704, 21705, 21712, 30018, 30024,
                30032, 30034, 63001, 63002, 63007, 63008, 63020, 63022, 63062, 21608, 572006, 63015,
            ],
        ),
        (Class::AccountStopped, &[20003, 30002, 10001]),
        (Class::Filtered, &[30007, 30004, 63026, 30450, 63032, 63049]),
        (Class::Policy, &[30610, 30640]),
        (Class::TryLater, &[20429, 14107, 30001, 21611, 30022, 30017, 63017, 63018]),
        (Class::TryNextDay, &[30023, 30027, 63038]),
        (Class::TryOnceOrTwice, &[30003, 30008, 20500, 20503, 30410, 30500, 30047, 63009, 63010, 63012]),
        (Class::Expired, &[30036]),
    ];

    #[test]
    fn every_code_has_its_class() {
        for (expected, codes) in EXPECTED {
            for code in *codes {
                assert_eq!(class(*code), *expected, "{code}");
            }
        }
        assert_eq!(entries().count(), EXPECTED.iter().map(|(_, codes)| codes.len()).sum::<usize>());
    }

    #[test]
    fn no_code_is_there_twice() {
        let rows = csv::Reader::from_reader(include_bytes!("codes.csv").as_slice()).into_records().count();
        assert_eq!(rows, entries().count());
    }

    #[test]
    fn every_row_says_something_and_where_it_is_from() {
        for entry in entries() {
            assert!(entry.text.ends_with('.') && entry.advice.ends_with('.'), "{}", entry.code);
            assert_eq!(entry.source, source(entry.code));
            assert_ne!(entry.class, Class::Unknown, "{}", entry.code);
        }
    }

    #[test]
    fn an_unknown_code_is_never_retried() {
        for code in [0, -1, 1, 99999, i32::MAX] {
            assert_eq!(class(code), Class::Unknown);
            assert!(!text(code).is_empty() && !advice(code).is_empty());
        }
    }

    #[test]
    fn class_names_are_those_of_the_table() {
        for class in Class::ALL {
            let row = format!("code,class,text,advice,source\n1,{class},a,b,c\n");
            let read: Entry = csv::Reader::from_reader(row.as_bytes()).into_deserialize().next().unwrap().unwrap();
            assert_eq!(read.class, class);
        }
    }
}
