//! Everything that is held on a person, for the person: one JSON document.

use super::load;
use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db,
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
/// messages, decisions, what they wrote, imports, and what operators did to the row.
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
    let mine: [(&str, &str, &[&str]); 7] = [
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
        ("imports", "import_rows", &["import_id", "line", "effect"]),
    ];
    let mut document = Map::new();
    document.insert("exported_at".to_owned(), json!(engine.clock.now()));
    document.insert("user".to_owned(), serde_json::to_value(&user)?);
    let merged = &["id", "phone", "whatsapp_id", "name", "created_at"];
    put(&mut document, "merged_rows", rows(conn, "users", merged, "t.merged_into = $1", id.0).await?);
    for (name, table, columns) in mine {
        put(&mut document, name, rows(conn, table, columns, MINE, id.0).await?);
    }
    let acts = rows(conn, "audit", &["at", "actor", "action"], "t.target = $1", format!("user:{id}")).await?;
    put(&mut document, "changes", acts);
    Ok(Value::Object(document))
}

/// Rows of the person, and of those who were merged into them.
const MINE: &str = "t.user_id IN (SELECT u.id FROM users u WHERE u.id = $1 OR u.merged_into = $1)";

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
