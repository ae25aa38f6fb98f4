//! What people wrote while nobody listened: the provider repeats an inbound webhook once at most, so its list is asked at every
//! start and every few minutes for what is not known here (DELIVERY.md, While the database is away).

use crate::{
    Engine, Result, cells,
    db::{self, Kind, Rows},
    inbound,
    provider::{ListQuery, ProviderMessage},
    settings,
    twilio::stored,
    values,
};
use chrono::{DateTime, Duration, Utc};
use domain::phone::Channel;
use sea_orm::FromQueryResult;
use std::collections::{BTreeMap, BTreeSet};

/// How far back the first look goes, and how far any does.
const REACH: Duration = Duration::hours(24);
/// How far a look goes back behind the one before it: the provider's list may lag, and its clock may differ.
const OVERLAP: Duration = Duration::minutes(10);
/// How young a message must not be: its webhook may still be on its way.
const SETTLED: Duration = Duration::seconds(60);
/// The setting with the instant of the last whole look, by sender.
const LOOKED_AT: &str = "backfill_looked_at";

#[derive(FromQueryResult)]
struct SenderRow {
    channel: String,
    address: String,
}

#[derive(FromQueryResult)]
struct Known {
    dedupe_key: String,
}

/// Asks the provider's list for messages to our senders that never came, and takes them in as if they had, in their order. Answers
/// how many there were.
///
/// # Errors
/// [`crate::Error::Unavailable`] when the database is away. A list that cannot be read is asked again at the next look.
pub async fn run(engine: &Engine) -> Result<usize> {
    let conn = engine.db.read();
    let senders: Vec<SenderRow> =
        db::all(conn, "SELECT channel, address FROM senders WHERE enabled ORDER BY address", values![]).await?;
    let mut looked: BTreeMap<String, DateTime<Utc>> = settings::get(conn, LOOKED_AT).await?.unwrap_or_default();
    let began = engine.clock.now();
    let mut taken = 0;
    for sender in senders {
        // A messaging service has no address that people write to: its numbers are senders of their own.
        let to = match sender.channel.parse::<Channel>() {
            Ok(_) if sender.address.starts_with("MG") => continue,
            Ok(Channel::Whatsapp) => format!("whatsapp:{}", sender.address),
            _ => sender.address,
        };
        let reach = began - REACH;
        let since = looked.get(&to).map_or(reach, |at| (*at - OVERLAP).max(reach));
        let listed = match engine.provider.list(&ListQuery { to: to.clone(), from: None, since }).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(error = %error, "the list of what people wrote cannot be read now");
                continue;
            }
        };
        taken += take_in(engine, listed, began - SETTLED).await?;
        looked.insert(to, began);
    }
    let tx = engine.db.begin().await?;
    settings::put(engine, &tx, LOOKED_AT, &looked).await?;
    tx.commit().await?;
    Ok(taken)
}

/// Takes in those that are not known, oldest first: a START after a STOP is another thing than the reverse.
async fn take_in(engine: &Engine, listed: Vec<ProviderMessage>, before: DateTime<Utc>) -> Result<usize> {
    let mut wrote: Vec<ProviderMessage> =
        listed.into_iter().filter(|message| message.inbound && message.created_at <= before).collect();
    wrote.sort_by_key(|message| (message.created_at, message.sid));
    let keys = Rows::of([("key", Kind::Text)], &wrote, |message| cells![format!("inbound:{}", message.sid)]);
    let known: Vec<Known> = db::of_rows(engine.db.read(), keys, values![], |table| {
        format!("SELECT e.dedupe_key FROM {table} JOIN events e ON e.dedupe_key = r.key")
    })
    .await?;
    let known: BTreeSet<String> = known.into_iter().map(|row| row.dedupe_key).collect();
    let mut taken = 0;
    for message in wrote.iter().filter(|message| !known.contains(&format!("inbound:{}", message.sid))) {
        let raw = as_webhook(message);
        let Some(webhook) = stored::inbound(&raw) else {
            tracing::warn!(sid = %message.sid, "a listed message could not be read");
            continue;
        };
        inbound::receive_at(engine, webhook, raw, message.created_at).await?;
        tracing::warn!(sid = %message.sid, "a message that never came was found on the provider's list");
        taken += 1;
    }
    Ok(taken)
}

/// The form that its webhook would have had, as far as the list tells. It says where it is from.
fn as_webhook(message: &ProviderMessage) -> String {
    let sid = message.sid.to_string();
    let (media, segments) = (message.media_count.to_string(), message.segments.unwrap_or(1).to_string());
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("MessageSid", sid.as_str()),
            ("AccountSid", "listed"),
            ("From", message.from.as_deref().unwrap_or_default()),
            ("To", message.to.as_str()),
            ("Body", message.body.as_str()),
            ("NumMedia", media.as_str()),
            ("NumSegments", segments.as_str()),
        ])
        .finish()
}
