//! Imports as operators see and enter them.

use super::Mapping;
use crate::{consent::words, ids::ImportId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words! {
    /// Where an import stands.
    ImportStatus {
        /// The file is here; nothing was read into the base.
        Uploaded = "uploaded", "Uploaded";
        /// Rows go in.
        Running = "running", "Running";
        /// All rows are in, or in the list of rejected ones.
        Completed = "completed", "Completed";
        /// It could not go on.
        Failed = "failed", "Failed";
    }
}

/// What an operator says about a file before it goes in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportOptions {
    /// The region of numbers without a country code, as ISO 3166 alpha-2.
    pub default_region: Option<String>,
    /// Which column is what; guessed when the file arrives.
    pub mapping: Mapping,
    /// How all people in the file agreed to SMS; empty if a column says so, or if they did not.
    pub sms_evidence: String,
    /// How all people in the file agreed to WhatsApp; empty if a column says so, or if they did not.
    pub whatsapp_evidence: String,
}

/// An import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// What was said about it.
    pub options: ImportOptions,
    /// The file's columns.
    pub columns: Vec<String>,
    /// The file's first rows, by column.
    pub sample: Vec<Vec<String>>,
    /// What came of it so far.
    pub report: ImportReport,
    /// The file's size in bytes.
    pub bytes_total: i64,
    /// How many of them were read.
    pub bytes_done: i64,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// When rows began to go in.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What came of an import's rows. Every row is counted once in created, updated, unchanged, duplicate or rejected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    pub reasons: Vec<(String, i64)>,
    /// People whose consent to SMS was recorded.
    pub sms_opted_in: i64,
    /// People whose consent to WhatsApp was recorded.
    pub whatsapp_opted_in: i64,
    /// People who had stopped, and whom the file could not bring back.
    pub kept_opted_out: i64,
    /// People with no consent on any channel: campaigns skip them.
    pub without_consent: i64,
}

/// A refused row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
