//! What is legal in a template and still likely wrong.

use super::{Segment, Template};
use crate::sms::{self, Encoding};
use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Likely a mistake.
    Warning,
    /// A campaign with it may not start.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// In words.
    pub message: String,
    /// The place, in bytes from 0; `None` for the text as a whole.
    pub at: Option<usize>,
}

/// What the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LintOptions {
    /// It advertises, so it must say how to stop.
    pub marketing: bool,
    /// It goes out as SMS, so its size matters.
    pub sms: bool,
}

/// The longest SMS that is not warned about, in characters (TWILIO.md 7).
const ADVISED_SMS_CHARS: usize = 320;
/// Words of which a marketing text should hold one.
const OPT_OUT_WORDS: &[&str] = &["stop", "unsubscribe", "opt out", "opt-out", "optout", "cancel", "arret", "arrêt"];

/// Hosts of shorteners that anyone may use, and that carriers therefore filter (Twilio's error 30007).
const SHORTENERS: &[&str] = &[
    "bit.ly",
    "buff.ly",
    "cutt.ly",
    "goo.gl",
    "is.gd",
    "ow.ly",
    "rb.gy",
    "rebrand.ly",
    "s.id",
    "shorturl.at",
    "t.co",
    "t.ly",
    "tiny.cc",
    "tinyurl.com",
];

impl Template {
    /// Looks for likely mistakes. `known` are the variables that people can have, by full name.
    pub fn lint(&self, known: &[impl AsRef<str>], options: LintOptions) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |severity, at, message: String| findings.push(Finding { severity, message, at });
        if self.source.trim().is_empty() {
            find(Severity::Error, None, "the text is empty".to_owned());
            return findings;
        }
        for slot in self.slots() {
            if !known.iter().any(|name| name.as_ref() == slot.name) {
                find(Severity::Error, Some(slot.at), format!("nobody has a \"{}\"", slot.name));
            }
            match slot.default.as_deref().map(str::trim) {
                None => find(
                    Severity::Note,
                    Some(slot.at),
                    format!("people without \"{}\" will not receive this; a fallback would change that", slot.name),
                ),
                Some("") => {
                    find(Severity::Warning, Some(slot.at), format!("the fallback of \"{}\" is empty", slot.name))
                }
                Some(_) => {}
            }
        }
        for pair in self.segments.windows(2) {
            if let [Segment::Slot(_), Segment::Slot(next)] = pair {
                find(Severity::Warning, Some(next.at), "two variables stand side by side, without a space".to_owned());
            }
        }
        for (at, what) in self.stray_braces() {
            find(
                Severity::Warning,
                Some(at),
                format!("\"{what}\" will be sent as it stands; variables are written {{{{ name }}}}"),
            );
        }
        for (at, domain) in self.shortener_links() {
            find(
                Severity::Warning,
                Some(at),
                format!("carriers filter links of public shorteners such as {domain}: use a domain of your own"),
            );
        }
        if options.marketing && !self.says_how_to_stop() {
            find(
                Severity::Warning,
                None,
                "marketing text should say how to stop, as in \"Reply STOP to opt out\"".to_owned(),
            );
        }
        if options.sms {
            findings.extend(self.size_findings());
        }
        findings
    }

    /// Links whose host is a public shortener, by their place.
    fn shortener_links(&self) -> Vec<(usize, &'static str)> {
        let text = self.source.to_lowercase();
        let mut found: Vec<(usize, &'static str)> = Vec::new();
        for domain in SHORTENERS {
            let whole = |at: &usize| {
                let before = text[..*at].chars().next_back();
                let after = text[at + domain.len()..].chars().next();
                before.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '.' && c != '@')
                    && after.is_none_or(|c| !c.is_alphanumeric() && c != '-')
            };
            found.extend(text.match_indices(domain).map(|(at, _)| at).filter(whole).map(|at| (at, *domain)));
        }
        found.sort_unstable();
        found
    }

    /// The text with fallbacks in place and nothing for variables without: the least that anybody receives.
    fn shortest(&self) -> String {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => text.as_str(),
                Segment::Slot(slot) => slot.default.as_deref().unwrap_or_default(),
            })
            .collect()
    }

    fn says_how_to_stop(&self) -> bool {
        let text = self.shortest().to_lowercase();
        OPT_OUT_WORDS.iter().any(|word| {
            text.match_indices(word).any(|(at, _)| {
                let alone = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
                alone(text[..at].chars().next_back()) && alone(text[at + word.len()..].chars().next())
            })
        })
    }

    /// `}}` and `{name}` in literals, which look like variables that were mistyped.
    fn stray_braces(&self) -> Vec<(usize, &'static str)> {
        let mut found = Vec::new();
        let mut at = 0;
        for (i, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Literal(text) => {
                    found.extend(
                        text.match_indices("}}").map(|(offset, what)| (at + offset, what)).map(|(at, _)| (at, "}}")),
                    );
                    let single = |(offset, _): (usize, &str)| {
                        let inside = text[offset + 1..].split_once('}').map_or("", |(inside, _)| inside.trim());
                        let named =
                            !inside.is_empty() && inside.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                        named.then_some((at + offset, "{"))
                    };
                    found.extend(text.match_indices('{').filter_map(single));
                    at += text.len();
                }
                // A slot ends where the next segment starts: the source less what follows it.
                Segment::Slot(slot) => at = self.end_of_slot(i, slot.at),
            }
        }
        found
    }

    fn end_of_slot(&self, index: usize, at: usize) -> usize {
        match self.segments.get(index + 1) {
            Some(Segment::Slot(next)) => next.at,
            Some(Segment::Literal(text)) => {
                let next_slot = self.segments.get(index + 2).and_then(|segment| match segment {
                    Segment::Slot(slot) => Some(slot.at),
                    Segment::Literal(_) => None,
                });
                next_slot.unwrap_or(self.source.len()) - text.len()
            }
            None => at,
        }
    }

    fn size_findings(&self) -> Vec<Finding> {
        let text = self.shortest();
        let size = sms::size(&text);
        let mut findings = Vec::new();
        let chars = text.chars().count();
        if chars > ADVISED_SMS_CHARS {
            findings.push(Finding {
                severity: Severity::Warning,
                message: format!(
                    "{chars} characters, {} parts for everyone; up to {ADVISED_SMS_CHARS} is advised",
                    size.segments
                ),
                at: None,
            });
        }
        let plain = sms::size(&sms::plain(&text));
        if size.encoding == Encoding::Ucs2 && plain.segments < size.segments {
            let blamed: String =
                size.offenders.iter().filter(|one| one.replacement.is_some()).map(|one| one.character).collect();
            findings.push(Finding {
                severity: Severity::Warning,
                message: format!(
                    "written plainly, {blamed} would save {} of {} parts",
                    size.segments - plain.segments,
                    size.segments
                ),
                at: None,
            });
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: LintOptions = LintOptions { marketing: false, sms: false };

    fn check(text: &str, options: LintOptions, expected: &[(Severity, Option<usize>, &str)]) {
        let found = Template::parse(text).expect("a well-formed example").lint(&["name", "attributes.city"], options);
        let matches = found.len() == expected.len()
            && found.iter().zip(expected).all(|(finding, (severity, at, words))| {
                finding.severity == *severity && finding.at == *at && finding.message.contains(words)
            });
        assert!(matches, "{text:?}: {found:#?}");
    }

    #[test]
    fn likely_mistakes_are_named() {
        use Severity::*;
        check("Hi {{ name | default('you') }}", QUIET, &[]);
        check("  ", QUIET, &[(Error, None, "empty")]);
        check("Hi {{ nam | default('x') }}", QUIET, &[(Error, Some(3), "\"nam\"")]);
        check("Hi {{ name }}", QUIET, &[(Note, Some(3), "fallback")]);
        check("Hi {{ name | default(' ') }}", QUIET, &[(Warning, Some(3), "empty")]);
        let two = "{{ name | default('a') }}{{ attributes.city | default('b') }}";
        check(two, QUIET, &[(Warning, Some(25), "side by side")]);
    }

    #[test]
    fn stray_braces_are_found_at_their_place() {
        use Severity::Warning;
        check("Hi {name}, {a b} {", QUIET, &[(Warning, Some(3), "\"{\"")]);
        check("ä {{ name | default('x') }} and }}", QUIET, &[(Warning, Some(33), "\"}}\"")]);
        let text = "{{ name | default('x') }}{name}{{ name | default('y') }}";
        check(text, QUIET, &[(Warning, Some(25), "\"{\"")]);
    }

    #[test]
    fn links_of_shorteners_are_found_at_their_place() {
        use Severity::Warning;
        check("See https://bit.ly/x", QUIET, &[(Warning, Some(12), "bit.ly")]);
        check("See T.CO/x, and bit.ly", QUIET, &[(Warning, Some(4), "t.co"), (Warning, Some(16), "bit.ly")]);
        check("See https://habit.ly/x, a@t.co, https://t.company/ and my.bit.ly", QUIET, &[]);
    }

    #[test]
    fn marketing_says_how_to_stop() {
        let marketing = LintOptions { marketing: true, ..QUIET };
        for good in ["Sale! Reply STOP to opt out", "Sale. Stop: 12345", "unsubscribe any time"] {
            check(good, marketing, &[]);
        }
        for bad in ["Sale!", "A nonstop sale", "Stopover sale"] {
            check(bad, marketing, &[(Severity::Warning, None, "STOP")]);
        }
    }

    #[test]
    fn size_is_watched() {
        let sms = LintOptions { sms: true, ..QUIET };
        check(&"a".repeat(320), sms, &[]);
        check(&"a".repeat(321), sms, &[(Severity::Warning, None, "321 characters, 3 parts")]);
        check(&format!("It’s {}", "a".repeat(100)), sms, &[(Severity::Warning, None, "’ would save 1 of 2 parts")]);
        check(&format!("Да {}", "a".repeat(100)), sms, &[]);
    }
}
