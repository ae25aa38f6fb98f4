//! A filter against what is known of one person. Pure and total; the engine's SQL says the same.

use super::{
    AttributeName, Behaviour, Comparison, Condition, Expr, Field, Filter, Literal, MAX_NUMBER_CHARS, Scope, Span, Test,
    Window,
};
use crate::{consent::ConsentState, phone::Channel};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// What a filter may ask about one person. Someone who was merged brings the facts of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The phone number in E.164.
    pub phone: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The BCP 47 language tag.
    pub locale: Option<String>,
    /// The IANA zone.
    pub zone: Option<String>,
    /// When the person became known.
    pub created_at: DateTime<Utc>,
    /// Custom attributes, `tags` among them.
    pub attributes: Map<String, Value>,
    /// Where the person stands per channel; a missing one is `None`.
    pub consents: BTreeMap<Channel, ConsentState>,
    /// Keywords of the topics that the person chose to follow.
    pub subscriptions: BTreeSet<String>,
    /// What happened: the last instant of each behaviour, per campaign where there is one. `joined` need not be here.
    pub occurrences: Vec<Occurrence>,
}

/// Something that happened to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// What.
    pub behaviour: Behaviour,
    /// When: for messages the latest change of state.
    pub at: DateTime<Utc>,
    /// The name of the message's campaign.
    pub campaign: Option<String>,
    /// The keyword of the campaign's topic.
    pub topic: Option<String>,
}

/// What one condition says of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The condition, as the language writes it.
    pub text: String,
    /// Where it stood in the parsed text.
    pub span: Span,
    /// Whether it holds.
    pub holds: bool,
    /// Whether the outcome of the whole filter would be the other if this condition's were.
    pub decides: bool,
}

/// Whether the person matches.
pub fn evaluate(filter: &Filter, facts: &Facts, now: DateTime<Utc>) -> bool {
    filter.expr().is_none_or(|expr| fold(expr, &mut |condition| holds(&condition.test, facts, now)))
}

/// What every condition says of the person, in the order of the text.
pub fn explain(filter: &Filter, facts: &Facts, now: DateTime<Utc>) -> Vec<Explanation> {
    let conditions = filter.conditions();
    let verdicts: Vec<bool> = conditions.iter().map(|condition| holds(&condition.test, facts, now)).collect();
    let outcome = |flipped: Option<usize>| {
        filter.expr().is_none_or(|expr| {
            let mut index = 0;
            // Every condition is asked, in order, so that the index is that of `conditions`.
            fold_all(expr, &mut |_| {
                index += 1;
                verdicts[index - 1] != (flipped == Some(index - 1))
            })
        })
    };
    let whole = outcome(None);
    conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| Explanation {
            text: condition.to_string(),
            span: condition.span,
            holds: verdicts[index],
            decides: outcome(Some(index)) != whole,
        })
        .collect()
}

fn fold(expr: &Expr, verdict: &mut impl FnMut(&Condition) -> bool) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|part| fold(part, verdict)),
        Expr::Any(parts) => parts.iter().any(|part| fold(part, verdict)),
        Expr::Not(inner) => !fold(inner, verdict),
        Expr::Test(condition) => verdict(condition),
    }
}

/// As [`fold`], without stopping at the first part that settles it.
fn fold_all(expr: &Expr, verdict: &mut impl FnMut(&Condition) -> bool) -> bool {
    let mut each = |parts: &[Expr]| parts.iter().map(|part| fold_all(part, verdict)).collect::<Vec<_>>();
    match expr {
        Expr::All(parts) => !each(parts).contains(&false),
        Expr::Any(parts) => each(parts).contains(&true),
        Expr::Not(inner) => !fold_all(inner, verdict),
        Expr::Test(condition) => verdict(condition),
    }
}

fn holds(test: &Test, facts: &Facts, now: DateTime<Utc>) -> bool {
    match test {
        Test::Compare { field, comparison, value } => compare(field, *comparison, value, facts),
        Test::OneOf { field, values } => values.iter().any(|value| compare(field, Comparison::Equal, value, facts)),
        Test::Presence { field, set } => is_set(field, facts) == *set,
        Test::Subscribed { topic } => facts.subscriptions.contains(topic),
        Test::Happened { behaviour, window, scope } => {
            let happened = happened(*behaviour, *window, scope.as_ref(), facts, now);
            happened == window.is_none_or(|window| window.within)
        }
    }
}

fn happened(
    behaviour: Behaviour,
    window: Option<Window>,
    scope: Option<&Scope>,
    facts: &Facts,
    now: DateTime<Utc>,
) -> bool {
    // A window that reaches past the beginning of time holds everything.
    let since = window.and_then(|window| now.checked_sub_signed(window.length()));
    let recent = |at: DateTime<Utc>| since.is_none_or(|since| at >= since);
    if behaviour == Behaviour::Joined {
        return recent(facts.created_at);
    }
    let in_scope = |one: &Occurrence| match scope {
        None => true,
        Some(Scope::Campaign(name)) => one.campaign.as_ref().is_some_and(|found| found.eq_ignore_ascii_case(name)),
        Some(Scope::Topic(key)) => one.topic.as_ref() == Some(key),
    };
    facts.occurrences.iter().any(|one| one.behaviour == behaviour && recent(one.at) && in_scope(one))
}

/// The built-in text field's value, if the field is one.
fn built_in<'a>(field: &Field, facts: &'a Facts) -> Option<&'a str> {
    match field {
        Field::Phone => facts.phone.as_deref(),
        Field::Name => facts.name.as_deref(),
        Field::Locale => facts.locale.as_deref(),
        Field::Zone => facts.zone.as_deref(),
        Field::Created | Field::Consent(_) | Field::Attribute(_) => None,
    }
}

fn is_set(field: &Field, facts: &Facts) -> bool {
    match field {
        Field::Created | Field::Consent(_) => true,
        Field::Attribute(name) => !values(name, facts).is_empty(),
        _ => built_in(field, facts).is_some(),
    }
}

/// The values of an attribute: a list's elements or the one value, without nulls.
fn values<'a>(name: &AttributeName, facts: &'a Facts) -> Vec<&'a Value> {
    match facts.attributes.get(name.as_str()) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(elements)) => elements.iter().filter(|value| !value.is_null()).collect(),
        Some(value) => vec![value],
    }
}

fn compare(field: &Field, comparison: Comparison, literal: &Literal, facts: &Facts) -> bool {
    match (field, literal) {
        (Field::Attribute(name), _) => {
            let verdicts: Vec<bool> =
                values(name, facts).into_iter().filter_map(|value| compare_json(value, comparison, literal)).collect();
            match comparison {
                Comparison::NotEqual => !verdicts.is_empty() && verdicts.into_iter().all(|verdict| verdict),
                _ => verdicts.contains(&true),
            }
        }
        (Field::Consent(channel), Literal::Consent(wanted)) => {
            let state = facts.consents.get(channel).copied().unwrap_or_default();
            (state == *wanted) == (comparison == Comparison::Equal)
        }
        (Field::Created, Literal::Date(day)) => ordered(facts.created_at.date_naive().cmp(day), comparison),
        (Field::Phone, Literal::Text(wanted)) => {
            built_in(field, facts).is_some_and(|text| compare_text(text, comparison, wanted))
        }
        (_, Literal::Text(wanted)) => built_in(field, facts)
            .is_some_and(|text| compare_text(&text.to_ascii_lowercase(), comparison, &wanted.to_ascii_lowercase())),
        _ => false,
    }
}

/// What the comparison says of one value; `None` if the value cannot be compared with the literal.
fn compare_json(value: &Value, comparison: Comparison, literal: &Literal) -> Option<bool> {
    match (literal, value) {
        (Literal::Text(wanted), Value::String(text)) => {
            Some(compare_text(&text.to_ascii_lowercase(), comparison, &wanted.to_ascii_lowercase()))
        }
        (Literal::Number(wanted), Value::Number(number)) => compare_number(number.as_f64()?, comparison, *wanted),
        (Literal::Number(wanted), Value::String(text)) if is_plain_decimal(text) => {
            compare_number(text.parse().ok()?, comparison, *wanted)
        }
        (Literal::Boolean(wanted), Value::Bool(found)) => Some(ordered(found.cmp(wanted), comparison)),
        (Literal::Boolean(wanted), Value::String(text)) => {
            let found: bool = text.to_ascii_lowercase().parse().ok()?;
            Some(ordered(found.cmp(wanted), comparison))
        }
        (Literal::Date(wanted), Value::String(text)) => {
            Some(ordered(iso_day(text)?.cmp(wanted.to_string().as_str()), comparison))
        }
        _ => None,
    }
}

fn compare_text(text: &str, comparison: Comparison, wanted: &str) -> bool {
    match comparison {
        Comparison::Contains => text.contains(wanted),
        Comparison::StartsWith => text.starts_with(wanted),
        _ => ordered(text.cmp(wanted), comparison),
    }
}

fn compare_number(number: f64, comparison: Comparison, wanted: f64) -> Option<bool> {
    number.partial_cmp(&wanted).map(|order| ordered(order, comparison))
}

fn ordered(order: Ordering, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
        // Only text contains or starts with something; `Condition::validate` lets nothing else here.
        Comparison::Contains | Comparison::StartsWith => false,
    }
}

/// Whether the text is a number in the plain form: an optional minus, digits, and optionally a dot with digits; at most
/// [`MAX_NUMBER_CHARS`] characters. Both databases can tell the same without reading the number.
pub fn is_plain_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    text.len() <= MAX_NUMBER_CHARS && digits(whole) && digits(fraction)
}

/// The day that the text begins with: `YYYY-MM-DD` at its end or before a `T` or a space. Only the form is looked at, so
/// that both databases can tell the same.
pub fn iso_day(text: &str) -> Option<&str> {
    let day = text.get(..10)?;
    let formed =
        day.bytes().enumerate().all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    (formed && matches!(text.as_bytes().get(10), None | Some(b'T' | b' '))).then_some(day)
}
