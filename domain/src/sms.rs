//! How many parts a text takes as SMS, and which characters make it dear.
//!
//! A text whose characters are all in the GSM 7-bit alphabet (3GPP TS 23.038, 6.2.1) takes 160 units, or 153 in each
//! part of several; one character outside makes the whole text UCS-2, with 70 or 67 (TWILIO.md 7).

use crate::consent::words;
use serde::{Deserialize, Serialize};

/// The GSM 7-bit default alphabet without its escape; one unit each.
const GSM7: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table; an escape and a character, two units, never split over two parts.
const GSM7_EXTENSION: &str = "\u{0C}^{}\\[~]|€";

/// What typographic characters can be written as, in the way of Twilio's Smart Encoding.
const REPLACEMENTS: &[(&str, &str)] = &[
    ("\"", "«»“”„‟″‶ʺˮ❝❞〝〞＂"),
    ("'", "‘’‛′‵ʹʻʼʽˈˊˋ´`❛❜＇"),
    (",", "‚，"),
    ("-", "‐‑‒–—―−⁃﹣－•"),
    ("...", "…"),
    ("<", "‹"),
    (">", "›"),
    ("/", "÷⁄∕／"),
    ("x", "×"),
    ("!", "ǃ！"),
    ("?", "？"),
    (":", "：∶"),
    (";", "；"),
    ("1/4", "¼"),
    ("1/2", "½"),
    ("3/4", "¾"),
    ("(TM)", "™"),
    ("(R)", "®"),
    ("(c)", "©"),
    (
        " ",
        "\u{A0}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200A}\u{202F}\u{205F}\u{3000}\t",
    ),
    ("\n", "\u{2028}\u{2029}"),
    ("", "\u{AD}\u{200B}\u{2060}\u{FEFF}"),
];

words! {
    /// How a text is encoded.
    Encoding {
        /// Seven bits a unit.
        Gsm7 = "gsm7", "GSM-7";
        /// Sixteen bits a unit.
        Ucs2 = "ucs2", "UCS-2";
    }
}

/// How many units fit into a text of one part, and into each part of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSizes {
    /// GSM-7, alone.
    pub gsm7_single: usize,
    /// GSM-7, one of several.
    pub gsm7_part: usize,
    /// UCS-2, alone.
    pub ucs2_single: usize,
    /// UCS-2, one of several.
    pub ucs2_part: usize,
}

impl PartSizes {
    /// Long codes and short codes.
    pub const STANDARD: Self = Self { gsm7_single: 160, gsm7_part: 153, ucs2_single: 70, ucs2_part: 67 };
    /// Toll-free numbers in North America (TWILIO.md 7).
    pub const TOLL_FREE: Self = Self { gsm7_part: 152, ucs2_part: 66, ..Self::STANDARD };
}

/// A character that makes a text UCS-2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offender {
    /// The character.
    pub character: char,
    /// What could be written instead, if anything; may be empty for an invisible character.
    pub replacement: Option<String>,
    /// Where it stands, counted in characters from 0.
    pub positions: Vec<usize>,
}

/// What a text takes as SMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsSize {
    /// The encoding.
    pub encoding: Encoding,
    /// The length in units: septets of GSM-7, or UTF-16 units.
    pub units: usize,
    /// The number of parts; 0 for no text.
    pub segments: usize,
    /// How many units still fit into the last part.
    pub remaining_in_segment: usize,
    /// The characters to blame for UCS-2, in the order of their first appearance.
    pub offenders: Vec<Offender>,
}

/// What a text takes on an ordinary sender.
pub fn size(text: &str) -> SmsSize {
    size_with(text, PartSizes::STANDARD)
}

/// What a text takes on a sender with these part sizes.
pub fn size_with(text: &str, sizes: PartSizes) -> SmsSize {
    let offenders = offenders(text);
    let encoding = if offenders.is_empty() { Encoding::Gsm7 } else { Encoding::Ucs2 };
    let (single, part) = match encoding {
        Encoding::Gsm7 => (sizes.gsm7_single, sizes.gsm7_part),
        Encoding::Ucs2 => (sizes.ucs2_single, sizes.ucs2_part),
    };
    let widths =
        || text.chars().map(|c| if encoding == Encoding::Gsm7 { septets(c).unwrap_or(0) } else { c.len_utf16() });
    let units: usize = widths().sum();
    if units <= single {
        let segments = usize::from(units > 0);
        return SmsSize { encoding, units, segments, remaining_in_segment: single - units, offenders };
    }
    // A character of two units that does not fit into a part moves to the next as a whole.
    let (segments, used) =
        widths().fold(
            (1, 0),
            |(segments, used), width| {
                if used + width > part { (segments + 1, width) } else { (segments, used + width) }
            },
        );
    SmsSize { encoding, units, segments, remaining_in_segment: part - used, offenders }
}

/// The text with every typographic character written plainly.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match replacement(c) {
            Some(plain) => out.push_str(plain),
            None => out.push(c),
        }
    }
    out
}

/// The septets of a character; `None` outside GSM-7.
fn septets(c: char) -> Option<usize> {
    // Nearly every character of nearly every text.
    if c.is_ascii_alphanumeric() || c == ' ' || GSM7.contains(c) {
        Some(1)
    } else if GSM7_EXTENSION.contains(c) {
        Some(2)
    } else {
        None
    }
}

fn replacement(c: char) -> Option<&'static str> {
    if septets(c).is_some() {
        return None;
    }
    REPLACEMENTS.iter().find(|(_, characters)| characters.contains(c)).map(|(plain, _)| *plain)
}

fn offenders(text: &str) -> Vec<Offender> {
    let mut found: Vec<Offender> = Vec::new();
    for (position, c) in text.chars().enumerate().filter(|(_, c)| septets(*c).is_none()) {
        match found.iter_mut().find(|one| one.character == c) {
            Some(one) => one.positions.push(position),
            None => found.push(Offender {
                character: c,
                replacement: replacement(c).map(str::to_owned),
                positions: vec![position],
            }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, encoding: Encoding, units: usize, segments: usize, remaining: usize) {
        let size = size(text);
        assert_eq!(
            (size.encoding, size.units, size.segments, size.remaining_in_segment),
            (encoding, units, segments, remaining),
            "{text:?}"
        );
    }

    #[test]
    fn gsm7_boundaries() {
        let a = |n| "a".repeat(n);
        check("", Encoding::Gsm7, 0, 0, 160);
        check("a", Encoding::Gsm7, 1, 1, 159);
        check(&a(160), Encoding::Gsm7, 160, 1, 0);
        check(&a(161), Encoding::Gsm7, 161, 2, 145);
        for n in 2..=10 {
            check(&a(153 * n), Encoding::Gsm7, 153 * n, n, 0);
            check(&a(153 * n + 1), Encoding::Gsm7, 153 * n + 1, n + 1, 152);
        }
    }

    #[test]
    fn ucs2_boundaries() {
        let a = |n| "я".repeat(n);
        check(&a(70), Encoding::Ucs2, 70, 1, 0);
        check(&a(71), Encoding::Ucs2, 71, 2, 63);
        for n in 2..=10 {
            check(&a(67 * n), Encoding::Ucs2, 67 * n, n, 0);
            check(&a(67 * n + 1), Encoding::Ucs2, 67 * n + 1, n + 1, 66);
        }
    }

    #[test]
    fn an_extension_character_is_never_split() {
        let a = |n| "a".repeat(n);
        check("€", Encoding::Gsm7, 2, 1, 158);
        check(&format!("{}€", a(158)), Encoding::Gsm7, 160, 1, 0);
        // 161 units: the euro sign would take the last unit of part one and the first of part two.
        check(&format!("{}€{}", a(152), a(7)), Encoding::Gsm7, 161, 2, 153 - 9);
        check(&format!("{}€{}", a(151), a(8)), Encoding::Gsm7, 161, 2, 153 - 8);
        // 153 euro signs: 76 in each part, with a unit wasted, so 306 units do not fit into two parts.
        check(&"€".repeat(152), Encoding::Gsm7, 304, 2, 1);
        check(&"€".repeat(153), Encoding::Gsm7, 306, 3, 151);
    }

    #[test]
    fn a_surrogate_pair_is_never_split() {
        check("🎉", Encoding::Ucs2, 2, 1, 68);
        check(&"🎉".repeat(35), Encoding::Ucs2, 70, 1, 0);
        // 33 pairs fill 66 of 67 units.
        check(&"🎉".repeat(36), Encoding::Ucs2, 72, 2, 67 - 6);
        check(&"🎉".repeat(67), Encoding::Ucs2, 134, 3, 65);
        // A family is seven characters and eleven units.
        check("👨‍👩‍👧‍👦", Encoding::Ucs2, 11, 1, 59);
    }

    #[test]
    fn toll_free_parts_are_smaller() {
        let segments = |text: &str| size_with(text, PartSizes::TOLL_FREE).segments;
        assert_eq!([160, 161, 304, 305].map(|n| segments(&"a".repeat(n))), [1, 2, 2, 3]);
        assert_eq!([70, 71, 132, 133].map(|n| segments(&"я".repeat(n))), [1, 2, 2, 3]);
    }

    #[test]
    fn offenders_are_named_with_what_to_write_instead() {
        let size = size("It’s “fine” – it’s 🎉");
        let expected = [('’', Some("'"), vec![2, 16]), ('“', Some("\""), vec![5]), ('”', Some("\""), vec![10])];
        for (found, (character, replacement, positions)) in size.offenders.iter().zip(expected) {
            assert_eq!((found.character, found.replacement.as_deref()), (character, replacement));
            assert_eq!(found.positions, positions);
        }
        assert_eq!(size.offenders.len(), 5);
        assert_eq!(size.offenders[4].replacement, None);
        assert_eq!(plain("It’s “fine” –\u{A0}ok…\u{200B}"), "It's \"fine\" - ok...");
    }

    #[test]
    fn the_alphabet_is_complete_and_every_replacement_is_in_it() {
        // 128 places, less the escape.
        assert_eq!(GSM7.chars().count(), 127);
        assert_eq!(GSM7_EXTENSION.chars().count(), 10);
        for (plain, characters) in REPLACEMENTS {
            assert!(plain.chars().all(|c| septets(c).is_some()), "{plain:?}");
            for c in characters.chars() {
                assert_eq!(septets(c), None, "{c:?} needs no replacement");
            }
        }
        // `c` with a cedilla is in the alphabet as a capital only.
        assert_eq!((septets('Ç'), septets('ç')), (Some(1), None));
    }

    proptest! {
        #[test]
        fn more_text_never_takes_fewer_parts(a in ".{0,400}", b in ".{0,100}") {
            let longer = format!("{a}{b}");
            prop_assert!(size(&longer).segments >= size(&a).segments);
        }

        #[test]
        fn gsm7_is_exactly_the_texts_without_offenders(a in "[a-z€\\[\\]{}é ]{0,400}", b in any::<String>()) {
            prop_assert_eq!(size(&a).encoding, Encoding::Gsm7);
            let size = size(&b);
            prop_assert_eq!(size.encoding == Encoding::Gsm7, b.chars().all(|c| septets(c).is_some()));
            let blamed: usize = size.offenders.iter().map(|one| one.positions.len()).sum();
            prop_assert_eq!(blamed, b.chars().filter(|c| septets(*c).is_none()).count());
        }

        /// Parts hold what they can: between the bound without any padding and the bound with one unit lost in each.
        #[test]
        fn parts_lose_at_most_one_unit_each(text in "[a€]{0,1000}|[я🎉]{1,500}") {
            let size = size(&text);
            let (single, part) = if size.encoding == Encoding::Gsm7 { (160, 153) } else { (70, 67) };
            if size.units > single {
                prop_assert!(size.segments >= size.units.div_ceil(part));
                prop_assert!(size.segments <= size.units.div_ceil(part - 1));
                prop_assert!(size.remaining_in_segment < part);
            }
        }

        #[test]
        fn typographic_text_written_plainly_is_gsm7(text in "[a-z’“”… –]{0,300}") {
            prop_assert_eq!(size(&plain(&text)).encoding, Encoding::Gsm7);
            prop_assert!(size(&plain(&text)).offenders.is_empty());
        }
    }
}
