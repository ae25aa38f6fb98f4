//! Imports: a row of a file becomes a clean user, or the reasons why it cannot.
//!
//! [`Mapping`] says which column is what, and [`guess_mapping`] proposes one; both run in the browser too. Cleaning a
//! row needs number and zone data, and so the `server` feature.

use crate::{
    attribute::ValueError,
    phone::{Phone, PhoneError},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[cfg(feature = "server")]
mod clean;
mod mapping;
#[cfg(feature = "server")]
mod repair;
mod rules;
mod view;

#[cfg(feature = "server")]
pub use clean::clean_row;
pub use mapping::{Field, Mapping, MappingError, UnknownField, guess_mapping, is_attribute_name};
#[cfg(feature = "server")]
pub use repair::offer;
pub use rules::{Incoming, Policies, Policy, Repair, merge};
pub use view::{
    Change, ENCODINGS, ImportOptions, ImportReject, ImportReport, ImportStatus, ImportView, Offer, Quality,
    RUN_COUNTED, RUN_SUSPICIOUS, Sequences,
};

/// The most characters of a cell.
pub const MAX_CELL_CHARS: usize = 1_000;
/// The most characters of a name.
pub const MAX_NAME_CHARS: usize = 200;
/// The most topics in one cell.
pub const MAX_TOPICS: usize = 50;
/// The most columns of a file.
pub const MAX_COLUMNS: usize = 200;

/// What is known of a person beside the number, and may be filled in from several places.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    /// The WhatsApp id (BSUID).
    pub whatsapp_id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The language, as a BCP 47 tag.
    pub locale: Option<String>,
    /// The IANA zone.
    pub zone: Option<String>,
    /// Custom attributes.
    pub attributes: Map<String, Value>,
}

/// A row that can be taken in. It has a phone number or a WhatsApp id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CleanRow {
    /// The number.
    pub phone: Option<Phone>,
    /// Everything else about the person.
    pub profile: Profile,
    /// What the row says about SMS; `None` if it says nothing.
    pub consent_sms: Option<bool>,
    /// What the row says about WhatsApp; `None` if it says nothing.
    pub consent_whatsapp: Option<bool>,
    /// Keys of topics to subscribe to, each once.
    pub topics: Vec<String>,
    /// Fields whose cell holds the mark that empties them.
    pub clears: Vec<Field>,
    /// The repair that made the number readable.
    pub repaired: Option<Repair>,
}

/// Something wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RowError {
    /// The column from 0; `None` for the row as a whole.
    pub column: Option<usize>,
    /// The reason, as a stable word: [`RowReason::as_str`].
    pub kind: String,
    /// The reason in words.
    pub message: String,
}

/// Why a row is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RowReason {
    /// Neither a number nor a WhatsApp id.
    #[error("the row has no phone number and no WhatsApp id")]
    NoAddress,
    /// The number cannot be read.
    #[error(transparent)]
    Phone(#[from] PhoneError),
    /// Not a WhatsApp id.
    #[error("this is not a WhatsApp id; they look like DE.4566546130240823")]
    WhatsappId,
    /// Not a language.
    #[error("this is not a language tag; they look like de or pt-BR")]
    Locale,
    /// Not a zone.
    #[error("this is not a time zone; they look like Europe/Berlin")]
    Zone,
    /// Neither yes nor no.
    #[error("this is neither yes nor no")]
    Consent,
    /// Not a topic's key.
    #[error("topics are letters and digits, at most 34, separated by commas, at most {MAX_TOPICS}")]
    Topic,
    /// NUL or another control character.
    #[error("the cell holds a control character")]
    ControlCharacter,
    /// The text was damaged before it came here.
    #[error("the cell holds characters that could not be read; is the file's encoding right?")]
    Undecodable,
    /// Over the limit.
    #[error("the cell is too long")]
    CellTooLong,
    /// Not of the attribute's declared kind.
    #[error(transparent)]
    Attribute(#[from] ValueError),
    /// More cells than the header names.
    #[error("the row has more cells than the header; is a text with a comma not quoted?")]
    TooManyCells,
}

impl RowReason {
    /// A stable name, for reports and the API. Reasons of numbers are those of [`PhoneError::as_str`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAddress => "no_address",
            Self::Phone(error) => error.as_str(),
            Self::WhatsappId => "bad_whatsapp_id",
            Self::Locale => "bad_locale",
            Self::Zone => "bad_zone",
            Self::Consent => "bad_consent",
            Self::Topic => "bad_topic",
            Self::ControlCharacter => "control_character",
            Self::Undecodable => "undecodable",
            Self::CellTooLong => "cell_too_long",
            Self::Attribute(_) => "bad_attribute",
            Self::TooManyCells => "too_many_cells",
        }
    }

    /// The error it makes of a column.
    pub fn at(self, column: Option<usize>) -> RowError {
        RowError { column, kind: self.as_str().to_owned(), message: self.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn reasons_have_distinct_names() {
        use RowReason::*;
        let own = [
            NoAddress,
            WhatsappId,
            Locale,
            Zone,
            Consent,
            Topic,
            ControlCharacter,
            Undecodable,
            CellTooLong,
            Attribute(ValueError::Number),
            TooManyCells,
        ];
        let all: Vec<RowReason> = own.into_iter().chain(PhoneError::ALL.iter().map(|error| Phone(*error))).collect();
        let names: HashSet<&str> = all.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), all.len());
    }
}
