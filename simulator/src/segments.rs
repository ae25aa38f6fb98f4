//! How many segments a text takes on the air.

/// Characters of the GSM 7-bit default alphabet (3GPP TS 23.038) outside ASCII's letters, digits
/// and the punctuation that both share.
const GSM_EXTRA: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// The extension table: an escape and a character, two septets that are never parted.
const GSM_EXTENSION: &str = "^{}\\[~]|€\u{c}";

/// Counts segments: GSM-7 at 160 for one part and 153 for each of several, otherwise UCS-2 at 70
/// and 67 UTF-16 units. An empty body is one segment.
pub(crate) fn count(body: &str) -> u16 {
    let septets = body.chars().map(gsm_width).collect::<Option<Vec<_>>>();
    let parts = match septets {
        Some(widths) => pack(&widths, 160, 153),
        None => {
            let widths: Vec<_> = body.chars().map(char::len_utf16).collect();
            pack(&widths, 70, 67)
        }
    };
    u16::try_from(parts).unwrap_or(u16::MAX)
}

fn gsm_width(char: char) -> Option<usize> {
    if char.is_ascii_alphanumeric() || GSM_EXTRA.contains(char) {
        Some(1)
    } else if GSM_EXTENSION.contains(char) {
        Some(2)
    } else {
        None
    }
}

/// Fills parts greedily, never splitting one character over two.
fn pack(widths: &[usize], single: usize, part: usize) -> usize {
    if widths.iter().sum::<usize>() <= single {
        return 1;
    }
    let (mut parts, mut used) = (1, 0);
    for width in widths {
        if used + width > part {
            parts += 1;
            used = 0;
        }
        used += width;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: u16) {
        assert_eq!(count(body), expected, "{} characters", body.chars().count());
    }

    #[test]
    fn boundaries() {
        check("", 1);
        check(&"a".repeat(160), 1);
        check(&"a".repeat(161), 2);
        check(&"a".repeat(306), 2);
        check(&"a".repeat(307), 3);
        check(&"€".repeat(80), 1);
        check(&"€".repeat(81), 2);
        // 76 pairs fill 152 of 153 septets: the 77th may not be split.
        check(&"€".repeat(153), 3);
        check(&"中".repeat(70), 1);
        check(&"中".repeat(71), 2);
        check(&"😀".repeat(35), 1);
        check(&"😀".repeat(36), 2);
        check("Grüße, ça va?", 1);
    }
}
