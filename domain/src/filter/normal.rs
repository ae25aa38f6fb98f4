//! The normal form of an expression, and what a condition may say.

use super::{
    Behaviour, Comparison, Condition, Expr, Field, FilterError, Literal, MAX_DEPTH, MAX_LIST_ITEMS, MAX_WINDOW_DAYS,
    Scope, Span, Test, Window, evaluate::iso_day, number_fits, number_limit, print, too_deep,
};
use chrono::Datelike;

/// Flattens, unwraps and drops what says nothing; `None` means everyone.
pub(super) fn normalise(expr: Expr, depth: usize) -> Result<Option<Expr>, FilterError> {
    if depth > MAX_DEPTH {
        return Err(too_deep(Span::default()));
    }
    let expr = match expr {
        Expr::Test(mut condition) => {
            match &mut condition.test {
                Test::Subscribed { topic } | Test::Happened { scope: Some(Scope::Topic(topic)), .. } => {
                    topic.make_ascii_lowercase();
                }
                _ => {}
            }
            Expr::Test(condition)
        }
        Expr::Not(inner) => match normalise(*inner, depth + 1)? {
            Some(Expr::Not(twice)) => *twice,
            Some(inner) => Expr::Not(Box::new(inner)),
            None => {
                return Err(FilterError::new(Span::default(), "A filter that nobody can match says nothing."));
            }
        },
        Expr::All(parts) => {
            let mut flat = Vec::with_capacity(parts.len());
            for part in parts {
                match normalise(part, depth + 1)? {
                    Some(Expr::All(inner)) => flat.extend(inner),
                    Some(part) => flat.push(part),
                    None => {}
                }
            }
            match flat.len() {
                0 => return Ok(None),
                1 => flat.swap_remove(0),
                _ => Expr::All(flat),
            }
        }
        Expr::Any(parts) => {
            let mut flat = Vec::with_capacity(parts.len());
            for part in parts {
                match normalise(part, depth + 1)? {
                    Some(Expr::Any(inner)) => flat.extend(inner),
                    Some(part) => flat.push(part),
                    None => return Ok(None),
                }
            }
            match flat.len() {
                0 => {
                    return Err(FilterError::new(Span::default(), "An \"or\" needs at least one condition."));
                }
                1 => flat.swap_remove(0),
                _ => Expr::Any(flat),
            }
        }
    };
    Ok(Some(expr))
}

impl Condition {
    /// Checks that it says something that every backend can answer.
    pub(super) fn validate(&self) -> Result<(), FilterError> {
        match &self.test {
            Test::Compare { field, comparison, value } => self.validate_value(field, Some(*comparison), value),
            Test::OneOf { field, values } => {
                if values.is_empty() || values.len() > MAX_LIST_ITEMS {
                    let message = format!("\"in\" takes 1 to {MAX_LIST_ITEMS} values.");
                    return Err(FilterError::new(self.operand, message));
                }
                for value in values {
                    self.validate_value(field, None, value)?;
                    if std::mem::discriminant(value) != std::mem::discriminant(&values[0]) {
                        let message = "The values after \"in\" must be of one kind.";
                        return Err(FilterError::new(self.operand, message));
                    }
                }
                Ok(())
            }
            Test::Presence { field: Field::Consent(channel), set } => {
                let sign = if *set { "!=" } else { "=" };
                let replacement = format!("consent.{channel} {sign} none");
                let message = "Consent is always known; \"none\" is the state of someone who never said anything.";
                Err(FilterError::new(self.span, message).suggest(Some(replacement)))
            }
            Test::Presence { .. } => Ok(()),
            Test::Subscribed { topic } => self.validate_text(topic),
            Test::Happened { behaviour, window, scope } => self.validate_behaviour(*behaviour, *window, scope.as_ref()),
        }
    }

    fn validate_behaviour(
        &self,
        behaviour: Behaviour,
        window: Option<Window>,
        scope: Option<&Scope>,
    ) -> Result<(), FilterError> {
        if window.is_some_and(|window| !window.fits()) {
            let message = format!("A window is from 1 hour to {MAX_WINDOW_DAYS} days long.");
            return Err(FilterError::new(self.span, message));
        }
        match scope {
            Some(_) if behaviour.message_states().is_none() => {
                let message = format!(
                    "\"{}\" cannot be tied to a campaign or topic; messaged, delivered, read and failed can.",
                    behaviour.as_str()
                );
                Err(FilterError::new(self.operand, message))
            }
            Some(Scope::Campaign(text) | Scope::Topic(text)) => self.validate_text(text),
            None => Ok(()),
        }
    }

    fn validate_text(&self, text: &str) -> Result<(), FilterError> {
        let wrong = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
        if text.is_empty() {
            return Err(FilterError::new(self.operand, "This text may not be empty."));
        }
        if text.chars().any(wrong) {
            return Err(FilterError::new(self.operand, "Text may not hold control characters."));
        }
        Ok(())
    }

    fn validate_value(
        &self,
        field: &Field,
        comparison: Option<Comparison>,
        value: &Literal,
    ) -> Result<(), FilterError> {
        let error = |message: String| Err(FilterError::new(self.operand, message));
        let sign = comparison.map_or("in", Comparison::as_str);
        match (field, value) {
            (Field::Phone | Field::Name | Field::Locale | Field::Zone, Literal::Text(_)) => {}
            (Field::Phone | Field::Name | Field::Locale | Field::Zone, other) => {
                let quoted = comparison.is_some().then(|| print::quoted_form(other));
                let message = format!("{} is text, and this is {}.", print::field_text(field), other.kind());
                return Err(FilterError::new(self.operand, message).suggest(quoted));
            }
            (Field::Created, Literal::Date(_)) if comparison.is_some_and(|c| !c.is_textual()) => {}
            (Field::Created, Literal::Text(text)) if iso_day(text) == Some(text.as_str()) => {
                let message = "A date is written without quotes.";
                return Err(FilterError::new(self.operand, message).suggest(comparison.map(|_| text.clone())));
            }
            (Field::Created, _) => {
                return error("\"created\" is compared with a date like 2026-01-31, by = != < <= > or >=.".into());
            }
            (Field::Consent(_), Literal::Consent(_))
                if matches!(comparison, None | Some(Comparison::Equal | Comparison::NotEqual)) => {}
            (Field::Consent(_), _) => {
                return error("Consent is compared by =, != or in with opted_in, opted_out or none.".into());
            }
            (Field::Attribute(_), Literal::Consent(state)) => {
                let message = format!("{state} is a state of consent; as text it needs quotes.");
                return Err(FilterError::new(self.operand, message).suggest(Some(format!("\"{state}\""))));
            }
            (Field::Attribute(_), _) => {}
        }
        match value {
            Literal::Text(text) if text.is_empty() && comparison.is_some_and(Comparison::is_textual) => {
                error(format!("\"{sign}\" needs some text; to ask whether there is a value, write \"is set\"."))
            }
            Literal::Text(text) if text.is_empty() => Ok(()),
            Literal::Text(text) => self.validate_text(text),
            other if comparison.is_some_and(Comparison::is_textual) => {
                error(format!("\"{sign}\" takes text, and this is {}.", other.kind()))
            }
            Literal::Number(number) if !number_fits(*number) => error(number_limit()),
            Literal::Boolean(_) if comparison.is_some_and(Comparison::is_order) => {
                error("true and false have no order: write = or !=.".into())
            }
            Literal::Date(day) if !(1000..=9998).contains(&day.year()) => {
                error("Dates are from 1000-01-01 to 9998-12-31.".into())
            }
            _ => Ok(()),
        }
    }
}
