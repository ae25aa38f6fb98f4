//! How a list of users is shown: its order and its columns.

use crate::{consent::words, import::is_attribute_name};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

words! {
    /// In which order people are listed. Each is served by an index, first page or last.
    #[derive(Default)]
    UserSort {
        /// By when they became known.
        #[default]
        Newest = "newest", "Newest first";
        /// By when they became known.
        Oldest = "oldest", "Oldest first";
        /// By name without regard to ASCII case; people without one come first.
        Name = "name", "Name, A to Z";
        /// The same backwards.
        NameDown = "name_down", "Name, Z to A";
        /// By the last change of their row.
        Changed = "changed", "Last changed first";
        /// The same backwards.
        Unchanged = "unchanged", "Longest unchanged first";
    }
}

/// Most columns of a list beside the name.
pub const COLUMNS_MAX: usize = 12;

/// A column of a list of users. The name is always there, as it is the link to the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum UserColumn {
    /// The number.
    Phone,
    /// Where they stand on each channel.
    Consent,
    /// The language.
    Locale,
    /// The zone.
    Zone,
    /// The first few attributes.
    Attributes,
    /// One declared attribute.
    Attribute(String),
    /// When they became known.
    Created,
    /// When their row last changed.
    Updated,
}

impl UserColumn {
    /// All but those of single attributes.
    pub const FIXED: [Self; 7] =
        [Self::Phone, Self::Consent, Self::Locale, Self::Zone, Self::Attributes, Self::Created, Self::Updated];

    /// Words for its head.
    pub fn label(&self) -> &str {
        match self {
            Self::Phone => "Phone",
            Self::Consent => "Consent",
            Self::Locale => "Language",
            Self::Zone => "Time zone",
            Self::Attributes => "Attributes",
            Self::Attribute(name) => name,
            Self::Created => "Added",
            Self::Updated => "Changed",
        }
    }
}

impl fmt::Display for UserColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Phone => "phone",
            Self::Consent => "consent",
            Self::Locale => "locale",
            Self::Zone => "zone",
            Self::Attributes => "attributes",
            Self::Attribute(name) => return write!(f, "attributes.{name}"),
            Self::Created => "created",
            Self::Updated => "updated",
        })
    }
}

/// A text is not the name of a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no column \"{0}\"")]
pub struct NoColumn(String);

impl FromStr for UserColumn {
    type Err = NoColumn;
    fn from_str(text: &str) -> Result<Self, NoColumn> {
        if let Some(column) = Self::FIXED.into_iter().find(|column| column.to_string() == text) {
            return Ok(column);
        }
        let name = text.strip_prefix("attributes.").filter(|name| is_attribute_name(name));
        name.map(|name| Self::Attribute(name.to_owned())).ok_or_else(|| NoColumn(text.to_owned()))
    }
}

impl TryFrom<String> for UserColumn {
    type Error = NoColumn;
    fn try_from(text: String) -> Result<Self, NoColumn> {
        text.parse()
    }
}

impl From<UserColumn> for String {
    fn from(column: UserColumn) -> Self {
        column.to_string()
    }
}

/// The columns of a list, in order, each once, at most [`COLUMNS_MAX`]. As text they are joined by commas, as in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserColumns(Vec<UserColumn>);

impl Default for UserColumns {
    fn default() -> Self {
        Self(vec![UserColumn::Phone, UserColumn::Consent, UserColumn::Attributes, UserColumn::Created])
    }
}

impl UserColumns {
    /// The columns of a text: what is not one is passed over, so that an old address still shows a list. Without any the
    /// usual ones are shown.
    pub fn of(text: &str) -> Self {
        let mut columns = Vec::new();
        for column in text.split(',').filter_map(|one| one.trim().parse().ok()) {
            if !columns.contains(&column) && columns.len() < COLUMNS_MAX {
                columns.push(column);
            }
        }
        if columns.is_empty() { Self::default() } else { Self(columns) }
    }

    /// Them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &UserColumn> {
        self.0.iter()
    }

    /// Whether a column is among them.
    pub fn has(&self, column: &UserColumn) -> bool {
        self.0.contains(column)
    }

    /// With this column if it was not among them, and without it if it was.
    pub fn toggled(&self, column: &UserColumn) -> Self {
        let mut columns = self.0.clone();
        if self.has(column) {
            columns.retain(|one| one != column);
        } else if columns.len() < COLUMNS_MAX {
            columns.push(column.clone());
        }
        if columns.is_empty() { Self::default() } else { Self(columns) }
    }
}

impl fmt::Display for UserColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, column) in self.0.iter().enumerate() {
            write!(f, "{}{column}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_from_an_address() {
        let check = |text: &str, expected: &str| assert_eq!(UserColumns::of(text).to_string(), expected, "{text:?}");
        let usual = UserColumns::default().to_string();
        check("", &usual);
        check("nothing,attributes.Not a name", &usual);
        check("zone, attributes.city,zone,nothing", "zone,attributes.city");
        let many: Vec<String> = (0..COLUMNS_MAX + 3).map(|n| format!("attributes.a{n}")).collect();
        assert_eq!(UserColumns::of(&many.join(",")).iter().count(), COLUMNS_MAX);
        for column in UserColumn::FIXED {
            assert_eq!(column.to_string().parse(), Ok(column));
        }
    }

    #[test]
    fn a_column_is_shown_and_hidden() {
        let columns = UserColumns::of("zone");
        let both = columns.toggled(&UserColumn::Locale);
        assert_eq!(both.to_string(), "zone,locale");
        assert_eq!(both.toggled(&UserColumn::Zone).to_string(), "locale");
        assert_eq!(columns.toggled(&UserColumn::Zone), UserColumns::default(), "a list is never without columns");
    }
}
