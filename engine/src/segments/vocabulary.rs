//! What a filter may speak of: for completion while one is typed.

use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    attributes, db, values,
};
use domain::{
    filter::{AttributeKind, AttributeName, Schema, Vocabulary},
    operator::Operation,
};
use sea_orm::FromQueryResult;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// How many of the newest people values are taken from.
const SAMPLE_ROWS: i64 = 1_000;
/// How many values of a field are offered.
const VALUES_MAX: usize = 20;
/// The longest value that is offered, in characters.
const VALUE_MAX_CHARS: usize = 60;
/// How many attributes, segments and campaigns are offered.
const NAMES_MAX: i64 = 200;

#[derive(FromQueryResult)]
struct Named {
    name: String,
    value: String,
}

#[derive(FromQueryResult)]
struct Person {
    locale: Option<String>,
    zone: Option<String>,
    attributes: Value,
}

/// Attributes, topics, segments, campaigns, and the values that some people have.
///
/// # Errors
/// [`crate::Error::Forbidden`].
pub async fn vocabulary(engine: &Engine, actor: &Actor) -> Result<Vocabulary> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    let named = async |sql: &str| -> Result<Vec<Named>> { db::all(conn, sql, values![NAMES_MAX]).await };
    let topics = named("SELECT key AS name, name AS value FROM topics ORDER BY name LIMIT $1").await?;
    let segments = named("SELECT name, filter AS value FROM segments ORDER BY name LIMIT $1").await?;
    let campaigns = named("SELECT name, '' AS value FROM campaigns ORDER BY id DESC LIMIT $1").await?;
    let map = |rows: Vec<Named>| rows.into_iter().map(|row| (row.name, row.value)).collect::<BTreeMap<_, _>>();
    let declared = attributes::declared(conn).await?;
    let sql = "SELECT locale, zone, attributes FROM users WHERE merged_into IS NULL ORDER BY id DESC LIMIT $1";
    let people: Vec<Person> = db::all(conn, sql, values![SAMPLE_ROWS]).await?;
    let values = held(&people, &declared);
    let mut names: Vec<String> = Vec::new();
    for campaign in campaigns {
        if !names.contains(&campaign.name) {
            names.push(campaign.name);
        }
    }
    Ok(Vocabulary {
        schema: Schema { attributes: declared, topics: Some(map(topics)), open: true },
        segments: map(segments),
        campaigns: names,
        values,
    })
}

/// The texts that these people have, by field, frequent ones first. An attribute without texts is named all the same.
fn held(people: &[Person], declared: &BTreeMap<String, AttributeKind>) -> BTreeMap<String, Vec<String>> {
    let mut counts: BTreeMap<String, HashMap<String, usize>> = BTreeMap::new();
    let mut count = |field: &str, text: &str| {
        if !counts.contains_key(field) && counts.len() >= NAMES_MAX.unsigned_abs() as usize {
            return;
        }
        let of_field = counts.entry(field.to_owned()).or_default();
        if !text.is_empty() && text.chars().count() <= VALUE_MAX_CHARS && !text.chars().any(char::is_control) {
            *of_field.entry(text.to_owned()).or_default() += 1;
        }
    };
    for person in people {
        count("locale", person.locale.as_deref().unwrap_or_default());
        count("zone", person.zone.as_deref().unwrap_or_default());
        for (name, value) in person.attributes.as_object().into_iter().flatten() {
            let of_text =
                declared.get(name).is_none_or(|kind| matches!(kind, AttributeKind::Text | AttributeKind::List));
            match value {
                _ if AttributeName::new(name.as_str()).is_none() => {}
                Value::String(text) if of_text => count(name, text),
                Value::Array(items) => items.iter().filter_map(Value::as_str).for_each(|text| count(name, text)),
                _ => count(name, ""),
            }
        }
    }
    let ranked = |counts: HashMap<String, usize>| {
        let mut ranked: Vec<_> = counts.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ranked.into_iter().take(VALUES_MAX).map(|(text, _)| text).collect()
    };
    counts.into_iter().map(|(field, counts)| (field, ranked(counts))).collect()
}
