//! The simulator's phones, through its control API. Where the provider is Twilio there are none.

use crate::{
    Engine, Error, Result,
    actor::{Actor, authorize},
};
use chrono::{DateTime, Utc};
use domain::{
    handset::{Handset, HandsetMessage},
    operator::Operation,
    phone::{Channel, Phone},
};
use reqwest::{Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use std::time::Duration;
use url::Url;

/// How many phones, and how many messages of one, are shown.
const SHOWN_MAX: usize = 200;
/// How long the simulator may take: what a person writes waits for our own answer to its webhook.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest text of a phone, in characters (the simulator's own bound).
const TEXT_MAX_CHARS: usize = 4_096;

/// One page of a list of the control API.
#[derive(Deserialize)]
struct Listed<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Listing {
    number: String,
    last: Entry,
    count: i64,
}

/// A message, as the simulator's log shows it.
#[derive(Deserialize)]
struct Entry {
    sid: String,
    origin: String,
    channel: Channel,
    to: String,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    body: String,
    status: String,
    created_at: DateTime<Utc>,
}

impl Entry {
    fn into_message(self) -> HandsetMessage {
        let from_person = self.origin == "phone";
        let ours = if from_person { Some(self.to) } else { self.from.or(self.messaging_service_sid) };
        let sender = ours.unwrap_or_default();
        HandsetMessage {
            sid: self.sid,
            from_person,
            sender: sender.strip_prefix("whatsapp:").unwrap_or(&sender).to_owned(),
            channel: self.channel,
            text: self.body,
            status: self.status,
            at: self.created_at,
        }
    }
}

#[derive(Deserialize)]
struct Refusal {
    problem: String,
}

/// The phones that hold messages, the last used first, at most 200. People without a phone number have none.
///
/// # Errors
/// [`Error::NotFound`] without a simulator, [`Error::Unavailable`] when it is away, [`Error::Forbidden`].
pub async fn list(engine: &Engine, actor: &Actor) -> Result<Vec<Handset>> {
    authorize(Operation::SimulatorUse, actor)?;
    let mut url = control(engine, &["phones"])?;
    url.query_pairs_mut().append_pair("limit", &SHOWN_MAX.to_string());
    let listed: Listed<Listing> = read(client()?.get(url).send().await).await?;
    let handset = |listing: Listing| {
        Some(Handset {
            phone: Phone::parse_e164(&listing.number).ok()?,
            last_text: listing.last.body,
            last_at: listing.last.created_at,
            count: listing.count,
        })
    };
    Ok(listed.items.into_iter().filter_map(handset).collect())
}

/// The newest messages on a phone, at most 200, oldest first.
///
/// # Errors
/// As [`list`].
pub async fn thread(engine: &Engine, actor: &Actor, phone: &Phone) -> Result<Vec<HandsetMessage>> {
    authorize(Operation::SimulatorUse, actor)?;
    let mut url = control(engine, &["phones", phone.as_str()])?;
    url.query_pairs_mut().append_pair("limit", &SHOWN_MAX.to_string());
    let listed: Listed<Entry> = read(client()?.get(url).send().await).await?;
    Ok(listed.items.into_iter().rev().map(Entry::into_message).collect())
}

/// Writes from a phone to one of our senders: the same webhook as a real message's follows, and was answered when this
/// returns.
///
/// # Errors
/// [`Error::Invalid`] for what the simulator refuses; otherwise as [`list`].
pub async fn write(
    engine: &Engine,
    actor: &Actor,
    phone: &Phone,
    sender: &str,
    channel: Channel,
    text: &str,
) -> Result<()> {
    authorize(Operation::SimulatorUse, actor)?;
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > TEXT_MAX_CHARS {
        return Err(Error::invalid("text", format!("a message has 1 to {TEXT_MAX_CHARS} characters")));
    }
    let url = control(engine, &["phones", phone.as_str(), "messages"])?;
    let message = json!({ "to": sender, "channel": channel, "body": text });
    let _: serde_json::Value = read(client()?.post(url).json(&message).send().await).await?;
    engine.live.changed("phones");
    Ok(())
}

fn control(engine: &Engine, path: &[&str]) -> Result<Url> {
    let mut url = engine.limits.simulator_url.clone().ok_or(Error::NotFound { what: "simulator" })?;
    url.path_segments_mut()
        .map_err(|()| Error::internal("the simulator's URL has no path"))?
        .extend(["simulator", "v1"].iter().chain(path));
    Ok(url)
}

/// A client for one request: these are a person's clicks, and not worth a pool.
fn client() -> Result<reqwest::Client> {
    // Fails if the process has one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .timeout(TIMEOUT)
        .build()
        .map_err(Error::internal)
}

async fn read<T: DeserializeOwned>(response: reqwest::Result<Response>) -> Result<T> {
    let away = |error: reqwest::Error| Error::Unavailable { what: "the simulator", source: Box::new(error) };
    let response = response.map_err(away)?;
    if response.status() == StatusCode::UNPROCESSABLE_ENTITY {
        let refusal: Refusal = response.json().await.map_err(away)?;
        return Err(Error::invalid("text", refusal.problem));
    }
    response.error_for_status().map_err(away)?.json().await.map_err(away)
}
