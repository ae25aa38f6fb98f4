//! Test sends: a template as it would go out, through every gate, to people who are marked for it. They belong to standing
//! campaigns of their own kind, and overtake bulk.

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db::{self, Rows, Tx},
    standing::{self, Of},
    values,
};
use domain::{
    campaign::CampaignKind,
    ids::UserId,
    operator::Operation,
    problem::FieldProblem,
    test_send::{TEST_PEOPLE_MAX, TEST_SEND_MAX, TestMessage, TestPerson, TestSendForm},
};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::collections::HashSet;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct PersonRow {
    id: Uuid,
    name: String,
}

/// Everyone whom test sends may reach, by name.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn people(engine: &Engine, actor: &Actor) -> Result<Vec<TestPerson>> {
    authorize(Operation::UserRead, actor)?;
    let rows: Vec<PersonRow> = db::all(
        engine.db.read(),
        "SELECT u.id, COALESCE(u.name, u.phone, u.whatsapp_id, '') AS name
         FROM test_people t JOIN users u ON u.id = t.user_id WHERE u.merged_into IS NULL ORDER BY name, u.id",
        values![],
    )
    .await?;
    Ok(rows.into_iter().map(|row| TestPerson { id: UserId(row.id), name: row.name }).collect())
}

/// Marks someone as a person whom test sends may reach, or takes the mark away.
///
/// # Errors
/// [`Error::Conflict`] beyond [`TEST_PEOPLE_MAX`], [`Error::NotFound`], [`Error::Forbidden`].
pub async fn mark(engine: &Engine, actor: &Actor, user: UserId, marked: bool) -> Result<()> {
    authorize(Operation::TestPersonWrite, actor)?;
    let tx = engine.db.begin().await?;
    let known: Option<i32> =
        db::scalar(&tx, "SELECT 1 AS value FROM users WHERE id = $1 AND merged_into IS NULL", values![user.0]).await?;
    if known.is_none() {
        return Err(Error::NotFound { what: "user" });
    }
    let changed = if marked {
        let count: Option<i64> = db::scalar(&tx, "SELECT COUNT(*) AS value FROM test_people", values![]).await?;
        if count.is_some_and(|count| count.unsigned_abs() >= TEST_PEOPLE_MAX as u64) {
            return Err(Error::conflict(format!("{TEST_PEOPLE_MAX} people are marked already, which is the limit")));
        }
        let sql = "INSERT INTO test_people (user_id, marked_at) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING";
        db::exec(&tx, sql, values![user.0, engine.clock.now()]).await?
    } else {
        db::exec(&tx, "DELETE FROM test_people WHERE user_id = $1", values![user.0]).await?
    };
    if changed > 0 {
        let action = if marked { "user.mark_test" } else { "user.unmark_test" };
        let act = Act { action, target: format!("user:{user}"), before: None, after: None };
        audit::record(engine, &tx, actor, act).await?;
    }
    tx.commit().await?;
    engine.live.changed("users");
    Ok(())
}

/// Sends a template's newest version to marked people, ahead of bulk. The gates decide as always: their consent, their
/// quiet hours, the WhatsApp window.
///
/// # Errors
/// [`Error::Invalid`] by field, also for someone who is not marked; [`Error::Forbidden`].
pub async fn send(engine: &Engine, actor: &Actor, form: &TestSendForm) -> Result<Vec<TestMessage>> {
    authorize(Operation::TestSend, actor)?;
    let tx = engine.db.begin().await?;
    check(&tx, form).await?;
    let of = Of { kind: CampaignKind::Test, sender: form.sender, template: form.template, topic: form.topic };
    let campaign = standing::find_or_make(engine, &tx, actor, of).await?;
    let keys = standing::add(engine, &tx, campaign, &form.people).await?;
    let messages = form.people.iter().zip(keys).map(|(user, key)| TestMessage { user: *user, key }).collect();
    let act = Act {
        action: "test.send",
        target: format!("campaign:{campaign}"),
        before: None,
        after: Some(json!({ "template": form.template, "sender": form.sender, "people": form.people })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Overtake(campaign)).await;
    engine.live.changed("messages");
    Ok(messages)
}

async fn check(tx: &Tx, form: &TestSendForm) -> Result<()> {
    let mut errors = Vec::new();
    let wrong = |detail: String| FieldProblem { pointer: "/people".to_owned(), detail };
    if form.people.is_empty() || form.people.len() > TEST_SEND_MAX {
        errors.push(wrong(format!("choose 1 to {TEST_SEND_MAX} test people")));
    }
    let ids = Rows::ids(form.people.iter().map(|user| user.0));
    let marked: Vec<PersonRow> = db::of_rows(tx, ids, values![], |table| {
        format!(
            "SELECT u.id, '' AS name FROM {table} JOIN test_people t ON t.user_id = r.id
             JOIN users u ON u.id = r.id WHERE u.merged_into IS NULL"
        )
    })
    .await?;
    let marked: HashSet<Uuid> = marked.into_iter().map(|row| row.id).collect();
    let strangers = form.people.iter().filter(|user| !marked.contains(&user.0)).count();
    if strangers > 0 {
        errors.push(wrong(format!("{strangers} of them are not marked as test people")));
    }
    errors.extend(standing::faults(tx, form.sender, form.template, form.topic).await?);
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid { errors }) }
}
