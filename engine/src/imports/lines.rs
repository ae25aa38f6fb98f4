//! Physical lines of a file, each within a limit.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

/// A line with its end, which is empty on a last line without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// The text without its end.
    pub text: String,
    /// `\n`, `\r\n` or `\r`.
    pub end: &'static str,
    /// Whether it was longer than the limit; then `text` is its beginning.
    pub cut: bool,
}

/// Lines of UTF-8 text. Lines that were read ahead can be put back.
pub struct Lines<R> {
    input: R,
    limit_bytes: usize,
    number: u64,
    waiting: VecDeque<Line>,
}

impl<R: BufRead> Lines<R> {
    /// Lines of at most `limit_bytes` each.
    pub fn new(input: R, limit_bytes: usize) -> Self {
        Self { input, limit_bytes, number: 0, waiting: VecDeque::new() }
    }

    /// Puts lines back, to be read again in their order.
    pub fn put_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.waiting.push_front(line);
        }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// Those of the input.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.waiting.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let mut cut = false;
        let end = loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                if bytes.is_empty() && !cut {
                    return Ok(None);
                }
                break "";
            }
            let stop = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &buffer[..stop.unwrap_or(buffer.len())];
            let room = self.limit_bytes.saturating_sub(bytes.len()).min(part.len());
            cut |= room < part.len();
            bytes.extend_from_slice(&part[..room]);
            let taken = part.len();
            match stop.map(|at| buffer[at]) {
                None => self.input.consume(taken),
                Some(b'\n') => {
                    self.input.consume(taken + 1);
                    break "\n";
                }
                Some(_) => {
                    self.input.consume(taken + 1);
                    if self.input.fill_buf()?.first() == Some(&b'\n') {
                        self.input.consume(1);
                        break "\r\n";
                    }
                    break "\r";
                }
            }
        };
        self.number += 1;
        Ok(Some(Line { number: self.number, text: lossy(bytes), end, cut }))
    }
}

/// The text of bytes that are UTF-8, unless a limit cut a character in two.
fn lossy(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn check(text: &str, limit: usize, expected: &[(&str, &str, bool)]) {
        // A buffer of one byte puts every boundary between two reads.
        for size in [1, 64] {
            let mut lines = Lines::new(BufReader::with_capacity(size, text.as_bytes()), limit);
            let mut found = Vec::new();
            while let Some(line) = lines.next_line().unwrap() {
                assert_eq!(line.number as usize, found.len() + 1);
                found.push((line.text, line.end, line.cut));
            }
            let found: Vec<_> = found.iter().map(|(text, end, cut)| (text.as_str(), *end, *cut)).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn lines_end_in_three_ways() {
        check("", 9, &[]);
        check("a", 9, &[("a", "", false)]);
        check("a\nb\r\nc\rd", 9, &[("a", "\n", false), ("b", "\r\n", false), ("c", "\r", false), ("d", "", false)]);
        check("\n\r\n", 9, &[("", "\n", false), ("", "\r\n", false)]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        check("abcdef\nxy\n", 3, &[("abc", "\n", true), ("xy", "\n", false)]);
        check("aäb\nc", 2, &[("a", "\n", true), ("c", "", false)]);
    }
}
