//! Time zones: whose clock a person lives by, as far as a number tells.
//!
//! Numbers move with people, so a number gives *possible* zones and a *presumed* place; a zone that the person's record
//! holds goes before them.

#![cfg(feature = "server")]

use crate::{
    phone::{self, Phone},
    quiet_hours::Jurisdiction,
};
use chrono::{DateTime, NaiveDateTime, Utc};
use jiff::{Timestamp, tz::TimeZone};
use std::{collections::HashMap, fmt, sync::LazyLock};

/// A time zone of the IANA database, as bundled with jiff.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A text is not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a time zone; use a name like Europe/Berlin")]
pub struct ZoneError(pub String);

impl Zone {
    /// Looks a zone up by its IANA name. Case does not count; the name is kept as the database spells it.
    ///
    /// # Errors
    /// [`ZoneError`] if there is none.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let zone = TimeZone::get(name).map_err(|_| ZoneError(name.to_owned()))?;
        match zone.iana_name() {
            // A zone that stands for "we do not know" is none.
            Some("Etc/Unknown") | None => Err(ZoneError(name.to_owned())),
            Some(canonical) => Ok(Self { name: canonical.to_owned(), zone: zone.clone() }),
        }
    }

    /// Universal time.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn rules(&self) -> &TimeZone {
        &self.zone
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What a clock on the wall shows there.
pub fn local(now: DateTime<Utc>, zone: &Zone) -> NaiveDateTime {
    let offset = zone.zone.to_offset(timestamp(now));
    now.naive_utc() + chrono::Duration::seconds(i64::from(offset.seconds()))
}

/// When a clock on the wall there shows this: the first time where it shows it twice, and as much later as it is put
/// forward where it never does.
pub fn reading(shown: NaiveDateTime, zone: &Zone) -> DateTime<Utc> {
    let utc = shown.and_utc();
    let civil = TimeZone::UTC.to_datetime(timestamp(utc));
    zone.zone.to_ambiguous_timestamp(civil).compatible().map_or(utc, instant)
}

/// When the last clock in these zones shows this, and which it is; universal time stands for no zone.
pub fn last_reading(shown: NaiveDateTime, zones: &[Zone]) -> (DateTime<Utc>, &str) {
    let last = zones.iter().map(|zone| (reading(shown, zone), zone.name())).max();
    last.unwrap_or_else(|| (shown.and_utc(), "UTC"))
}

/// The same instant for jiff, whose years end at 9999.
pub(crate) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos().min(999_999_999)).unwrap_or(0);
    let latest = if at.timestamp() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::new(at.timestamp(), nanos).unwrap_or(latest)
}

/// The same instant for chrono, whose years reach further than jiff's.
pub(crate) fn instant(at: Timestamp) -> DateTime<Utc> {
    // jiff counts the nanoseconds of an instant before 1970 backwards.
    let nanos = i64::from(at.subsec_nanosecond());
    DateTime::UNIX_EPOCH + chrono::Duration::seconds(at.as_second()) + chrono::Duration::nanoseconds(nanos)
}

/// Possible zones by number prefix (digits, without the `+`); `data/README.md` says where they come from.
static ZONES_BY_PREFIX: LazyLock<HashMap<String, Box<[Zone]>>> = LazyLock::new(|| {
    let mut known: HashMap<String, Option<Zone>> = HashMap::new();
    let mut table = HashMap::new();
    for record in records(include_str!("../data/phone_zones.csv")) {
        let zones = record[1]
            .split(' ')
            .filter_map(|name| known.entry(name.to_owned()).or_insert_with(|| Zone::parse(name).ok()).clone())
            .collect();
        table.insert(record[0].to_owned(), zones);
    }
    table
});
static LONGEST_PREFIX: LazyLock<usize> = LazyLock::new(|| ZONES_BY_PREFIX.keys().map(String::len).max().unwrap_or(0));
static NOWHERE: LazyLock<[Zone; 1]> = LazyLock::new(|| [Zone::utc()]);

/// The zones that a person with this number may live in, by the longest known prefix. Numbers of no country
/// (satellites, international toll-free) have universal time. Never empty.
pub fn zones_of(phone: &Phone) -> &'static [Zone] {
    let digits = phone.digits();
    (1..=digits.len().min(*LONGEST_PREFIX))
        .rev()
        .find_map(|length| ZONES_BY_PREFIX.get(&digits[..length]))
        .filter(|zones| !zones.is_empty())
        .map_or(&*NOWHERE, |zones| zones)
}

/// American states by the names that `nanp_areas.csv` gives them, and their postal codes.
const STATES: &str = "Alabama=AL Alaska=AK Arizona=AZ Arkansas=AR California=CA Colorado=CO Connecticut=CT Delaware=DE \
Washington_D.C.=DC Florida=FL Georgia=GA Hawaii=HI Idaho=ID Illinois=IL Indiana=IN Iowa=IA Kansas=KS Kentucky=KY \
Louisiana=LA Maine=ME Maryland=MD Massachusetts=MA Michigan=MI Minnesota=MN Mississippi=MS Missouri=MO Montana=MT \
Nebraska=NE Nevada=NV New_Hampshire=NH New_Jersey=NJ New_Mexico=NM New_York=NY North_Carolina=NC North_Dakota=ND \
Ohio=OH Oklahoma=OK Oregon=OR Pennsylvania=PA Rhode_Island=RI South_Carolina=SC South_Dakota=SD Tennessee=TN Texas=TX \
Utah=UT Vermont=VT Virginia=VA Washington_State=WA West_Virginia=WV Wisconsin=WI Wyoming=WY";

/// Area code → state's postal code.
static STATE_BY_AREA: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let names: HashMap<String, &str> = STATES
        .split(' ')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, code)| (name.replace('_', " "), code))
        .collect();
    records(include_str!("../data/nanp_areas.csv"))
        .filter_map(|record| {
            // Either a state's name, or "City, ST".
            let code = match record[1].rsplit_once(", ") {
                Some((_, code)) => names.values().copied().find(|known| *known == code)?,
                None => names.get(&record[1]).copied()?,
            };
            Some((record[0].to_owned(), code.to_owned()))
        })
        .collect()
});

/// Whose law a number presumably falls under: its country, and in the United States the state of its area code.
pub fn jurisdiction(phone: &Phone) -> Jurisdiction {
    let country = phone::region(phone);
    let area = phone.digits().strip_prefix('1').and_then(|digits| digits.get(..3));
    let state = match country.as_deref() {
        Some("US") => area.and_then(|area| STATE_BY_AREA.get(area)).cloned(),
        _ => None,
    };
    Jurisdiction { country, state }
}

/// The rows of an embedded table. They are part of the program, and a test reads every one.
pub(crate) fn records(table: &'static str) -> impl Iterator<Item = csv::StringRecord> {
    csv::Reader::from_reader(table.as_bytes()).into_records().map(|row| row.expect("embedded tables are well-formed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Phone {
        Phone::parse_e164(text).expect("a well-formed example")
    }

    #[test]
    fn names_are_validated() {
        assert_eq!(Zone::parse("europe/berlin").expect("a well-formed example").name(), "Europe/Berlin");
        assert_eq!(Zone::parse("UTC").expect("a well-formed example"), Zone::utc());
        for bad in ["", "Berlin", "Europe/Atlantis", "+02:00", "CET-1CEST", "Etc/Unknown"] {
            assert_eq!(Zone::parse(bad), Err(ZoneError(bad.to_owned())));
        }
    }

    #[test]
    fn every_zone_of_the_table_is_known() {
        let mut rows = 0;
        for record in records(include_str!("../data/phone_zones.csv")) {
            rows += 1;
            for name in record[1].split(' ').filter(|name| *name != "Etc/Unknown") {
                assert!(Zone::parse(name).is_ok(), "{name}");
            }
        }
        assert_eq!((rows, ZONES_BY_PREFIX.len()), (3240, 3240));
    }

    #[test]
    fn the_longest_prefix_wins() {
        for (number, expected) in [
            ("+12015550123", "America/New_York"),
            ("+12082005550", "America/Boise America/Los_Angeles"),
            ("+12082015550", "America/Denver"),
            ("+4915112345678", "Europe/Berlin"),
            ("+919123456789", "Asia/Calcutta"),
            ("+80012345678", "UTC"),
        ] {
            let names: Vec<&str> = zones_of(&phone(number)).iter().map(Zone::name).collect();
            assert_eq!(names.join(" "), expected, "{number}");
        }
        assert!(zones_of(&phone("+18005550123")).len() > 10);
    }

    #[test]
    fn a_number_presumes_a_place() {
        for (number, country, state) in [
            ("+13055550123", Some("US"), Some("FL")),
            ("+17285550123", Some("US"), Some("FL")),
            ("+12125550123", Some("US"), Some("NY")),
            ("+12065550123", Some("US"), Some("WA")),
            ("+12025550123", Some("US"), Some("DC")),
            ("+18005550123", Some("US"), None),
            ("+14165550123", Some("CA"), None),
            ("+493055501230", Some("DE"), None),
            ("+80012345678", None, None),
        ] {
            let found = jurisdiction(&phone(number));
            assert_eq!((found.country.as_deref(), found.state.as_deref()), (country, state), "{number}");
        }
    }

    #[test]
    fn every_state_has_an_area_code() {
        let mut codes: Vec<&String> = STATE_BY_AREA.values().collect();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), 51);
    }

    #[test]
    fn what_clocks_show_is_found() {
        let check = |shown: &str, zone: &str, expected: &str| {
            let shown = shown.parse().expect("a well-formed example");
            let zone = Zone::parse(zone).expect("a well-formed example");
            assert_eq!(reading(shown, &zone).format("%FT%RZ").to_string(), expected, "{shown} in {zone}");
        };
        check("2026-06-03T10:00:00", "Europe/Berlin", "2026-06-03T08:00Z");
        check("2026-06-03T10:00:00", "UTC", "2026-06-03T10:00Z");
        // Put forward over it, and shown twice.
        check("2026-03-29T02:30:00", "Europe/Berlin", "2026-03-29T01:30Z");
        check("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30Z");
    }

    #[test]
    fn of_several_zones_the_last_decides() {
        let zones = ["America/New_York", "America/Los_Angeles"].map(|name| Zone::parse(name).expect("a known zone"));
        let shown = "2026-06-03T10:00:00".parse().expect("a well-formed example");
        let (at, zone) = last_reading(shown, &zones);
        assert_eq!((at.format("%R").to_string().as_str(), zone), ("17:00", "America/Los_Angeles"));
        assert_eq!(last_reading(shown, &[]).1, "UTC");
    }

    #[test]
    fn local_clocks() {
        for (now, zone, expected) in [
            ("2026-03-08T06:59:59Z", "America/New_York", "2026-03-08 01:59:59"),
            ("2026-03-08T07:00:00Z", "America/New_York", "2026-03-08 03:00:00"),
            ("2026-04-04T15:00:00Z", "Australia/Lord_Howe", "2026-04-05 01:30:00"),
            ("2026-01-01T00:00:00.5Z", "Asia/Kolkata", "2026-01-01 05:30:00.500"),
        ] {
            assert_eq!(
                local(now.parse().expect("a well-formed example"), &Zone::parse(zone).expect("a well-formed example"))
                    .to_string(),
                expected
            );
        }
        for at in ["1969-12-31T23:59:59.25Z", "1970-01-01T00:00:00Z", "2026-06-01T12:00:00.75Z"] {
            let at: DateTime<Utc> = at.parse().expect("a well-formed example");
            assert_eq!(instant(timestamp(at)), at);
        }
    }
}
