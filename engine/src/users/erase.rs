//! The end of what is held on a person.
//!
//! Erasing leaves a keyed hash of the person's addresses on the suppression list, so that a later import cannot bring them
//! back to be messaged, and envelopes without what they held. Messages keep their place in a campaign's balance, with an
//! id that leads to nobody.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    consents,
    db::{self, Rows, Tx},
    suppressions, values,
};
use domain::{
    ids::UserId,
    import::ImportReport,
    operator::Operation,
    phone::{Channel, Phone, national_digits},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};
use uuid::Uuid;

/// What comes after the removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Whoever it was may come back: the row was a mistake.
    Nothing,
    /// The addresses are suppressed, so that nobody messages them again.
    Suppress,
}

/// Removes a person and everything that is held on them, with those who were merged into them.
///
/// # Errors
/// [`Error::Conflict`] for someone who was merged into another (erase that one), [`Error::NotFound`], [`Error::Forbidden`].
pub async fn remove(engine: &Engine, actor: &Actor, id: UserId, after: After) -> Result<()> {
    authorize(Operation::UserErase, actor)?;
    let tx = engine.db.begin().await?;
    consents::lock_people(&tx, [id]).await?;
    let rows: Vec<Row> = db::all(
        &tx,
        &format!(
            "SELECT id, phone, whatsapp_id, merged_into FROM users WHERE id = $1 OR merged_into = $1 ORDER BY id{}",
            db::lock(&tx)
        ),
        values![id.0],
    )
    .await?;
    let this = rows.iter().find(|row| row.id == id.0).ok_or(Error::NotFound { what: "user" })?;
    if this.merged_into.is_some() {
        return Err(Error::conflict("this person was merged into another; erase that one"));
    }
    if after == After::Suppress {
        suppress(engine, &tx, &rows).await?;
    }
    let people = Rows::ids(rows.iter().map(|row| row.id));
    let payloads = payloads(engine, &tx, &people).await?;
    forget_files(&tx, &rows).await?;
    let tables = [
        ("inbound_messages", "user_id"),
        ("whatsapp_windows", "user_id"),
        ("subscriptions", "user_id"),
        ("consents", "user_id"),
        ("consent_events", "user_id"),
        ("import_rows", "user_id"),
        ("test_people", "user_id"),
        ("users", "id"),
    ];
    for (name, column) in tables {
        let sql = |table: &str| format!("DELETE FROM {name} WHERE {column} IN (SELECT r.id FROM {table})");
        db::bulk(&tx, people.clone(), values![], sql).await?;
    }
    let act = Act {
        action: if after == After::Suppress { "user.erase" } else { "user.delete" },
        target: format!("user:{id}"),
        before: None,
        after: Some(json!({ "rows": rows.len(), "payloads": payloads })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.live.changed("users");
    Ok(())
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    phone: Option<String>,
    whatsapp_id: Option<String>,
    merged_into: Option<Uuid>,
}

async fn suppress(engine: &Engine, tx: &Tx, rows: &[Row]) -> Result<()> {
    const WHY: &str = "erased at the person's wish";
    for row in rows {
        if let Some(phone) = &row.phone {
            suppressions::add(engine, tx, Channel::Sms, phone, WHY).await?;
            suppressions::add(engine, tx, Channel::Whatsapp, &format!("whatsapp:{phone}"), WHY).await?;
        }
        if let Some(id) = &row.whatsapp_id {
            suppressions::add(engine, tx, Channel::Whatsapp, &format!("whatsapp:{id}"), WHY).await?;
        }
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct EventId {
    id: Uuid,
}

/// Takes away what was exchanged about these people, and leaves a tombstone for each; answers how many there were.
async fn payloads<C: ConnectionTrait>(engine: &Engine, conn: &C, people: &Rows) -> Result<u64> {
    let found: Vec<EventId> = db::of_rows(conn, people.clone(), values![], |table| {
        format!(
            "SELECT e.id FROM {table} JOIN messages m ON m.user_id = r.id
                 JOIN events e ON e.campaign_id = m.campaign_id AND e.seq = m.seq
                 JOIN event_payloads p ON p.event_id = e.id
             UNION SELECT i.event_id FROM {table} JOIN inbound_messages i ON i.user_id = r.id
                 JOIN event_payloads p ON p.event_id = i.event_id"
        )
    })
    .await?;
    let ids = Rows::ids(found.iter().map(|row| row.id));
    db::bulk(conn, ids.clone(), values![engine.clock.now()], |table| {
        format!(
            "INSERT INTO event_tombstones (event_id, why, at) SELECT r.id, 'erased', $1 FROM {table} WHERE TRUE
             ON CONFLICT (event_id) DO NOTHING"
        )
    })
    .await?;
    let sql = |table: &str| format!("DELETE FROM event_payloads WHERE event_id IN (SELECT r.id FROM {table})");
    db::bulk(conn, ids, values![], sql).await?;
    Ok(found.len() as u64)
}

#[derive(FromQueryResult)]
struct Shown {
    id: Uuid,
    file: Value,
    report: Value,
    checked: Option<Value>,
}

/// How files may write someone's addresses.
struct Sought {
    numbers: Vec<String>,
    ids: Vec<String>,
}

impl Sought {
    fn of(rows: &[Row]) -> Result<Self> {
        let phones = rows.iter().filter_map(|row| row.phone.as_deref()).map(Phone::parse_e164);
        Ok(Self {
            numbers: phones
                .map(|phone| phone.map(|phone| national_digits(&phone)))
                .collect::<Result<_, _>>()
                .map_err(Error::internal)?,
            ids: rows.iter().filter_map(|row| row.whatsapp_id.clone()).collect(),
        })
    }

    fn is_in(&self, text: &str) -> bool {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        self.ids.iter().any(|id| text.contains(id)) || self.numbers.iter().any(|number| digits.contains(number))
    }

    /// The condition that a column of text may hold one of them, and its values.
    fn condition<C: ConnectionTrait>(&self, conn: &C, columns: &[&str]) -> (String, Vec<sea_orm::Value>) {
        let (mut any, mut values) = (Vec::new(), Vec::new());
        for (texts, in_digits) in [(&self.numbers, true), (&self.ids, false)] {
            for text in texts {
                values.push(sea_orm::Value::from(text.as_str()));
                for column in columns {
                    let column = if in_digits { db::digits(conn, column) } else { (*column).to_owned() };
                    any.push(db::contains(conn, &column, values.len()));
                }
            }
        }
        (any.join(" OR "), values)
    }
}

/// Takes the person out of what imports keep to show: refused rows, the first rows, and examples of changes and repairs.
/// A file that waits to be applied is still what was uploaded; it goes once it is in, or after a week.
async fn forget_files<C: ConnectionTrait>(conn: &C, rows: &[Row]) -> Result<()> {
    let sought = Sought::of(rows)?;
    let (condition, values) = sought.condition(conn, &["raw"]);
    if values.is_empty() {
        return Ok(());
    }
    db::exec(conn, &format!("UPDATE import_rejects SET raw = '(erased)' WHERE {condition}"), values).await?;
    let columns = ["CAST(file AS text)", "CAST(report AS text)", "CAST(checked AS text)"];
    let (condition, values) = sought.condition(conn, &columns);
    let sql = format!("SELECT id, file, report, checked FROM imports WHERE {condition} ORDER BY id");
    let found: Vec<Shown> = db::all(conn, &sql, values).await?;
    for row in found {
        let mut file = row.file;
        if let Some(Value::Array(sample)) = file.get_mut("sample") {
            sample.retain(|cells| !sought.is_in(&cells.to_string()));
        }
        let without = |report: Value| -> Result<Value> {
            let mut report: ImportReport = serde_json::from_value(report)?;
            report.changes.retain(|change| !sought.is_in(&change.address));
            for offer in &mut report.offers {
                if sought.is_in(&offer.before) || sought.is_in(&offer.after) {
                    (offer.before, offer.after) = ("(erased)".to_owned(), String::new());
                }
            }
            Ok(serde_json::to_value(report)?)
        };
        let checked = row.checked.map(without).transpose()?;
        db::exec(
            conn,
            "UPDATE imports SET file = $2, report = $3, checked = $4 WHERE id = $1",
            values![row.id, file, without(row.report)?, checked],
        )
        .await?;
    }
    Ok(())
}
