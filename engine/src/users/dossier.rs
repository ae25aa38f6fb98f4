//! Everything that is held on a person, for the person: one JSON document.

use super::load;
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
    let parts: [(&str, &str, &[&str], &str); 9] = [
        (
            "merged_rows",
            "users t",
            &["id", "phone", "whatsapp_id", "name", "merged_into", "created_at"],
            "t.merged_into = $1",
        ),
        (
            "consent_ledger",
            "consent_events t",
            &["id", "channel", "topic_id", "kind", "source", "sender", "evidence", "at"],
            MINE,
        ),
        ("subscriptions", "subscriptions t", &["topic_id", "state", "updated_at"], MINE),
        ("messages", "messages t", &["campaign_id", "seq", "state", "attempt", "error_code", "updated_at"], MINE),
        ("decisions", "decisions t", &["campaign_id", "seq", "verdict", "gate", "fact", "next_at", "at"], MINE),
        (
            "inbound_messages",
            "inbound_messages t",
            &["id", "channel", "from_address", "to_address", "body", "kind", "effect", "reply", "received_at"],
            MINE,
        ),
        ("whatsapp_windows", "whatsapp_windows t", &["sender", "last_inbound_at"], MINE),
        ("imports", "import_rows t", &["import_id", "line", "effect"], MINE),
        ("changes", "audit t", &["at", "actor", "action"], "t.target = $2"),
    ];
    let mut document = Map::new();
    document.insert("exported_at".to_owned(), json!(engine.clock.now()));
    document.insert("user".to_owned(), serde_json::to_value(&user)?);
    for (name, table, columns, condition) in parts {
        let rows = rows(conn, table, columns, condition, id).await?;
        if rows.len() > ROWS_MAX {
            document.insert(format!("{name}_cut_off_at"), json!(ROWS_MAX));
        }
        document.insert(name.to_owned(), Value::Array(rows.into_iter().take(ROWS_MAX).collect()));
    }
    Ok(Value::Object(document))
}

/// Rows of the person, and of those who were merged into them.
const MINE: &str = "t.user_id IN (SELECT u.id FROM users u WHERE u.id = $1 OR u.merged_into = $1)";

async fn rows<C: ConnectionTrait>(
    conn: &C,
    table: &str,
    columns: &[&str],
    condition: &str,
    id: UserId,
) -> Result<Vec<Value>> {
    let object = db::json_object(conn, "t", columns);
    let sql = format!("SELECT {object} AS value FROM {table} WHERE {condition} LIMIT {}", ROWS_MAX + 1);
    let target = format!("user:{id}");
    let values = if condition.contains("$2") { values![id.0, target] } else { values![id.0] };
    // PostgreSQL wants every parameter to be used.
    let sql = if condition.contains("$1") { sql } else { sql.replace("$2", "$1") };
    let values = if condition.contains("$1") { values } else { vec![values[1].clone()] };
    let found: Vec<Json> = db::all(conn, &sql, values).await?;
    Ok(found.into_iter().map(|row| row.value).collect())
}
