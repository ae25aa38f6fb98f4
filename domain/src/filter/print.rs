//! The canonical text of a filter.

use super::{AttributeName, Behaviour, Condition, Expr, Field, Filter, Literal, Scope, Test, Unit, Window};
use std::fmt::{self, Display, Formatter, Write};

/// Words that begin or continue a condition: an attribute of such a name needs `attributes.` before it.
pub(super) const RESERVED: [&str; 32] = [
    "about",
    "and",
    "attributes",
    "by",
    "campaign",
    "consent",
    "created",
    "delivered",
    "failed",
    "false",
    "imported",
    "in",
    "is",
    "joined",
    "locale",
    "messaged",
    "name",
    "not",
    "or",
    "phone",
    "read",
    "replied",
    "set",
    "starts",
    "subscribed",
    "tag",
    "tags",
    "topic",
    "true",
    "with",
    "within",
    "zone",
];

/// The number, as the language writes it: without exponent, and zero without a sign.
pub(super) fn number_text(number: f64) -> String {
    format!("{}", number + 0.0)
}

/// The field, as the language writes it.
pub(super) fn field_text(field: &Field) -> String {
    field.to_string()
}

/// The value as text in quotes, to suggest where text is wanted.
pub(super) fn quoted_form(value: &Literal) -> String {
    match value {
        Literal::Text(text) => Quoted(text).to_string(),
        other => Quoted(&other.to_string()).to_string(),
    }
}

/// Text in quotes, with what needs it escaped.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expr().map_or(Ok(()), |expr| expr.fmt(f))
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                nested(f, inner)
            }
            Self::Test(condition) => condition.fmt(f),
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Expr], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        nested(f, part)?;
    }
    Ok(())
}

/// Groups always have parentheses inside others, so that nobody needs to know which of `and` and `or` binds more.
fn nested(f: &mut Formatter<'_>, expr: &Expr) -> fmt::Result {
    match expr {
        Expr::All(_) | Expr::Any(_) => write!(f, "({expr})"),
        Expr::Not(_) | Expr::Test(_) => expr.fmt(f),
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.test.fmt(f)
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { field, comparison, value } => write!(f, "{field} {} {value}", comparison.as_str()),
            Self::OneOf { field, values } => {
                write!(f, "{field} in (")?;
                for (index, value) in values.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{value}")?;
                }
                f.write_char(')')
            }
            Self::Presence { field, set } => write!(f, "{field} is {}set", if *set { "" } else { "not " }),
            Self::Subscribed { topic } => write!(f, "subscribed to {}", Quoted(topic)),
            Self::Happened { behaviour, window, scope } => {
                behaviour.fmt(f)?;
                window.map_or(Ok(()), |window| write!(f, " {window}"))?;
                match scope {
                    Some(Scope::Campaign(name)) => write!(f, " by campaign {}", Quoted(name)),
                    Some(Scope::Topic(key)) => write!(f, " about topic {}", Quoted(key)),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Display for Behaviour {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Days => "day",
            Unit::Hours => "hour",
        };
        let plural = if self.amount == 1 { "" } else { "s" };
        write!(f, "{}within {} {unit}{plural}", if self.within { "" } else { "not " }, self.amount)
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone => f.write_str("phone"),
            Self::Name => f.write_str("name"),
            Self::Locale => f.write_str("locale"),
            Self::Zone => f.write_str("zone"),
            Self::Created => f.write_str("created"),
            Self::Consent(channel) => write!(f, "consent.{channel}"),
            Self::Attribute(name) => name.fmt(f),
        }
    }
}

impl Display for AttributeName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.as_str();
        let mut chars = name.chars();
        let starts = chars.next().is_some_and(|c| c == '_' || c.is_alphabetic());
        if !starts || !chars.all(|c| c == '_' || c.is_alphanumeric()) {
            write!(f, "attributes.{}", Quoted(name))
        } else if name == Self::TAGS {
            f.write_str("tag")
        } else if RESERVED.contains(&name.to_lowercase().as_str()) {
            write!(f, "attributes.{name}")
        } else {
            f.write_str(name)
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Number(number) => f.write_str(&number_text(*number)),
            Self::Boolean(value) => value.fmt(f),
            Self::Date(day) => write!(f, "{}", day.format("%Y-%m-%d")),
            Self::Consent(state) => f.write_str(state.as_str()),
        }
    }
}
