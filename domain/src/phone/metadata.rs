//! What needs the number metadata (libphonenumber's): reading numbers as people write them, countries and kinds.

use super::{NumberKind, Phone, PhoneError};
use rlibphonenumber::{
    NotANumberError, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region,
    ValidationError,
};
use std::borrow::Cow;

/// The most characters that are looked at as a number; longer texts are something else.
const MAX_CHARS: usize = 64;
/// Schemes that exports put before a number.
const SCHEMES: &[&str] = &["whatsapp:", "tel:", "sms:"];

/// Reads a number as people and spreadsheets write it.
///
/// Spaces, quotes, invisible characters, `whatsapp:` and the like, a `00` before the country code and the `.0` of a
/// number column are taken away. `default_region` (an ISO 3166 two-letter code) gives the country of numbers without a
/// country code.
///
/// # Errors
/// [`PhoneError`], in words for whoever entered it. Nothing is guessed: a rounded number, two numbers in one place or
/// an extension are refused, because a message to the wrong person cannot be taken back.
pub fn normalise(input: &str, default_region: Option<&str>) -> Result<Phone, PhoneError> {
    let text = clean(input);
    if text.is_empty() {
        return Err(PhoneError::Empty);
    }
    if text.chars().count() > MAX_CHARS {
        return Err(PhoneError::NotANumber);
    }
    if is_scientific(&text) {
        return Err(PhoneError::ScientificNotation);
    }
    if holds_several(&text) {
        return Err(PhoneError::Several);
    }
    let region = default_region.map(parse_region).transpose()?;
    let text = international(&text);
    let number = PHONE_NUMBER_UTIL.parse(&text, region).map_err(|error| explain(&error, &text, region))?;
    if number.extension.as_deref().is_some_and(|extension| !extension.is_empty()) {
        return Err(PhoneError::Extension);
    }
    // The library would read 1-800-FLOWERS by its keypad letters. In a file of people that is never what was meant.
    if text.chars().any(char::is_alphabetic) {
        return Err(PhoneError::NotANumber);
    }
    check_plan(&number)?;
    let number = match with_bare_country_code(&text, region) {
        Some(other) if other != number => likelier(number, other)?,
        _ => number,
    };
    Phone::parse_e164(&number.format_as(PhoneNumberFormat::E164))
}

/// The digits of a number that everyone writes, be it with the country code or without: those after it, and after zeros that
/// only some write.
pub fn national_digits(phone: &Phone) -> String {
    match PHONE_NUMBER_UTIL.parse(phone.as_str(), None) {
        Ok(number) => number.national_number.to_string(),
        Err(_) => phone.digits().to_owned(),
    }
}

/// The number read as one whose `+` was lost, if it begins with its default country's own code and is valid so.
fn with_bare_country_code(text: &str, region: Option<Region>) -> Option<PhoneNumber> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region?)?.to_string();
    let digits = PHONE_NUMBER_UTIL.normalize_digits_only(text);
    if text.starts_with(['+', '＋']) || !digits.starts_with(&code) {
        return None;
    }
    PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok().filter(PhoneNumber::is_valid)
}

/// In Germany `4915112345678` is a fixed line in East Frisia as well as a mobile phone without its `+`. Messages go to
/// mobile phones, so a reading that alone is one is meant; otherwise nobody can tell.
fn likelier(national: PhoneNumber, international: PhoneNumber) -> Result<PhoneNumber, PhoneError> {
    let mobile = |number: &PhoneNumber| number.get_type() == PhoneNumberType::Mobile;
    match (mobile(&national), mobile(&international)) {
        (true, false) => Ok(national),
        (false, true) => Ok(international),
        _ => Err(PhoneError::Ambiguous),
    }
}

/// The country of a number as an ISO 3166 two-letter code; `None` for numbers of no country (satellites, international
/// toll-free) and for numbers that the metadata does not know.
pub fn region(phone: &Phone) -> Option<String> {
    let region = known(phone)?.get_region_code()?;
    (region != Region::World).then(|| region.as_region_str().to_string())
}

/// What a number is used for.
pub fn number_kind(phone: &Phone) -> NumberKind {
    let Some(number) = known(phone) else { return NumberKind::Unknown };
    match number.get_type() {
        PhoneNumberType::FixedLine => NumberKind::Fixed,
        PhoneNumberType::Mobile => NumberKind::Mobile,
        PhoneNumberType::FixedLineOrMobile => NumberKind::FixedOrMobile,
        PhoneNumberType::TollFree => NumberKind::TollFree,
        PhoneNumberType::PremiumRate => NumberKind::PremiumRate,
        PhoneNumberType::SharedCost => NumberKind::SharedCost,
        PhoneNumberType::VoIP => NumberKind::Voip,
        PhoneNumberType::PersonalNumber => NumberKind::Personal,
        PhoneNumberType::Pager => NumberKind::Pager,
        PhoneNumberType::UAN => NumberKind::Company,
        PhoneNumberType::VoiceMail => NumberKind::Voicemail,
        PhoneNumberType::Unknown => NumberKind::Unknown,
    }
}

fn known(phone: &Phone) -> Option<PhoneNumber> {
    PHONE_NUMBER_UTIL.parse(phone.as_str(), None).ok()
}

fn parse_region(code: &str) -> Result<Region, PhoneError> {
    let region = Region::from_code(&code.trim().to_ascii_uppercase()).map_err(|_| PhoneError::UnknownRegion)?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region).ok_or(PhoneError::UnknownRegion)
}

/// Takes away what files and clipboards put around and inside a number.
fn clean(input: &str) -> String {
    let visible: String = input.chars().filter(|c| !is_invisible(*c)).collect();
    let mut text = visible.trim_matches(is_wrapping);
    for scheme in SCHEMES {
        if text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)) {
            text = text[scheme.len()..].trim_matches(is_wrapping);
            break;
        }
    }
    // A column of numbers with a gap in it becomes floating point in pandas and in some spreadsheets.
    match text.strip_suffix(".0") {
        Some(whole) if whole.strip_prefix('+').unwrap_or(whole).bytes().all(|b| b.is_ascii_digit()) => whole.to_owned(),
        _ => text.to_owned(),
    }
}

/// Marks of direction, joiners and the byte order mark, which ride along when numbers are copied from contact cards.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{00AD}')
}

fn is_wrapping(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\'' | '"' | '`' | '’' | '‘' | '“' | '”' | '=' | ',' | ';')
}

/// `9.477E+10`, `9,477e10`, `4E+11`.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(exponent.strip_prefix('+').unwrap_or(exponent))
}

/// Two `+`, or a separator with a whole number on each side. `089/123456` is one number.
fn holds_several(text: &str) -> bool {
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).count();
    text.matches(['+', '＋']).count() > 1
        || text
            .split_terminator(['/', ',', ';', '|', '\n', '&'])
            .filter(|part| digits(part) >= super::MIN_DIGITS)
            .count()
            > 1
}

/// A leading `00` is written for `+` all over the world, and begins no national number; the library knows it only in
/// regions that dial it.
fn international(text: &str) -> Cow<'_, str> {
    match text.trim_start_matches('(').strip_prefix("00") {
        Some(rest) => Cow::Owned(format!("+{}", rest.trim_start_matches([')', ' ', '-']))),
        None => Cow::Borrowed(text),
    }
}

fn explain(error: &ParseError, text: &str, region: Option<Region>) -> PhoneError {
    match error {
        ParseError::InvalidCountryCode if region.is_none() && !text.starts_with(['+', '＋']) => PhoneError::NoCountry,
        ParseError::InvalidCountryCode => PhoneError::UnknownCountry,
        ParseError::NotANumber(NotANumberError::FailedToParseNumberAsInt(_)) | ParseError::TooLongNsn => {
            PhoneError::TooLong
        }
        ParseError::NotANumber(_) => PhoneError::NotANumber,
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => PhoneError::TooShort,
    }
}

fn check_plan(number: &PhoneNumber) -> Result<(), PhoneError> {
    if number.is_valid() {
        return Ok(());
    }
    Err(match number.is_possible_with_reason() {
        Err(ValidationError::TooShort) => PhoneError::TooShort,
        Err(ValidationError::TooLong) => PhoneError::TooLong,
        Err(ValidationError::InvalidCountryCode) => PhoneError::UnknownCountry,
        // A number that lacks its area code can be dialled only from next door.
        Ok(rlibphonenumber::NumberLengthType::IsPossibleLocalOnly) => PhoneError::TooShort,
        Ok(_) | Err(_) => PhoneError::Unassigned,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::Channel, *};
    use proptest::prelude::*;

    fn check(input: &str, default_region: Option<&str>, expected: Result<&str, PhoneError>) {
        let found = normalise(input, default_region);
        assert_eq!(found.as_ref().map(Phone::as_str), expected.as_ref().copied(), "{input:?} in {default_region:?}");
    }

    #[test]
    fn numbers_as_people_write_them() {
        let us = Ok("+14155552671");
        let de = Ok("+4915112345678");
        for (input, region, expected) in [
            ("+14155552671", None, us),
            (" +1 (415) 555-2671 ", None, us),
            ("415.555.2671", Some("US"), us),
            ("(415) 555-2671", Some("us"), us),
            ("14155552671", Some("US"), us),
            ("14155552671.0", Some("US"), us),
            ("'+14155552671", None, us),
            ("=\"+14155552671\"", None, us),
            ("\u{202A}+1 415\u{200B} 555 2671\u{202C}", None, us),
            ("\u{FEFF}+14155552671", None, us),
            ("+1\u{00A0}415\u{00A0}555\u{00A0}2671", None, us),
            ("whatsapp:+14155552671", None, us),
            ("WhatsApp: +14155552671", None, us),
            ("tel:+1-415-555-2671", None, us),
            ("0014155552671", None, us),
            ("0014155552671", Some("US"), us),
            ("00 49 151 12345678", Some("US"), de),
            ("(00)49 151 12345678", None, de),
            ("0151 12345678", Some("DE"), de),
            ("+49 (0)151 12345678", None, de),
            ("4915112345678", Some("DE"), de),
            ("＋4915112345678", None, de),
            ("+४९१५११२३४५६७८", None, de),
            ("4930901820", Some("DE"), Ok("+4930901820")),
            ("+4949211234567", Some("DE"), Ok("+4949211234567")),
            ("3912345678", Some("IT"), Ok("+393912345678")),
            ("919123456789", Some("IN"), Ok("+919123456789")),
            ("9123456789", Some("IN"), Ok("+919123456789")),
            ("030/901820", Some("DE"), Ok("+4930901820")),
            ("+39 06 6982", None, Ok("+39066982")),
            ("+94 77 123 4567", None, Ok("+94771234567")),
        ] {
            check(input, region, expected);
        }
    }

    #[test]
    fn nothing_is_guessed() {
        use PhoneError::*;
        let long = "1".repeat(65);
        for (input, region, expected) in [
            ("", None, Empty),
            (" '\u{200B}' ", None, Empty),
            ("whatsapp:", None, Empty),
            ("9.477E+10", Some("LK"), ScientificNotation),
            ("9,477e10", Some("LK"), ScientificNotation),
            ("4E+11", None, ScientificNotation),
            ("+14155552671 ext. 12", None, Extension),
            ("+14155552671 x12", None, Extension),
            ("+14155552671 / +14155552672", None, Several),
            ("+14155552671, 4155552672", None, Several),
            ("4155552671;4155552672", Some("US"), Several),
            ("4155552671", None, NoCountry),
            ("4155552671", Some("USA"), UnknownRegion),
            ("4155552671", Some("QZ"), UnknownRegion),
            ("+999 1234567", None, UnknownCountry),
            ("+1415555", None, TooShort),
            ("+1415555267100", None, TooLong),
            ("5552671", Some("US"), TooShort),
            ("+1 055 555 2671", None, Unassigned),
            ("49211234567", Some("DE"), Ambiguous),
            ("n/a", Some("US"), NotANumber),
            ("1-800-FLOWERS", Some("US"), NotANumber),
            ("ann@example.com", Some("US"), NotANumber),
            (&long, Some("US"), NotANumber),
        ] {
            check(input, region, Err(expected));
        }
    }

    #[test]
    fn countries_and_kinds() {
        for (number, country, kind) in [
            ("+14155552671", Some("US"), NumberKind::FixedOrMobile),
            ("+14165550123", Some("CA"), NumberKind::FixedOrMobile),
            ("+4915112345678", Some("DE"), NumberKind::Mobile),
            ("+4930901820", Some("DE"), NumberKind::Fixed),
            ("+18002530000", Some("US"), NumberKind::TollFree),
            ("+80012345678", None, NumberKind::TollFree),
            ("+9991234567", None, NumberKind::Unknown),
        ] {
            let phone = Phone::parse_e164(number).expect("a well-formed example");
            assert_eq!((region(&phone).as_deref(), number_kind(&phone)), (country, kind), "{number}");
        }
    }

    proptest! {
        /// What was read once reads as itself, whatever the default country.
        #[test]
        fn normalising_is_idempotent(text in "[+0-9 ()./-]{5,20}") {
            if let Ok(phone) = normalise(&text, Some("DE")) {
                prop_assert_eq!(normalise(phone.as_str(), None), Ok(phone.clone()));
                prop_assert_eq!(normalise(&Channel::Whatsapp.address(&phone), Some("US")), Ok(phone));
            }
        }

        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            if let Ok(phone) = normalise(&text, Some("US")) {
                prop_assert!(Phone::parse_e164(phone.as_str()).is_ok());
            }
        }
    }
}
