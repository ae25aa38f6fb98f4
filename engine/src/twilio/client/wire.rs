//! Twilio's JSON, read for what we use of it.

use super::super::{Word, status_word};
use crate::provider::{ProviderError, ProviderMessage, Sid};
use chrono::{DateTime, Utc};
use domain::message::State;
use serde::{Deserialize, de::DeserializeOwned};

/// A refusal: Twilio's error object.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub code: i32,
    #[serde(default)]
    pub message: String,
}

/// One page of a list.
pub(super) struct Page {
    pub messages: Vec<ProviderMessage>,
    /// Path and query of the next page.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    sid: String,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    status: String,
}

#[derive(Deserialize)]
struct MessagesPage {
    messages: Vec<Message>,
    next_page_uri: Option<String>,
}

/// A message resource. Numbers are strings there, and dates are RFC 2822.
#[derive(Deserialize)]
struct Message {
    sid: String,
    status: String,
    error_code: Option<i32>,
    #[serde(default)]
    direction: String,
    to: Option<String>,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    body: Option<String>,
    date_created: String,
    date_sent: Option<String>,
    num_segments: Option<String>,
    num_media: Option<String>,
    price: Option<String>,
    price_unit: Option<String>,
}

/// Twilio's refusal, if that is what a body holds.
pub(super) fn refusal(body: &[u8]) -> Option<Refusal> {
    serde_json::from_slice(body).ok()
}

/// The id and the status word of a message that was created, if a body holds them.
pub(super) fn created(body: &[u8]) -> Option<(Sid, String)> {
    let created: Created = serde_json::from_slice(body).ok()?;
    Some((Sid::parse(&created.sid).ok()?, created.status.unwrap_or_default()))
}

/// The account's state: `active`, `suspended` or `closed`.
pub(super) fn account_status(body: &[u8]) -> Result<String, ProviderError> {
    read::<Account>(body).map(|account| account.status)
}

/// One message.
pub(super) fn message(body: &[u8]) -> Result<ProviderMessage, ProviderError> {
    read::<Message>(body)?.try_into()
}

/// One page of a list. A message with an id of another kind (a group's, a fax) is not ours to know, and is left out.
pub(super) fn page(body: &[u8]) -> Result<Page, ProviderError> {
    let page: MessagesPage = read(body)?;
    let messages = page.messages.into_iter().filter(|message| Sid::parse(&message.sid).is_ok());
    Ok(Page { messages: messages.map(TryInto::try_into).collect::<Result<_, _>>()?, next: page.next_page_uri })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProviderError> {
    // Only where it went wrong: the words of serde quote the value.
    serde_json::from_slice(body)
        .map_err(|error| unreadable(format!("JSON, line {}, column {}", error.line(), error.column())))
}

fn unreadable(why: impl Into<String>) -> ProviderError {
    ProviderError::Unreadable { why: why.into() }
}

fn date(text: &str) -> Result<DateTime<Utc>, ProviderError> {
    DateTime::parse_from_rfc2822(text).map(|at| at.to_utc()).map_err(|_| unreadable("a date"))
}

impl TryFrom<Message> for ProviderMessage {
    type Error = ProviderError;

    fn try_from(message: Message) -> Result<Self, ProviderError> {
        let sid = Sid::parse(&message.sid).map_err(|_| unreadable("an id"))?;
        let state: Option<State> = match status_word(&message.status) {
            Word::State(state) => Some(state),
            Word::Inbound => None,
            Word::Unknown => {
                tracing::warn!(%sid, word = message.status, "the provider reports a status that we do not know");
                None
            }
        };
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Self {
            sid,
            state,
            status: message.status,
            error_code: message.error_code.filter(|code| *code != 0),
            inbound: message.direction == "inbound",
            to: message.to.unwrap_or_default(),
            from: text(message.from),
            service_sid: text(message.messaging_service_sid),
            body: message.body.unwrap_or_default(),
            created_at: date(&message.date_created)?,
            sent_at: message.date_sent.as_deref().map(date).transpose()?,
            segments: message.num_segments.and_then(|number| number.parse().ok()),
            media_count: message.num_media.and_then(|number| number.parse().ok()).unwrap_or_default(),
            price: text(message.price),
            price_unit: text(message.price_unit),
        })
    }
}
