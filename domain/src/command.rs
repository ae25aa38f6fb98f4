//! What a person's message asks for: STOP, START, HELP, or a topic.
//!
//! A keyword counts only as the whole message (TWILIO.md 10). Messages that merely sound like an opt-out go to a
//! person: [`looks_like_opt_out`].

use crate::{phone::Channel, topic::valid_key};

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// No more messages on this channel.
    Stop,
    /// Messages again.
    Start,
    /// Who is writing, and how to stop it.
    Help,
    /// Follow the topic with this key.
    Subscribe(String),
    /// Leave the topic with this key.
    Unsubscribe(String),
}

/// Where a keyword comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Twilio's default list for long codes: on SMS it acts and answers by itself.
    Twilio,
    /// AWS' required opt-out words, as far as they are not Twilio's.
    Aws,
    /// Words that the FCC counts as a revocation in themselves: 47 CFR 64.1200(a)(10).
    Fcc,
    /// Twilio Proxy's French words.
    TwilioProxy,
    /// Other spellings, which we take for the same.
    Own,
}

/// A keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// The word in capitals.
    pub word: &'static str,
    /// What it asks for.
    pub command: Command,
    /// Where it comes from.
    pub source: Source,
}

const fn keyword(word: &'static str, command: Command, source: Source) -> Keyword {
    Keyword { word, command, source }
}

/// Every keyword, with its source.
pub const KEYWORDS: &[Keyword] = &[
    keyword("STOP", Command::Stop, Source::Twilio),
    keyword("STOPALL", Command::Stop, Source::Twilio),
    keyword("UNSUBSCRIBE", Command::Stop, Source::Twilio),
    keyword("CANCEL", Command::Stop, Source::Twilio),
    keyword("END", Command::Stop, Source::Twilio),
    keyword("QUIT", Command::Stop, Source::Twilio),
    keyword("REVOKE", Command::Stop, Source::Twilio),
    keyword("OPTOUT", Command::Stop, Source::Twilio),
    keyword("REMOVE", Command::Stop, Source::Aws),
    keyword("TD", Command::Stop, Source::Aws),
    keyword("ARRET", Command::Stop, Source::Aws),
    keyword("OPT OUT", Command::Stop, Source::Fcc),
    keyword("ARRETT", Command::Stop, Source::TwilioProxy),
    keyword("ARRETE", Command::Stop, Source::TwilioProxy),
    keyword("ARRÊT", Command::Stop, Source::Own),
    keyword("OPT-OUT", Command::Stop, Source::Own),
    keyword("STOP ALL", Command::Stop, Source::Own),
    keyword("UNSUBSCRIBE ALL", Command::Stop, Source::Own),
    keyword("START", Command::Start, Source::Twilio),
    keyword("YES", Command::Start, Source::Twilio),
    keyword("UNSTOP", Command::Start, Source::Twilio),
    keyword("SUBSCRIBE", Command::Start, Source::Own),
    keyword("HELP", Command::Help, Source::Twilio),
    keyword("INFO", Command::Help, Source::Twilio),
];

/// Words after UNSUBSCRIBE or SUBSCRIBE that name no topic; what was meant is for a person to say.
const NO_TOPICS: &[&str] =
    &["me", "us", "now", "please", "pls", "this", "it", "from", "all", "everything", "immediately"];
/// Longer messages are no keyword and are not searched.
const MAX_KEYWORD_CHARS: usize = 160;

/// Reads a message as a command; `None` for everything else.
///
/// Case, white space, invisible characters, accents written apart, full-width letters and punctuation around the
/// message do not count.
pub fn parse(text: &str) -> Option<Command> {
    if text.chars().count() > MAX_KEYWORD_CHARS {
        return None;
    }
    let message = fold(text);
    if let Some(keyword) = KEYWORDS.iter().find(|keyword| keyword.word == message) {
        return Some(keyword.command.clone());
    }
    let (verb, topic) = message.split_once(' ')?;
    let topic = topic.to_lowercase();
    if !valid_key(&topic) || NO_TOPICS.contains(&topic.as_str()) {
        return None;
    }
    match verb {
        "SUBSCRIBE" | "JOIN" => Some(Command::Subscribe(topic)),
        "UNSUBSCRIBE" => Some(Command::Unsubscribe(topic)),
        _ => None,
    }
}

/// Whether the provider has already answered this command, so that our answer must be empty.
///
/// Twilio does so on SMS for exactly its own words, whatever their case. Whether it also takes `stop.` is not
/// documented; we answer that one: at worst the reply is refused, because the provider's block is in place. WhatsApp
/// commands are all ours.
pub fn answered_by_provider(channel: Channel, command: &Command, text: &str) -> bool {
    channel == Channel::Sms
        && KEYWORDS.iter().any(|keyword| {
            keyword.source == Source::Twilio
                && keyword.command == *command
                && text.trim().eq_ignore_ascii_case(keyword.word)
        })
}

/// The message in capitals, one space between words, without what does not count.
fn fold(text: &str) -> String {
    let folded: String = text
        .chars()
        .filter(|c| !is_ignorable(*c))
        .map(|c| match c {
            // Full-width letters, as Japanese keyboards write them.
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
            _ => c,
        })
        .flat_map(char::to_uppercase)
        .collect();
    let words: Vec<&str> = folded.split_whitespace().collect();
    words.join(" ").trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// Format characters, variation selectors, and accents that stand apart from their letter.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{0300}'..='\u{036F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
        || (c.is_control() && !c.is_whitespace())
}

/// Phrases that ask for an end, in lower case, letters and digits only.
const OPT_OUT_PHRASES: &[&str] = &[
    "unsubscribe",
    "opt out",
    "opt me out",
    "opting out",
    "stop texting",
    "stop messaging",
    "stop sending",
    "stop contacting",
    "stop calling",
    "stop writing",
    "stop spamming",
    "stop these",
    "stop the messages",
    "stop the texts",
    "stop please",
    "stop pls",
    "please stop",
    "pls stop",
    "quit texting",
    "quit messaging",
    "remove me",
    "remove my number",
    "delete my number",
    "lose my number",
    "take me off",
    "do not text",
    "dont text",
    "do not message",
    "dont message",
    "do not contact",
    "dont contact",
    "no more messages",
    "no more texts",
    "leave me alone",
    "cease and desist",
    "wrong number",
    // German
    "abmelden",
    "abbestellen",
    "keine nachrichten mehr",
    "keine sms mehr",
    "nicht mehr schreiben",
    // French
    "désabonner",
    "desabonner",
    "désinscrire",
    "desinscrire",
    "ne plus recevoir",
    "arrêtez",
    "arretez",
    // Spanish
    "darme de baja",
    "dar de baja",
    "darse de baja",
    "no más mensajes",
    "no mas mensajes",
    // Portuguese
    "descadastrar",
    "não quero receber",
    "nao quero receber",
    "parar de receber",
];

/// Phrases that hold one of the above and mean something else.
const OTHERWISE: &[&str] = &["dont stop", "do not stop", "please stop by", "pls stop by", "stop please by"];

/// Whether a message that is no command probably asks for an end, and should be looked at by a person.
///
/// The list is short on purpose: it feeds a review queue, and never opts anyone out by itself.
pub fn looks_like_opt_out(text: &str) -> bool {
    let mut message = String::from(" ");
    for c in text.chars().filter(|c| !matches!(c, '\'' | '’') && !is_ignorable(*c)).flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            message.push(c);
        } else if !message.ends_with(' ') {
            message.push(' ');
        }
    }
    if !message.ends_with(' ') {
        message.push(' ');
    }
    let holds = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(&format!(" {phrase} ")));
    holds(OPT_OUT_PHRASES) && !holds(OTHERWISE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<Command>) {
        assert_eq!(parse(text), expected, "{text:?}");
    }

    #[test]
    fn keywords_count_as_the_whole_message() {
        for keyword in KEYWORDS {
            for text in [
                keyword.word.to_owned(),
                keyword.word.to_lowercase(),
                format!("  {}.\r\n", keyword.word.to_lowercase()),
                format!("\u{200B}“{}”!! 🛑\u{FE0F}", keyword.word),
            ] {
                check(&text, Some(keyword.command.clone()));
            }
            check(&format!("{} thanks a lot", keyword.word), None);
            check(&format!("please {}", keyword.word), None);
        }
    }

    #[test]
    fn other_spellings() {
        for text in ["Stop.", "ＳＴＯＰ", "S\u{200B}TOP", "arre\u{0302}t", "Arrêt", "opt  out", "Opt-Out", "stop\u{A0}"]
        {
            check(text, Some(Command::Stop));
        }
        for text in
            ["STOP PLEASE", "stopp", "nonstop", "yes please", "", "?", "…", "stop stop stop stop", "subscribers"]
        {
            check(text, None);
        }
        check(&format!("stop{}", " ".repeat(200)), None);
    }

    #[test]
    fn topics() {
        let subscribe = |key: &str| Some(Command::Subscribe(key.into()));
        let unsubscribe = |key: &str| Some(Command::Unsubscribe(key.into()));
        check("SUBSCRIBE offers", subscribe("offers"));
        check("join  Offers2026!", subscribe("offers2026"));
        check("Unsubscribe OFFERS.", unsubscribe("offers"));
        check("unsubscribe", Some(Command::Stop));
        check("subscribe", Some(Command::Start));
        check("unsubscribe all", Some(Command::Stop));
        // WhatsApp's sandbox phrase is no consent.
        check("join silver-fox", None);
        check("join", None);
        for text in
            ["unsubscribe me", "unsubscribe please", "subscribe all", "unsubscribe from offers", "subscribe ümlaut"]
        {
            check(text, None);
        }
        check(&format!("join {}", "a".repeat(34)), subscribe(&"a".repeat(34)));
        check(&format!("join {}", "a".repeat(35)), None);
    }

    #[test]
    fn the_provider_answers_its_own_words_on_sms_only() {
        for (text, answered) in [
            ("stop", true),
            (" STOP\n", true),
            ("Yes", true),
            ("info", true),
            ("stop.", false),
            ("ARRET", false),
            ("opt out", false),
            ("subscribe", false),
            ("unsubscribe offers", false),
        ] {
            let command = parse(text).expect("a well-formed example");
            assert_eq!(answered_by_provider(Channel::Sms, &command, text), answered, "{text:?}");
            assert!(!answered_by_provider(Channel::Whatsapp, &command, text), "{text:?}");
        }
        assert!(!answered_by_provider(Channel::Sms, &Command::Start, "stop"));
    }

    #[test]
    fn twilios_list_is_the_documented_one() {
        let words: Vec<&str> = KEYWORDS.iter().filter(|k| k.source == Source::Twilio).map(|k| k.word).collect();
        assert_eq!(
            words.join(" "),
            "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT START YES UNSTOP HELP INFO"
        );
    }

    #[test]
    fn probable_opt_outs() {
        for text in [
            "please stop texting me",
            "STOP PLEASE",
            "Unsubscribe me!!",
            "Don’t text me again",
            "dont text me",
            "I want to opt-out of this",
            "take me off your list",
            "Wrong number",
            "Bitte keine Nachrichten mehr!",
            "je veux me désabonner",
            "¿Cómo puedo darme de baja?",
        ] {
            assert!(looks_like_opt_out(text), "{text:?}");
            assert_eq!(parse(text), None, "{text:?}");
        }
        for text in [
            "",
            "thanks!",
            "please stop by tomorrow",
            "don't stop",
            "is the stop sign open?",
            "the bus stop",
            "when does it end",
            "ok cool",
        ] {
            assert!(!looks_like_opt_out(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = looks_like_opt_out(&text);
            if let Some(Command::Subscribe(key) | Command::Unsubscribe(key)) = parse(&text) {
                prop_assert!(valid_key(&key));
            }
        }

        #[test]
        fn wrapping_changes_nothing(i in 0..KEYWORDS.len(), before in "[ \t\r\n.,!\"*_]{0,5}", after in "[ \t\r\n.,!?\"*)]{0,5}") {
            prop_assert_eq!(parse(&format!("{before}{}{after}", KEYWORDS[i].word)), Some(KEYWORDS[i].command.clone()));
        }
    }
}
