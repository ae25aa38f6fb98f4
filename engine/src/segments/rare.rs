//! Rare values of attributes, by their index.
//!
//! A filter compares text without its case, alone or in a list, and the database cannot know that an index of lower-cased
//! attributes answers the same. So the index' own condition is added beside the exact one, where the statistics say that few
//! people have the value. Where many have it the condition would be a burden: every row is then lower-cased anew, and the
//! order of a list finds a page of matches sooner.

use super::estimate::people;
use crate::{Engine, Result, recent::Recent};
use chrono::Duration;
use domain::filter::{Comparison, Condition, Expr, Field, Filter, Literal, Test};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use serde_json::json;

/// For how long a hint is good: the database's own statistics change no faster.
const HINT_KEPT: Duration = Duration::minutes(1);
/// How many hints are kept.
const HINTS_MAX: usize = 1_000;
/// What the index `users_attributes` holds.
const INDEXED: &str = "(lower(u.attributes::text COLLATE \"C\")::jsonb)";
/// One person in how many may have a value that counts as rare.
const RARE_ONE_IN: f64 = 500.0;
/// How many values of one filter are looked at.
const LOOKED_AT_MAX: usize = 4;

/// The index' condition for the rarest value that everyone who matches must have; its parameters begin at `$first`. `None`
/// where the filter asks for no such value, or the database has no such index.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub(super) async fn condition<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    filter: &Filter,
    first: usize,
) -> Result<Option<(String, Vec<Value>)>> {
    if conn.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let wanted = wanted(filter);
    if wanted.is_empty() {
        return Ok(None);
    }
    let now = engine.clock.now();
    let all = match engine.hints.get("", now) {
        Some(all) => all,
        None => {
            let all = people(conn).await?.unwrap_or(0.0);
            engine.hints.put(String::new(), all, now);
            all
        }
    };
    let bound = all / RARE_ONE_IN;
    let mut rarest: Option<(f64, Vec<Value>)> = None;
    for (name, text) in wanted.into_iter().take(LOOKED_AT_MAX) {
        let text = text.to_ascii_lowercase();
        // The value itself, and the value in a list.
        let values: Vec<Value> = vec![json!({ name: text }).into(), json!({ name: [text] }).into()];
        let asked = json!([name, text]).to_string();
        let expected = match engine.hints.get(&asked, now) {
            Some(expected) => expected,
            None => {
                let expected = expected_rows(conn, values.clone()).await?;
                engine.hints.put(asked, expected, now);
                expected
            }
        };
        if expected <= bound && rarest.as_ref().is_none_or(|(least, _)| expected < *least) {
            rarest = Some((expected, values));
        }
    }
    Ok(rarest.map(|(_, values)| (holds(first), values)))
}

/// What the database lately expected: how many people there are (under the empty text), and how many have a value. It decides
/// how a statement is asked, never what it answers.
pub type Hints = Recent<String, f64>;

/// No hints yet.
pub fn no_hints_yet() -> Hints {
    Recent::new(HINT_KEPT, HINTS_MAX)
}

fn holds(first: usize) -> String {
    format!("({INDEXED} @> ${first} OR {INDEXED} @> ${})", first + 1)
}

/// The texts that an attribute of everyone who matches must be or hold.
fn wanted(filter: &Filter) -> Vec<(&str, &str)> {
    let parts = match filter.expr() {
        Some(Expr::All(parts)) => parts.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let mut found = Vec::new();
    for part in parts {
        if let Expr::Test(condition) = part {
            found.extend(wanted_by(condition));
        }
    }
    found
}

fn wanted_by(condition: &Condition) -> Option<(&str, &str)> {
    match &condition.test {
        Test::Compare { field: Field::Attribute(name), comparison: Comparison::Equal, value: Literal::Text(text) } => {
            // Of names that differ in case the index keeps the one without upper-case letters.
            let is_lower = !name.as_str().bytes().any(|byte| byte.is_ascii_uppercase());
            is_lower.then_some((name.as_str(), text.as_str()))
        }
        _ => None,
    }
}

/// How many people the database expects to have one of these.
async fn expected_rows<C: ConnectionTrait>(conn: &C, values: Vec<Value>) -> Result<f64> {
    let sql = format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM users u WHERE {}", holds(1));
    let plan: Option<QueryResult> =
        conn.query_one_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, values)).await?;
    let plan: Option<serde_json::Value> = plan.map(|row| row.try_get_by_index(0)).transpose()?;
    let rows = plan.as_ref().and_then(|plan| plan.pointer("/0/Plan/Plan Rows")).and_then(serde_json::Value::as_f64);
    Ok(rows.unwrap_or(f64::INFINITY))
}
