//! What people write to us: stored raw, understood, acted on and answered, all before the answer leaves, so that a STOP
//! holds before the next send.
//!
//! The answer is kept beside the message: a webhook that comes twice is answered alike and acts once.

mod list;

pub use list::list;

use crate::{
    Engine, Result,
    consents::{self, Entry},
    db::{self, Tx},
    events::{self, EventKind, RawEvent},
    feed::{self, News},
    states::DayFigures,
    subscriptions,
    twilio::webhook::InboundWebhook,
    users, values,
};
use chrono::{DateTime, Utc};
use domain::{
    command::{self, Command},
    consent::{ConsentKind, ConsentSource, ConsentState},
    ids::{EventId, InboundId, TopicId, UserId},
    inbound::InboundKind,
    phone::Channel,
};
use sea_orm::FromQueryResult;
use serde_json::json;
use uuid::Uuid;

/// Takes one inbound webhook; answers the text to reply, if there is one. Twilio answers its own opt-out words on SMS, so
/// that there is none for those (TWILIO.md 10).
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away: nothing is kept, and the provider must come again.
pub async fn receive(engine: &Engine, webhook: InboundWebhook, raw: String) -> Result<Option<String>> {
    receive_at(engine, webhook, raw, engine.clock.now()).await
}

/// As [`receive`], for one that came at this instant and had to wait.
pub(crate) async fn receive_at(
    engine: &Engine,
    webhook: InboundWebhook,
    raw: String,
    at: DateTime<Utc>,
) -> Result<Option<String>> {
    let tx = engine.db.begin_urgent().await?;
    let event = RawEvent {
        kind: EventKind::Inbound,
        dedupe_key: Some(format!("inbound:{}", webhook.sid)),
        sid: Some(webhook.sid.uuid()),
        message: None,
        payload: raw,
    };
    let stored = events::append(engine, &tx, &[event]).await?;
    let Some(event) = stored.into_iter().next().flatten() else {
        return answered_before(&tx, &webhook).await;
    };
    let user = users::hold_at_address(engine, &tx, &webhook.from, webhook.profile_name.as_deref()).await?;
    let channel = webhook.from.channel();
    if channel == Channel::Whatsapp {
        open_window(&tx, user, &webhook, at).await?;
    }
    let understood = act(engine, &tx, user, channel, &webhook).await?;
    store(engine, &tx, event, user, &webhook, &understood).await?;
    let mut figures = DayFigures::default();
    figures.add("replies", 1);
    figures.add("opt_outs", i64::from(understood.opted_out));
    figures.store(engine, &tx).await?;
    tx.commit().await?;
    engine.live.changed("inbound");
    Ok(understood.reply)
}

async fn answered_before(tx: &Tx, webhook: &InboundWebhook) -> Result<Option<String>> {
    let reply: Option<Option<String>> = db::scalar(
        tx,
        "SELECT reply AS value FROM inbound_messages WHERE provider_sid = $1",
        values![webhook.sid.to_string()],
    )
    .await?;
    Ok(reply.flatten())
}

async fn open_window(tx: &Tx, user: UserId, webhook: &InboundWebhook, at: DateTime<Utc>) -> Result<()> {
    db::exec(
        tx,
        "INSERT INTO whatsapp_windows (user_id, sender, last_inbound_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, sender) DO UPDATE SET last_inbound_at = excluded.last_inbound_at
         WHERE whatsapp_windows.last_inbound_at < excluded.last_inbound_at",
        values![user.0, bare(&webhook.to), at],
    )
    .await?;
    Ok(())
}

/// A sender's address as the senders table has it.
fn bare(address: &str) -> &str {
    address.strip_prefix("whatsapp:").unwrap_or(address)
}

/// What a message was taken for, and what came of it.
struct Understood {
    kind: InboundKind,
    effect: Option<String>,
    reply: Option<String>,
    opted_out: bool,
}

impl Understood {
    fn plain(kind: InboundKind) -> Self {
        Self { kind, effect: None, reply: None, opted_out: false }
    }
}

#[derive(FromQueryResult)]
struct TopicRow {
    id: Uuid,
    name: String,
}

async fn act(engine: &Engine, tx: &Tx, user: UserId, channel: Channel, webhook: &InboundWebhook) -> Result<Understood> {
    let Some(command) = command::parse(&webhook.body) else {
        let probable = command::looks_like_opt_out(&webhook.body);
        return Ok(Understood::plain(if probable { InboundKind::ProbableOptOut } else { InboundKind::Message }));
    };
    let by_provider = webhook.opt_out_type.is_some() || command::answered_by_provider(channel, &command, &webhook.body);
    let ledger = Ledger { engine, tx, user, channel, webhook };
    let mut understood = match &command {
        Command::Stop => {
            ledger.write(ConsentKind::OptOut, None).await?;
            Understood {
                kind: InboundKind::Stop,
                effect: Some(format!("opted out of {}", channel.label())),
                reply: Some("You will get no more messages from us here. Write START to get them again.".to_owned()),
                opted_out: true,
            }
        }
        Command::Start => {
            let state = ledger.write(ConsentKind::OptIn, None).await?;
            let lifted = state == ConsentState::OptedIn;
            Understood {
                kind: InboundKind::Start,
                effect: Some(if lifted {
                    format!("opted in to {}", channel.label())
                } else {
                    "still stopped at another of our numbers".to_owned()
                }),
                reply: Some("You get messages from us again. Write STOP to end them, HELP for help.".to_owned()),
                opted_out: false,
            }
        }
        Command::Help => Understood { reply: Some(help(tx).await?), ..Understood::plain(InboundKind::Help) },
        Command::Subscribe(key) => topic_command(&ledger, key, true).await?,
        Command::Unsubscribe(key) => topic_command(&ledger, key, false).await?,
    };
    if by_provider {
        understood.reply = None;
    }
    Ok(understood)
}

async fn help(tx: &Tx) -> Result<String> {
    let topics: Vec<TopicRow> =
        db::all(tx, "SELECT id, key AS name FROM topics ORDER BY key LIMIT 5", values![]).await?;
    let topics: Vec<String> = topics.into_iter().map(|topic| topic.name).collect();
    let follow =
        if topics.is_empty() { String::new() } else { format!(" Write SUBSCRIBE and one of: {}.", topics.join(", ")) };
    Ok(format!("Write STOP to get no more messages, START to get them again.{follow}"))
}

async fn topic_command(ledger: &Ledger<'_>, key: &str, subscribe: bool) -> Result<Understood> {
    let kind = if subscribe { InboundKind::Subscribe } else { InboundKind::Unsubscribe };
    let key = key.to_lowercase();
    let topic: Option<TopicRow> =
        db::one(ledger.tx, "SELECT id, name FROM topics WHERE key = $1", values![key.as_str()]).await?;
    let Some(topic) = topic else {
        return Ok(Understood {
            effect: Some(format!("there is no topic \"{key}\"")),
            reply: Some(format!("We have no topic called {key}. {}", help(ledger.tx).await?)),
            ..Understood::plain(kind)
        });
    };
    let topic_id = TopicId(topic.id);
    if !subscribe {
        ledger.write(ConsentKind::Unsubscribe, Some(topic_id)).await?;
        return Ok(Understood {
            effect: Some(format!("left {}", topic.name)),
            reply: Some(format!("You left {}. Write STOP to get no messages at all.", topic.name)),
            ..Understood::plain(kind)
        });
    }
    ledger.write(ConsentKind::Subscribe, Some(topic_id)).await?;
    // Whoever asks for a topic agrees to the channel, unless they stopped it: that takes a START.
    let state = ledger.state().await?;
    let reply = if state == ConsentState::OptedOut {
        format!("You follow {}, but you stopped our messages here. Write START to get them again.", topic.name)
    } else {
        if state == ConsentState::None {
            ledger.write(ConsentKind::OptIn, None).await?;
        }
        format!("You follow {} now. Write UNSUBSCRIBE {key} to leave it, STOP to end all messages.", topic.name)
    };
    Ok(Understood {
        effect: Some(format!("subscribed to {}", topic.name)),
        reply: Some(reply),
        ..Understood::plain(kind)
    })
}

/// The ledger of whoever wrote, with the message as evidence.
struct Ledger<'a> {
    engine: &'a Engine,
    tx: &'a Tx,
    user: UserId,
    channel: Channel,
    webhook: &'a InboundWebhook,
}

impl Ledger<'_> {
    /// Writes an entry; answers where the person stands on the channel then.
    async fn write(&self, kind: ConsentKind, topic: Option<TopicId>) -> Result<ConsentState> {
        let evidence = format!("wrote \"{}\" ({})", self.webhook.body.trim(), self.webhook.sid);
        let entry = Entry {
            user: self.user,
            channel: self.channel,
            topic,
            kind,
            source: ConsentSource::Keyword,
            sender: Some(bare(&self.webhook.to)),
            evidence: &evidence,
        };
        if topic.is_some() {
            subscriptions::append(self.engine, self.tx, entry).await?;
        } else {
            consents::append(self.engine, self.tx, entry).await?;
        }
        self.state().await
    }

    async fn state(&self) -> Result<ConsentState> {
        let state: Option<String> = db::scalar(
            self.tx,
            "SELECT state AS value FROM consents WHERE user_id = $1 AND channel = $2",
            values![self.user.0, self.channel.as_str()],
        )
        .await?;
        Ok(state.map_or(Ok(ConsentState::None), |state| state.parse())?)
    }
}

async fn store(
    engine: &Engine,
    tx: &Tx,
    event: EventId,
    user: UserId,
    webhook: &InboundWebhook,
    understood: &Understood,
) -> Result<()> {
    let id: InboundId = engine.clock.new_id();
    let media: Vec<_> = webhook.media.iter().map(|m| json!({ "url": m.url, "content_type": m.content_type })).collect();
    db::exec(
        tx,
        "INSERT INTO inbound_messages (id, event_id, provider_sid, user_id, channel, from_address, to_address, body,
            media, kind, effect, reply, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        values![
            id.0,
            event.0,
            webhook.sid.to_string(),
            user.0,
            webhook.from.channel().as_str(),
            webhook.from.to_string(),
            webhook.to.clone(),
            webhook.body.replace('\0', "\u{fffd}"),
            serde_json::Value::Array(media),
            understood.kind.as_str(),
            understood.effect.clone(),
            understood.reply.clone(),
            engine.clock.now()
        ],
    )
    .await?;
    feed::tell(engine, tx, vec![News::inbound(id.0, user.0)]).await
}
