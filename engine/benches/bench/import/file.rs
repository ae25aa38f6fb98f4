//! The file that is imported, made while it is read.

use bytes::Bytes;
use futures::{Stream, stream};
use std::io;

/// The header; the mapping is the one that it proposes.
pub const HEADER: &str = "phone,name,locale,city,plan,age,consent_sms\n";
/// How many rows one piece of the upload has.
const PIECE_ROWS: u32 = 500;
/// Every number of eight digits once, in no order that could be seen: the factor has no divisor in common with 10^8.
const SCRAMBLE: u64 = 7_654_321;
const CITIES: [&str; 16] = [
    "Aachen", "Berlin", "Bonn", "Bremen", "Dortmund", "Dresden", "Essen", "Halle", "Hamburg", "Kassel", "Kiel", "Köln",
    "Mainz", "München", "Rostock", "Ulm",
];
const PLANS: [&str; 4] = ["free", "plus", "pro", "team"];

/// Row `n`, with everyone `older` years older than in another file.
pub fn row(n: u32, older: u32) -> String {
    let (city, plan) = (CITIES[n as usize % CITIES.len()], PLANS[n as usize / 16 % PLANS.len()]);
    let consent = if n.is_multiple_of(20) { "" } else { "yes" };
    format!("{},Person {n},de-DE,{city},{plan},{},{consent}\n", phone(n), 18 + n / 64 % 60 + older)
}

/// A German mobile number of its own for each `n` below 10^8.
pub fn phone(n: u32) -> String {
    format!("+49151{:08}", u64::from(n) * SCRAMBLE % 100_000_000)
}

/// The upload of these many rows, of which each `bad`-th (0: none) has no number.
pub fn upload(rows: u32, older: u32, bad: u32) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = (0..rows.div_ceil(PIECE_ROWS)).map(move |piece| {
        let (from, to) = (piece * PIECE_ROWS, rows.min((piece + 1) * PIECE_ROWS));
        let broken = |n: u32| bad > 0 && n % bad == bad - 1;
        let text = (from..to).map(|n| if broken(n) { format!("none{}", row(n, older)) } else { row(n, older) });
        let head = if piece == 0 { HEADER } else { "" };
        Ok(Bytes::from(std::iter::once(head.to_owned()).chain(text).collect::<String>()))
    });
    stream::iter(pieces)
}
