//! Text to literals and slots.

use super::{MAX_NAME_BYTES, MAX_SLOTS, MAX_TEMPLATE_CHARS, Segment, Slot, TemplateError, TemplateErrorKind as Kind};

/// Words that mean something else in the template language.
const RESERVED: &[&str] = &[
    "true", "True", "false", "False", "none", "None", "loop", "self", "super", "not", "and", "or", "in", "is", "if",
    "else",
];

/// A position in the text, with the rest from there.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

pub(super) fn parse(text: &str) -> Result<Vec<Segment>, TemplateError> {
    if let Some((offset, _)) = text.char_indices().nth(MAX_TEMPLATE_CHARS) {
        return Err(error(text, offset, Kind::TooLong));
    }
    let mut cursor = Cursor { text, at: 0 };
    let mut segments = Vec::new();
    let mut slots = 0;
    while !cursor.rest().is_empty() {
        let rest = cursor.rest();
        let end = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min().unwrap_or(rest.len());
        if end > 0 {
            segments.push(Segment::Literal(rest[..end].to_owned()));
            cursor.at += end;
        } else if rest.starts_with("{%") {
            return Err(cursor.error(Kind::Block));
        } else if rest.starts_with("{#") {
            return Err(cursor.error(Kind::Comment));
        } else {
            slots += 1;
            if slots > MAX_SLOTS {
                return Err(cursor.error(Kind::TooManyVariables));
            }
            segments.push(Segment::Slot(slot(&mut cursor)?));
        }
    }
    Ok(segments)
}

/// `{{ name }}` or `{{ name | default("text") }}`, from its first brace.
fn slot(cursor: &mut Cursor<'_>) -> Result<Slot, TemplateError> {
    let at = cursor.at;
    cursor.at += 2;
    cursor.skip_space();
    let name = name(cursor, at)?;
    cursor.skip_space();
    let default = if cursor.take("|") { Some(default(cursor, at)?) } else { None };
    cursor.skip_space();
    if cursor.take("}}") {
        return Ok(Slot { name, default, at });
    }
    Err(unclosed_or(cursor, at, Kind::Unexpected))
}

fn name(cursor: &mut Cursor<'_>, at: usize) -> Result<String, TemplateError> {
    if cursor.rest().starts_with("}}") {
        return Err(error(cursor.text, at, Kind::EmptyVariable));
    }
    let start = cursor.at;
    let word = cursor.take_while(|c| !c.is_whitespace() && !matches!(c, '|' | '}' | '{' | '(' | '"' | '\''));
    let mut parts = word.split('.');
    let well_formed = word.len() <= MAX_NAME_BYTES && parts.clone().count() <= 2 && parts.clone().all(is_identifier);
    if !well_formed {
        return Err(match word {
            "" => unclosed_or(cursor, at, Kind::Unexpected),
            _ => error(cursor.text, start, Kind::BadName(word.to_owned())),
        });
    }
    match parts.find(|part| RESERVED.contains(part)) {
        Some(part) => Err(error(cursor.text, start, Kind::ReservedName(part.to_owned()))),
        None => Ok(word.to_owned()),
    }
}

fn is_identifier(word: &str) -> bool {
    !word.starts_with(|c: char| c.is_ascii_digit())
        && !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `default("text")`, after the bar.
fn default(cursor: &mut Cursor<'_>, at: usize) -> Result<String, TemplateError> {
    cursor.skip_space();
    let start = cursor.at;
    if cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_') != "default" {
        return Err(error(cursor.text, start, Kind::UnknownFilter));
    }
    cursor.skip_space();
    if !cursor.take("(") {
        return Err(unclosed_or(cursor, at, Kind::BadDefault));
    }
    cursor.skip_space();
    let text = quoted(cursor, at)?;
    cursor.skip_space();
    if cursor.take(")") { Ok(text) } else { Err(unclosed_or(cursor, at, Kind::BadDefault)) }
}

/// A text in single or double quotes, with the escapes `\\ \" \' \n \t`.
fn quoted(cursor: &mut Cursor<'_>, at: usize) -> Result<String, TemplateError> {
    let quote = match cursor.rest().chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => return Err(unclosed_or(cursor, at, Kind::BadDefault)),
    };
    let mut out = String::new();
    let mut chars = cursor.rest().char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            _ if c == quote => {
                cursor.at += i + 1;
                return Ok(out);
            }
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | '"' | '\''))) => out.push(escaped),
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                _ => return Err(error(cursor.text, cursor.at + i, Kind::BadDefault)),
            },
            _ => out.push(c),
        }
    }
    Err(error(cursor.text, at, Kind::Unclosed))
}

/// At the end of the text the fault is the missing end; before it, whatever stands there.
fn unclosed_or(cursor: &Cursor<'_>, at: usize, kind: Kind) -> TemplateError {
    if cursor.rest().contains("}}") { cursor.error(kind) } else { error(cursor.text, at, Kind::Unclosed) }
}

fn error(text: &str, offset: usize, kind: Kind) -> TemplateError {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    TemplateError {
        offset,
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        kind,
    }
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Only ASCII white space, which is what the template language skips.
    fn skip_space(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    fn error(&self, kind: Kind) -> TemplateError {
        error(self.text, self.at, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, line: usize, column: usize, kind: Kind) {
        let found = parse(text).expect_err(text);
        assert_eq!((found.line, found.column, &found.kind), (line, column, &kind), "{text:?}");
    }

    #[test]
    fn faults_are_named_at_their_place() {
        let bad = |name: &str| Kind::BadName(name.into());
        let reserved = |name: &str| Kind::ReservedName(name.into());
        check("{{", 1, 1, Kind::Unclosed);
        check("Hi {{ name", 1, 4, Kind::Unclosed);
        check("Hi {{ name }", 1, 4, Kind::Unclosed);
        check("ä\nß {{ name | default('x }}", 2, 3, Kind::Unclosed);
        check("Hi {{}}", 1, 4, Kind::EmptyVariable);
        check("Hi {{  }}", 1, 4, Kind::EmptyVariable);
        check("{{ 1a }}", 1, 4, bad("1a"));
        check("{{ first-name }}", 1, 4, bad("first-name"));
        check("{{ größe }}", 1, 4, bad("größe"));
        check("{{ a.b.c }}", 1, 4, bad("a.b.c"));
        check("{{ a. }}", 1, 4, bad("a."));
        check("{{- name -}}", 1, 3, bad("-"));
        check("{{ true }}", 1, 4, reserved("true"));
        check("{{ a.not }}", 1, 4, reserved("not"));
        check("{{ first name }}", 1, 10, Kind::Unexpected);
        check("{{{ name }}}", 1, 3, Kind::Unexpected);
        check("{{ f() }}", 1, 5, Kind::Unexpected);
        check("{{ 'text' }}", 1, 4, Kind::Unexpected);
        check("{{ name | upper }}", 1, 11, Kind::UnknownFilter);
        check("{{ name | default }}", 1, 19, Kind::BadDefault);
        check("{{ name | default() }}", 1, 19, Kind::BadDefault);
        check("{{ name | default(other) }}", 1, 19, Kind::BadDefault);
        check("{{ name | default('a', true) }}", 1, 22, Kind::BadDefault);
        check(r"{{ name | default('\x41') }}", 1, 20, Kind::BadDefault);
        check("{{ name | default('a') | default('b') }}", 1, 24, Kind::Unexpected);
        check("a\n{% if x %}", 2, 1, Kind::Block);
        check("{# c #}", 1, 1, Kind::Comment);
        check(&"{{ a }}".repeat(MAX_SLOTS + 1), 1, 7 * MAX_SLOTS + 1, Kind::TooManyVariables);
        check(&"ä".repeat(MAX_TEMPLATE_CHARS + 1), 1, MAX_TEMPLATE_CHARS + 1, Kind::TooLong);
        assert!(parse(&"{{ a }}".repeat(MAX_SLOTS)).is_ok());
        assert!(parse(&"ä".repeat(MAX_TEMPLATE_CHARS)).is_ok());
    }
}
