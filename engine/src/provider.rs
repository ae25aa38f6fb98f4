//! Who carries our messages: what a provider must be able to do, in words that are nobody's in particular.
//!
//! [`SendError`] is a closed list, because the send protocol hangs on it (DELIVERY.md, protocol 4): each failure says
//! whether the message was certainly not sent, certainly refused, or may be on its way.

use crate::error::Error;
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::message::State;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};
use url::Url;
use uuid::Uuid;

/// A provider. There is one that speaks to the world ([`crate::twilio::client::TwilioClient`]); tests script their own.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Hands one message over, once: no retries, no redirects.
    ///
    /// # Errors
    /// [`SendError`] says what is known of the message then.
    async fn create(&self, message: &Outbound) -> Result<Accepted, SendError>;

    /// All messages that match, in both directions, newest first as the provider orders them.
    ///
    /// # Errors
    /// [`ProviderError`]; a list that cannot be read to its end is an error, never a short list.
    async fn list(&self, query: &ListQuery) -> Result<Vec<ProviderMessage>, ProviderError>;

    /// One page of all messages that were sent on a day, in both directions; the first, or the one that another page named as the next.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn sent_on(&self, day: NaiveDate, next: Option<&str>) -> Result<SentPage, ProviderError>;

    /// One message.
    ///
    /// # Errors
    /// [`ProviderError::NotFound`] if the provider has no such message.
    async fn fetch(&self, sid: Sid) -> Result<ProviderMessage, ProviderError>;

    /// Asks something harmless: whether the provider answers, and our credentials are good.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn ping(&self) -> Result<(), ProviderError>;

    /// Cancels one message that the provider still holds.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] if it is too late for that.
    async fn cancel(&self, sid: Sid) -> Result<ProviderMessage, ProviderError>;
}

/// The provider's id of a message: `SM` or `MM` and 16 bytes in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    uuid: Uuid,
    mm: bool,
}

/// The text is not the id of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the id of a message (SM or MM and 32 hexadecimal digits)")]
pub struct SidError;

impl Sid {
    /// Reads `SM…` or `MM…`; the digits may be of either case, and print in lower case.
    ///
    /// # Errors
    /// [`SidError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, SidError> {
        let (mm, digits) = match (text.strip_prefix("SM"), text.strip_prefix("MM")) {
            (Some(digits), _) => (false, digits),
            (_, Some(digits)) => (true, digits),
            _ => return Err(SidError),
        };
        // Uuid also reads braces, dashes and URNs, which are no part of a SID.
        if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(SidError);
        }
        Ok(Self { uuid: Uuid::try_parse(digits).map_err(|_| SidError)?, mm })
    }

    /// The id from its stored parts.
    pub const fn from_parts(uuid: Uuid, mm: bool) -> Self {
        Self { uuid, mm }
    }

    /// The 16 bytes, as stored.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// Whether it begins with `MM`: a message with media.
    pub const fn is_mm(self) -> bool {
        self.mm
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.mm { "MM" } else { "SM" }, self.uuid.simple())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sid {
    type Err = SidError;
    fn from_str(text: &str) -> Result<Self, SidError> {
        Self::parse(text)
    }
}

/// From where a message is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SenderAddress {
    /// A number or short code of ours, with `whatsapp:` in front on that channel.
    Number(String),
    /// A messaging service (`MG…`), which chooses the number.
    Service(String),
}

/// What is sent.
#[derive(Clone, PartialEq, Eq)]
pub enum OutboundContent {
    /// A text, rendered.
    Text(String),
    /// A template that the provider keeps and fills in.
    Template {
        /// The template's id (`HX…`).
        content_sid: String,
        /// Its variables, by name.
        variables: BTreeMap<String, String>,
    },
}

/// A message to hand over. `Debug` shows neither the address nor the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Outbound {
    /// To whom, as the provider addresses people: `+49…`, `whatsapp:+49…`.
    pub to: String,
    /// From where.
    pub from: SenderAddress,
    /// What.
    pub content: OutboundContent,
    /// Where the provider reports to: our public URL with the message's key and the attempt.
    pub status_callback: Url,
    /// How long it may wait in the provider's queue, in seconds (1 to 36,000); `None` for the provider's own limit.
    pub validity_period_s: Option<u32>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.content {
            OutboundContent::Text(_) => "text",
            OutboundContent::Template { .. } => "template",
        };
        f.debug_struct("Outbound").field("from", &self.from).field("content", &kind).finish_non_exhaustive()
    }
}

/// One request and what came back, to be stored verbatim. It never holds credentials.
///
/// `Debug` shows only the status: the rest names people.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawExchange {
    /// Method, path and query, an empty line, and the body as it was sent.
    pub request: String,
    /// The body that came back, as far as it came; `None` if there was no answer.
    pub response: Option<String>,
    /// The status that came back.
    pub http_status: Option<u16>,
    /// When the request was begun.
    pub started_at: DateTime<Utc>,
    /// How long it took until the answer was read or given up, in milliseconds.
    pub duration_ms: u32,
}

impl fmt::Debug for RawExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawExchange")
            .field("http_status", &self.http_status)
            .field("started_at", &self.started_at)
            .field("duration_ms", &self.duration_ms)
            .finish_non_exhaustive()
    }
}

/// The provider has the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id there.
    pub sid: Sid,
    /// Its state there: one of the provider's ([`State::is_providers`]).
    pub state: State,
    /// What went over the wire.
    pub exchange: RawExchange,
}

/// What is known of a message that was not accepted. The list is closed.
///
/// `Debug` is as terse as `Display`: the provider's own words quote phone numbers.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Certainly not sent: nothing was written, or the provider said that it did not process the request. Safe to
    /// repeat.
    #[error("not sent: {why}")]
    NotSent {
        /// How long the provider asked us to wait, in seconds.
        retry_after_s: Option<u32>,
        /// The provider's code, if it gave one.
        code: Option<i32>,
        /// Why, for the log.
        why: String,
        /// What went over the wire.
        exchange: RawExchange,
    },
    /// Certainly refused. The code's class says what to do ([`crate::twilio::codes`]).
    #[error("refused with code {code} (HTTP {http})")]
    Rejected {
        /// The provider's code.
        code: i32,
        /// The HTTP status, 400 to 499.
        http: u16,
        /// The provider's words, which may quote the address.
        message: String,
        /// What went over the wire.
        exchange: RawExchange,
    },
    /// It may have been sent: never repeat it on your own.
    #[error("outcome unknown: {why}")]
    Unknown {
        /// Why, for the log.
        why: String,
        /// What went over the wire.
        exchange: RawExchange,
    },
}

impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SendError {
    /// What went over the wire.
    pub fn exchange(&self) -> &RawExchange {
        match self {
            Self::NotSent { exchange, .. } | Self::Rejected { exchange, .. } | Self::Unknown { exchange, .. } => {
                exchange
            }
        }
    }

    /// The provider's code, if it gave one.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::NotSent { code, .. } => *code,
            Self::Rejected { code, .. } => Some(*code),
            Self::Unknown { .. } => None,
        }
    }
}

/// Which messages to list.
#[derive(Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// To this address: a person's, or one of ours for what people wrote to it.
    pub to: String,
    /// From this address. Leave it out for a messaging service: which number it chose is not known at first.
    pub from: Option<String>,
    /// Created at or after this instant.
    pub since: DateTime<Utc>,
}

/// A page of the messages of a day.
#[derive(Debug, Clone)]
pub struct SentPage {
    /// Its messages.
    pub messages: Vec<ProviderMessage>,
    /// What names the next page; `None` of the last.
    pub next: Option<String>,
}

/// A message as the provider has it. `Debug` shows neither addresses nor text.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderMessage {
    /// Its id there.
    pub sid: Sid,
    /// Its state; `None` for a word that we do not know, and for messages to us.
    pub state: Option<State>,
    /// The same in the provider's own word.
    pub status: String,
    /// Why it failed, if it did.
    pub error_code: Option<i32>,
    /// Whether it came to us, rather than from us.
    pub inbound: bool,
    /// To whom.
    pub to: String,
    /// From where; `None` while a messaging service has not chosen.
    pub from: Option<String>,
    /// The messaging service, if it was sent by one.
    pub service_sid: Option<String>,
    /// The text.
    pub body: String,
    /// When the provider took it, to the second.
    pub created_at: DateTime<Utc>,
    /// When the provider passed it on, to the second.
    pub sent_at: Option<DateTime<Utc>>,
    /// How many segments it was billed as.
    pub segments: Option<u32>,
    /// How many media it carries.
    pub media_count: u32,
    /// What it cost, as the provider writes it (a negative decimal number); `None` until it is billed.
    pub price: Option<String>,
    /// The currency of the price, by ISO 4217.
    pub price_unit: Option<String>,
}

impl fmt::Debug for ProviderMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderMessage")
            .field("sid", &self.sid)
            .field("state", &self.state)
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}

/// Why the provider could not be asked. None of these changes anything there, except that a cancel may have been done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Away, slow or busy: ask again later.
    #[error("the provider is away: {why}")]
    Unavailable {
        /// How long it asked us to wait, in seconds.
        retry_after_s: Option<u32>,
        /// Why, for the log.
        why: String,
    },
    /// It has no such thing.
    #[error("the provider has no such thing")]
    NotFound,
    /// It will not.
    #[error("the provider refused with code {code} (HTTP {http})")]
    Refused {
        /// The provider's code.
        code: i32,
        /// The HTTP status.
        http: u16,
    },
    /// It answered something else than it should.
    #[error("the provider's answer cannot be read: {why}")]
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
    /// There is more than we are willing to read at once.
    #[error("there are more than {messages_max} messages to list")]
    TooMany {
        /// The bound.
        messages_max: usize,
    },
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unavailable { .. } => Self::Unavailable { what: "the provider", source: Box::new(error) },
            ProviderError::NotFound => Self::NotFound { what: "message at the provider" },
            other => Self::internal(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sids_are_taken_to_the_letter() {
        let digits = "0123456789abcdef0123456789abcdef";
        assert!(!Sid::parse(&format!("SM{digits}")).unwrap().is_mm());
        assert!(Sid::parse(&format!("MM{digits}")).unwrap().is_mm());
        assert_eq!(Sid::parse(&format!("SM{}", digits.to_uppercase())), Sid::parse(&format!("SM{digits}")));
        for bad in [
            "",
            "SM",
            digits,
            &format!("sm{digits}"),
            &format!("AC{digits}"),
            &format!("SM{}", &digits[1..]),
            &format!("SM{digits}0"),
            &format!("SM {}", &digits[1..]),
            "SM01234567-89ab-cdef-0123-456789abcdef",
            "SM{0123456789abcdef0123456789abcd}",
        ] {
            assert_eq!(Sid::parse(bad), Err(SidError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn sids_round_trip(bytes: [u8; 16], mm: bool) {
            let sid = Sid::from_parts(Uuid::from_bytes(bytes), mm);
            prop_assert_eq!(Sid::parse(&sid.to_string()), Ok(sid));
            prop_assert_eq!(Sid::from_parts(sid.uuid(), sid.is_mm()), sid);
        }
    }

    #[test]
    fn debug_gives_nobody_away() {
        let exchange = RawExchange {
            request: "POST /\n\nTo=%2B14155552671".to_owned(),
            response: Some("+14155552671".to_owned()),
            http_status: Some(400),
            started_at: DateTime::UNIX_EPOCH,
            duration_ms: 1,
        };
        let error =
            SendError::Rejected { code: 21211, http: 400, message: "+14155552671 is not valid".to_owned(), exchange };
        let message = Outbound {
            to: "+14155552671".to_owned(),
            from: SenderAddress::Service("MG1".to_owned()),
            content: OutboundContent::Text("hello".to_owned()),
            status_callback: Url::parse("https://example.org/").unwrap(),
            validity_period_s: None,
        };
        let debug = format!("{error} {error:?} {:?} {message:?}", error.exchange());
        assert!(!debug.contains("4155552671") && !debug.contains("hello"), "{debug}");
    }
}
