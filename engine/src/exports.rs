//! The forms of files that go out.

use serde::{Deserialize, Serialize};

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A table for spreadsheets: formulas are defused, and declared attributes have a column each.
    #[default]
    Csv,
    /// One JSON object a line, with everything as it is.
    #[serde(rename = "jsonl")]
    JsonLines,
}

impl Format {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/x-ndjson",
        }
    }

    /// What the name of such a file ends with.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}
