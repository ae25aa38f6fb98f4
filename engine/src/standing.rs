//! Standing campaigns: what is no campaign of a marketer's (tests, single sends) is sent as messages of campaigns that never end,
//! one for each kind, sender, topic and version of a template. So there is one way to send.

use crate::{
    Actor, Engine, Error, Result, campaigns, cells,
    db::{self, Kind, Rows, Tx},
    states::{Balance, Writer},
    templates, values,
};
use domain::{
    campaign::{CampaignKind, CampaignStatus, Event, UnknownPolicy},
    ids::{CampaignId, MessageKey, SenderId, TemplateId, TopicId, UserId},
    message::State,
    problem::FieldProblem,
};
use uuid::Uuid;

/// What a standing campaign is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Of {
    /// Its kind.
    pub kind: CampaignKind,
    /// Who sends.
    pub sender: SenderId,
    /// What.
    pub template: TemplateId,
    /// On which topic.
    pub topic: Option<TopicId>,
}

/// What stands against sending this, by field.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn faults(
    tx: &Tx,
    sender: SenderId,
    template: TemplateId,
    topic: Option<TopicId>,
) -> Result<Vec<FieldProblem>> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| errors.push(FieldProblem { pointer: format!("/{field}"), detail });
    let channel: Option<String> =
        db::scalar(tx, "SELECT channel AS value FROM senders WHERE id = $1 AND enabled", values![sender.0]).await?;
    match (channel, templates::load(tx, template).await) {
        (None, _) => wrong("sender", "choose a sender that is switched on".to_owned()),
        (_, Err(Error::NotFound { .. })) => wrong("template", "this template is gone".to_owned()),
        (_, Err(other)) => return Err(other),
        (Some(channel), Ok(template)) if template.channel.as_str() != channel => {
            wrong("template", format!("the template is for {}, the sender for {channel}", template.channel));
        }
        _ => {}
    }
    if let Some(topic) = topic
        && db::scalar::<i32, _>(tx, "SELECT 1 AS value FROM topics WHERE id = $1", values![topic.0]).await?.is_none()
    {
        wrong("topic", "this topic is gone".to_owned());
    }
    Ok(errors)
}

/// The standing campaign of a kind for this sender, topic and newest version of the template; made where there is none. One that a
/// refusal paused goes on.
///
/// # Errors
/// [`crate::Error::NotFound`] for the template.
pub(crate) async fn find_or_make(engine: &Engine, tx: &Tx, actor: &Actor, of: Of) -> Result<CampaignId> {
    let version = templates::load(tx, of.template).await?.version;
    let topic = of.topic.map(Uuid::from);
    let found: Option<Uuid> = db::scalar(
        tx,
        "SELECT id AS value FROM campaigns WHERE kind = $6 AND status IN ('running', 'paused') AND sender_id = $1
             AND template_id = $2 AND template_version = $3 AND COALESCE(topic_id, $4) = $4 AND (topic_id IS NULL) = $5
         ORDER BY id LIMIT 1",
        values![of.sender.0, of.template.0, version, topic.unwrap_or(Uuid::nil()), topic.is_none(), of.kind.as_str()],
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
            of.kind.label(),
            of.kind.as_str(),
            CampaignStatus::Running.as_str(),
            of.sender.0,
            of.template.0,
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

/// Adds a message for each person, behind those that are there, and a chunk to claim them from.
///
/// # Errors
/// [`crate::Error::Unavailable`].
pub(crate) async fn add(engine: &Engine, tx: &Tx, campaign: CampaignId, people: &[UserId]) -> Result<Vec<MessageKey>> {
    let record = campaigns::load_for_update(tx, campaign).await?;
    let first = record.expansion_seq + 1;
    let keys: Vec<MessageKey> = people.iter().zip(first..).map(|(_, seq)| MessageKey { campaign, seq }).collect();
    let last = record.expansion_seq + i64::try_from(people.len()).map_err(Error::internal)?;
    let rows = Rows::of([("seq", Kind::Int), ("user_id", Kind::Id)], keys.iter().zip(people), |(key, user)| {
        cells![key.seq, user.0]
    });
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
    balance.store(engine, tx, Writer::Others).await?;
    Ok(keys)
}
