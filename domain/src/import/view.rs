//! Imports as operators see and enter them.

use super::{Mapping, Policies, Repair};
use crate::{consent::words, ids::ImportId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

words! {
    /// Where an import stands.
    ImportStatus {
        /// The file is here; nothing was read into the base.
        Uploaded = "uploaded", "Uploaded";
        /// Its rows are read and judged, and nothing is written.
        Checking = "checking", "Checking";
        /// The report is there, and waits for a person's word.
        Checked = "checked", "Checked";
        /// Rows go in.
        Running = "running", "Running";
        /// All rows are in, or in the list of rejected ones.
        Completed = "completed", "Completed";
        /// It could not go on.
        Failed = "failed", "Failed";
        /// What it did is taken back.
        Undoing = "undoing", "Being undone";
        /// What it did was taken back.
        Undone = "undone", "Undone";
    }
}

impl ImportStatus {
    /// Whether a worker has something to do for it.
    pub const fn is_at_work(self) -> bool {
        matches!(self, Self::Checking | Self::Running | Self::Undoing)
    }
}

/// What an operator says about a file before it goes in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ImportOptions {
    /// The region of numbers without a country code, as ISO 3166 alpha-2.
    pub default_region: Option<String>,
    /// Which column is what; guessed when the file arrives.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Option<String>>))]
    pub mapping: Mapping,
    /// How all people in the file agreed to SMS; empty if a column says so, or if they did not.
    pub sms_evidence: String,
    /// How all people in the file agreed to WhatsApp; empty if a column says so, or if they did not.
    pub whatsapp_evidence: String,
    /// What a cell does to a value that is there, by field.
    pub policies: Policies,
    /// What a cell holds that empties its field, such as `<clear>`; empty if there is no such mark.
    pub clear_mark: String,
    /// The repairs to make.
    pub repairs: BTreeSet<Repair>,
    /// The encoding to read the file in from now on, by a name that the Encoding Standard knows; without one it is read as before.
    pub encoding: Option<String>,
}

/// Encodings that lists are found in, for people to choose from: those of the Encoding Standard that systems of today write.
pub const ENCODINGS: [&str; 14] = [
    "UTF-8",
    "windows-1252",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1258",
    "Shift_JIS",
    "GBK",
    "Big5",
    "EUC-KR",
    "UTF-16LE",
];

/// An import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportView {
    /// Its id.
    pub id: ImportId,
    /// The file's name, as it was uploaded.
    pub file_name: String,
    /// `csv` or `json`.
    pub format: String,
    /// Where it stands.
    pub status: ImportStatus,
    /// Why it could not go on.
    pub failure: Option<String>,
    /// The encoding that it is read in, by its name in the Encoding Standard.
    pub encoding: String,
    /// What was said about it.
    pub options: ImportOptions,
    /// The file's columns.
    pub columns: Vec<String>,
    /// The file's first rows, by column.
    pub sample: Vec<Vec<String>>,
    /// What its check found, once it goes in.
    pub checked: Option<ImportReport>,
    /// What came of it so far: of its check until it goes in, then of itself.
    pub report: ImportReport,
    /// The file's size in bytes.
    pub bytes_total: i64,
    /// How many of them were read.
    pub bytes_done: i64,
    /// How many rows were read, or taken back.
    pub rows_done: i64,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// When rows began to go in.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What came of an import's rows. Every row is counted once in created, updated, unchanged, duplicate or rejected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ImportReport {
    /// Rows read.
    pub rows: i64,
    /// New people.
    pub created: i64,
    /// People whose data changed.
    pub updated: i64,
    /// People whose data was the same.
    pub unchanged: i64,
    /// Rows of a person who stood in the file before; their data was merged into the first.
    pub duplicates: i64,
    /// Rows that were refused.
    pub rejected: i64,
    /// Refused rows by reason.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<serde_json::Value>>))]
    pub reasons: Vec<(String, i64)>,
    /// People whose consent to SMS was recorded.
    pub sms_opted_in: i64,
    /// People whose consent to WhatsApp was recorded.
    pub whatsapp_opted_in: i64,
    /// People who had stopped, and whom the file could not bring back.
    pub kept_opted_out: i64,
    /// People with no consent on any channel: campaigns skip them.
    pub without_consent: i64,
    /// Rows whose number was repaired, by repair.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<serde_json::Value>>))]
    pub repaired: Vec<(Repair, i64)>,
    /// Repairs that would save refused rows.
    pub offers: Vec<Offer>,
    /// Some of the changes, to look at.
    pub changes: Vec<Change>,
    /// Rows that go in and hold characters that cannot be read, in columns that are not imported.
    pub damaged: i64,
    /// The first of them, as [`Change::line`] counts.
    pub damaged_rows: Vec<u64>,
    /// How good the list is.
    pub quality: Quality,
    /// Runs of numbers that follow one another.
    pub sequences: Sequences,
    /// Of an undone import: people whose row went away again, and those whose earlier values came back.
    pub undone: (i64, i64),
    /// Of an undone import: people who were left as they are, since something happened to them meanwhile.
    pub kept: i64,
}

impl ImportReport {
    /// Adds what further rows came to. Of changes, and of rows that hold what cannot be read, the first `shown` are kept.
    pub fn add(&mut self, more: Self, shown: usize) {
        for (sum, count) in [
            (&mut self.rows, more.rows),
            (&mut self.created, more.created),
            (&mut self.updated, more.updated),
            (&mut self.unchanged, more.unchanged),
            (&mut self.duplicates, more.duplicates),
            (&mut self.rejected, more.rejected),
            (&mut self.sms_opted_in, more.sms_opted_in),
            (&mut self.whatsapp_opted_in, more.whatsapp_opted_in),
            (&mut self.kept_opted_out, more.kept_opted_out),
            (&mut self.without_consent, more.without_consent),
            (&mut self.damaged, more.damaged),
            (&mut self.quality.mobile, more.quality.mobile),
            (&mut self.quality.other_lines, more.quality.other_lines),
        ] {
            *sum += count;
        }
        count_in(&mut self.reasons, more.reasons);
        self.reasons.sort();
        count_in(&mut self.repaired, more.repaired);
        count_in(&mut self.quality.missing, more.quality.missing);
        for offer in more.offers {
            match self.offers.iter_mut().find(|one| one.repair == offer.repair) {
                Some(one) => one.rows += offer.rows,
                None => self.offers.push(offer),
            }
        }
        for change in more.changes {
            if self.changes.iter().filter(|one| one.created == change.created).count() < shown {
                self.changes.push(change);
            }
        }
        self.damaged_rows.extend(more.damaged_rows);
        self.damaged_rows.truncate(shown);
    }

    /// Rows that are or would be taken in.
    pub fn valid(&self) -> i64 {
        self.rows - self.rejected
    }

    /// People of the file.
    pub fn people(&self) -> i64 {
        self.created + self.updated + self.unchanged
    }

    /// People of the file who agreed to hear from us on some channel.
    pub fn reachable(&self) -> i64 {
        (self.people() - self.without_consent).max(0)
    }
}

/// Adds counts by what they are of.
fn count_in<K: PartialEq>(sums: &mut Vec<(K, i64)>, counts: Vec<(K, i64)>) {
    for (of, count) in counts {
        match sums.iter_mut().find(|(one, _)| *one == of) {
            Some((_, sum)) => *sum += count,
            None => sums.push((of, count)),
        }
    }
}

/// A repair that would save refused rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Offer {
    /// The repair.
    pub repair: Repair,
    /// How many rows.
    pub rows: i64,
    /// A cell that it would mend.
    pub before: String,
    /// What that would become.
    pub after: String,
}

/// What an import does to one person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Change {
    /// The line of the file; of JSON, the number of the object.
    pub line: u64,
    /// Whether the person is new.
    pub created: bool,
    /// The person's address.
    pub address: String,
    /// Field, value before, value after; empty for none.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<String>>))]
    pub fields: Vec<(String, String, String)>,
}

/// How good a list is: counts of rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Quality {
    /// Rows whose number is a mobile one, or may be.
    pub mobile: i64,
    /// Rows whose number is of another kind: fixed lines and the like, which get no SMS.
    pub other_lines: i64,
    /// Rows without a value, by column.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<serde_json::Value>>))]
    pub missing: Vec<(String, i64)>,
}

/// The shortest run of following numbers that is counted.
pub const RUN_COUNTED: i64 = 10;
/// A list with a run as long as this is looked at twice: bought lists are often made by counting up.
pub const RUN_SUSPICIOUS: i64 = 50;

/// Runs of numbers that follow one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Sequences {
    /// The longest run.
    pub longest: i64,
    /// How many numbers stand in runs of at least [`RUN_COUNTED`].
    pub in_runs: i64,
}

impl Sequences {
    /// Whether the list smells of having been made by counting up.
    pub fn is_suspicious(self) -> bool {
        self.longest >= RUN_SUSPICIOUS
    }
}

/// A refused row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportReject {
    /// The line of the file, from 1.
    pub line: i64,
    /// The column, if one is to blame.
    pub field: Option<String>,
    /// The reason, as a stable word.
    pub reason: String,
    /// The reason in words.
    pub message: String,
    /// The row as it stood.
    pub raw: String,
}
