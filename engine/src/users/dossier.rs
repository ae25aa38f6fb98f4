//! Everything that is held on a person, for the person: one JSON document.

use super::{THEIRS, load, targets};
use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db, values,
};
use domain::{ids::UserId, operator::Operation};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value, json};

/// The most rows of one kind that a document holds; it says so where there were more.
const ROWS_MAX: usize = 100_000;

#[derive(FromQueryResult)]
struct Json {
    value: Value,
}

/// What is held on a person and on those who were merged into them: identity, consent and its ledger, subscriptions,
/// messages with what was exchanged with the provider, decisions, what they wrote, imports, and what operators did to the row.
///
/// # Errors
/// [`crate::Error::NotFound`], [`crate::Error::Forbidden`].
pub async fn export(engine: &Engine, actor: &Actor, id: UserId) -> Result<Value> {
    authorize(Operation::UserExport, actor)?;
    let tx = engine.db.begin().await?;
    let user = load(&tx, id).await?;
    let act = Act { action: "user.export", target: format!("user:{id}"), ..Act::default() };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    let conn = engine.db.read();
    let mine: [(&str, &str, &[&str]); 8] = [
        (
            "consent_ledger",
            "consent_events",
            &["id", "channel", "topic_id", "kind", "source", "sender", "evidence", "at"],
        ),
        ("subscriptions", "subscriptions", &["topic_id", "state", "updated_at"]),
        ("messages", "messages", &["campaign_id", "seq", "state", "attempt", "error_code", "updated_at"]),
        ("decisions", "decisions", &["campaign_id", "seq", "verdict", "gate", "fact", "next_at", "at"]),
        (
            "inbound_messages",
            "inbound_messages",
            &["id", "channel", "from_address", "to_address", "body", "kind", "effect", "reply", "received_at"],
        ),
        ("whatsapp_windows", "whatsapp_windows", &["sender", "last_inbound_at"]),
        ("imports", "import_rows", &["import_id", "line", "effect", "before", "after"]),
        ("test_people", "test_people", &["marked_at"]),
    ];
    let mut document = Map::new();
    document.insert("exported_at".to_owned(), json!(engine.clock.now()));
    document.insert("user".to_owned(), serde_json::to_value(&user)?);
    let merged = &["id", "phone", "whatsapp_id", "name", "created_at"];
    put(&mut document, "merged_rows", rows(conn, "users", merged, "t.merged_into = $1", id.0).await?);
    let of_them = format!("t.user_id {THEIRS}");
    for (name, table, columns) in mine {
        put(&mut document, name, rows(conn, table, columns, &of_them, id.0).await?);
    }
    // What was sent, word for word, and what the provider said of it.
    let exchanges = format!(
        "(SELECT m.campaign_id, m.seq, e.attempt, e.kind, e.at, p.payload FROM messages m
            JOIN events e ON e.campaign_id = m.campaign_id AND e.seq = m.seq JOIN event_payloads p ON p.event_id = e.id
            WHERE m.user_id {THEIRS})"
    );
    let columns = &["campaign_id", "seq", "attempt", "kind", "at", "payload"];
    put(&mut document, "provider_exchanges", rows(conn, &exchanges, columns, "TRUE", id.0).await?);
    let object = db::json_object(conn, "t", &["at", "actor", "action"]);
    let acts: Vec<Json> = db::of_rows(conn, targets(conn, id).await?, values![], |table| {
        let limit = ROWS_MAX + 1;
        format!("SELECT {object} AS value FROM audit t WHERE t.target IN (SELECT target FROM {table}) LIMIT {limit}")
    })
    .await?;
    put(&mut document, "changes", acts.into_iter().map(|row| row.value).collect());
    Ok(Value::Object(document))
}

async fn rows<C: ConnectionTrait>(
    conn: &C,
    table: &str,
    columns: &[&str],
    condition: &str,
    whose: impl Into<sea_orm::Value>,
) -> Result<Vec<Value>> {
    let object = db::json_object(conn, "t", columns);
    let sql = format!("SELECT {object} AS value FROM {table} t WHERE {condition} LIMIT {}", ROWS_MAX + 1);
    let found: Vec<Json> = db::all(conn, &sql, vec![whose.into()]).await?;
    Ok(found.into_iter().map(|row| row.value).collect())
}

/// Puts rows into the document, and says so where there were more.
fn put(document: &mut Map<String, Value>, name: &str, mut rows: Vec<Value>) {
    if rows.len() > ROWS_MAX {
        rows.truncate(ROWS_MAX);
        document.insert(format!("{name}_cut_off_at"), json!(ROWS_MAX));
    }
    document.insert(name.to_owned(), Value::Array(rows));
}
