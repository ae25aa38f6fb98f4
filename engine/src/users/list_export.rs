//! People who match a filter as a file, streamed.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    csv_text,
    exports::Format,
    filter_sql::Reach,
    segments::{self, Matching},
    values,
};
use bytes::Bytes;
use domain::{attribute::shown, consent::ConsentState, operator::Operation, phone::Channel, user::User};
use futures::{Stream, StreamExt, stream};
use sea_orm::Value;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// How many people one step reads.
const STEP_ROWS: i64 = 1_000;

/// Everyone who matches a filter, newest first, read in steps while the client takes them.
///
/// # Errors
/// [`Error::Invalid`] on `filter`, [`Error::Forbidden`]; within the stream [`Error::Unavailable`].
pub async fn export_list(
    engine: &Engine,
    actor: &Actor,
    filter: &str,
    format: Format,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
    authorize(Operation::UserExport, actor)?;
    let conn = engine.db.asked();
    let parsed = segments::checked(conn, filter, "filter").await?;
    let Matching { sql: predicate, params, .. } =
        segments::where_matching(engine, conn, &parsed, Reach::Few, 3).await?;
    let columns: Vec<String> = crate::attributes::declared(conn).await?.into_keys().collect();
    let tx = engine.db.begin().await?;
    let after = json!({ "filter": parsed.filter.to_string(), "format": format!("{format:?}") });
    let act = Act { action: "users.export", target: "users".to_owned(), after: Some(after), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    let head = match format {
        Format::Csv => csv_text::record(header(&columns))?,
        Format::JsonLines => Vec::new(),
    };
    let step = Arc::new(Step { engine: engine.clone(), predicate, params, columns, format });
    let rest = stream::try_unfold(Some(Uuid::max()), move |before| {
        let step = step.clone();
        async move {
            match before {
                Some(before) => step.read(before).await,
                None => Ok(None),
            }
        }
    });
    Ok(stream::once(async { Ok(Bytes::from(head)) }).chain(rest))
}

struct Step {
    engine: Engine,
    predicate: String,
    params: Vec<Value>,
    columns: Vec<String>,
    format: Format,
}

impl Step {
    /// The next people as text, and after whom to go on.
    async fn read(&self, before: Uuid) -> Result<Option<(Bytes, Option<Uuid>)>> {
        let conn = self.engine.db.asked();
        let which =
            format!("SELECT u.* FROM users u WHERE u.id < $1 AND {} ORDER BY u.id DESC LIMIT $2", self.predicate);
        let mut values: Vec<Value> = values![before, STEP_ROWS];
        values.extend(self.params.iter().cloned());
        let rows = super::read(conn, &which, "u.id DESC", values).await?;
        let Some(last) = rows.last().map(|row| row.id.0) else { return Ok(None) };
        let full = i64::try_from(rows.len()).is_ok_and(|read| read == STEP_ROWS);
        let mut out = Vec::new();
        for person in rows {
            match self.format {
                Format::Csv => out.extend(csv_text::record(cells(&person, &self.columns))?),
                Format::JsonLines => {
                    serde_json::to_writer(&mut out, &person).map_err(Error::internal)?;
                    out.push(b'\n');
                }
            }
        }
        Ok(Some((Bytes::from(out), full.then_some(last))))
    }
}

fn header(columns: &[String]) -> Vec<String> {
    let fixed = ["id", "phone", "whatsapp_id", "name", "locale", "zone", "consent_sms", "consent_whatsapp", "added_at"];
    fixed.map(str::to_owned).into_iter().chain(columns.iter().cloned()).chain(["other_attributes".to_owned()]).collect()
}

fn cells(person: &User, columns: &[String]) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let consent = |channel: Channel| {
        let found = person.consents.iter().find(|view| view.channel == channel);
        found.map_or(ConsentState::None, |view| view.state).to_string()
    };
    let mut cells = vec![
        person.id.to_string(),
        person.phone.as_ref().map(ToString::to_string).unwrap_or_default(),
        text(&person.whatsapp_id),
        text(&person.name),
        text(&person.locale),
        text(&person.zone),
        consent(Channel::Sms),
        consent(Channel::Whatsapp),
        person.created_at.to_rfc3339(),
    ];
    cells.extend(columns.iter().map(|name| person.attributes.get(name).map(shown).unwrap_or_default()));
    let mut others = person.attributes.clone();
    others.retain(|name, _| !columns.contains(name));
    cells.push(if others.is_empty() { String::new() } else { serde_json::Value::Object(others).to_string() });
    cells
}
