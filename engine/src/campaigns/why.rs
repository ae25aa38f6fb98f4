//! Why a person gets a campaign's message, or why not: the audience's conditions, then every gate, by the code that sends.

use super::{audience_filter, load};
use crate::{
    Engine, Result,
    actor::{Actor, authorize},
    db, delivery, messages, segments, users, values,
};
use domain::{
    campaign::{CampaignStatus, Place, Why},
    ids::{CampaignId, MessageKey, UserId},
    operator::Operation,
};

/// Why this person gets this campaign's message, or why not, as of now.
///
/// # Errors
/// [`crate::Error::NotFound`] for either; [`crate::Error::Invalid`] for a draft whose audience cannot be read;
/// [`crate::Error::Forbidden`].
pub async fn why(engine: &Engine, actor: &Actor, id: CampaignId, user: UserId) -> Result<Why> {
    authorize(Operation::CampaignRead, actor)?;
    authorize(Operation::UserRead, actor)?;
    let conn = engine.db.read();
    let record = load(conn, id).await?;
    let person = users::load(conn, user).await?;
    let (status, form) = (record.status()?, record.form()?);
    let filter = match &record.frozen_filter {
        Some(frozen) => segments::parse(frozen, "audience/filter")?,
        None => audience_filter(conn, &form.audience).await?,
    };
    let audience = segments::explain_filter(engine, &filter, user).await?;
    // The newest message of the pair: a campaign that may message somebody again has one for each time.
    let seq: Option<i64> = db::scalar(
        conn,
        "SELECT seq AS value FROM messages WHERE user_id = $1 AND campaign_id = $2 ORDER BY nth DESC LIMIT 1",
        values![user.0, id.0],
    )
    .await?;
    let message = match seq {
        Some(seq) => messages::row(conn, MessageKey { campaign: id, seq }).await?,
        None => None,
    };
    let place = match message {
        Some(message) => Place::In(Box::new(message)),
        None if person.merged_into.is_some() => Place::Merged,
        None if record.launched_at.is_some_and(|at| person.created_at > at) => Place::CameLater,
        None if !audience.matches => Place::DoesNotMatch,
        None if record.launched_at.is_none() => Place::WouldBe,
        None if !record.expanded && status == CampaignStatus::Running => Place::Coming,
        None => Place::MatchesOnlyNow,
    };
    let steps = match (form.sender, form.template) {
        (Some(_), Some(_)) => delivery::steps(engine, id, &form, status, user).await?,
        _ => Vec::new(),
    };
    Ok(Why { campaign: id, name: record.name, status, place, audience, filter: filter.to_string(), steps })
}
