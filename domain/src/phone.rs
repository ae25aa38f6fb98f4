//! Phone numbers and the addresses that messages travel between.
//!
//! [`Phone`] is what every other module holds: once it exists, it is E.164. Reading a number that a person typed needs
//! the number metadata, and so the `server` feature: [`normalise`].

use crate::consent::words;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

#[cfg(feature = "server")]
mod metadata;
#[cfg(feature = "server")]
pub use metadata::{national_digits, normalise, number_kind, region};

/// The fewest digits of a number, country code included.
pub const MIN_DIGITS: usize = 7;
/// The most digits of a number, country code included (ITU-T E.164, 6.2.1).
pub const MAX_DIGITS: usize = 15;
/// The most characters of a WhatsApp id after its country (TWILIO.md 3).
pub const MAX_WHATSAPP_ID_CHARS: usize = 128;
const WHATSAPP_PREFIX: &str = "whatsapp:";

/// A phone number in E.164: `+`, then 7 to 15 digits of which the first is not 0.
///
/// `Display` writes it out in full; `Debug` masks it, so that a log of a struct that holds one gives nobody away.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "+12025550143"))]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

impl Phone {
    /// Reads a number that is already in E.164.
    ///
    /// # Errors
    /// [`PhoneError::NotE164`] if it is not exactly that: no spaces, no `00`, no channel prefix.
    pub fn parse_e164(text: &str) -> Result<Self, PhoneError> {
        let digits = text.strip_prefix('+').ok_or(PhoneError::NotE164)?;
        let well_formed = (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit());
        if well_formed { Ok(Self(text.to_owned())) } else { Err(PhoneError::NotE164) }
    }

    /// The number with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number without its `+`.
    pub fn digits(&self) -> &str {
        &self.0[1..]
    }

    /// The number with its middle hidden: `+1415***2671`. At least three digits are hidden.
    pub fn masked(&self) -> String {
        let digits = self.digits();
        let shown = if digits.len() >= 11 { 4 } else { 2 };
        format!("+{}***{}", &digits[..shown], &digits[digits.len() - shown..])
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl FromStr for Phone {
    type Err = PhoneError;
    fn from_str(text: &str) -> Result<Self, PhoneError> {
        Self::parse_e164(text)
    }
}

impl TryFrom<String> for Phone {
    type Error = PhoneError;
    fn try_from(text: String) -> Result<Self, PhoneError> {
        Self::parse_e164(&text)
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

/// Why a text is not a phone number, in words for whoever entered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PhoneError {
    /// Nothing there.
    #[error("there is no number")]
    Empty,
    /// Not in E.164 where E.164 was promised.
    #[error("the number must be a \"+\", the country code and the number, 7 to 15 digits in all")]
    NotE164,
    /// Letters, dates, anything.
    #[error("this is not a phone number")]
    NotANumber,
    /// A spreadsheet wrote the number as `9.477E+10`: its last digits are lost.
    #[error(
        "a spreadsheet rounded this number (as in 9.477E+10) and lost its last digits; format the column as text, export again"
    )]
    ScientificNotation,
    /// More than one number in one place.
    #[error("there is more than one number here; keep one")]
    Several,
    /// An extension cannot receive messages.
    #[error("the number has an extension, which cannot receive messages")]
    Extension,
    /// With and without its first digits as a country code it is a number.
    #[error("the number can be read with or without a country code; write it with a \"+\" in front")]
    Ambiguous,
    /// No country code, and no default country to take one from.
    #[error("the number has no country code; add one, or choose a default country")]
    NoCountry,
    /// A country code that nobody has.
    #[error("no country has this country code")]
    UnknownCountry,
    /// The default country is not a known two-letter code.
    #[error("the default country is not a two-letter country code")]
    UnknownRegion,
    /// Too few digits for its country.
    #[error("the number is too short for its country")]
    TooShort,
    /// Too many digits for its country.
    #[error("the number is too long for its country")]
    TooLong,
    /// The length fits, but the country has given out no such numbers.
    #[error("the number does not exist in its country's numbering plan")]
    Unassigned,
}

impl PhoneError {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Empty,
        Self::NotE164,
        Self::NotANumber,
        Self::ScientificNotation,
        Self::Several,
        Self::Extension,
        Self::Ambiguous,
        Self::NoCountry,
        Self::UnknownCountry,
        Self::UnknownRegion,
        Self::TooShort,
        Self::TooLong,
        Self::Unassigned,
    ];

    /// A stable name of the kind, for reports and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotE164 => "not_e164",
            Self::NotANumber => "not_a_number",
            Self::ScientificNotation => "scientific_notation",
            Self::Several => "several_numbers",
            Self::Extension => "extension",
            Self::Ambiguous => "ambiguous",
            Self::NoCountry => "no_country",
            Self::UnknownCountry => "unknown_country",
            Self::UnknownRegion => "unknown_region",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Unassigned => "unassigned",
        }
    }
}

words! {
    /// What a number is used for, by its country's numbering plan.
    NumberKind {
        /// A mobile phone.
        Mobile = "mobile", "Mobile";
        /// A fixed line.
        Fixed = "fixed", "Fixed line";
        /// One of the two: the plan does not tell them apart (North America).
        FixedOrMobile = "fixed_or_mobile", "Fixed line or mobile";
        /// Free for the caller.
        TollFree = "toll_free", "Toll-free";
        /// Dear for the caller.
        PremiumRate = "premium_rate", "Premium rate";
        /// The caller pays a part.
        SharedCost = "shared_cost", "Shared cost";
        /// Internet telephony.
        Voip = "voip", "Internet telephony";
        /// Follows a person.
        Personal = "personal", "Personal number";
        /// A pager.
        Pager = "pager", "Pager";
        /// One number for a whole company.
        Company = "company", "Company number";
        /// A mailbox.
        Voicemail = "voicemail", "Voicemail";
        /// The plan does not say.
        Unknown = "unknown", "Unknown";
    }
}

words! {
    /// What a message travels by.
    Channel {
        /// A text message.
        Sms = "sms", "SMS";
        /// WhatsApp.
        Whatsapp = "whatsapp", "WhatsApp";
    }
}

impl Channel {
    /// The number as the provider addresses it on this channel: `+49…` or `whatsapp:+49…`.
    pub fn address(self, phone: &Phone) -> String {
        match self {
            Self::Sms => phone.0.clone(),
            Self::Whatsapp => format!("{WHATSAPP_PREFIX}{}", phone.0),
        }
    }
}

/// Who is at the other end of a message, as the provider writes it.
///
/// `Display` writes the wire form in full, and `Debug` masks it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A number on a channel.
    Phone(Channel, Phone),
    /// A WhatsApp user whose number is not shown (BSUID): `ID.4566546130240823`, without the `whatsapp:` prefix.
    WhatsappId(String),
}

impl Address {
    /// The channel.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Phone(channel, _) => *channel,
            Self::WhatsappId(_) => Channel::Whatsapp,
        }
    }

    /// The number, if there is one.
    pub fn phone(&self) -> Option<&Phone> {
        match self {
            Self::Phone(_, phone) => Some(phone),
            Self::WhatsappId(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(channel, phone) => f.write_str(&channel.address(phone)),
            Self::WhatsappId(id) => write!(f, "{WHATSAPP_PREFIX}{id}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(channel, phone) => write!(f, "{channel}:{phone:?}"),
            // The country is all that may be shown.
            Self::WhatsappId(id) => write!(f, "{WHATSAPP_PREFIX}{}.***", id.split('.').next().unwrap_or_default()),
        }
    }
}

impl FromStr for Address {
    type Err = PhoneError;
    fn from_str(text: &str) -> Result<Self, PhoneError> {
        parse_address(text)
    }
}

/// Reads an address as the provider writes it: `+49…`, `whatsapp:+49…` or `whatsapp:DE.…`.
///
/// # Errors
/// [`PhoneError::NotE164`] for anything else; short codes and sender names are not people.
pub fn parse_address(text: &str) -> Result<Address, PhoneError> {
    match text.strip_prefix(WHATSAPP_PREFIX) {
        None => Ok(Address::Phone(Channel::Sms, Phone::parse_e164(text)?)),
        Some(id) if is_whatsapp_id(id) => Ok(Address::WhatsappId(id.to_owned())),
        Some(number) => Ok(Address::Phone(Channel::Whatsapp, Phone::parse_e164(number)?)),
    }
}

/// Whether a text is a WhatsApp id: two capital letters, a dot, `ENT.` for the ids of a parent business, then 1 to 128
/// letters and digits (TWILIO.md 3).
pub fn is_whatsapp_id(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else { return false };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=MAX_WHATSAPP_ID_CHARS).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn e164_is_taken_to_the_letter() {
        for good in ["+14155552671", "+4915112345678", "+1234567", "+123456789012345"] {
            assert_eq!(Phone::parse_e164(good).map(|p| p.to_string()), Ok(good.to_owned()));
        }
        let long = format!("+{}", "1".repeat(16));
        for bad in [
            "",
            "+",
            "14155552671",
            "+123456",
            &long,
            "+0123456789",
            "+1 4155552671",
            "+1415555267a",
            " +14155552671",
            "+١٢٣٤٥٦٧٨",
            "++14155552671",
        ] {
            assert_eq!(Phone::parse_e164(bad), Err(PhoneError::NotE164), "{bad}");
        }
    }

    #[test]
    fn debug_masks_and_serde_is_a_string() {
        let phone = Phone::parse_e164("+14155552671").expect("a well-formed example");
        assert_eq!(format!("{phone:?}"), "+1415***2671");
        assert_eq!(serde_json::to_string(&phone).expect("a well-formed example"), "\"+14155552671\"");
        assert_eq!(serde_json::from_str::<Phone>("\"+14155552671\"").expect("a well-formed example"), phone);
        assert!(serde_json::from_str::<Phone>("\"14155552671\"").is_err());
        assert_eq!(format!("{:?}", Address::Phone(Channel::Whatsapp, phone)), "whatsapp:+1415***2671");
        assert_eq!(format!("{:?}", Address::WhatsappId("ID.4566546130240823".into())), "whatsapp:ID.***");
    }

    #[test]
    fn addresses_round_trip() {
        let phone = Phone::parse_e164("+4915112345678").expect("a well-formed example");
        let parent = format!("DE.ENT.{}", "a".repeat(128));
        let cases = [
            ("+4915112345678".to_owned(), Address::Phone(Channel::Sms, phone.clone())),
            ("whatsapp:+4915112345678".to_owned(), Address::Phone(Channel::Whatsapp, phone)),
            ("whatsapp:ID.4566546130240823".to_owned(), Address::WhatsappId("ID.4566546130240823".into())),
            (format!("whatsapp:{parent}"), Address::WhatsappId(parent)),
        ];
        for (text, address) in cases {
            assert_eq!(parse_address(&text).as_ref(), Ok(&address));
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn other_addresses_are_refused() {
        let long = format!("whatsapp:DE.{}", "a".repeat(129));
        for bad in [
            "12345",
            "ACME",
            "whatsapp:",
            "whatsapp:4915112345678",
            "whatsapp:D.1",
            "whatsapp:de.1",
            "whatsapp:DE.",
            "whatsapp:DE.1.2",
            "whatsapp:DE.ENT.",
            "DE.123",
            "messenger:123",
            &long,
        ] {
            assert_eq!(parse_address(bad), Err(PhoneError::NotE164), "{bad}");
        }
    }

    #[test]
    fn error_names_are_distinct() {
        let names: HashSet<_> = PhoneError::ALL.iter().map(|e| e.as_str()).collect();
        let words: HashSet<_> = PhoneError::ALL.iter().map(ToString::to_string).collect();
        assert_eq!((names.len(), words.len()), (PhoneError::ALL.len(), PhoneError::ALL.len()));
    }

    proptest! {
        #[test]
        fn a_mask_hides_three_digits_or_more(text in "\\+[1-9][0-9]{6,14}") {
            let phone = Phone::parse_e164(&text).expect("a well-formed example");
            let shown = phone.masked().bytes().filter(u8::is_ascii_digit).count();
            prop_assert!(shown + 3 <= phone.digits().len());
            let debug = format!("{phone:?}");
            prop_assert!(!debug.contains(phone.digits()));
        }
    }
}
