//! CSV as spreadsheets open it.

use crate::{Error, Result};

/// One record of CSV with its end. Cells that a spreadsheet would take for a formula get an apostrophe in front.
///
/// # Errors
/// [`Error::Internal`], if the memory does not take it.
pub(crate) fn record(cells: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let cells: Vec<String> = cells.into_iter().map(|cell| defused(cell.as_ref())).collect();
    writer.write_record(&cells).map_err(Error::internal)?;
    writer.into_inner().map_err(|error| Error::internal(error.to_string()))
}

/// The cell as no spreadsheet takes it for a formula (OWASP ASVS 5.0, 1.2.10): `=`, `+`, `-`, `@`, tab, carriage return, and
/// the full-width forms of the first four.
fn defused(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("+4915112345678", "'+4915112345678"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("＝1", "'＝1"),
            ("Ann", "Ann"),
            ("", ""),
        ] {
            assert_eq!(defused(cell), expected);
        }
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(record(["a,b", "c \"d\"", "e"]).unwrap(), b"\"a,b\",\"c \"\"d\"\"\",e\n");
    }
}
