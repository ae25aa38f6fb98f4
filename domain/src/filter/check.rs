//! A filter against what is declared.

use super::{
    AttributeName, Comparison, Condition, Expr, Field, Filter, FilterError, Literal, Scope, Span, Test,
    evaluate::{is_plain_decimal, iso_day},
    nearest, number_fits,
    print::{Quoted, quoted_form},
};
use crate::consent::words;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words! {
    /// What an attribute holds.
    AttributeKind {
        /// Text.
        Text = "text", "text";
        /// A number.
        Number = "number", "a number";
        /// True or false.
        Boolean = "boolean", "true or false";
        /// A day.
        Date = "date", "a date";
        /// A list of texts.
        List = "list", "a list";
    }
}

/// What is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Declared attributes. `tags` need not be among them: it is a list unless it is declared otherwise.
    pub attributes: BTreeMap<String, AttributeKind>,
    /// Topics: keyword to name. `None` leaves topics unchecked.
    pub topics: Option<BTreeMap<String, String>>,
    /// Whether attributes that are not declared are allowed; their values are compared as the literal's kind.
    pub open: bool,
}

impl Schema {
    /// A schema that declares nothing and allows everything.
    pub fn open() -> Self {
        Self { open: true, ..Self::default() }
    }
}

/// Checks a filter against what is declared, and returns it with values brought to the declared kinds (`age = "30"`
/// becomes `age = 30`) and topics' names to their keywords.
///
/// # Errors
/// At the first condition that names what is not declared, or compares an attribute with what it cannot be.
pub fn check(filter: &Filter, schema: &Schema) -> Result<Filter, FilterError> {
    match filter.expr() {
        None => Ok(Filter::EVERYONE),
        Some(expr) => Filter::new(schema.expr(expr)?),
    }
}

impl Schema {
    fn expr(&self, expr: &Expr) -> Result<Expr, FilterError> {
        let each = |parts: &[Expr]| parts.iter().map(|part| self.expr(part)).collect::<Result<_, _>>();
        Ok(match expr {
            Expr::All(parts) => Expr::All(each(parts)?),
            Expr::Any(parts) => Expr::Any(each(parts)?),
            Expr::Not(inner) => Expr::Not(Box::new(self.expr(inner)?)),
            Expr::Test(condition) => Expr::Test(Condition { test: self.test(condition)?, ..condition.clone() }),
        })
    }

    fn test(&self, condition: &Condition) -> Result<Test, FilterError> {
        let mut test = condition.test.clone();
        match &mut test {
            Test::Compare { field: Field::Attribute(name), comparison, value } => {
                if let Some(kind) = self.kind(name, condition)? {
                    *value = fit(name, kind, Some(*comparison), value, condition.operand)?;
                }
            }
            Test::OneOf { field: Field::Attribute(name), values } => {
                if let Some(kind) = self.kind(name, condition)? {
                    for value in values {
                        *value = fit(name, kind, None, value, condition.operand)?;
                    }
                }
            }
            Test::Presence { field: Field::Attribute(name), .. } => {
                self.kind(name, condition)?;
            }
            Test::Subscribed { topic } | Test::Happened { scope: Some(Scope::Topic(topic)), .. } => {
                self.topic(topic, condition.operand)?;
            }
            _ => {}
        }
        Ok(test)
    }

    /// The declared kind; `None` for one that is not declared but allowed.
    fn kind(&self, name: &AttributeName, condition: &Condition) -> Result<Option<AttributeKind>, FilterError> {
        let text = name.as_str();
        if let Some(kind) = self.attributes.get(text) {
            return Ok(Some(*kind));
        }
        if self.open {
            return Ok(None);
        }
        if text == AttributeName::TAGS {
            return Ok(Some(AttributeKind::List));
        }
        let built_in = ["phone", "name", "locale", "zone", "created", "tag"];
        let meant = nearest(text, self.attributes.keys().map(String::as_str).chain(built_in));
        let message = match meant {
            Some(meant) => format!("There is no attribute \"{text}\"; did you mean \"{meant}\"?"),
            None => format!("There is no attribute \"{text}\"."),
        };
        let written = meant.map(|meant| match AttributeName::new(meant) {
            Some(name) if self.attributes.contains_key(meant) => name.to_string(),
            _ => meant.to_owned(),
        });
        let known = self.attributes.keys().map(String::as_str).chain(built_in);
        Err(FilterError::new(condition.subject, message).suggest(written).expect(known))
    }

    /// Turns the topic's keyword or name into its keyword.
    fn topic(&self, topic: &mut String, span: Span) -> Result<(), FilterError> {
        let Some(topics) = &self.topics else { return Ok(()) };
        if topics.contains_key(topic.as_str()) {
            return Ok(());
        }
        let lower = topic.to_lowercase();
        if let Some((key, _)) = topics.iter().find(|(key, name)| **key == lower || name.to_lowercase() == lower) {
            key.clone_into(topic);
            return Ok(());
        }
        let meant = nearest(topic, topics.keys().chain(topics.values()).map(String::as_str));
        let message = match meant {
            Some(meant) => format!("There is no topic \"{topic}\"; did you mean \"{meant}\"?"),
            None => format!("There is no topic \"{topic}\"."),
        };
        // For a scope the span covers more than the name, so that only a subscription's can be replaced as it is.
        Err(FilterError::new(span, message)
            .suggest(meant.map(|meant| Quoted(meant).to_string()))
            .expect(topics.keys().map(String::as_str)))
    }
}

/// The value as the declared kind.
fn fit(
    name: &AttributeName,
    kind: AttributeKind,
    comparison: Option<Comparison>,
    value: &Literal,
    span: Span,
) -> Result<Literal, FilterError> {
    let comparable = match (kind, comparison) {
        (_, None) | (AttributeKind::Text, _) => true,
        (AttributeKind::Number | AttributeKind::Date, Some(comparison)) => !comparison.is_textual(),
        (AttributeKind::Boolean, Some(comparison)) => !comparison.is_textual() && !comparison.is_order(),
        (AttributeKind::List, Some(comparison)) => !comparison.is_order(),
    };
    if !comparable {
        let sign = comparison.map_or("in", Comparison::as_str);
        let message = format!("\"{}\" is {}, which does not go with \"{sign}\".", name.as_str(), kind.label());
        return Err(FilterError::new(span, message));
    }
    let fitted = match (kind, value) {
        (AttributeKind::Text, Literal::Text(_))
        | (AttributeKind::Number, Literal::Number(_))
        | (AttributeKind::Boolean, Literal::Boolean(_))
        | (AttributeKind::Date, Literal::Date(_))
        | (AttributeKind::List, Literal::Text(_) | Literal::Number(_)) => Some(value.clone()),
        (AttributeKind::Text, Literal::Date(day)) => Some(Literal::Text(day.to_string())),
        (AttributeKind::Number, Literal::Text(text)) if is_plain_decimal(text) => {
            text.parse().ok().filter(|number| number_fits(*number)).map(Literal::Number)
        }
        (AttributeKind::Boolean, Literal::Text(text)) => text.to_ascii_lowercase().parse().ok().map(Literal::Boolean),
        (AttributeKind::Date, Literal::Text(text)) if iso_day(text) == Some(text) => {
            NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Literal::Date)
        }
        _ => None,
    };
    fitted.ok_or_else(|| {
        let message = format!("\"{}\" is {}, and this is {}.", name.as_str(), kind.label(), value.kind());
        let quoted = matches!(kind, AttributeKind::Text | AttributeKind::List) && comparison.is_some();
        let error = FilterError::new(span, message).expect([kind.label()]);
        error.suggest(quoted.then(|| quoted_form(value)))
    })
}
