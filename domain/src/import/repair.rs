//! What is often wrong with numbers in files, and can be put right without guessing.
//!
//! A repair is offered by the check of a file, with how many rows it would save; only those that were chosen are made.

use super::{Field, ImportOptions, Mapping, Repair};
use crate::phone::{self, Phone};

impl Repair {
    /// The number that a cell holds once it is repaired; `None` where this repair does not help.
    pub fn phone(self, cell: &str, default_region: Option<&str>) -> Option<Phone> {
        let cell = cell.trim();
        let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
        let only_number = cell.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "().-/".contains(c));
        match self {
            Self::PlusMissing if only_number && !digits.starts_with('0') => {
                phone::normalise(&format!("+{digits}"), None).ok()
            }
            Self::DoubleZero if only_number => phone::normalise(&format!("+{}", digits.strip_prefix("00")?), None).ok(),
            Self::Exponent => phone::normalise(&format!("+{}", written_out(cell)?), None).ok(),
            Self::Junk => phone::normalise(only_run(cell)?, default_region).ok(),
            _ => None,
        }
    }

    /// The cells with name and number swapped, where that makes a row of what was none.
    pub fn swap<'a>(mapping: &Mapping, cells: &[&'a str], default_region: Option<&str>) -> Option<Vec<&'a str>> {
        let column = |wanted: Field| mapping.columns.iter().position(|field| field.as_ref() == Some(&wanted));
        let (number, name) = (column(Field::Phone)?, column(Field::Name)?);
        let (in_number, in_name) = (*cells.get(number)?, *cells.get(name)?);
        let looks_swapped =
            !in_number.chars().any(|c| c.is_ascii_digit()) && phone::normalise(in_name.trim(), default_region).is_ok();
        looks_swapped.then(|| {
            let mut swapped = cells.to_vec();
            swapped.swap(number, name);
            swapped
        })
    }
}

/// A repair that was not chosen and would make a number of a refused row's cell: which, what stands there, and what it would
/// become.
pub fn offer(options: &ImportOptions, cells: &[&str]) -> Option<(Repair, String, String)> {
    let region = options.default_region.as_deref();
    let column = options.mapping.columns.iter().position(|field| *field == Some(Field::Phone))?;
    let cell = cells.get(column)?.trim();
    if cell.is_empty() || phone::normalise(cell, region).is_ok() {
        return None;
    }
    let open = || Repair::ALL.iter().filter(|repair| !options.repairs.contains(repair));
    if let Some((repair, phone)) = open().find_map(|repair| Some((*repair, repair.phone(cell, region)?))) {
        return Some((repair, cell.to_owned(), phone.to_string()));
    }
    open().find(|repair| **repair == Repair::Swapped)?;
    let swapped = Repair::swap(&options.mapping, cells, region)?;
    Some((Repair::Swapped, cell.to_owned(), swapped[column].trim().to_owned()))
}

/// The digits of a number in exponent form, where its mantissa holds all of them.
fn written_out(cell: &str) -> Option<String> {
    let (mantissa, exponent) = cell.split_once(['E', 'e'])?;
    let exponent: usize = exponent.trim_start_matches('+').parse().ok()?;
    let (whole, fraction) = mantissa.split_once(['.', ','])?;
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exact = whole.len() == 1 && fraction.len() == exponent && all_digits(whole) && all_digits(fraction);
    exact.then(|| format!("{whole}{fraction}"))
}

/// The one stretch of a text that can be a number; `None` if there is none, or more than one.
fn only_run(cell: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+().-/".contains(c);
    let mut runs = cell
        .split(|c: char| !is_part(c))
        .map(|run| run.trim_matches(|c: char| c.is_whitespace() || "().-/".contains(c)))
        .filter(|run| run.chars().filter(char::is_ascii_digit).count() >= phone::MIN_DIGITS);
    let run = runs.next()?;
    (runs.next().is_none() && run.len() < cell.len()).then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_repair_mends_its_own_fault_only() {
        let cases: &[(&str, &[(Repair, &str)])] = &[
            ("94771234567", &[(Repair::PlusMissing, "+94771234567")]),
            ("0094 77 123 4567", &[(Repair::DoubleZero, "+94771234567")]),
            ("9.4771234567E+10", &[(Repair::Exponent, "+94771234567")]),
            // Digits are lost: nothing can bring them back.
            ("9.477E+10", &[]),
            ("Mobile: +94 77 123 4567 (work)", &[(Repair::Junk, "+94771234567")]),
            ("+94771234567 or +94771234568", &[]),
            ("0771234567", &[]),
            ("hello", &[]),
        ];
        for (cell, expected) in cases {
            let found: Vec<(Repair, String)> = Repair::ALL
                .iter()
                .filter_map(|repair| Some((*repair, repair.phone(cell, None)?.to_string())))
                .collect();
            let expected: Vec<(Repair, String)> = expected.iter().map(|(r, n)| (*r, (*n).to_owned())).collect();
            assert_eq!(found, expected, "{cell}");
        }
    }

    #[test]
    fn swapped_columns_are_seen_row_by_row() {
        let mapping = Mapping { columns: vec![Some(Field::Phone), None, Some(Field::Name)] };
        let swap = |cells: [&'static str; 3]| Repair::swap(&mapping, &cells, None);
        assert_eq!(swap(["Ann", "x", "+94771234567"]), Some(vec!["+94771234567", "x", "Ann"]));
        assert_eq!(swap(["+94771234567", "x", "Ann"]), None);
        assert_eq!(swap(["Flat 3", "x", "+94771234567"]), None);
    }
}
