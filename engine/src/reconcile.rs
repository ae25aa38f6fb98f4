//! What became of messages whose outcome is unknown: the provider's list is asked twice, some time apart (DELIVERY.md,
//! protocol 6). A message that is found is adopted; one that is not goes to review, or back to the queue where the
//! operator chose that for the campaign. A list that fails is asked again later, and never answered by a send.

pub mod days;

use crate::{
    Doorbell, Engine, Result, campaigns,
    db::{self, Tx},
    delivery::text_hash,
    events::{self, EventKind, RawEvent},
    provider::{ListQuery, ProviderMessage},
    states::{self, Current, Move, Wait},
    values,
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    campaign::{CampaignStatus, UnknownPolicy},
    ids::{CampaignId, MessageKey},
    message::{Event, State, flags, transition},
    phone::Channel,
};
use sea_orm::FromQueryResult;
use serde_json::json;
use std::{collections::BTreeSet, time::Instant};
use uuid::Uuid;

/// How many messages one run takes up at once.
const STEP_ROWS: i64 = 50;
/// How many looks at the list there are.
const LOOKS: i32 = 2;
/// How much the provider's clock, which counts whole seconds, may run behind ours.
const CLOCK_SLACK: Duration = Duration::seconds(5);

#[derive(FromQueryResult)]
struct DueRow {
    campaign_id: Uuid,
    seq: i64,
    tries: i32,
}

/// Looks for messages whose outcome is unknown and whose time to look has come.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away.
pub async fn run(engine: &Engine) -> Result<()> {
    let started = Instant::now();
    loop {
        let due = take_due(engine).await?;
        if due.is_empty() {
            return Ok(());
        }
        for row in due {
            look(engine, MessageKey { campaign: CampaignId(row.campaign_id), seq: row.seq }, row.tries).await?;
        }
        if started.elapsed() >= engine.limits.slice {
            engine.queue.ring(Doorbell::Reconcile).await;
            return Ok(());
        }
    }
}

/// Takes up what is due, and puts each off by the gap, so that nobody else takes it meanwhile and none is lost if we die.
async fn take_due(engine: &Engine) -> Result<Vec<DueRow>> {
    let tx = engine.db.begin().await?;
    let lock = db::lock_free(&tx);
    let now = engine.clock.now();
    let due: Vec<DueRow> = db::all(
        &tx,
        &format!(
            "SELECT campaign_id, seq, tries FROM waits WHERE why = 'unknown' AND due_at <= $1
             ORDER BY due_at LIMIT $2{lock}"
        ),
        values![now, STEP_ROWS],
    )
    .await?;
    let gap = Duration::from_std(engine.limits.reconcile_gap).map_err(crate::Error::internal)?;
    let waits: Vec<Wait> = due
        .iter()
        .map(|row| Wait {
            key: MessageKey { campaign: CampaignId(row.campaign_id), seq: row.seq },
            why: "unknown",
            due_at: now + gap,
            tries: row.tries,
        })
        .collect();
    states::wait(&tx, &waits).await?;
    tx.commit().await?;
    Ok(due)
}

/// What is known of a message that is looked for.
#[derive(FromQueryResult)]
struct Sought {
    attempt: i16,
    started_at: DateTime<Utc>,
    body_hash: Vec<u8>,
    phone: Option<String>,
    whatsapp_id: Option<String>,
    channel: String,
    address: String,
    content_sid: Option<String>,
    unknown_policy: String,
}

async fn sought(engine: &Engine, key: MessageKey) -> Result<Option<Sought>> {
    db::one(
        engine.db.read(),
        "SELECT a.attempt, a.started_at, a.body_hash, u.phone, u.whatsapp_id, s.channel, s.address, v.content_sid,
                c.unknown_policy
         FROM messages m
         JOIN attempts a ON a.campaign_id = m.campaign_id AND a.seq = m.seq AND a.attempt = m.attempt
         JOIN users u ON u.id = m.user_id
         JOIN senders s ON s.id = a.sender_id
         JOIN campaigns c ON c.id = m.campaign_id
         LEFT JOIN template_versions v ON v.template_id = c.template_id AND v.version = c.template_version
         WHERE m.campaign_id = $1 AND m.seq = $2",
        values![key.campaign.0, key.seq],
    )
    .await
}

async fn look(engine: &Engine, key: MessageKey, tries: i32) -> Result<()> {
    let Some(sought) = sought(engine, key).await? else { return Ok(()) };
    let channel: Channel = sought.channel.parse().map_err(crate::Error::internal)?;
    let Some(bare) = sought.phone.clone().or_else(|| sought.whatsapp_id.clone()) else { return Ok(()) };
    let prefixed = |address: &str| match channel {
        Channel::Sms => address.to_owned(),
        Channel::Whatsapp => format!("whatsapp:{address}"),
    };
    // Which number a messaging service chose is not known, so that its messages are listed by the person alone.
    let from = (!sought.address.starts_with("MG")).then(|| prefixed(&sought.address));
    let query = ListQuery { to: prefixed(&bare), from, since: sought.started_at - CLOCK_SLACK };
    let listed = match engine.provider.list(&query).await {
        Ok(listed) => listed,
        Err(error) => {
            // The look does not count: `take_due` has put the next one off already.
            tracing::warn!(message.key = %key, error = %error, "the provider's list cannot be read; looking again later");
            return Ok(());
        }
    };
    let found = matching(engine, &sought, listed).await?;
    if found.is_empty() {
        none_found(engine, key, &sought, tries).await
    } else {
        adopt(engine, key, &sought, found).await
    }
}

/// Messages of the list that may be ours: not bound to another, sent by us, with our text. The provider keeps the filled-in
/// text of a template and not its id, so that for a template person, sender and time must do.
async fn matching(engine: &Engine, sought: &Sought, listed: Vec<ProviderMessage>) -> Result<Vec<ProviderMessage>> {
    let sids: Vec<Uuid> = listed.iter().map(|message| message.sid.uuid()).collect();
    let bound: BTreeSet<Uuid> = states::bound(engine.db.read(), &sids).await?.into_keys().collect();
    let mut found: Vec<ProviderMessage> = listed
        .into_iter()
        .filter(|message| !message.inbound && !bound.contains(&message.sid.uuid()))
        .filter(|message| message.created_at >= sought.started_at - CLOCK_SLACK)
        .filter(|message| sought.content_sid.is_some() || text_hash(&message.body).as_slice() == sought.body_hash)
        .collect();
    found.sort_by_key(|message| (message.created_at, message.sid));
    Ok(found)
}

/// Adopts the oldest; a second one is a duplicate, and is flagged.
async fn adopt(engine: &Engine, key: MessageKey, sought: &Sought, found: Vec<ProviderMessage>) -> Result<()> {
    let tx = engine.db.begin().await?;
    let Some(current) = still_unknown(&tx, key).await? else { return Ok(()) };
    let oldest = &found[0];
    let state = oldest.state.unwrap_or(State::Accepted);
    let mut raised = if oldest.sid.is_mm() { flags::MM_SID } else { 0 };
    if found.len() > 1 {
        raised |= flags::DUPLICATE;
        tracing::error!(message.key = %key, "the provider holds this message twice");
    }
    let to = transition(current.state, Event::Accept(state))?;
    let bound = Move {
        sid: Some(oldest.sid.uuid()),
        flags: raised,
        error_code: oldest.error_code.unwrap_or_default(),
        ..Move::plain(&current, to)
    };
    states::apply(engine, &tx, &[bound]).await?;
    let sids: Vec<_> = found.iter().map(|message| (message.sid.uuid(), key, sought.attempt)).collect();
    states::bind(engine, &tx, &sids).await?;
    states::stop_waiting(&tx, &[key]).await?;
    record_look(engine, &tx, key, sought, &found).await?;
    tx.commit().await?;
    engine.live.campaign(key.campaign);
    Ok(())
}

async fn none_found(engine: &Engine, key: MessageKey, sought: &Sought, tries: i32) -> Result<()> {
    let tx = engine.db.begin().await?;
    let Some(current) = still_unknown(&tx, key).await? else { return Ok(()) };
    record_look(engine, &tx, key, sought, &[]).await?;
    let now = engine.clock.now();
    if tries + 1 < LOOKS {
        let gap = Duration::from_std(engine.limits.reconcile_gap).map_err(crate::Error::internal)?;
        states::wait(&tx, &[Wait { key, why: "unknown", due_at: now + gap, tries: tries + 1 }]).await?;
        tx.commit().await?;
        return Ok(());
    }
    let resend = sought.unknown_policy.parse::<UnknownPolicy>()? == UnknownPolicy::Resend;
    let event = if resend { Event::Resend } else { Event::GiveToReview };
    states::apply(engine, &tx, &[Move::plain(&current, transition(current.state, event)?)]).await?;
    if resend {
        states::wait(&tx, &[Wait { key, why: "retry", due_at: now, tries: 0 }]).await?;
    } else {
        states::stop_waiting(&tx, &[key]).await?;
    }
    let record = campaigns::load(&tx, key.campaign).await?;
    let running = record.status()? == CampaignStatus::Running;
    tx.commit().await?;
    engine.live.campaign(key.campaign);
    if resend && running {
        engine.queue.ring(Doorbell::Deliver(key.campaign)).await;
    }
    Ok(())
}

async fn still_unknown(tx: &Tx, key: MessageKey) -> Result<Option<Current>> {
    let current = states::lock(tx, &[key]).await?.remove(&key);
    match current {
        Some(current) if current.state == State::Unknown => Ok(Some(current)),
        _ => {
            states::stop_waiting(tx, &[key]).await?;
            Ok(None)
        }
    }
}

/// Keeps what the list showed.
async fn record_look(
    engine: &Engine,
    tx: &Tx,
    key: MessageKey,
    sought: &Sought,
    found: &[ProviderMessage],
) -> Result<()> {
    let found: Vec<_> = found
        .iter()
        .map(|message| json!({ "sid": message.sid.to_string(), "created_at": message.created_at, "state": message.state }))
        .collect();
    let event = RawEvent {
        kind: EventKind::List,
        dedupe_key: None,
        sid: None,
        message: Some((key, sought.attempt)),
        payload: json!({ "listed_since": sought.started_at - CLOCK_SLACK, "found": found }).to_string(),
    };
    events::append(engine, tx, &[event]).await?;
    Ok(())
}
