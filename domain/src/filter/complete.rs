//! What may be written next in a filter, while it is typed.
//!
//! The parser itself says what it expects at the end of the text before the word under the cursor; here that becomes
//! words and values to put in: declared attributes, topics, segments, what people's attributes hold.

use super::{
    AttributeKind, AttributeName, Behaviour, Comparison, Condition, Expr, Filter, FilterError, Schema, Span, Test,
    lex::{Token, tokens},
    parse,
    print::Quoted,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most completions that are offered at once.
pub const MAX_COMPLETIONS: usize = 12;

/// What completions are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// Declared attributes, and topics.
    pub schema: Schema,
    /// Segments: name to filter.
    pub segments: BTreeMap<String, String>,
    /// Names of campaigns.
    pub campaigns: Vec<String>,
    /// Values that people have, by field (`locale`, `zone`, `tags`, attributes), frequent ones first.
    pub values: BTreeMap<String, Vec<String>>,
}

/// Something to put into the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What it replaces.
    pub span: Span,
    /// What to write there.
    pub text: String,
    /// What it is, in a few words; may be empty.
    pub hint: String,
}

/// What may be written at byte `at` of a text, the likeliest first, at most [`MAX_COMPLETIONS`]. Nothing where the text
/// before is wrong already.
pub fn complete(text: &str, at: usize, vocabulary: &Vocabulary) -> Vec<Completion> {
    let at = floor(text, at);
    let typed = Typed::at(text, at);
    let head = &text[..typed.span.start];
    let offers = match parse(head) {
        Ok(filter) if filter.is_everyone() => beginnings(vocabulary),
        Ok(filter) => continuations(&filter, head),
        Err(error) if error.span.start >= head.trim_end().len() => after(&error, head, vocabulary),
        Err(_) => Vec::new(),
    };
    typed.choose(offers)
}

/// The nearest place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The word or text under the cursor, as far as it is typed.
struct Typed {
    span: Span,
    word: String,
    quoted: bool,
}

impl Typed {
    fn at(text: &str, at: usize) -> Self {
        if let Some((start, quote)) = open_quote(&text[..at]) {
            // Editors close a quote at once; then the closing one is replaced too.
            let end = if text[at..].starts_with(quote) { at + 1 } else { at };
            return Self { span: Span { start, end }, word: text[start + 1..at].to_owned(), quoted: true };
        }
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let start = text[..at]
            .rfind(|c| !is_part(c))
            .map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8));
        Self { span: Span { start, end: at }, word: text[start..at].to_owned(), quoted: false }
    }

    /// The offers that begin with what is typed, then those that hold it.
    fn choose(&self, offers: Vec<(String, String)>) -> Vec<Completion> {
        let word = self.word.to_lowercase();
        let shown = |text: &str| text.trim_start_matches('"').to_lowercase();
        let fits = |text: &str| !self.quoted || text.starts_with('"');
        let offers: Vec<_> =
            offers.into_iter().filter(|(text, _)| fits(text) && shown(text).trim_end() != word).collect();
        let begins = offers.iter().filter(|(text, _)| shown(text).starts_with(&word));
        let holds = offers.iter().filter(|(text, hint)| {
            let begins = shown(text).starts_with(&word);
            !begins && word.len() > 1 && (shown(text).contains(&word) || hint.to_lowercase().contains(&word))
        });
        let completion =
            |(text, hint): &(String, String)| Completion { span: self.span, text: text.clone(), hint: hint.clone() };
        begins.chain(holds).take(MAX_COMPLETIONS).map(completion).collect()
    }
}

/// Where a text begins that has no closing quote, and its quote.
fn open_quote(text: &str) -> Option<(usize, char)> {
    let mut open = None;
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match open {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some((_, quote)) if c == quote => open = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => open = Some((index, c)),
            None => {}
        }
    }
    open
}

fn offer(text: impl Into<String>, hint: impl Into<String>) -> (String, String) {
    (text.into(), hint.into())
}

/// What may begin a condition.
fn beginnings(vocabulary: &Vocabulary) -> Vec<(String, String)> {
    let mut offers: Vec<(String, String)> = attributes(vocabulary);
    let fixed = [
        ("name ", "text"),
        ("phone ", "text"),
        ("consent.sms ", "opted_in, opted_out or none"),
        ("consent.whatsapp ", "opted_in, opted_out or none"),
        ("subscribed to ", "a topic"),
        ("tag ", "a list"),
        ("created ", "a date"),
        ("locale ", "text"),
        ("zone ", "text"),
    ];
    offers.extend(fixed.map(|(text, hint)| offer(text, hint)));
    offers.extend(Behaviour::ALL.map(|behaviour| offer(format!("{behaviour} "), "ever, or within a time")));
    offers.push(offer("not ", "the opposite"));
    let segments = vocabulary.segments.iter().filter(|(_, filter)| !filter.is_empty());
    offers.extend(segments.map(|(name, filter)| offer(format!("({filter}) "), format!("segment {name}"))));
    offers
}

/// Declared attributes, and others that people have.
fn attributes(vocabulary: &Vocabulary) -> Vec<(String, String)> {
    let declared = &vocabulary.schema.attributes;
    let others = vocabulary.values.keys().filter(|name| {
        !declared.contains_key(*name) && !["locale", "zone", AttributeName::TAGS].contains(&name.as_str())
    });
    let kinds = declared.iter().map(|(name, kind)| (name, kind.label()));
    let named = kinds.chain(others.map(|name| (name, "not declared")));
    named.filter_map(|(name, hint)| Some(offer(format!("{} ", AttributeName::new(name.as_str())?), hint))).collect()
}

/// What may follow a whole filter.
fn continuations(filter: &Filter, head: &str) -> Vec<(String, String)> {
    let mut offers = Vec::new();
    if let Some(Condition { test: Test::Happened { behaviour, window, scope }, span, .. }) = last(filter.expr())
        && span.end == head.trim_end().len()
    {
        if window.is_none() {
            offers
                .extend(["within 7 days ", "within 30 days ", "not within 7 days "].map(|text| offer(text, "a time")));
        }
        if scope.is_none() && behaviour.message_states().is_some() {
            offers.extend(["by campaign ", "about topic "].map(|text| offer(text, "which messages")));
        }
    }
    offers.extend([offer("and ", "both must hold"), offer("or ", "one must hold")]);
    offers
}

/// The condition that stands last.
fn last(expr: Option<&Expr>) -> Option<&Condition> {
    match expr? {
        Expr::All(parts) | Expr::Any(parts) => last(parts.last()),
        Expr::Not(inner) => last(Some(inner)),
        Expr::Test(condition) => Some(condition),
    }
}

/// What the parser expects at the end of the text, as words to put in.
fn after(error: &FilterError, head: &str, vocabulary: &Vocabulary) -> Vec<(String, String)> {
    let expected = |word: &str| error.expected.iter().any(|one| one == word);
    if expected("subscribed to") {
        let mut offers = beginnings(vocabulary);
        if head.split_whitespace().next_back().is_some_and(|word| word.eq_ignore_ascii_case("not")) {
            // What somebody did not do is what is asked most often.
            offers.sort_by_key(|(text, _)| !Behaviour::ALL.iter().any(|one| text.trim_end() == one.as_str()));
        }
        return offers;
    }
    if expected("starts with") {
        return comparisons(kind_of(field(head).as_deref(), vocabulary));
    }
    let mut offers = Vec::new();
    for word in &error.expected {
        match word.as_str() {
            "text" => offers.extend(values(head, vocabulary)),
            "an attribute" => offers.extend(attributes(vocabulary)),
            // Only what can be written as it stands.
            "a number" | "a date" | "attributes." => {}
            word => offers.push(offer(format!("{word} "), "")),
        }
    }
    if expected("true") && kind_of(field(head).as_deref(), vocabulary) != Some(AttributeKind::Boolean) {
        offers.retain(|(text, _)| !matches!(text.trim(), "true" | "false"));
    }
    offers
}

/// The field that the text ends with a question about: before its comparison, or before its value.
fn field(head: &str) -> Option<String> {
    let tokens = tokens(head).ok()?;
    let mut rest = &tokens[..tokens.len().saturating_sub(1)];
    // Values of a list, and its opening parenthesis.
    while let [before @ .., (Token::Comma | Token::Text(_) | Token::Number(_) | Token::Date(_) | Token::Open, _)] = rest
    {
        if matches!(before, [.., (Token::Dot, _)]) {
            break;
        }
        rest = before;
    }
    while let [before @ .., (token, _)] = rest {
        match token {
            Token::Sign(_) => rest = before,
            Token::Word(word)
                if ["in", "with", "starts", "is", "not"].iter().any(|one| word.eq_ignore_ascii_case(one)) =>
            {
                rest = before;
            }
            Token::Word(word) | Token::Text(word) => return Some(word.clone()),
            _ => return None,
        }
    }
    None
}

/// The kind of a field; `None` where anything may stand.
fn kind_of(field: Option<&str>, vocabulary: &Vocabulary) -> Option<AttributeKind> {
    let field = field?;
    if let Some(kind) = vocabulary.schema.attributes.get(field) {
        return Some(*kind);
    }
    match field.to_ascii_lowercase().as_str() {
        "tag" | "tags" => Some(AttributeKind::List),
        "created" => Some(AttributeKind::Date),
        "phone" | "name" | "locale" | "zone" => Some(AttributeKind::Text),
        // Consent is compared as true and false are: equal or not.
        "sms" | "whatsapp" => Some(AttributeKind::Boolean),
        _ => None,
    }
}

fn comparisons(kind: Option<AttributeKind>) -> Vec<(String, String)> {
    let fits = |comparison: Comparison| match kind {
        None | Some(AttributeKind::Text) => true,
        Some(AttributeKind::Number | AttributeKind::Date) => !comparison.is_textual(),
        Some(AttributeKind::Boolean) => !comparison.is_textual() && !comparison.is_order(),
        Some(AttributeKind::List) => !comparison.is_order(),
    };
    let words = |comparison: Comparison| match comparison {
        Comparison::Equal => "is",
        Comparison::NotEqual => "is not",
        Comparison::Less => "below",
        Comparison::AtMost => "at most",
        Comparison::Greater => "above",
        Comparison::AtLeast => "at least",
        Comparison::Contains => "contains",
        Comparison::StartsWith => "begins with",
    };
    let signs = Comparison::ALL.into_iter().filter(|comparison| fits(*comparison));
    let mut offers: Vec<_> = signs.map(|sign| offer(format!("{} ", sign.as_str()), words(sign))).collect();
    offers.push(offer("in (", "is one of"));
    if kind != Some(AttributeKind::Boolean) {
        offers.extend([offer("is set ", "has a value"), offer("is not set ", "has no value")]);
    }
    offers
}

/// Texts that may stand at the end, in quotes.
fn values(head: &str, vocabulary: &Vocabulary) -> Vec<(String, String)> {
    let quoted = |text: &str, hint: &str| offer(format!("{} ", Quoted(text)), hint);
    let tokens = tokens(head).unwrap_or_default();
    let words: Vec<String> = tokens
        .iter()
        .rev()
        .skip(1)
        .take(2)
        .map(|(token, _)| match token {
            Token::Word(word) => word.to_ascii_lowercase(),
            _ => String::new(),
        })
        .collect();
    let is = |before: &str, word: &str| words == [word, before];
    if is("subscribed", "to") || is("about", "topic") {
        let topics = vocabulary.schema.topics.iter().flatten();
        return topics.map(|(key, name)| quoted(key, name)).collect();
    }
    if is("by", "campaign") {
        return vocabulary.campaigns.iter().map(|name| quoted(name, "")).collect();
    }
    let field = field(head).unwrap_or_default();
    let field = if field.eq_ignore_ascii_case("tag") { AttributeName::TAGS } else { field.as_str() };
    let held = vocabulary.values.get(field).into_iter().flatten();
    held.map(|value| quoted(value, "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vocabulary() -> Vocabulary {
        let attributes = [
            ("age", AttributeKind::Number),
            ("city", AttributeKind::Text),
            ("member", AttributeKind::Boolean),
            ("read", AttributeKind::Date),
        ];
        Vocabulary {
            schema: Schema {
                attributes: attributes.map(|(name, kind)| (name.to_owned(), kind)).into(),
                topics: Some([("offers".to_owned(), "Offers of the week".to_owned())].into()),
                open: true,
            },
            segments: [("Locals".to_owned(), "city = \"Bonn\" or city = \"Ulm\"".to_owned())].into(),
            campaigns: vec!["Spring".to_owned()],
            values: [
                ("city".to_owned(), vec!["Bonn".to_owned(), "Köln \"am Rhein\"".to_owned()]),
                ("tags".to_owned(), vec!["vip".to_owned()]),
            ]
            .into(),
        }
    }

    fn texts(text: &str) -> Vec<String> {
        complete(text, text.len(), &vocabulary()).into_iter().map(|one| one.text).collect()
    }

    #[test]
    fn what_may_come_next_is_offered() {
        let check = |text: &str, has: &[&str], lacks: &[&str]| {
            let offered = texts(text);
            for one in has {
                assert!(offered.iter().any(|text| text == one), "{text:?} lacks {one:?}: {offered:?}");
            }
            for one in lacks {
                assert!(!offered.iter().any(|text| text == one), "{text:?} offers {one:?}: {offered:?}");
            }
        };
        check("", &["city ", "age ", "attributes.read ", "name "], &["and "]);
        check("ci", &["city "], &["age "]);
        check("cons", &["consent.sms ", "consent.whatsapp "], &[]);
        check("consent.w", &["consent.whatsapp "], &["consent.sms "]);
        check("loc", &["locale ", "(city = \"Bonn\" or city = \"Ulm\") "], &[]);
        check("city ", &["= ", "~ ", "starts with ", "is set "], &[]);
        check("age ", &[">= ", "in ("], &["~ ", "starts with "]);
        check("member ", &["= "], &["> ", "~ "]);
        check("member = ", &["true ", "false "], &[]);
        check("city = ", &["\"Bonn\" "], &["true "]);
        check("city = \"k", &["\"Köln \\\"am Rhein\\\"\" "], &["\"Bonn\" "]);
        check("city in (\"Ulm\", ", &["\"Bonn\" "], &[]);
        check("tag = ", &["\"vip\" "], &["\"Bonn\" "]);
        check("consent.sms = ", &["opted_in ", "opted_out ", "none "], &[]);
        check("consent.sms = opted", &["opted_in "], &["none "]);
        check("subscribed to ", &["\"offers\" "], &[]);
        check("subscribed to \"of", &["\"offers\" "], &[]);
        check("messaged ", &["within 7 days ", "by campaign ", "and "], &[]);
        check("replied ", &["within 7 days ", "and "], &["by campaign "]);
        check("messaged by campaign ", &["\"Spring\" "], &["\"Bonn\" "]);
        check("messaged about topic ", &["\"offers\" "], &[]);
        check("messaged within 7 ", &["days ", "hours "], &[]);
        check("age > 3 ", &["and ", "or "], &["city "]);
        check("age > 3 a", &["and "], &["or "]);
        check("age > 3 and ", &["city "], &["and "]);
        check("(age > 3 ", &[") ", "and "], &[]);
        check("not ", &["city ", "messaged "], &[]);
        check("age > ) and ", &[], &["city ", "and "]);
        check("member = true or (not ci", &["city "], &[]);
    }

    #[test]
    fn a_word_within_the_text_is_replaced() {
        let text = "ci and age > 3";
        let offered = complete(text, 2, &vocabulary());
        assert_eq!((offered[0].span, offered[0].text.as_str()), (Span { start: 0, end: 2 }, "city "));
        let text = "city = \"Bo\" and age > 3";
        let offered = complete(text, 10, &vocabulary());
        assert_eq!((offered[0].span, offered[0].text.as_str()), (Span { start: 7, end: 11 }, "\"Bonn\" "));
        assert_eq!(complete("é", 1, &vocabulary()).len(), complete("é", 0, &vocabulary()).len(), "within a character");
    }

    proptest! {
        /// Whoever follows the offers never gets further into a wrong text: what is put in is read to its end.
        #[test]
        fn offers_lead_on(choices in prop::collection::vec(any::<prop::sample::Index>(), 1..12)) {
            let mut text = String::new();
            for choice in choices {
                let offered = complete(&text, text.len(), &vocabulary());
                if offered.is_empty() {
                    // A number or a date of one's own.
                    text.push_str("2 ");
                    if parse(&text).is_err() {
                        break;
                    }
                    continue;
                }
                let one = choice.get(&offered);
                text.replace_range(one.span.start..one.span.end, &one.text);
                if let Err(error) = parse(&text) {
                    prop_assert!(error.span.start >= text.trim_end().len(), "{text:?}: {error:?}");
                }
            }
        }
    }
}
