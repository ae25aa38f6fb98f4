//! Whom a campaign is for: one filter, from a segment, a filter of its own, and what is left out.

use crate::{
    consent::ConsentState,
    filter::{self, Behaviour, Comparison, Expr, Field, Filter, FilterError, Literal, Test, Unit, Window},
    ids::SegmentId,
    phone::Channel,
};
use serde::{Deserialize, Serialize};

/// The audience of a campaign: a filter, and what is left out. Nobody is in it twice, whatever it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Audience {
    /// A saved segment, or none.
    pub segment: Option<SegmentId>,
    /// A filter; empty means everyone. With a segment, both must match.
    pub filter: String,
    /// Whom to leave out.
    pub exclusions: Exclusions,
}

/// Whom a campaign leaves out, though they match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Exclusions {
    /// Those who match one of these segments; at most [`EXCLUDED_MAX`].
    pub segments: Vec<SegmentId>,
    /// Those who were messaged within so many days.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, maximum = 4_294_967_295u64))]
    pub messaged_within_days: Option<u32>,
}

/// How many segments a campaign may leave out.
pub const EXCLUDED_MAX: usize = 20;

/// The one filter that an audience means, from the texts of its segments: what a count shows, and what a launch freezes.
///
/// # Errors
/// The field of the audience to blame, with what is wrong.
pub fn audience_filter(
    audience: &Audience,
    segment: Option<&str>,
    excluded: &[&str],
) -> Result<Filter, (&'static str, FilterError)> {
    let at = |field| move |error| (field, error);
    let mut parts = vec![
        filter::parse(segment.unwrap_or_default()).map_err(at("audience/segment"))?,
        filter::parse(&audience.filter).map_err(at("audience/filter"))?,
    ];
    for text in excluded {
        let out = filter::parse(text).map_err(at("audience/exclusions/segments"))?;
        // Whoever leaves out everyone has nobody left: a condition that nobody meets says so.
        let out = out.into_expr().unwrap_or_else(|| Expr::Not(Box::new(nobody())));
        parts.push(Filter::new(Expr::Not(Box::new(out))).map_err(at("audience/exclusions/segments"))?);
    }
    if let Some(days) = audience.exclusions.messaged_within_days {
        let window = Window { within: false, amount: days, unit: Unit::Days };
        let test = Test::Happened { behaviour: Behaviour::Messaged, window: Some(window), scope: None };
        parts.push(Filter::new(Expr::from(test)).map_err(at("audience/exclusions/messaged_within_days"))?);
    }
    let all = parts.into_iter().try_fold(Filter::EVERYONE, Filter::and);
    all.map_err(at("audience/filter"))
}

/// What nobody meets: everyone is in one of the states of consent.
fn nobody() -> Expr {
    let value = Literal::Consent(ConsentState::None);
    let is = |comparison| {
        let field = Field::Consent(Channel::Sms);
        Expr::from(Test::Compare { field, comparison, value: value.clone() })
    };
    Expr::All(vec![is(Comparison::Equal), is(Comparison::NotEqual)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_one_filter() {
        let check = |segment, own: &str, excluded: &[&str], days, expected: &str| {
            let exclusions = Exclusions { segments: Vec::new(), messaged_within_days: days };
            let audience = Audience { segment: None, filter: own.to_owned(), exclusions };
            let found = audience_filter(&audience, segment, excluded).map(|filter| filter.to_string());
            assert_eq!(found.map_err(|(field, _)| field.to_owned()), Ok(expected.to_owned()));
        };
        check(None, "", &[], None, "");
        check(Some("city = \"Bonn\""), "age > 3", &[], None, "city = \"Bonn\" and age > 3");
        check(
            None,
            "age > 3",
            &["tag = \"vip\"", "a = 1 or b = 2"],
            Some(7),
            "age > 3 and not tag = \"vip\" and not (a = 1 or b = 2) and messaged not within 7 days",
        );
        let none = audience_filter(&Audience::default(), None, &[""]).expect("a filter").to_string();
        assert!(!none.is_empty(), "whoever leaves out everyone reaches nobody");
        let bad = |segment, own: &str, excluded: &[&str]| {
            let audience = Audience { filter: own.to_owned(), ..Audience::default() };
            audience_filter(&audience, segment, excluded).expect_err("a faulty part").0
        };
        assert_eq!(bad(Some("a ="), "", &[]), "audience/segment");
        assert_eq!(bad(None, "a =", &[]), "audience/filter");
        assert_eq!(bad(None, "", &["a ="]), "audience/exclusions/segments");
    }
}
