//! Records of a CSV file, where a broken one costs no other.
//!
//! The splitting follows the csv crate to the letter (a property test holds that), which cannot be used here itself: at a
//! quote that is never closed it takes the rest of the file for one cell. Here such a record is given up after a limit, and
//! reading goes on with the line after the one where it began.

use super::{
    lines::{Line, Lines},
    rows::{Broken, RawRow},
};
use domain::import::MAX_COLUMNS;
use std::io::{self, BufRead};

/// The longest record, in bytes.
pub const ROW_MAX_BYTES: usize = 1024 * 1024;
/// How many lines one record may span.
pub const ROW_MAX_LINES: usize = 200;
/// How many cells a record is split into. A row of a megabyte of commas is not worth a million cells: what is in those beyond all
/// columns is one cell, which says whether there is anything.
const CELLS_MAX: usize = MAX_COLUMNS + 2;

/// Splits one record, piece by piece.
struct Splitter {
    delimiter: u8,
    cells: Vec<String>,
    cell: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first character of a cell.
    Start,
    /// In a cell without quotes, or after the closing one.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote between quotes: the closing one, or half of a doubled one.
    Quote,
}

impl Splitter {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, cells: Vec::new(), cell: String::new(), state: State::Start }
    }

    fn take(&mut self, text: &str) {
        let delimiter = char::from(self.delimiter);
        for c in text.chars() {
            self.state = match (self.state, c) {
                (State::Quoted, '"') => State::Quote,
                (State::Quoted, _) => self.push(c, State::Quoted),
                (State::Start, '"') => State::Quoted,
                (State::Quote, '"') => self.push(c, State::Quoted),
                (_, c) if c == delimiter && self.cells.len() + 1 == CELLS_MAX => State::Start,
                (_, c) if c == delimiter => {
                    self.cells.push(std::mem::take(&mut self.cell));
                    State::Start
                }
                (_, c) => self.push(c, State::Plain),
            };
        }
    }

    fn push(&mut self, c: char, state: State) -> State {
        self.cell.push(c);
        state
    }

    fn is_open(&self) -> bool {
        self.state == State::Quoted
    }

    fn finish(mut self) -> Vec<String> {
        self.cells.push(self.cell);
        self.cells
    }
}

/// Splits a text that is one record; `None` if a quote in it is not closed.
pub fn split(text: &str, delimiter: u8) -> Option<Vec<String>> {
    let mut splitter = Splitter::new(delimiter);
    splitter.take(text);
    (!splitter.is_open()).then(|| splitter.finish())
}

/// The records of a file, header included. Empty lines are none, as for the csv crate.
pub struct CsvRows<R> {
    lines: Lines<R>,
    delimiter: u8,
}

impl<R: BufRead> CsvRows<R> {
    /// Reads records whose cells are parted by `delimiter`.
    pub fn new(input: R, delimiter: u8) -> Self {
        Self { lines: Lines::new(input, ROW_MAX_BYTES), delimiter }
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// Those of the input.
    pub fn next_row(&mut self) -> io::Result<Option<RawRow>> {
        let first = loop {
            match self.lines.next_line()? {
                None => return Ok(None),
                Some(line) if line.text.is_empty() && !line.cut => {}
                Some(line) => break line,
            }
        };
        if first.cut {
            return Ok(Some(broken(first, Broken::TooLong)));
        }
        let mut splitter = Splitter::new(self.delimiter);
        splitter.take(&first.text);
        let mut raw = first.text.clone();
        let mut end = first.end;
        let mut ahead = Vec::new();
        while splitter.is_open() {
            let next = self.lines.next_line()?;
            let fits = ahead.len() < ROW_MAX_LINES && raw.len() < ROW_MAX_BYTES;
            match next {
                Some(line) if fits && !line.cut => {
                    splitter.take(end);
                    splitter.take(&line.text);
                    raw.push_str(end);
                    raw.push_str(&line.text);
                    end = line.end;
                    ahead.push(line);
                }
                next => {
                    // The quote opens here and closes nowhere near: the following lines are rows of their own.
                    ahead.extend(next);
                    self.lines.put_back(ahead);
                    return Ok(Some(broken(first, Broken::OpenQuote)));
                }
            }
        }
        Ok(Some(RawRow { line: first.number, raw, cells: Ok(splitter.finish()), typed: Vec::new() }))
    }
}

fn broken(line: Line, why: Broken) -> RawRow {
    RawRow { line: line.number, raw: line.text, cells: Err(why), typed: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Vec<(u64, Result<Vec<String>, Broken>)> {
        let mut reader = CsvRows::new(text.as_bytes(), b',');
        let mut found = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            found.push((row.line, row.cells));
        }
        found
    }

    fn check(text: &str, expected: &[(u64, Result<&[&str], Broken>)]) {
        let found = rows(text);
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, cells)| (*line, cells.clone().map(|cells| cells.iter().map(|c| (*c).to_owned()).collect())))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn records_know_their_lines() {
        check("a,b\r\n\r\n1,\"x\ny\"\n2,z", &[(1, Ok(&["a", "b"])), (3, Ok(&["1", "x\ny"])), (5, Ok(&["2", "z"]))]);
    }

    #[test]
    fn a_quote_that_never_closes_costs_its_own_line_only() {
        check(
            "a,b\n1,\"x\n2,y\n3,z\n",
            &[(1, Ok(&["a", "b"])), (2, Err(Broken::OpenQuote)), (3, Ok(&["2", "y"])), (4, Ok(&["3", "z"]))],
        );
        let long = format!("1,\"x\n{}2,y\n", "3,z\n".repeat(ROW_MAX_LINES + 5));
        let found = rows(&long);
        assert_eq!(found.len(), ROW_MAX_LINES + 7);
        assert_eq!(found.iter().filter(|(_, cells)| cells.is_err()).count(), 1);
    }

    #[test]
    fn a_row_over_the_limit_is_refused() {
        let text = format!("{}\n1,2\n", "x".repeat(ROW_MAX_BYTES + 1));
        let found = rows(&text);
        assert_eq!(found[0].1, Err(Broken::TooLong));
        assert_eq!(found[1], (2, Ok(vec!["1".to_owned(), "2".to_owned()])));
    }

    #[test]
    fn what_is_beyond_all_columns_is_one_cell() {
        let row = |text: &str| rows(text).remove(0).1.unwrap();
        let wide = row(&format!("a{},b,c", ",".repeat(100_000)));
        assert_eq!((wide.len(), wide[0].as_str(), wide[CELLS_MAX - 1].as_str()), (CELLS_MAX, "a", "bc"));
        let blank = row(&format!("a{}", ",".repeat(100_000)));
        assert!(blank[1..].iter().all(String::is_empty));
        assert_eq!(row(&format!("a{}", ",".repeat(CELLS_MAX - 1))).len(), CELLS_MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, max_global_rejects: 20_000, ..ProptestConfig::default() })]

        /// Wherever no quote stays open, the cells are those that the csv crate reads.
        #[test]
        fn it_agrees_with_the_csv_crate(text in "[ab,\"\r\n ]{0,40}") {
            let ours = rows(&text);
            prop_assume!(ours.iter().all(|(_, cells)| cells.is_ok()));
            let ours: Vec<Vec<String>> = ours.into_iter().filter_map(|(_, cells)| cells.ok()).collect();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let theirs: Vec<Vec<String>> =
                reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
