//! Objects of a JSON file: an array of them, one a line, or one after another.
//!
//! A scanner finds where each object ends, by its braces and quotes, and serde_json reads it alone: memory is bounded by
//! one object, and one with a fault inside costs no other. An object without an end is given up where a following line begins
//! with a brace: there the next one begins. A fault between objects, or one behind which no line begins so, ends the file.

use super::{
    csv_rows::ROW_MAX_LINES,
    rows::{Broken, Failure, RawRow},
    strict_json::Strict,
};
use serde_json::{Map, Value};
use std::{
    collections::HashSet,
    io::{self, BufRead},
};

/// The longest object, in bytes.
pub const OBJECT_MAX_BYTES: usize = 1024 * 1024;
/// How deep objects and arrays may be nested. A person is flat; this bounds what a hostile file can make us hold.
const DEPTH_MAX: usize = 64;

/// An object as it stands in the file.
pub struct RawObject {
    /// Its number, from 1.
    pub number: u64,
    /// The text.
    pub raw: String,
    /// What the text is.
    pub object: Result<Map<String, Value>, Broken>,
}

/// An object as far as it was read, where a line within it begins with a brace, and why it was given up, if it was.
struct Nested {
    raw: Vec<u8>,
    next: Option<usize>,
    unended: Option<String>,
}

/// The objects of a file.
pub struct JsonRows<R> {
    input: R,
    /// What was read ahead and given back, last byte first.
    waiting: Vec<u8>,
    line: u64,
    row: u64,
    /// Whether an array was opened, and closed.
    array: Option<bool>,
}

impl<R: BufRead> JsonRows<R> {
    /// Reads objects.
    pub fn new(input: R) -> Self {
        Self { input, waiting: Vec::new(), line: 1, row: 0, array: None }
    }

    /// The next object; `None` at the end. Its cells are filled in by [`row`].
    ///
    /// # Errors
    /// [`Failure`] where the file cannot be read on.
    pub fn next_object(&mut self) -> Result<Option<RawObject>, Failure> {
        let Some(first) = self.between()? else { return Ok(None) };
        self.row += 1;
        let began = self.line;
        let Nested { mut raw, next, unended } = match first {
            b'{' | b'[' => self.nested(first)?,
            first => Nested { raw: self.plain(first)?, next: None, unended: None },
        };
        let object = match (unended, serde_json::from_slice(&raw)) {
            (Some(why), _) => Err(Broken::Json(format!("the object of line {began} {why}"))),
            (None, Ok(Strict(Value::Object(object)))) => Ok(object),
            (None, Ok(_)) => Err(Broken::NotAnObject(began)),
            (None, Err(error)) => Err(Broken::Json(in_file(&error, began))),
        };
        if let (true, Some(next)) = (object.is_err(), next) {
            let ahead = raw.split_off(next);
            self.line -= ahead.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.waiting.extend(ahead.into_iter().rev());
        }
        Ok(Some(RawObject { number: self.row, raw: String::from_utf8_lossy(&raw).into_owned(), object }))
    }

    /// Passes over what stands between two values, and takes the first byte of the next.
    fn between(&mut self) -> Result<Option<u8>, Failure> {
        while let Some(byte) = self.byte()? {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' => {}
                b'[' if self.array.is_none() && self.row == 0 => self.array = Some(true),
                b']' if self.array == Some(true) => self.array = Some(false),
                _ if self.array == Some(false) => {
                    return Err(self.failure("there is something after the end of the list"));
                }
                b']' | b'}' => return Err(self.failure("a bracket is closed that was not opened")),
                first => return Ok(Some(first)),
            }
        }
        if self.array == Some(true) { Err(self.failure("the list is not closed")) } else { Ok(None) }
    }

    /// An object up to its end, or up to where it was given up; without a place to go on from, the file ends there.
    fn nested(&mut self, first: u8) -> Result<Nested, Failure> {
        let began = self.line;
        let mut raw = vec![first];
        let (mut depth, mut in_text, mut escaped) = (1_usize, false, false);
        let mut next = None;
        let give_up = |raw, next: Option<usize>, why: String| match next {
            Some(_) => Ok(Nested { raw, next, unended: Some(why) }),
            None => Err(Failure(format!("line {began}: an object begins here and {why}"))),
        };
        while depth > 0 {
            let Some(byte) = self.byte()? else {
                return give_up(raw, next, "does not end".to_owned());
            };
            if byte == b'{' && raw.last() == Some(&b'\n') && next.is_none() {
                next = Some(raw.len());
            }
            raw.push(byte);
            if raw.len() > OBJECT_MAX_BYTES {
                return give_up(raw, next, format!("is longer than {OBJECT_MAX_BYTES} bytes"));
            }
            // Where every line is an object, one that does not end is not looked for through all of them.
            if next.is_some() && self.line - began > ROW_MAX_LINES as u64 {
                return give_up(raw, next, "does not end".to_owned());
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                _ if in_text => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth > DEPTH_MAX {
                return give_up(raw, next, format!("is nested more than {DEPTH_MAX} deep"));
            }
        }
        Ok(Nested { raw, next, unended: None })
    }

    /// A value that is no object, up to what ends it: a comma, a bracket or white space.
    fn plain(&mut self, first: u8) -> Result<Vec<u8>, Failure> {
        let mut raw = vec![first];
        let (mut in_text, mut escaped) = (first == b'"', false);
        loop {
            let Some(byte) = self.peek()? else { return Ok(raw) };
            if !in_text && matches!(byte, b',' | b']' | b'}' | b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(raw);
            }
            self.byte()?;
            raw.push(byte);
            if raw.len() > OBJECT_MAX_BYTES {
                return Err(self.failure("a value is too long"));
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                _ => {}
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        match self.waiting.last() {
            Some(byte) => Ok(Some(*byte)),
            None => Ok(self.input.fill_buf()?.first().copied()),
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            if self.waiting.pop().is_none() {
                self.input.consume(1);
            }
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    fn failure(&self, why: &str) -> Failure {
        Failure(format!("line {}: {why}", self.line))
    }
}

/// serde_json's words, with the line of the file instead of a place in the object.
fn in_file(error: &serde_json::Error, began: u64) -> String {
    let words = error.to_string();
    let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
    format!("{words} (line {})", began + (error.line() as u64).saturating_sub(1))
}

/// The keys of an object, one level deep: `{"a": {"b": 1}}` has the key `a.b`.
///
/// # Errors
/// [`Broken::RepeatedKey`] where a key is written both ways.
pub fn flatten(object: Map<String, Value>) -> Result<Vec<(String, Value)>, Broken> {
    let mut flat = Vec::with_capacity(object.len());
    let mut dotted = false;
    for (key, value) in object {
        dotted |= key.contains('.');
        match value {
            Value::Object(inner) => {
                flat.extend(inner.into_iter().map(|(leaf, value)| (format!("{key}.{leaf}"), value)))
            }
            value => flat.push((key, value)),
        }
    }
    let mut seen = HashSet::new();
    match flat.iter().find(|(key, _)| dotted && !seen.insert(key)) {
        Some((key, _)) => Err(Broken::RepeatedKey(key.clone())),
        None => Ok(flat),
    }
}

/// The row of an object, in the order of the file's columns.
pub fn row(number: u64, raw: String, object: Result<Map<String, Value>, Broken>, columns: &[String]) -> RawRow {
    let flat = match object.and_then(flatten) {
        Ok(flat) => flat,
        Err(broken) => return RawRow { line: number, raw, cells: Err(broken), typed: Vec::new() },
    };
    let mut cells = vec![String::new(); columns.len()];
    let mut typed = vec![None; columns.len()];
    for (key, value) in flat {
        let Some(column) = columns.iter().position(|column| *column == key) else {
            if value.is_null() {
                continue;
            }
            return RawRow { line: number, raw, cells: Err(Broken::UnknownKey(key)), typed: Vec::new() };
        };
        cells[column] = cell(&value);
        typed[column] = kept_type(value);
    }
    RawRow { line: number, raw, cells: Ok(cells), typed }
}

/// The value as a cell of a table would hold it; lists are parted by commas.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Truths, and lists of plain values, which a cell of text would lose.
fn kept_type(value: Value) -> Option<Value> {
    let plain = |item: &Value| matches!(item, Value::String(_) | Value::Number(_) | Value::Bool(_));
    match &value {
        Value::Bool(_) => Some(value),
        Value::Array(items) if !items.is_empty() && items.iter().all(plain) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(u64, bool)>, Option<String>) {
        let mut reader = JsonRows::new(text.as_bytes());
        let mut found = Vec::new();
        loop {
            match reader.next_object() {
                Ok(Some(RawObject { number, object, .. })) => found.push((number, object.is_ok())),
                Ok(None) => return (found, None),
                Err(Failure(why)) => return (found, Some(why)),
            }
        }
    }

    fn check(text: &str, rows: &[bool], failure: Option<&str>) {
        let (found, why) = read(text);
        assert_eq!(found.iter().map(|(_, ok)| *ok).collect::<Vec<_>>(), rows, "{text:?}");
        assert!(found.iter().zip(1..).all(|((number, _), expected)| *number == expected));
        match failure {
            None => assert_eq!(why, None, "{text:?}"),
            Some(part) => assert!(why.as_ref().is_some_and(|why| why.contains(part)), "{text:?}: {why:?}"),
        }
    }

    #[test]
    fn lists_lines_and_sequences_are_read() {
        check("", &[], None);
        check("[]", &[], None);
        check(r#"[{"a":1},{"a":"}]{"}]"#, &[true, true], None);
        check("{\"a\":1}\n{\"a\":2}\n", &[true, true], None);
        check("{\n\"a\":1}{\"a\":\n\"\\\"}\"}", &[true, true], None);
    }

    #[test]
    fn a_fault_inside_costs_one_object() {
        check(r#"[{"a":1},{"a":},{"a":"\ud800"},7,"x, y",{"a":2}]"#, &[true, false, false, false, false, true], None);
        check("{\"a\" 1}\n{\"a\":2}", &[false, true], None);
    }

    #[test]
    fn an_object_without_an_end_costs_its_own_line_only() {
        check("{\"a\":1\n{\"a\":2}\n{\"a\":3}\n", &[false, true, true], None);
        check("{\"a\":\"1}\n{\"a\":2}\n", &[false, true], None);
        check("[{\"a\":1},\n{\"a\":[2},\n{\"a\":3}]", &[true, false, true], None);
        let many = format!("{{\"a\":\n{}", "{\"a\":1}\n".repeat(2 * ROW_MAX_LINES));
        let mut expected = vec![true; 2 * ROW_MAX_LINES + 1];
        expected[0] = false;
        check(&many, &expected, None);
        // What is read again is counted once.
        let mut reader = JsonRows::new("{\"a\":1\n{\"a\":2}\n{\"a\" 3}".as_bytes());
        let why = |found: RawObject| found.object.err().map(|why| why.to_string()).unwrap_or_default();
        let mut next = || why(reader.next_object().unwrap().unwrap());
        assert!(next().ends_with("the object of line 1 does not end"));
        assert_eq!(next(), "");
        assert!(next().ends_with("(line 3)"));
    }

    #[test]
    fn keys_stand_once_however_they_are_written() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":2}}"#] {
            check(text, &[false], None);
        }
        let both = serde_json::from_str(r#"{"a.b":1,"a":{"b":2}}"#).unwrap();
        assert_eq!(flatten(both), Err(Broken::RepeatedKey("a.b".to_owned())));
    }

    #[test]
    fn a_fault_between_ends_the_file_by_its_line() {
        check("[{\"a\":1},\n{\"a\":", &[true], Some("line 2: an object begins here and does not end"));
        check("[{\"a\":1}\n", &[true], Some("not closed"));
        check("[{\"a\":1}]\n{}", &[true], Some("line 2: there is something after"));
        check("{\"a\":1}\n}", &[true], Some("line 2"));
        check(&"[".repeat(20_000), &[], Some("nested"));
        check(&format!("{{\"a\":\"{}\"}}", "x".repeat(OBJECT_MAX_BYTES)), &[], Some("longer"));
    }

    #[test]
    fn an_object_becomes_a_row() {
        let columns: Vec<String> = ["phone", "attributes.city", "tags", "vip"].map(str::to_owned).into();
        let Ok(Value::Object(object)) = serde_json::from_str(
            r#"{"vip":true,"phone":49151,"attributes":{"city":"Bonn"},"tags":["a","b"],"x":null}"#,
        ) else {
            unreachable!("an object was written")
        };
        let found = row(1, String::new(), Ok(object), &columns);
        assert_eq!(found.cells, Ok(["49151", "Bonn", "a,b", "true"].map(str::to_owned).into()));
        assert_eq!(found.typed, [None, None, Some(serde_json::json!(["a", "b"])), Some(Value::Bool(true))]);
        let unknown = row(1, String::new(), Ok([("fax".to_owned(), Value::from(1))].into_iter().collect()), &columns);
        assert_eq!(unknown.cells, Err(Broken::UnknownKey("fax".to_owned())));
    }
}
