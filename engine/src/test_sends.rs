//! Test sends: a template as it would go out, through every gate, to people who are marked for it. They belong to standing
//! campaigns of their own kind, and overtake bulk.

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    campaigns, cells,
    db::{self, Kind, Rows, Tx},
    states::Balance,
    templates, values,
};
use domain::{
    campaign::{CampaignKind, CampaignStatus, Event, UnknownPolicy},
    ids::{CampaignId, MessageKey, UserId},
    message::State,
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
    let campaign = standing(engine, &tx, actor, form).await?;
    let messages = insert(engine, &tx, campaign, &form.people).await?;
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
    let mut wrong = |field: &str, detail: String| errors.push(FieldProblem { pointer: format!("/{field}"), detail });
    if form.people.is_empty() || form.people.len() > TEST_SEND_MAX {
        wrong("people", format!("choose 1 to {TEST_SEND_MAX} test people"));
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
        wrong("people", format!("{strangers} of them are not marked as test people"));
    }
    let channel: Option<String> =
        db::scalar(tx, "SELECT channel AS value FROM senders WHERE id = $1 AND enabled", values![form.sender.0])
            .await?;
    match (channel, templates::load(tx, form.template).await) {
        (None, _) => wrong("sender", "choose a sender that is switched on".to_owned()),
        (_, Err(Error::NotFound { .. })) => wrong("template", "this template is gone".to_owned()),
        (_, Err(other)) => return Err(other),
        (Some(channel), Ok(template)) if template.channel.as_str() != channel => {
            wrong("template", format!("the template is for {}, the sender for {channel}", template.channel));
        }
        _ => {}
    }
    if let Some(topic) = form.topic
        && db::scalar::<i32, _>(tx, "SELECT 1 AS value FROM topics WHERE id = $1", values![topic.0]).await?.is_none()
    {
        wrong("topic", "this topic is gone".to_owned());
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid { errors }) }
}

/// The standing campaign for this sender, topic and version of the template. One that a refusal paused goes on.
async fn standing(engine: &Engine, tx: &Tx, actor: &Actor, form: &TestSendForm) -> Result<CampaignId> {
    let version = templates::load(tx, form.template).await?.version;
    let topic = form.topic.map(Uuid::from);
    let found: Option<Uuid> = db::scalar(
        tx,
        "SELECT id AS value FROM campaigns WHERE kind = 'test' AND status IN ('running', 'paused') AND sender_id = $1
             AND template_id = $2 AND template_version = $3 AND COALESCE(topic_id, $4) = $4 AND (topic_id IS NULL) = $5
         ORDER BY id LIMIT 1",
        values![form.sender.0, form.template.0, version, topic.unwrap_or(Uuid::nil()), topic.is_none()],
    )
    .await?;
    if let Some(id) = found.map(CampaignId) {
        let record = campaigns::load_for_update(tx, id).await?;
        if record.status()? == CampaignStatus::Paused {
            campaigns::move_status(engine, tx, actor, &record, Event::Resume, None, None).await?;
        }
        return Ok(id);
    }
    let id: CampaignId = engine.clock.new_id();
    db::exec(
        tx,
        "INSERT INTO campaigns (id, name, kind, status, sender_id, template_id, template_version, topic_id, filter,
            unknown_policy, start_deadline_minutes, launched_at, expanded, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, 0, $10, $11, $10, $10)",
        values![
            id.0,
            CampaignKind::Test.label(),
            CampaignKind::Test.as_str(),
            CampaignStatus::Running.as_str(),
            form.sender.0,
            form.template.0,
            version,
            topic,
            UnknownPolicy::Review.as_str(),
            engine.clock.now(),
            true
        ],
    )
    .await?;
    Ok(id)
}

/// Adds a message for each, behind those that are there, and a chunk to claim them from.
async fn insert(engine: &Engine, tx: &Tx, campaign: CampaignId, people: &[UserId]) -> Result<Vec<TestMessage>> {
    let record = campaigns::load_for_update(tx, campaign).await?;
    let first = record.expansion_seq + 1;
    let messages: Vec<TestMessage> = people
        .iter()
        .zip(first..)
        .map(|(user, seq)| TestMessage { user: *user, key: MessageKey { campaign, seq } })
        .collect();
    let last = record.expansion_seq + i64::try_from(messages.len()).map_err(Error::internal)?;
    let rows = Rows::of([("seq", Kind::Int), ("user_id", Kind::Id)], &messages, |one| cells![one.key.seq, one.user.0]);
    db::bulk(tx, rows, values![campaign.0, engine.clock.now()], |table| {
        format!(
            "INSERT INTO messages (campaign_id, seq, user_id, nth, updated_at)
             SELECT $1, r.seq, r.user_id, r.seq, $2 FROM {table}"
        )
    })
    .await?;
    db::exec(
        tx,
        "INSERT INTO campaign_chunks (campaign_id, no, lo, hi, next)
         SELECT $1, COALESCE(MAX(no), 0) + 1, $2, $3, $2 FROM campaign_chunks WHERE campaign_id = $1",
        values![campaign.0, first, last],
    )
    .await?;
    db::exec(tx, "UPDATE campaigns SET expansion_seq = $2 WHERE id = $1", values![campaign.0, last]).await?;
    let mut balance = Balance::default();
    balance.add(campaign, State::Pending, last - first + 1);
    balance.store(engine, tx).await?;
    Ok(messages)
}
