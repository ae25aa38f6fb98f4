//! What a file is: found out from its content, never from its name.

use super::{
    csv_rows::{CsvRows, split},
    json_rows::{JsonRows, RawObject, cell, flatten},
    lines::Lines,
    rows::{self, Failure, Rows},
};
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use domain::import::MAX_COLUMNS;
use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

/// How many rows are shown before an import starts.
const SAMPLE_ROWS: usize = 10;
/// How many rows are looked at for columns and their content.
const LOOK_ROWS: usize = 1_000;
/// How much text of rows is looked at, in bytes: a few rows may be enormous.
const LOOK_BYTES: usize = 4 * 1024 * 1024;
/// How much of a cell is shown, in characters.
const SAMPLE_CELL_CHARS: usize = 100;
/// How much of a file is read to find its encoding, in bytes.
const DETECT_BYTES: usize = 64 * 1024 * 1024;
/// How many bytes tell whether a file is text.
pub const SNIFF_BYTES: usize = 1_024;

/// A format that can be imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A table.
    #[default]
    Csv,
    /// Objects.
    Json,
}

impl Format {
    /// The word in the table `imports`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// What was found out about a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileInfo {
    /// The format.
    pub format: Format,
    /// The encoding's name, as the Encoding Standard spells it.
    pub encoding: String,
    /// What parts the cells of a table.
    pub delimiter: u8,
    /// How many rows stand before the first person's.
    pub header_rows: u32,
    /// The columns, or the keys of the first objects.
    pub columns: Vec<String>,
    /// The first rows, for people to look at.
    pub sample: Vec<Vec<String>>,
}

/// A file with the rows that its mapping is guessed from.
pub struct Inspected {
    pub info: FileInfo,
    pub look: Vec<Vec<String>>,
}

/// Archives, documents and pictures, by how they begin.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a zip archive or a spreadsheet (.xlsx)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet or document (.xls, .doc)"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"RIFF", "a picture, sound or film"),
    (b"II*\0", "a picture"),
    (b"MM\0*", "a picture"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"SQLite format 3", "a database"),
];

/// Whether a file that begins so is text; else what it is, in words.
pub fn refuse_foreign(head: &[u8]) -> Result<(), String> {
    if let Some((_, what)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(format!("this file is {what}; export the list as CSV or JSON and upload that"));
    }
    let head = &head[..head.len().min(SNIFF_BYTES)];
    // A few such bytes are damage, which is reported by its line; text does not consist of them.
    let is_control = |byte: &&u8| **byte < b' ' && !matches!(**byte, b'\t' | b'\n' | b'\r');
    if head.iter().filter(is_control).count() * 20 > head.len() && utf16(head).is_none() {
        return Err("this file is not text; export the list as CSV or JSON and upload that".to_owned());
    }
    Ok(())
}

/// The UTF-16 encoding of a text that begins so: by its byte order mark, or because every other byte is mostly NUL, as it
/// is in texts of Latin letters.
fn utf16(head: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return (encoding != encoding_rs::UTF_8).then_some(encoding);
    }
    let pairs = head.len() / 2;
    let nuls = |parity: usize| head.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    match (nuls(0), nuls(1)) {
        (0, high) if high * 2 > pairs => Some(encoding_rs::UTF_16LE),
        (high, 0) if high * 2 > pairs => Some(encoding_rs::UTF_16BE),
        _ => None,
    }
}

/// Finds out everything about a file, its encoding too unless that is known. It reads the file, so it is called off the async
/// threads.
pub fn inspect(path: &Path, known: Option<&'static Encoding>) -> Result<Inspected, Failure> {
    let encoding = known.map_or_else(|| encoding(path), Ok)?.name().to_owned();
    let mut info = FileInfo { encoding, delimiter: b',', ..FileInfo::default() };
    let text = |info: &FileInfo| rows::open(path, info, Arc::new(AtomicU64::new(0)));
    let mut lines = Lines::new(text(&info)?, super::csv_rows::ROW_MAX_BYTES);
    let mut head = Vec::new();
    while head.len() < 30 {
        match lines.next_line()? {
            Some(line) if line.text.trim().is_empty() => {}
            Some(line) => head.push(line.text),
            None => break,
        }
    }
    let Some(first) = head.first() else { return Err(Failure("the file is empty".to_owned())) };
    if first.trim_start().starts_with(['[', '{']) {
        info.format = Format::Json;
        let (columns, look) = look_at_json(JsonRows::new(text(&info)?))?;
        info.columns = columns;
        return finish(info, look);
    }
    // Excel writes the delimiter into a line of its own, where the machine's settings call for another than the comma.
    let told = first.strip_prefix("sep=").and_then(|rest| rest.bytes().next().filter(|_| rest.len() == 1));
    info.header_rows = 1 + u32::from(told.is_some());
    info.delimiter = told.unwrap_or_else(|| delimiter(&head));
    let mut table = CsvRows::new(text(&info)?, info.delimiter);
    let mut header = None;
    for _ in 0..info.header_rows {
        header = table.next_row()?;
    }
    let header = header.ok_or_else(|| Failure("the file has no header".to_owned()))?;
    let line = header.line;
    info.columns = header.cells.map_err(|why| Failure(format!("line {line}, the header: {why}")))?;
    let mut data = Rows::new(text(&info)?, &info)?;
    let (mut look, mut bytes) = (Vec::new(), 0);
    while look.len() < LOOK_ROWS
        && bytes < LOOK_BYTES
        && let Some(row) = data.next_row()?
    {
        bytes += row.raw.len();
        look.extend(row.cells);
    }
    finish(info, look)
}

fn finish(mut info: FileInfo, look: Vec<Vec<String>>) -> Result<Inspected, Failure> {
    if info.columns.len() > MAX_COLUMNS {
        return Err(Failure(format!("the file has more than {MAX_COLUMNS} columns")));
    }
    if info.columns.iter().any(|name| name.contains('\0')) {
        return Err(Failure("the header holds NUL characters; is this a text file?".to_owned()));
    }
    for column in &mut info.columns {
        *column = if info.format == Format::Csv { shown(column.trim()) } else { column.clone() };
    }
    info.sample = look.iter().take(SAMPLE_ROWS).map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
    Ok(Inspected { info, look })
}

/// The beginning of a cell, without what a database of text cannot hold.
fn shown(cell: &str) -> String {
    cell.chars().filter(|c| *c != '\0').take(SAMPLE_CELL_CHARS).collect()
}

/// The keys of the first objects, each object's in alphabetical order, and those objects as rows.
fn look_at_json(mut objects: JsonRows<rows::Input>) -> Result<(Vec<String>, Vec<Vec<String>>), Failure> {
    let mut columns: Vec<String> = Vec::new();
    let (mut seen, mut bytes) = (Vec::new(), 0);
    while seen.len() < LOOK_ROWS && bytes < LOOK_BYTES {
        let object = match objects.next_object() {
            Ok(Some(RawObject { raw, object, .. })) => {
                bytes += raw.len();
                object
            }
            Ok(None) => break,
            // A fault further down ends the import where it stands, with its line; a file that begins with one is refused.
            Err(failure) if seen.is_empty() => return Err(failure),
            Err(_) => break,
        };
        let Ok(flat) = object.and_then(flatten) else { continue };
        for (key, _) in &flat {
            if !columns.contains(key) && columns.len() <= MAX_COLUMNS {
                columns.push(key.clone());
            }
        }
        seen.push(flat);
    }
    if columns.is_empty() {
        return Err(Failure("the file holds no objects with people's data".to_owned()));
    }
    let look = seen
        .into_iter()
        .map(|flat| {
            let value = |column: &String| flat.iter().find(|(key, _)| key == column).map(|(_, value)| cell(value));
            columns.iter().map(|column| value(column).unwrap_or_default()).collect()
        })
        .collect();
    Ok((columns, look))
}

/// The delimiter by which most of the first lines have as many cells as the header.
fn delimiter(head: &[String]) -> u8 {
    let score = |delimiter: u8| {
        let counts: Vec<usize> = head.iter().filter_map(|line| split(line, delimiter)).map(|row| row.len()).collect();
        let columns = counts.first().copied().unwrap_or(0);
        let alike = counts.iter().filter(|count| **count == columns).count();
        if columns > 1 { (alike, columns) } else { (0, 0) }
    };
    // Of equals the first wins.
    b",;\t|".iter().rev().copied().max_by_key(|delimiter| score(*delimiter)).unwrap_or(b',')
}

/// UTF-16 by its form, UTF-8 if it is valid or all but a few characters are, else what the detector says.
fn encoding(path: &Path) -> Result<&'static Encoding, Failure> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; 256 * 1024];
    let mut filled = 0;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let (mut read, mut good, mut bad) = (0, 0_usize, 0_usize);
    loop {
        let count = file.read(&mut bytes[filled..])?;
        let last = count == 0;
        if read == 0
            && let Some(encoding) = utf16(&bytes[..count.min(SNIFF_BYTES)])
        {
            return Ok(encoding);
        }
        detector.feed(&bytes[filled..filled + count], last);
        read += count;
        filled += count;
        filled = tally(&mut bytes, filled, &mut good, &mut bad);
        if last || read >= DETECT_BYTES {
            break;
        }
    }
    if good >= bad * 10 {
        return Ok(encoding_rs::UTF_8);
    }
    Ok(detector.guess(None, Utf8Detection::Deny))
}

/// Counts the characters beyond ASCII that are UTF-8 and the bytes that are not, and moves what may go on in the next
/// chunk to the front. Answers how much that is.
fn tally(bytes: &mut [u8], filled: usize, good: &mut usize, bad: &mut usize) -> usize {
    let mut rest = &bytes[..filled];
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                *good += text.chars().filter(|c| !c.is_ascii()).count();
                return 0;
            }
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                *good += String::from_utf8_lossy(valid).chars().filter(|c| !c.is_ascii()).count();
                match error.error_len() {
                    Some(length) => {
                        *bad += 1;
                        rest = &after[length..];
                    }
                    None => {
                        let left = after.len();
                        bytes.copy_within(filled - left..filled, 0);
                        return left;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<FileInfo, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        inspect(&path, None).map(|found| found.info).map_err(|failure| failure.0)
    }

    #[test]
    fn foreign_files_are_named() {
        for (head, part) in [
            (&b"PK\x03\x04rest"[..], "zip"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"%PDF-1.7", "PDF"),
            (b"phone\0\x01\x02\x03,\0\0\0name", "not text"),
        ] {
            assert!(refuse_foreign(head).is_err_and(|why| why.contains(part)), "{head:?}");
        }
        let utf16: Vec<u8> = "phone,name\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(refuse_foreign(&utf16), Ok(()));
        assert_eq!(refuse_foreign(b"phone,name\n"), Ok(()));
    }

    #[test]
    fn tables_are_understood() {
        let cases: &[(&[u8], &str, u8, &[&str])] = &[
            (b"phone,name\n+49151,Ann\n", "UTF-8", b',', &["phone", "name"]),
            (b"\xef\xbb\xbfphone;name\n+49151;\"Lee, Ann\"\n", "UTF-8", b';', &["phone", "name"]),
            (b"phone\tname\n1\tA, B, C\n", "UTF-8", b'\t', &["phone", "name"]),
            (b"sep=|\nphone|name\n1|a;b\n", "UTF-8", b'|', &["phone", "name"]),
            (b"phone\n1\n", "UTF-8", b',', &["phone"]),
            (b"phone,name\n1,J\xfcrgen M\xfcller\n2,Bj\xf6rn Gr\xf6\xdfer\n", "windows-1252", b',', &["phone", "name"]),
        ];
        for (bytes, encoding, delimiter, columns) in cases {
            let info = check(bytes).unwrap();
            assert_eq!((info.encoding.as_str(), info.delimiter), (*encoding, *delimiter), "{bytes:?}");
            assert_eq!(info.columns, *columns);
            assert!(!info.sample.is_empty() && info.sample.iter().all(|row| row.len() == columns.len()), "{info:?}");
        }
        let utf16: Vec<u8> = "phone,name\n1,Ann\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(check(&utf16).unwrap().encoding, "UTF-16LE");
        // A damaged character does not make another encoding of a file that is UTF-8 otherwise.
        let mut damaged = "phone,name\n".to_owned().into_bytes();
        damaged.extend("1,Zoë Müller Größe Ångström Éa\n".as_bytes().repeat(3));
        damaged.extend(b"2,Zo\xeb\n");
        assert_eq!(check(&damaged).unwrap().encoding, "UTF-8");
    }

    #[test]
    fn objects_are_understood() {
        let info = check(b"[{\"phone\":\"1\",\"city\":\"Bonn\"},{\"phone\":\"2\",\"tags\":[\"a\"]}]").unwrap();
        assert_eq!((info.format, info.columns), (Format::Json, vec!["city".into(), "phone".into(), "tags".into()]));
        assert_eq!(info.sample[1], ["", "2", "a"]);
    }

    #[test]
    fn files_without_people_are_refused() {
        for (bytes, part) in
            [(&b""[..], "empty"), (b" \n\n", "empty"), (b"[]", "no objects"), (b"{\"a\":", "does not end")]
        {
            assert!(check(bytes).is_err_and(|why| why.contains(part)), "{bytes:?}");
        }
        let wide = vec!["c"; MAX_COLUMNS + 1].join(",");
        assert!(check(wide.as_bytes()).is_err_and(|why| why.contains("columns")));
    }
}
