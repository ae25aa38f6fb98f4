//! Text into tokens with their places.

use super::{Comparison, FilterError, MAX_NUMBER_CHARS, Span, number_fits, number_limit};
use chrono::NaiveDate;

/// A word, value or sign of the language.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Date(NaiveDate),
    Sign(Comparison),
    Open,
    Close,
    Comma,
    Dot,
    End,
}

/// The tokens of the text, the last of which is [`Token::End`].
///
/// # Errors
/// At the first character that begins no token, with what may have been meant.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, FilterError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip(char::is_whitespace);
        let start = lexer.at;
        let Some(first) = lexer.peek() else {
            tokens.push((Token::End, Span { start, end: start }));
            return Ok(tokens);
        };
        let token = lexer.token(first)?;
        tokens.push((token, lexer.since(start)));
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn since(&self, start: usize) -> Span {
        Span { start, end: self.at }
    }

    /// Steps over the longest run of such characters and returns it.
    fn skip(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn token(&mut self, first: char) -> Result<Token, FilterError> {
        match first {
            '"' | '\'' => self.quoted(first),
            '-' | '0'..='9' => self.number_or_date(),
            c if c == '_' || c.is_alphabetic() => {
                Ok(Token::Word(self.skip(|c| c == '_' || c.is_alphanumeric()).to_owned()))
            }
            _ => self.sign(first),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Token, FilterError> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at = start + offset + 1;
                    return Ok(Token::Text(text));
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\'' | '\\'))) => text.push(c),
                    _ => {
                        let span = Span { start: start + offset, end: start + offset + 1 };
                        let message = "A backslash stands before a quote or another backslash.";
                        return Err(FilterError::new(span, message).suggest(Some("\\\\")));
                    }
                },
                c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {
                    let span = Span { start: start + offset, end: start + offset + c.len_utf8() };
                    return Err(FilterError::new(span, "Text may not hold control characters."));
                }
                c => text.push(c),
            }
        }
        let span = Span { start, end: self.text.len() };
        Err(FilterError::new(span, "This text has no closing quote.").expect([quote]))
    }

    fn number_or_date(&mut self) -> Result<Token, FilterError> {
        let start = self.at;
        let raw = self.skip(|c| c.is_ascii_digit() || matches!(c, '-' | '.'));
        let span = self.since(start);
        let quoted = Some(format!("\"{raw}\""));
        if raw.len() > 1 && raw[1..].contains('-') {
            let day = (raw.len() == 10).then(|| NaiveDate::parse_from_str(raw, "%Y-%m-%d").ok()).flatten();
            let message = "This is neither a number nor a date; a date looks like 2026-01-31.";
            return day.map(Token::Date).ok_or_else(|| FilterError::new(span, message).suggest(quoted));
        }
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
            return Err(FilterError::new(span, "This is not a number; numbers look like 30 or -1.5."));
        }
        if whole.len() > 1 && whole.starts_with('0') {
            let message = "A number has no leading zeros; digits that are not counted are text, in quotes.";
            return Err(FilterError::new(span, message).suggest(quoted));
        }
        match raw.parse::<f64>() {
            // Minus zero is written as zero, so that equal filters have one text.
            Ok(number) if raw.len() <= MAX_NUMBER_CHARS && number_fits(number) => Ok(Token::Number(number + 0.0)),
            _ => Err(FilterError::new(span, number_limit()).suggest(quoted)),
        }
    }

    fn sign(&mut self, first: char) -> Result<Token, FilterError> {
        const SIGNS: [(&str, Token); 11] = [
            ("!=", Token::Sign(Comparison::NotEqual)),
            ("<=", Token::Sign(Comparison::AtMost)),
            (">=", Token::Sign(Comparison::AtLeast)),
            ("=", Token::Sign(Comparison::Equal)),
            ("<", Token::Sign(Comparison::Less)),
            (">", Token::Sign(Comparison::Greater)),
            ("~", Token::Sign(Comparison::Contains)),
            ("(", Token::Open),
            (")", Token::Close),
            (",", Token::Comma),
            (".", Token::Dot),
        ];
        /// What other languages write, and what is written here.
        const FOREIGN: [(&str, &str); 10] = [
            ("==", "="),
            ("=~", "~"),
            ("<>", "!="),
            ("=<", "<="),
            ("=>", ">="),
            ("&&", "and"),
            ("||", "or"),
            ("&", "and"),
            ("|", "or"),
            ("≠", "!="),
        ];
        let start = self.at;
        if let Some((foreign, ours)) = FOREIGN.iter().find(|(sign, _)| self.rest().starts_with(sign)) {
            let span = Span { start, end: start + foreign.len() };
            let message = format!("\"{foreign}\" is not used here; write {ours}.");
            return Err(FilterError::new(span, message).suggest(Some(*ours)));
        }
        if let Some((sign, token)) = SIGNS.into_iter().find(|(sign, _)| self.rest().starts_with(sign)) {
            self.at += sign.len();
            return Ok(token);
        }
        if first == '+' {
            let raw = self.skip(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-')).trim_end();
            let span = Span { start, end: start + raw.len() };
            let message = "A phone number is text, in quotes.";
            return Err(FilterError::new(span, message).suggest(Some(format!("\"{raw}\""))));
        }
        let span = Span { start, end: start + first.len_utf8() };
        Err(match first {
            '“' | '”' | '„' | '‘' | '’' | '`' => {
                FilterError::new(span, "Text stands in straight quotes.").suggest(Some("\""))
            }
            '!' => FilterError::new(span, "Write \"not\" before a condition.").suggest(Some("not ")),
            '−' | '–' => FilterError::new(span, "A negative number has a plain minus.").suggest(Some("-")),
            c => FilterError::new(span, format!("The character {c:?} means nothing here.")),
        })
    }
}
