//! Rare values of attributes, by their index.
//!
//! A filter compares text without its case, alone or in a list, and the database cannot know that an index of lower-cased
//! attributes answers the same. So the index' own condition is added beside the exact one, where the statistics say that few
//! people have the value. Where many have it the condition would be a burden: every row is then lower-cased anew, and the
//! order of a list finds a page of matches sooner.

use super::{Checked, estimate::people};
use crate::{Engine, Result, filter_sql::Reach, recent::Recent};
use chrono::Duration;
use domain::filter::{AttributeKind, Comparison, Condition, Expr, Field, Filter, Literal, Test};
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
/// One person in how many may have values that few have together: reading whom the index finds takes some twenty times as long for
/// each of them as going through everyone.
const FEW_ONE_IN: f64 = 30.0;
/// How many values of one filter are looked at.
const LOOKED_AT_MAX: usize = 4;

/// The index' condition for the rarest value that everyone who matches must have; its parameters begin at `$first`. For a count of
/// everyone also for several values that few have together. `None` where the filter asks for no such values, or the database
/// has no such index.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub(super) async fn condition<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    checked: &Checked,
    reach: Reach,
    first: usize,
) -> Result<Option<(String, Vec<Value>)>> {
    if conn.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let wanted = wanted(&checked.filter);
    if wanted.is_empty() {
        return Ok(None);
    }
    let now = engine.clock.now();
    let all = match engine.remembered.hints.get("", now) {
        Some(all) => all,
        None => {
            let all = people(conn).await?.unwrap_or(0.0);
            engine.remembered.hints.put(String::new(), all, now);
            all
        }
    };
    let mut rarest: Option<(f64, Vec<Value>)> = None;
    for (name, text) in wanted.iter().take(LOOKED_AT_MAX) {
        let text = text.to_ascii_lowercase();
        // The value itself, and the value in a list.
        let values = vec![json!({ *name: text }), json!({ *name: [text] })];
        let expected = expected_rows(engine, conn, &values).await?;
        if expected <= all / RARE_ONE_IN && rarest.as_ref().is_none_or(|(least, _)| expected < *least) {
            rarest = Some((expected, values.into_iter().map(Value::from).collect()));
        }
    }
    if rarest.is_none() && reach == Reach::Everyone {
        let together = vec![together(&wanted, checked)];
        let expected = expected_rows(engine, conn, &together).await?;
        if expected <= all / FEW_ONE_IN {
            rarest = Some((expected, together.into_iter().map(Value::from).collect()));
        }
    }
    Ok(rarest.map(|(_, values)| (holds(first, values.len()), values)))
}

/// All values whose kind is declared, as one object: the index finds who has all of them, and each is read once.
fn together(wanted: &[(&str, &str)], checked: &Checked) -> serde_json::Value {
    let each = wanted.iter().filter_map(|(name, text)| {
        let text = text.to_ascii_lowercase();
        match checked.declared.get(*name)? {
            AttributeKind::Text => Some(((*name).to_owned(), json!(text))),
            AttributeKind::List => Some(((*name).to_owned(), json!([text]))),
            _ => None,
        }
    });
    // Of two texts for one attribute the later: the other is still asked for by the filter itself.
    serde_json::Value::Object(each.collect())
}

/// What the database lately expected: how many people there are (under the empty text), and how many have a value. It decides
/// how a statement is asked, never what it answers.
pub type Hints = Recent<String, f64>;

/// No hints yet.
pub(crate) fn no_hints_yet() -> Hints {
    Recent::new(HINT_KEPT, HINTS_MAX)
}

fn holds(first: usize, count: usize) -> String {
    let each: Vec<String> = (first..first + count).map(|n| format!("{INDEXED} @> ${n}")).collect();
    format!("({})", each.join(" OR "))
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
async fn expected_rows<C: ConnectionTrait>(engine: &Engine, conn: &C, values: &[serde_json::Value]) -> Result<f64> {
    let (now, asked) = (engine.clock.now(), json!(values).to_string());
    if let Some(expected) = engine.remembered.hints.get(&asked, now) {
        return Ok(expected);
    }
    let sql = format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM users u WHERE {}", holds(1, values.len()));
    let values: Vec<Value> = values.iter().cloned().map(Value::from).collect();
    let plan: Option<QueryResult> =
        conn.query_one_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, values)).await?;
    let plan: Option<serde_json::Value> = plan.map(|row| row.try_get_by_index(0)).transpose()?;
    let rows = plan.as_ref().and_then(|plan| plan.pointer("/0/Plan/Plan Rows")).and_then(serde_json::Value::as_f64);
    let expected = rows.unwrap_or(f64::INFINITY);
    engine.remembered.hints.put(asked, expected, now);
    Ok(expected)
}
