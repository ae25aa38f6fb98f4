//! Messages: what became of each, and what a person decides about those whose fate is not known.

mod export;
mod history;
pub(crate) mod rows;
mod search;

pub use export::export;
pub use search::list;

use crate::{
    Doorbell, Engine, Error, Result,
    actor::{Actor, authorize},
    audit::{self, Act},
    campaigns, events,
    preferences::Links,
    provider::Sid,
    states::{self, Move, Wait},
    templates,
    twilio::stored,
};
use domain::{
    campaign::{self, CampaignStatus},
    ids::{MessageKey, TemplateId},
    message::{Event, Exchange, MessageDetail, MessageRow, flags, transition},
    operator::Operation,
};
use rows::Whole;
use sea_orm::ConnectionTrait;
use serde_json::json;

/// One message, with everything that is known of it.
///
/// Its text is the one that the provider was last asked to send, as long as that exchange is kept; otherwise the one that
/// it would be now, of the template's version that the campaign pinned.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(engine: &Engine, actor: &Actor, key: MessageKey) -> Result<MessageDetail> {
    authorize(Operation::CampaignRead, actor)?;
    let conn = engine.db.read();
    let whole = rows::load(conn, key).await?.ok_or(Error::NotFound { what: "message" })?;
    let decisions = rows::decisions(conn, key).await?;
    let exchanges = events::of_message(conn, key).await?;
    let history = history::read(conn, key, &decisions, &exchanges).await?;
    let text = match sent_text(&exchanges) {
        Some(text) => Some(text),
        None => rendered(engine, conn, &whole).await?,
    };
    let provider_sid =
        (!whole.sid.is_nil()).then(|| Sid::from_parts(whole.sid, whole.flags & flags::MM_SID != 0).to_string());
    let conflict = whole.flags & flags::CONFLICT != 0;
    let duplicate = whole.flags & flags::DUPLICATE != 0;
    Ok(MessageDetail {
        row: whole.record.view()?,
        provider_sid,
        text,
        conflict,
        duplicate,
        history,
        decisions,
        exchanges,
    })
}

/// One message as lists show it.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn row<C: ConnectionTrait>(conn: &C, key: MessageKey) -> Result<Option<MessageRow>> {
    rows::load(conn, key).await?.map(|whole| whole.record.view()).transpose()
}

/// The text of the newest request to send.
fn sent_text(exchanges: &[Exchange]) -> Option<String> {
    let created = exchanges.iter().rev().filter(|exchange| exchange.kind == events::EventKind::Create.as_str());
    created.filter_map(|exchange| exchange.payload.as_deref()).find_map(stored::text)
}

/// The text as the template says it now; `None` where there is no template, or it asks for what the person lacks.
async fn rendered<C: ConnectionTrait>(engine: &Engine, conn: &C, whole: &Whole) -> Result<Option<String>> {
    let (Some(template), Some(version)) = (whole.template_id, whole.template_version) else { return Ok(None) };
    let compiled = templates::load_version(conn, TemplateId(template), version).await?;
    let person = whole.person(&Links::load(engine, conn).await?)?;
    Ok(compiled.render(&person).ok().map(|rendered| rendered.text))
}

/// Decides on a message that may or may not have been sent: send it again, or close it unsent.
///
/// A resend goes through every gate anew. One of a completed campaign opens that campaign again; one of a canceled campaign
/// is refused, since it would never be sent.
///
/// # Errors
/// [`Error::Conflict`] if its state does not take that, or changed meanwhile; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn resolve(engine: &Engine, actor: &Actor, key: MessageKey, resend: bool) -> Result<MessageDetail> {
    authorize(Operation::MessageReview, actor)?;
    let tx = engine.db.begin().await?;
    // The campaign first, as everyone does who locks both.
    let campaign = campaigns::load_for_update(&tx, key.campaign).await?;
    let locked = states::lock(&tx, &[key]).await?;
    let current = locked.get(&key).ok_or(Error::NotFound { what: "message" })?;
    let event = if resend { Event::Resend } else { Event::Close };
    let to = transition(current.state, event)?;
    if resend {
        match campaign.status()? {
            CampaignStatus::Canceled => {
                return Err(Error::conflict("its campaign was canceled, so it would not be sent; close it instead"));
            }
            CampaignStatus::Completed => {
                let why = Some(format!("a message is sent again, by {}", actor.label()));
                campaigns::move_status(engine, &tx, actor, &campaign, campaign::Event::Reopen, why, None).await?;
            }
            _ => {}
        }
    }
    let moved = states::apply(engine, &tx, &[Move::plain(current, to)]).await?;
    if !moved.contains(&key) {
        return Err(Error::conflict("somebody else decided on this message at the same time"));
    }
    if resend {
        states::wait(&tx, &[Wait { key, why: "retry", due_at: engine.clock.now(), tries: 0 }]).await?;
    } else {
        states::stop_waiting(&tx, &[key]).await?;
    }
    let act = Act {
        action: if resend { history::RESEND } else { history::CLOSE },
        target: history::target(key),
        before: Some(json!({ "state": current.state })),
        after: Some(json!({ "state": to })),
    };
    audit::record(engine, &tx, actor, act).await?;
    tx.commit().await?;
    if resend {
        engine.queue.ring(Doorbell::Deliver(key.campaign)).await;
    }
    engine.live.campaign(key.campaign);
    engine.live.changed("messages");
    get(engine, actor, key).await
}
