//! The rows of a file, in either format.

use super::{
    csv_rows::{CsvRows, ROW_MAX_BYTES},
    decode::Utf8Reader,
    file::{FileInfo, Format},
    json_rows::{self, JsonRows, OBJECT_MAX_BYTES},
};
use domain::import::RowError;
use serde_json::Value;
use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

/// A row as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct RawRow {
    /// The line where it begins, from 1; of JSON, the number of the object.
    pub line: u64,
    /// The text.
    pub raw: String,
    /// Its cells, in the order of the columns.
    pub cells: Result<Vec<String>, Broken>,
    /// By column, values of JSON that a cell of text would lose; empty for CSV.
    pub typed: Vec<Option<Value>>,
}

impl RawRow {
    /// Whether there is nothing in it: spreadsheets export such rows below the last.
    pub fn is_blank(&self) -> bool {
        self.cells.as_ref().is_ok_and(|cells| cells.iter().all(|cell| cell.trim().is_empty()))
    }
}

/// Why a row has no cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A quote opens and does not close.
    #[error("a quote (\") is opened in this row and not closed")]
    OpenQuote,
    /// Over the limit.
    #[error("the row is longer than {ROW_MAX_BYTES} bytes")]
    TooLong,
    /// Not JSON.
    #[error("this is not JSON: {0}")]
    Json(String),
    /// JSON, but not of a person.
    #[error("what stands in line {0} is not an object with a person's data")]
    NotAnObject(u64),
    /// A key that stands twice.
    #[error("the key \"{0}\" stands twice in this object")]
    RepeatedKey(String),
    /// A key that is no column.
    #[error("\"{0}\" is not among the keys of the first objects, which are the columns of this import")]
    UnknownKey(String),
}

impl Broken {
    /// The error as the report keeps it.
    pub fn error(&self) -> RowError {
        let kind = match self {
            Self::OpenQuote => "open_quote",
            Self::TooLong => "row_too_long",
            Self::Json(_) => "bad_json",
            Self::NotAnObject(_) => "not_an_object",
            Self::RepeatedKey(_) => "repeated_key",
            Self::UnknownKey(_) => "unknown_key",
        };
        RowError { column: None, kind: kind.to_owned(), message: self.to_string() }
    }
}

/// Why a file cannot be read on, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(format!("the file cannot be read: {error}"))
    }
}

/// What reads a file as UTF-8.
pub type Input = BufReader<Utf8Reader<File>>;

/// Opens a file; `bytes` counts what was read of it.
pub fn open(path: &Path, info: &FileInfo, bytes: Arc<AtomicU64>) -> Result<Input, Failure> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure("the file is gone; upload it again".to_owned()),
        _ => error.into(),
    })?;
    let encoding = encoding_rs::Encoding::for_label(info.encoding.as_bytes()).unwrap_or(encoding_rs::UTF_8);
    Ok(BufReader::new(Utf8Reader::new(file, encoding, bytes)))
}

/// The rows of a file, without its header.
pub enum Rows {
    /// Of a table.
    Csv(CsvRows<Input>),
    /// Of objects, with the columns.
    Json(JsonRows<Input>, Vec<String>),
}

impl Rows {
    /// Reads rows from `input`; the header of a table is passed over.
    pub fn new(input: Input, info: &FileInfo) -> Result<Self, Failure> {
        match info.format {
            Format::Csv => {
                let mut rows = CsvRows::new(input, info.delimiter);
                for _ in 0..info.header_rows {
                    rows.next_row()?;
                }
                Ok(Self::Csv(rows))
            }
            Format::Json => Ok(Self::Json(JsonRows::new(input), info.columns.clone())),
        }
    }

    /// The next row that is not blank; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<RawRow>, Failure> {
        loop {
            let row = match self {
                Self::Csv(rows) => rows.next_row()?,
                Self::Json(rows, columns) => {
                    rows.next_object()?.map(|found| json_rows::row(found.number, found.raw, found.object, columns))
                }
            };
            match row {
                Some(row) if row.is_blank() => {}
                row => return Ok(row),
            }
        }
    }
}

const _: () = assert!(ROW_MAX_BYTES == OBJECT_MAX_BYTES, "both formats have one limit");
