//! Single sends by integrations: a template to one person, through every gate, ahead of bulk.

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    db, messages,
    standing::{self, Of},
    values,
};
use domain::{
    campaign::CampaignKind,
    message::{MessageRow, SingleSendForm},
    operator::Operation,
    problem::FieldProblem,
};
use serde_json::json;

/// Puts one message into the queue. The gates decide when it is its turn, in moments: consent, quiet hours, the WhatsApp
/// window and all others hold as for a campaign, and the answer of a look at the message says what they said.
///
/// # Errors
/// [`Error::Invalid`] by field, [`Error::Forbidden`].
pub async fn send(engine: &Engine, actor: &Actor, form: &SingleSendForm) -> Result<MessageRow> {
    authorize(Operation::MessageSend, actor)?;
    let tx = engine.db.begin().await?;
    let mut errors = standing::faults(&tx, form.sender, form.template, form.topic).await?;
    let known = "SELECT 1 AS value FROM users WHERE id = $1 AND merged_into IS NULL";
    if db::scalar::<i32, _>(&tx, known, values![form.user.0]).await?.is_none() {
        errors.push(FieldProblem { pointer: "/user".to_owned(), detail: "there is no such user".to_owned() });
    }
    if !errors.is_empty() {
        return Err(Error::Invalid { errors });
    }
    let of = Of { kind: CampaignKind::Single, sender: form.sender, template: form.template, topic: form.topic };
    let campaign = standing::find_or_make(engine, &tx, actor, of).await?;
    let keys = standing::add(engine, &tx, campaign, &[form.user]).await?;
    let key = *keys.first().ok_or_else(|| Error::internal("one message was added"))?;
    let act = Act {
        action: "message.send",
        target: format!("message:{key}"),
        before: None,
        after: Some(json!({ "template": form.template, "sender": form.sender, "user": form.user })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    engine.queue.ring(Doorbell::Overtake(campaign)).await;
    engine.live.changed("messages");
    messages::row(engine.db.read(), key).await?.ok_or(Error::NotFound { what: "message" })
}
