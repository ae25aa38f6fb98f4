//! The filter language: one text form for user lists, segments, campaign audiences, exports and the API.
//!
//! ```text
//! city = "Colombo" and age >= 30 and consent.whatsapp = opted_in
//!     and (subscribed to "offers" or tag ~ "vip") and not messaged within 7 days
//! ```
//!
//! # Grammar
//!
//! ```text
//! filter     = [ any ]                                     empty text is everyone
//! any        = all { "or" all }
//! all        = unary { "and" unary }
//! unary      = "not" unary | "(" any ")" | condition
//! condition  = field comparison value
//!            | field "starts" "with" text
//!            | field "in" "(" value { "," value } ")"      values of one kind
//!            | field "is" [ "not" ] "set"
//!            | "subscribed" "to" text                      a topic's keyword
//!            | behaviour { window | scope }                at most one of each
//! field      = "phone" | "name" | "locale" | "zone" | "created"
//!            | "consent" "." ( "sms" | "whatsapp" )
//!            | "tag" | "tags"                              the list attribute `tags`
//!            | "attributes" "." ( word | text )            any custom attribute
//!            | word                                        a custom attribute whose name is not a word of the language
//! comparison = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"  ~ is "contains"
//! value      = text | number | date | "true" | "false" | "none" | "opted_in" | "opted_out"
//! behaviour  = "messaged" | "delivered" | "read" | "failed" | "replied" | "joined" | "imported"
//! window     = [ "not" ] "within" number ( "day" | "days" | "hour" | "hours" )
//! scope      = "by" "campaign" text | "about" "topic" text
//! text       = '"' … '"' | "'" … "'"                       \ before a quote or a \ takes it literally
//! number     = [ "-" ] digits [ "." digits ]               at most 20 characters, below 10^15
//! date       = YYYY "-" MM "-" DD
//! word       = ( letter | "_" ) { letter | digit | "_" }
//! ```
//!
//! The language's own words are read in any case; names of attributes are exact. A scope belongs to `messaged`,
//! `delivered`, `read` and `failed` only: nothing ties a reply or an import to one campaign.
//!
//! # Meaning
//!
//! Logic has two values, and the SQL compiler of the engine agrees with [`evaluate`] on every row:
//! - A field has zero or more *values*: a JSON list has its elements, anything else but null is one value. Null and
//!   missing are no value, in a list too. `is set` means at least one value.
//! - A comparison holds if some value of the field satisfies it; without a value it is false, and `not` of it is true.
//!   `!=` holds if the field has a value that can be compared and none that is equal.
//! - A text literal compares with JSON strings. A number compares with JSON numbers (as 64-bit floats) and with strings
//!   in the plain decimal form above; a boolean with JSON booleans and the strings `true` and `false`; a date with
//!   strings that begin with `YYYY-MM-DD`, alone or followed by `T` or a space. So a filter works the same whether an
//!   import typed its columns or not.
//! - Text is compared without regard to ASCII case, and ordered by the bytes of its UTF-8. Other letters are compared
//!   as they are: SQLite's `lower()` and PostgreSQL's under the `C` collation do just that. Phone numbers are exact.
//! - `created` is compared by its day in UTC.
//! - `messaged` means that a message may have reached the person (on its way, sent, or in doubt), `failed` that one was
//!   refused or not delivered. The instant of a message is that of its latest change of state. Without a window a
//!   behaviour means "ever"; `not within` means "not once in that time", which someone never messaged satisfies.
//! - `subscribed to` is the person's own choice, not what an opt-out topic assumes of people without one.
//!
//! # Why a hand-written parser
//!
//! The grammar is decided by the next token everywhere, so nothing needs to backtrack, and the value lies in the
//! errors: an exact span, the words expected there, and a replacement that the editor can apply ("did you mean", "put
//! it in quotes", "write `not x in`"). With combinators (winnow) each of those needs its own error type threaded
//! through alternatives and a stateful input for the nesting limit, which is more code than the descent itself, and
//! more WASM. Edit distance comes from `strsim`.

mod ast;
mod check;
mod complete;
mod evaluate;
mod lex;
mod normal;
mod parse;
mod print;

pub use ast::{AttributeName, Behaviour, Comparison, Condition, Expr, Field, Literal, Scope, Test, Unit, Window};
pub use check::{AttributeKind, Schema, check};
pub use complete::{Completion, MAX_COMPLETIONS, Vocabulary, complete};
pub use evaluate::{Explanation, Facts, Occurrence, evaluate, explain, is_plain_decimal, iso_day};
pub use parse::parse;

use serde::{Deserialize, Serialize};

/// Longest text of a filter, in bytes.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Most conditions in a filter.
pub const MAX_CONDITIONS: usize = 250;
/// Deepest nesting of parentheses and `not`.
pub const MAX_DEPTH: usize = 50;
/// Most values after `in`.
pub const MAX_LIST_ITEMS: usize = 1_000;
/// Longest name of an attribute, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Longest plain decimal, in characters.
pub const MAX_NUMBER_CHARS: usize = 20;
/// Longest window, in days.
pub const MAX_WINDOW_DAYS: u32 = 3_660;
/// Numbers must stay below this, either side of zero: up to here every integer is exact.
pub const MAX_NUMBER: f64 = 1e15;

/// A place in the text, in bytes: `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The smallest span that covers both.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A filter could not be read, or does not fit the declared attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Where, in the text that was parsed.
    pub span: Span,
    /// What is wrong, in a sentence for the person who wrote it.
    pub message: String,
    /// What to write at `span` instead, if that can be guessed.
    pub suggestion: Option<String>,
    /// What could stand there.
    pub expected: Vec<String>,
}

impl FilterError {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), suggestion: None, expected: Vec::new() }
    }

    fn suggest(mut self, replacement: Option<impl Into<String>>) -> Self {
        self.suggestion = replacement.map(Into::into);
        self
    }

    fn expect<T: Into<String>>(mut self, expected: impl IntoIterator<Item = T>) -> Self {
        self.expected = expected.into_iter().map(Into::into).collect();
        self
    }
}

/// A filter over users, in normal form: no nested `and` in `and`, no double `not`, within every limit. Its `Display` is
/// the canonical text, which parses to an equal filter; audiences are hashed over it. On the wire it is that text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter {
    root: Option<Expr>,
}

impl Filter {
    /// The filter that everyone matches: the empty text.
    pub const EVERYONE: Self = Self { root: None };

    /// A filter of this expression, brought into normal form. `All` of nothing is everyone.
    ///
    /// # Errors
    /// When a limit is passed, a value does not fit its field, or the expression is `Any` of nothing or `not` everyone,
    /// which no text says.
    pub fn new(expr: Expr) -> Result<Self, FilterError> {
        let Some(root) = normal::normalise(expr, 0)? else {
            return Ok(Self::EVERYONE);
        };
        let filter = Self { root: Some(root) };
        let mut count = 0;
        for condition in filter.conditions() {
            count += 1;
            condition.validate()?;
        }
        if count > MAX_CONDITIONS {
            return Err(too_many_conditions(Span::default()));
        }
        if filter.to_string().len() > MAX_TEXT_BYTES {
            return Err(too_long());
        }
        Ok(filter)
    }

    /// The expression; `None` for everyone.
    pub fn expr(&self) -> Option<&Expr> {
        self.root.as_ref()
    }

    /// The expression, taken out; `None` for everyone.
    pub fn into_expr(self) -> Option<Expr> {
        self.root
    }

    /// Whether the filter is the empty one.
    pub fn is_everyone(&self) -> bool {
        self.root.is_none()
    }

    /// Whether any condition is about a custom attribute.
    pub fn names_attributes(&self) -> bool {
        let is_of_attribute = |condition: &&Condition| match &condition.test {
            Test::Compare { field, .. } | Test::OneOf { field, .. } | Test::Presence { field, .. } => {
                matches!(field, Field::Attribute(_))
            }
            Test::Subscribed { .. } | Test::Happened { .. } => false,
        };
        self.conditions().iter().any(is_of_attribute)
    }

    /// Whether any condition names a topic.
    pub fn names_topics(&self) -> bool {
        let names_one = |condition: &&Condition| {
            matches!(condition.test, Test::Subscribed { .. } | Test::Happened { scope: Some(Scope::Topic(_)), .. })
        };
        self.conditions().iter().any(names_one)
    }

    /// Those who match both.
    ///
    /// # Errors
    /// When the two together pass a limit.
    pub fn and(self, other: Self) -> Result<Self, FilterError> {
        Self::new(Expr::All(self.root.into_iter().chain(other.root).collect()))
    }

    /// Every condition, in the order of the text.
    pub fn conditions(&self) -> Vec<&Condition> {
        let mut found = Vec::new();
        if let Some(root) = &self.root {
            root.collect(&mut found);
        }
        found
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.to_string()
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;
    fn try_from(text: String) -> Result<Self, FilterError> {
        parse(&text)
    }
}

impl std::str::FromStr for Filter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse(text)
    }
}

fn too_long() -> FilterError {
    FilterError::new(
        Span::default(),
        format!("A filter may have at most {MAX_TEXT_BYTES} bytes, as written and in its canonical form."),
    )
}

fn too_many_conditions(span: Span) -> FilterError {
    FilterError::new(span, format!("A filter may have at most {MAX_CONDITIONS} conditions."))
}

fn too_deep(span: Span) -> FilterError {
    FilterError::new(span, format!("Parentheses and \"not\" may be nested at most {MAX_DEPTH} deep."))
}

fn number_limit() -> String {
    format!("Numbers have at most {MAX_NUMBER_CHARS} characters and stay below 10^15.")
}

/// Whether the number can be written in the language and read back as the same.
fn number_fits(number: f64) -> bool {
    number.abs() < MAX_NUMBER && print::number_text(number).len() <= MAX_NUMBER_CHARS
}

/// The candidate that the word most likely meant, if one is near enough.
fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let most = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
