//! A text as somebody would get it, before it is stored: one person, or the worst case.

use super::{ATTRIBUTES_PREFIX, Compiled, PREFERENCES_URL, Person};
use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    db,
    preferences::Links,
    users, values,
};
use domain::{
    ids::UserId,
    operator::Operation,
    phone::Channel,
    sms::{self, Encoding},
    template::{TemplateForm, TemplatePreview},
};
use sea_orm::FromQueryResult;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How many people the worst case is looked for among: the newest.
const PEOPLE_ROWS: i64 = 5_000;

/// The text as this person would get it, in the person's language.
///
/// # Errors
/// [`crate::Error::Invalid`] for what does not compile, [`crate::Error::NotFound`], [`crate::Error::Forbidden`].
pub async fn preview_as(engine: &Engine, actor: &Actor, form: &TemplateForm, id: UserId) -> Result<TemplatePreview> {
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    let user = users::load(conn, id).await?;
    let preferences_url = Some(Links::load(engine, conn).await?.of(id));
    let person = Person { preferences_url, ..Person::from(&user) };
    Ok(preview(&Compiled::of_form(form)?, form.channel, &person, user.label()))
}

#[derive(FromQueryResult)]
struct Row {
    id: uuid::Uuid,
    name: Option<String>,
    phone: Option<String>,
    locale: Option<String>,
    attributes: Value,
}

/// The text with the worst values that the newest people have: for each variable the longest, or the longest of those that
/// make the text UCS-2, whichever takes more parts. `locale` chooses the language; the default, if `None`.
///
/// # Errors
/// [`crate::Error::Invalid`] for what does not compile, [`crate::Error::Forbidden`].
pub async fn worst_case(
    engine: &Engine,
    actor: &Actor,
    form: &TemplateForm,
    locale: Option<&str>,
) -> Result<TemplatePreview> {
    authorize(Operation::UserRead, actor)?;
    let compiled = Compiled::of_form(form)?;
    let conn = engine.db.read();
    let rows: Vec<Row> = db::all(
        conn,
        "SELECT id, name, phone, locale, attributes FROM users WHERE merged_into IS NULL ORDER BY id DESC LIMIT $1",
        values![PEOPLE_ROWS],
    )
    .await?;
    let links = Links::load(engine, conn).await?;
    let variables = compiled.variables();
    let (mut longest, mut widest) = (Values::default(), Values::default());
    let looked_at = rows.len();
    for row in rows {
        let person = Person {
            preferences_url: Some(links.of(UserId(row.id))),
            name: row.name,
            phone: row.phone,
            locale: row.locale,
            attributes: serde_json::from_value(row.attributes)?,
        };
        for name in &variables {
            if let Some(value) = person.value(name).filter(|value| !value.trim().is_empty()) {
                longest.take(name, &value);
                if sms::size(&value).encoding == Encoding::Ucs2 {
                    widest.take(name, &value);
                }
            }
        }
    }
    let mixed = Values(longest.0.clone().into_iter().chain(widest.0).collect());
    let words = format!("the worst of the newest {looked_at} people");
    let of = |values: &Values| preview(&compiled, form.channel, &values.person(locale), words.clone());
    let (long, wide) = (of(&longest), of(&mixed));
    Ok(if wide.segments > long.segments { wide } else { long })
}

/// The worst values so far, by variable.
#[derive(Default)]
struct Values(BTreeMap<String, String>);

impl Values {
    fn take(&mut self, name: &str, value: &str) {
        let units = |text: &str| sms::size(text).units;
        if self.0.get(name).is_none_or(|known| units(known) < units(value)) {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Someone who has all of them.
    fn person(&self, locale: Option<&str>) -> Person {
        let of = |name: &str| self.0.get(name).cloned();
        let attributes: Map<String, Value> = self
            .0
            .iter()
            .map(|(name, value)| {
                let bare = name.strip_prefix(ATTRIBUTES_PREFIX).unwrap_or(name);
                (bare.to_owned(), Value::String(value.clone()))
            })
            .collect();
        Person {
            // The first name is the name's first word: the longer of the two stands for both.
            name: of("name").or_else(|| of("first_name")),
            phone: of("phone"),
            locale: locale.map(str::to_owned).or_else(|| of("locale")),
            attributes,
            preferences_url: of(PREFERENCES_URL),
        }
    }
}

fn preview(compiled: &Compiled, channel: Channel, person: &Person, words: String) -> TemplatePreview {
    let values = compiled.variables().into_iter().filter_map(|name| {
        let value = person.value(&name)?.into_owned();
        Some((name, value))
    });
    let rendered = compiled.render(person);
    let size = rendered.as_ref().ok().map(|rendered| sms::size(&rendered.text));
    let is_sms = channel == Channel::Sms;
    TemplatePreview {
        person: words,
        locale: compiled.locale_of(person).map(str::to_owned),
        missing: rendered.as_ref().err().map(|missing| missing.name.clone()),
        text: rendered.ok().map(|rendered| rendered.text),
        values: values.collect(),
        segments: match &size {
            None => 0,
            Some(size) if is_sms => u32::try_from(size.segments).unwrap_or(u32::MAX),
            Some(_) => 1,
        },
        is_ucs2: is_sms && size.is_some_and(|size| size.encoding == Encoding::Ucs2),
    }
}
