//! A row of cells to a clean user.

use super::{CleanRow, Field, ImportOptions, MAX_CELL_CHARS, MAX_NAME_CHARS, MAX_TOPICS, Repair, RowError, RowReason};
use crate::{
    phone::{self, Phone, is_whatsapp_id},
    topic::valid_key,
    zone::Zone,
};
use serde_json::{Number, Value};

/// Words for yes, in lower case.
const YES: &str = "yes y true t 1 on x ok ✓ ✔ opted_in optedin opted-in opt-in subscribed granted agreed ja oui o si sí s \
sim да 是 はい";
/// Words for no.
const NO: &str = "no n false f 0 off ✗ ✘ opted_out optedout opted-out opt-out unsubscribed denied stop nein non não nao \
nee нет 否 いいえ";
/// Words for nothing said.
const UNSAID: &str = "- none null n/a na unknown ? pending";

/// Reads a row, with the repairs that were chosen.
///
/// # Errors
/// Everything that is wrong with the row, in the order of its columns, so that it can be repaired at once.
pub fn clean_row(options: &ImportOptions, cells: &[impl AsRef<str>]) -> Result<CleanRow, Vec<RowError>> {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    let region = options.default_region.as_deref();
    let swapped = options.repairs.contains(&Repair::Swapped).then(|| Repair::swap(&options.mapping, &cells, region));
    let mut row = CleanRow::default();
    let cells = match swapped.flatten() {
        Some(swapped) => {
            row.repaired = Some(Repair::Swapped);
            swapped
        }
        None => cells,
    };
    let mut errors = Vec::new();
    let mut address_is_faulty = false;
    for (column, field) in options.mapping.columns.iter().enumerate() {
        let (Some(field), Some(cell)) = (field, cells.get(column)) else { continue };
        if let Err(reason) = take(&mut row, field, cell, options) {
            address_is_faulty |= matches!(field, Field::Phone | Field::WhatsappId);
            errors.push(reason.at(Some(column)));
        }
    }
    let extra = cells.iter().enumerate().skip(options.mapping.columns.len());
    if let Some((column, _)) = extra.into_iter().find(|(_, cell)| !cell.trim().is_empty()) {
        errors.push(RowReason::TooManyCells.at(Some(column)));
    }
    if row.phone.is_none() && row.profile.whatsapp_id.is_none() && !address_is_faulty {
        errors.push(RowReason::NoAddress.at(None));
    }
    if errors.is_empty() { Ok(row) } else { Err(errors) }
}

/// Takes one cell into the row.
fn take(row: &mut CleanRow, field: &Field, cell: &str, options: &ImportOptions) -> Result<(), RowReason> {
    let text = cell.trim();
    if text.is_empty() {
        return Ok(());
    }
    if text == options.clear_mark {
        row.clears.push(field.clone());
        return Ok(());
    }
    check_text(text, field)?;
    match field {
        Field::Phone => row.phone = Some(number(row, text, options)?),
        Field::Name => row.profile.name = Some(text.to_owned()),
        Field::Locale => row.profile.locale = Some(locale(text).ok_or(RowReason::Locale)?),
        Field::Zone => row.profile.zone = Some(Zone::parse(text).map_err(|_| RowReason::Zone)?.name().to_owned()),
        Field::WhatsappId => {
            let id = text.strip_prefix("whatsapp:").unwrap_or(text);
            let id = is_whatsapp_id(id).then(|| id.to_owned()).ok_or(RowReason::WhatsappId)?;
            row.profile.whatsapp_id = Some(id);
        }
        Field::ConsentSms => row.consent_sms = consent(text)?,
        Field::ConsentWhatsapp => row.consent_whatsapp = consent(text)?,
        Field::Topics => row.topics = topics(text)?,
        Field::Attribute(name) => {
            row.profile.attributes.insert(name.clone(), value(text));
        }
    }
    Ok(())
}

/// The number as it stands, or else by the first chosen repair that helps.
fn number(row: &mut CleanRow, text: &str, options: &ImportOptions) -> Result<Phone, RowReason> {
    let region = options.default_region.as_deref();
    let error = match phone::normalise(text, region) {
        Ok(phone) => return Ok(phone),
        Err(error) => error,
    };
    let repaired = options.repairs.iter().find_map(|repair| Some((*repair, repair.phone(text, region)?)));
    let (repair, phone) = repaired.ok_or(error)?;
    row.repaired = Some(repair);
    Ok(phone)
}

/// What no cell may hold. Line breaks and tabs are text in an attribute, and a broken file anywhere else.
fn check_text(text: &str, field: &Field) -> Result<(), RowReason> {
    let limit = if *field == Field::Name { MAX_NAME_CHARS } else { MAX_CELL_CHARS };
    let breaks_allowed = matches!(field, Field::Attribute(_));
    for (i, c) in text.chars().enumerate() {
        if i >= limit {
            return Err(RowReason::CellTooLong);
        }
        if c.is_control() && !(breaks_allowed && matches!(c, '\n' | '\r' | '\t')) {
            return Err(RowReason::ControlCharacter);
        }
        if c == '\u{FFFD}' {
            return Err(RowReason::Undecodable);
        }
    }
    Ok(())
}

/// A language tag in its usual case: `pt_br` is `pt-BR`, `zh-hant-TW` is `zh-Hant-TW` (RFC 5646, 2.1.1).
fn locale(text: &str) -> Option<String> {
    let mut parts = text.split(['-', '_']);
    let language = parts.next().filter(|part| matches!(part.len(), 2 | 3))?;
    let mut tag = language.to_ascii_lowercase();
    for part in parts {
        tag.push('-');
        match part.len() {
            2 => tag.push_str(&part.to_ascii_uppercase()),
            4 if part.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            3..=8 => tag.push_str(&part.to_ascii_lowercase()),
            _ => return None,
        }
    }
    let letters = language.bytes().all(|b| b.is_ascii_alphabetic());
    (letters && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')).then_some(tag)
}

fn consent(text: &str) -> Result<Option<bool>, RowReason> {
    let word = text.to_lowercase();
    let among = |words: &str| words.split(' ').any(|one| one == word);
    match (among(YES), among(NO), among(UNSAID)) {
        (true, _, _) => Ok(Some(true)),
        (_, true, _) => Ok(Some(false)),
        (_, _, true) => Ok(None),
        _ => Err(RowReason::Consent),
    }
}

fn topics(text: &str) -> Result<Vec<String>, RowReason> {
    let mut keys: Vec<String> = Vec::new();
    for key in text.split([',', ';', '|']).map(str::trim).filter(|key| !key.is_empty()) {
        let key = key.to_lowercase();
        if !valid_key(&key) || keys.len() == MAX_TOPICS {
            return Err(RowReason::Topic);
        }
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// A number if it prints back the same, so that what is sent is what stood in the file: `007`, `1.50` and a number too
/// long for a computer's stay text.
fn value(text: &str) -> Value {
    let looks = text.strip_prefix('-').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit());
    if looks {
        if let Some(whole) = text.parse::<i64>().ok().filter(|whole| whole.to_string() == text) {
            return Value::from(whole);
        }
        let real = text.parse::<f64>().ok().filter(|real| real.to_string() == text);
        if let Some(number) = real.and_then(Number::from_f64).filter(|number| number.to_string() == text) {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Mapping;
    use proptest::prelude::*;
    use serde_json::json;

    fn options(region: &str) -> ImportOptions {
        let words =
            "phone name locale zone whatsapp_id consent_sms consent_whatsapp topics attributes.a - attributes.b";
        let mapping = Mapping { columns: words.split(' ').map(|word| word.parse().ok()).collect() };
        ImportOptions {
            mapping,
            default_region: Some(region.to_owned()),
            clear_mark: "<clear>".to_owned(),
            ..ImportOptions::default()
        }
    }

    fn row(cells: &[&str]) -> Result<CleanRow, Vec<RowError>> {
        clean_row(&options("DE"), cells)
    }

    /// The reasons with their columns.
    fn check(cells: &[&str], expected: &[(Option<usize>, &str)]) {
        let errors = row(cells).expect_err("a bad row");
        let found: Vec<_> = errors.iter().map(|error| (error.column, error.kind.as_str())).collect();
        assert_eq!(found, expected, "{cells:?}");
        assert!(errors.iter().all(|error| !error.message.is_empty()));
    }

    #[test]
    fn a_full_row() {
        let cells = [
            " 0151 12345678 ",
            "Ann Müller",
            "pt_br",
            "europe/berlin",
            "whatsapp:DE.123",
            "Ja",
            "no",
            "Offers; news,offers",
            "12",
            "ignored",
            "two\nlines",
        ];
        let row = row(&cells).expect("a well-formed example");
        assert_eq!(row.phone.as_ref().map(ToString::to_string).as_deref(), Some("+4915112345678"));
        assert_eq!((row.consent_sms, row.consent_whatsapp), (Some(true), Some(false)));
        assert_eq!(row.topics, ["offers", "news"]);
        assert_eq!(row.profile.name.as_deref(), Some("Ann Müller"));
        assert_eq!(row.profile.locale.as_deref(), Some("pt-BR"));
        assert_eq!(row.profile.zone.as_deref(), Some("Europe/Berlin"));
        assert_eq!(row.profile.whatsapp_id.as_deref(), Some("DE.123"));
        assert_eq!(Value::Object(row.profile.attributes), json!({"a": 12, "b": "two\nlines"}));
    }

    #[test]
    fn empty_cells_say_nothing() {
        let short = row(&["+4915112345678"]).expect("a well-formed example");
        let long = row(&["+4915112345678", " ", "", "", "", "", "unknown", "", " ", "", "", "", ""])
            .expect("a well-formed example");
        assert_eq!(short, long);
        assert_eq!((short.consent_sms, short.profile.attributes.len()), (None, 0));
        assert!(row(&["", "", "", "", "ID.1"]).is_ok());
    }

    #[test]
    fn every_fault_is_named() {
        check(&[], &[(None, "no_address")]);
        check(&["", "Ann"], &[(None, "no_address")]);
        check(&["9.477E+10"], &[(Some(0), "scientific_notation")]);
        check(&["+4915112345678\u{0}"], &[(Some(0), "control_character")]);
        check(
            &["12", "a\nb", "german", "Berlin", "x", "maybe", "perhaps", "a b", &"x".repeat(1001), "", "\u{1b}[0m"],
            &[
                (Some(0), "too_short"),
                (Some(1), "control_character"),
                (Some(2), "bad_locale"),
                (Some(3), "bad_zone"),
                (Some(4), "bad_whatsapp_id"),
                (Some(5), "bad_consent"),
                (Some(6), "bad_consent"),
                (Some(7), "bad_topic"),
                (Some(8), "cell_too_long"),
                (Some(10), "control_character"),
            ],
        );
        check(&["+4915112345678", &"n".repeat(201)], &[(Some(1), "cell_too_long")]);
        check(&["+4915112345678", "M\u{FFFD}ller"], &[(Some(1), "undecodable")]);
        let mut ragged = ["+4915112345678", "", "", "", "", "", "", "", "", "", "", "x"];
        check(&ragged, &[(Some(11), "too_many_cells")]);
        ragged[11] = " ";
        assert!(row(&ragged).is_ok());
    }

    #[test]
    fn numbers_are_numbers_only_if_nothing_is_lost() {
        for (text, expected) in [
            ("0", json!(0)),
            ("-17", json!(-17)),
            ("3.25", json!(3.25)),
            ("9223372036854775807", json!(i64::MAX)),
            ("9223372036854775808", json!("9223372036854775808")),
            ("007", json!("007")),
            ("1.50", json!("1.50")),
            ("+1", json!("+1")),
            ("1e5", json!("1e5")),
            ("-0", json!("-0")),
            ("1,5", json!("1,5")),
            ("NaN", json!("NaN")),
            ("inf", json!("inf")),
            ("true", json!("true")),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn words_for_yes_and_no_are_disjoint() {
        for word in YES.split(' ') {
            assert_eq!(consent(word), Ok(Some(true)), "{word}");
            assert_eq!(consent(&word.to_uppercase()), Ok(Some(true)), "{word}");
            assert!(!NO.split(' ').chain(UNSAID.split(' ')).any(|other| other == word), "{word}");
        }
        assert!(NO.split(' ').all(|word| consent(word) == Ok(Some(false))));
        assert!(UNSAID.split(' ').all(|word| consent(word) == Ok(None)));
    }

    proptest! {
        #[test]
        fn no_row_breaks_it(cells in prop::collection::vec(any::<String>(), 0..14)) {
            match clean_row(&options("US"), &cells) {
                Ok(row) => prop_assert!(row.phone.is_some() || row.profile.whatsapp_id.is_some()),
                Err(errors) => prop_assert!(!errors.is_empty()),
            }
        }

        /// An attribute prints as it stood in the file.
        #[test]
        fn attributes_print_back_the_same(text in "-?[0-9]{1,20}(\\.[0-9]{1,6})?|[a-z0-9.]{1,8}") {
            let printed = match value(&text) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            prop_assert_eq!(printed, text);
        }
    }

    #[test]
    fn chosen_repairs_are_made_and_others_are_not() {
        let with = |repairs: &[Repair]| ImportOptions { repairs: repairs.iter().copied().collect(), ..options("US") };
        let cells = ["94771234567", "Ann"];
        assert!(clean_row(&with(&[]), &cells).is_err());
        assert!(clean_row(&with(&[Repair::DoubleZero]), &cells).is_err());
        let row = clean_row(&with(&[Repair::PlusMissing]), &cells).expect("a repaired row");
        assert_eq!(
            (row.phone.as_ref().map(Phone::as_str), row.repaired),
            (Some("+94771234567"), Some(Repair::PlusMissing))
        );
        let row = clean_row(&with(&[Repair::Swapped]), &["Ann", "+94771234567"]).expect("a swapped row");
        assert_eq!((row.profile.name.as_deref(), row.repaired), (Some("Ann"), Some(Repair::Swapped)));
    }

    #[test]
    fn the_mark_empties_its_field() {
        let row = clean_row(&options("DE"), &["+94771234567", "<clear>"]).expect("a row with a mark");
        assert_eq!((row.clears, row.profile.name), (vec![Field::Name], None));
    }
}
