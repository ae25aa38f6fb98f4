//! Tokens into a filter, by recursive descent.

use super::{
    AttributeName, Behaviour, Comparison, Condition, Expr, Field, Filter, FilterError, Literal, MAX_CONDITIONS,
    MAX_DEPTH, MAX_LIST_ITEMS, MAX_NAME_BYTES, MAX_TEXT_BYTES, Scope, Span, Test, Unit, Window,
    lex::{Token, tokens},
    nearest,
    print::{Quoted, RESERVED},
    too_deep, too_long, too_many_conditions,
};
use crate::{consent::ConsentState, phone::Channel};

/// What may begin a condition, for completion and error messages.
const STARTS: [&str; 20] = [
    "phone",
    "name",
    "locale",
    "zone",
    "created",
    "consent.sms",
    "consent.whatsapp",
    "subscribed to",
    "tag",
    "attributes.",
    "messaged",
    "delivered",
    "read",
    "failed",
    "replied",
    "joined",
    "imported",
    "not",
    "(",
    "an attribute",
];
/// What may follow a field.
const COMPARISONS: [&str; 10] = ["=", "!=", "<", "<=", ">", ">=", "~", "starts with", "in", "is set"];

/// Reads a filter; the grammar stands in the module's documentation. Empty text is everyone.
///
/// # Errors
/// At the first place where the text leaves the grammar or passes a limit.
pub fn parse(text: &str) -> Result<Filter, FilterError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(too_long());
    }
    let tokens = tokens(text)?;
    if tokens.len() == 1 {
        return Ok(Filter::EVERYONE);
    }
    let mut parser = Parser { tokens, at: 0, depth: 0, conditions: 0 };
    let expr = parser.any()?;
    if *parser.peek() != Token::End {
        return Err(parser.error("This should be the end, or \"and\" or \"or\".", &["and", "or"]));
    }
    Filter::new(expr).map_err(|mut error| {
        if error.span == Span::default() {
            error.span.end = text.len();
        }
        error
    })
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
    conditions: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1
    }

    /// The span of the token before this one.
    fn before(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].1
    }

    /// Takes the token; the end stays where it is.
    fn next(&mut self) -> (Token, Span) {
        let taken = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        taken
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next();
        }
        found
    }

    fn eat(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.next();
        }
        found
    }

    /// An error at the next token, with the expected word that it may have meant.
    fn error(&self, message: &str, expected: &[&str]) -> FilterError {
        let suggestion = match self.peek() {
            Token::Word(word) => nearest(word, expected.iter().copied()),
            _ => None,
        };
        FilterError::new(self.span(), message).suggest(suggestion).expect(expected.iter().copied())
    }

    fn expect_word(&mut self, word: &str) -> Result<(), FilterError> {
        if self.eat_word(word) { Ok(()) } else { Err(self.error(&format!("\"{word}\" belongs here."), &[word])) }
    }

    fn any(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.all()?];
        while self.eat_word("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Any(parts) })
    }

    fn all(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.unary()?];
        while self.eat_word("and") {
            parts.push(self.unary()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::All(parts) })
    }

    fn unary(&mut self) -> Result<Expr, FilterError> {
        let start = self.span();
        let negated = self.eat_word("not");
        if !negated && !self.eat(&Token::Open) {
            return self.condition().map(Expr::Test);
        }
        if self.depth == MAX_DEPTH {
            return Err(too_deep(start));
        }
        self.depth += 1;
        let expr = if negated {
            Expr::Not(Box::new(self.unary()?))
        } else {
            let inner = self.any()?;
            if !self.eat(&Token::Close) {
                return Err(self.error("The parenthesis is not closed here.", &[")", "and", "or"]));
            }
            inner
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn condition(&mut self) -> Result<Condition, FilterError> {
        let start = self.span();
        let Token::Word(word) = self.peek() else {
            return Err(self.error("A condition belongs here.", &STARTS));
        };
        let word = word.to_ascii_lowercase();
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(too_many_conditions(start));
        }
        let (test, subject, operand) = match word.as_str() {
            "subscribed" => {
                self.next();
                self.expect_word("to")?;
                let topic = self.text("the topic's keyword")?.to_ascii_lowercase();
                (Test::Subscribed { topic }, start, self.before())
            }
            word => match Behaviour::ALL.into_iter().find(|behaviour| behaviour.as_str() == word) {
                Some(behaviour) => {
                    self.next();
                    let operand = self.span();
                    (self.happened(behaviour)?, start, operand.to(self.before()))
                }
                None => {
                    let field = self.field()?;
                    let subject = start.to(self.before());
                    let (test, operand) = self.comparison(field, subject)?;
                    (test, subject, operand)
                }
            },
        };
        let condition = Condition { test, span: start.to(self.before()), subject, operand };
        condition.validate()?;
        Ok(condition)
    }

    fn field(&mut self) -> Result<Field, FilterError> {
        let Token::Word(word) = self.peek().clone() else {
            return Err(self.error("A field belongs here.", &STARTS));
        };
        let lower = word.to_ascii_lowercase();
        let field = match lower.as_str() {
            "phone" => Field::Phone,
            "name" => Field::Name,
            "locale" => Field::Locale,
            "zone" => Field::Zone,
            "created" => Field::Created,
            "tag" | "tags" => self.attribute(AttributeName::TAGS)?,
            "consent" => {
                self.next();
                return self.consent_field();
            }
            "attributes" => {
                self.next();
                if !self.eat(&Token::Dot) {
                    return Err(self.error("\"attributes\" is followed by a dot and a name.", &["."]));
                }
                match self.peek().clone() {
                    Token::Word(name) | Token::Text(name) => self.attribute(&name)?,
                    _ => return Err(self.error("The name of an attribute belongs here.", &["an attribute"])),
                }
            }
            reserved if RESERVED.contains(&reserved) => {
                let message = format!("\"{word}\" cannot begin a condition; as an attribute it is attributes.{word}.");
                return Err(FilterError::new(self.span(), message).expect(STARTS));
            }
            _ => {
                self.check_bare_word(&word)?;
                self.attribute(&word)?
            }
        };
        self.next();
        Ok(field)
    }

    /// A word that is followed by nothing that compares was probably meant as another.
    fn check_bare_word(&self, word: &str) -> Result<(), FilterError> {
        let after = &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].0;
        match after {
            Token::Sign(_) => return Ok(()),
            Token::Word(next) if ["in", "is", "starts"].iter().any(|known| next.eq_ignore_ascii_case(known)) => {
                return Ok(());
            }
            _ => {}
        }
        let words = Behaviour::ALL.map(Behaviour::as_str).into_iter();
        let meant = match after {
            Token::Dot => nearest(word, ["consent", "attributes"]),
            _ => nearest(word, words.chain(["subscribed", "not", "and", "or"])),
        };
        match (meant, after) {
            (Some(meant), _) => {
                let message = format!("\"{word}\" is not known here; did you mean \"{meant}\"?");
                Err(FilterError::new(self.span(), message).suggest(Some(meant)).expect(STARTS))
            }
            (None, Token::Dot) => {
                let message = "Only \"consent\" and \"attributes\" are followed by a dot.";
                Err(FilterError::new(self.span(), message).expect(["consent", "attributes"]))
            }
            (None, _) => Ok(()),
        }
    }

    fn attribute(&self, name: &str) -> Result<Field, FilterError> {
        AttributeName::new(name).map(Field::Attribute).ok_or_else(|| {
            let message =
                format!("An attribute's name has 1 to {MAX_NAME_BYTES} bytes, without quotes and backslashes.");
            FilterError::new(self.span(), message)
        })
    }

    fn consent_field(&mut self) -> Result<Field, FilterError> {
        let words = Channel::ALL.iter().map(|channel| channel.as_str()).collect::<Vec<_>>();
        if !self.eat(&Token::Dot) {
            let message = "Consent is asked per channel: consent.sms or consent.whatsapp.";
            return Err(FilterError::new(self.before(), message).expect(["consent.sms", "consent.whatsapp"]));
        }
        match Channel::ALL.iter().find(|channel| self.is_word(channel.as_str())) {
            Some(channel) => {
                self.next();
                Ok(Field::Consent(*channel))
            }
            None => Err(self.error("A channel belongs here.", &words)),
        }
    }

    /// What follows a field, and the span of its value.
    fn comparison(&mut self, field: Field, subject: Span) -> Result<(Test, Span), FilterError> {
        if let Token::Sign(comparison) = *self.peek() {
            self.next();
            return self.compare(field, comparison);
        }
        if self.eat_word("starts") {
            self.expect_word("with")?;
            return self.compare(field, Comparison::StartsWith);
        }
        if self.eat_word("is") {
            let set = !self.eat_word("not");
            self.expect_word("set")?;
            return Ok((Test::Presence { field, set }, self.before()));
        }
        let start = self.span();
        if self.eat_word("in") {
            let values = self.list(&field)?;
            return Ok((Test::OneOf { field, values }, start.to(self.before())));
        }
        if self.is_word("not") {
            let message = "\"not\" stands before the whole condition.";
            return Err(FilterError::new(subject.to(self.span()), message).suggest(Some(format!("not {field}"))));
        }
        Err(self.error("A comparison belongs here.", &COMPARISONS))
    }

    fn compare(&mut self, field: Field, comparison: Comparison) -> Result<(Test, Span), FilterError> {
        let value = self.value(&field)?;
        Ok((Test::Compare { field, comparison, value }, self.before()))
    }

    fn list(&mut self, field: &Field) -> Result<Vec<Literal>, FilterError> {
        if !self.eat(&Token::Open) {
            return Err(self.error("The values after \"in\" stand in parentheses.", &["("]));
        }
        let mut values = Vec::new();
        loop {
            if values.len() == MAX_LIST_ITEMS {
                let message = format!("\"in\" takes at most {MAX_LIST_ITEMS} values.");
                return Err(FilterError::new(self.span(), message));
            }
            values.push(self.value(field)?);
            if self.eat(&Token::Close) {
                return Ok(values);
            }
            if !self.eat(&Token::Comma) {
                return Err(self.error("A comma or the closing parenthesis belongs here.", &[",", ")"]));
            }
        }
    }

    fn value(&mut self, field: &Field) -> Result<Literal, FilterError> {
        let (token, span) = self.tokens[self.at].clone();
        let value = match token {
            Token::Text(text) => Literal::Text(text),
            Token::Number(number) => Literal::Number(number),
            Token::Date(day) => Literal::Date(day),
            Token::Word(word) => self.word_value(field, &word, span)?,
            _ => return Err(self.error("A value belongs here.", value_kinds(field))),
        };
        self.next();
        Ok(value)
    }

    fn word_value(&self, field: &Field, word: &str, span: Span) -> Result<Literal, FilterError> {
        let lower = word.to_ascii_lowercase();
        if matches!(field, Field::Consent(_)) {
            let states = ConsentState::ALL.iter().map(|state| state.as_str());
            return lower.parse().map(Literal::Consent).map_err(|_| {
                let message = format!("\"{word}\" is not a state of consent.");
                FilterError::new(span, message).suggest(nearest(word, states.clone())).expect(states)
            });
        }
        match lower.as_str() {
            "true" => Ok(Literal::Boolean(true)),
            "false" => Ok(Literal::Boolean(false)),
            _ => {
                let message = "Text stands in quotes.";
                Err(FilterError::new(span, message)
                    .suggest(Some(Quoted(word).to_string()))
                    .expect(value_kinds(field).iter().copied()))
            }
        }
    }

    fn text(&mut self, what: &str) -> Result<String, FilterError> {
        match self.peek().clone() {
            Token::Text(text) => {
                self.next();
                Ok(text)
            }
            Token::Word(word) => {
                let message = format!("In quotes, please: {what}.");
                Err(FilterError::new(self.span(), message).suggest(Some(Quoted(&word).to_string())).expect(["text"]))
            }
            _ => Err(self.error(&format!("Here belongs {what}, in quotes."), &["text"])),
        }
    }

    fn happened(&mut self, behaviour: Behaviour) -> Result<Test, FilterError> {
        let (mut window, mut scope) = (None, None);
        loop {
            if window.is_none() && (self.is_word("within") || self.is_word("not")) {
                window = Some(self.window()?);
            } else if scope.is_none() && self.eat_word("by") {
                self.expect_word("campaign")?;
                scope = Some(Scope::Campaign(self.text("the campaign's name")?));
            } else if scope.is_none() && self.eat_word("about") {
                self.expect_word("topic")?;
                scope = Some(Scope::Topic(self.text("the topic's keyword")?.to_ascii_lowercase()));
            } else {
                return Ok(Test::Happened { behaviour, window, scope });
            }
        }
    }

    fn window(&mut self) -> Result<Window, FilterError> {
        let within = !self.eat_word("not");
        self.expect_word("within")?;
        let amount = match *self.peek() {
            Token::Number(number) if number.fract() == 0.0 && (1.0..1e6).contains(&number) => number as u32,
            _ => return Err(self.error("A whole number belongs here, from 1.", &["a number"])),
        };
        self.next();
        let Token::Word(word) = self.peek() else {
            return Err(self.error("Days or hours?", &["days", "hours"]));
        };
        let unit = match word.to_ascii_lowercase().as_str() {
            "day" | "days" => Unit::Days,
            "hour" | "hours" => Unit::Hours,
            _ => return Err(self.error("A window is counted in days or hours.", &["days", "hours"])),
        };
        self.next();
        Ok(Window { within, amount, unit })
    }
}

/// What may be compared with a field, in words.
const fn value_kinds(field: &Field) -> &'static [&'static str] {
    match field {
        Field::Phone | Field::Name | Field::Locale | Field::Zone => &["text"],
        Field::Created => &["a date"],
        Field::Consent(_) => &["opted_in", "opted_out", "none"],
        Field::Attribute(_) => &["text", "a number", "a date", "true", "false"],
    }
}
