//! One message in the log, and the ways it is shown.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    address::Channel,
    clock::{date, rfc2822},
    twilio_error::delivery_error,
};

/// The version in every path.
pub(crate) const API_VERSION: &str = "2010-04-01";

/// Twilio's message statuses, as far as the simulator uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Taken by a Messaging Service that has not chosen a sender yet.
    Accepted,
    /// Kept until its `SendAt`.
    Scheduled,
    /// Waits for its sender.
    Queued,
    /// On its way to the carrier.
    Sending,
    /// The carrier has it.
    Sent,
    /// The phone has it.
    Delivered,
    /// The person opened it; WhatsApp only.
    Read,
    /// The carrier or WhatsApp could not deliver it.
    Undelivered,
    /// It was not sent.
    Failed,
    /// It was scheduled, and called off.
    Canceled,
    /// An inbound message.
    Received,
}

impl Status {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Received => "received",
        }
    }
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The application, through the API.
    Api,
    /// The person, from the phone.
    Phone,
    /// The application, through TwiML.
    Twiml,
    /// Twilio itself, in answer to STOP, START or HELP. It is seen on the phone and left out of
    /// the Messages list.
    Twilio,
}

/// One message. Kept small: a load run holds millions.
#[derive(Debug)]
pub(crate) struct Message {
    pub number: u64,
    pub channel: Channel,
    pub origin: Origin,
    pub status: Status,
    /// What the plan holds for it, instead of delivery.
    pub doom: Option<(Status, u32)>,
    /// Timers and webhooks that still refer to it.
    pub pending: u8,
    /// A callback that waits for a later one.
    pub held: Option<Status>,
    /// From a magic number: no life and no callbacks.
    pub muted: bool,
    /// The first callback overtakes the create's answer.
    pub early: bool,
    pub segments: u16,
    pub error: Option<u32>,
    pub validity_s: u16,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub sent_ms: Option<i64>,
    pub send_at_ms: Option<i64>,
    /// The person's number, without the channel's prefix.
    pub phone: Arc<str>,
    /// Ours, likewise.
    pub sender: Arc<str>,
    pub service: Option<Arc<str>>,
    pub content_sid: Option<Arc<str>>,
    pub body: Box<str>,
    pub media: Box<[String]>,
    pub status_callback: Option<Box<str>>,
}

impl Message {
    pub fn is_inbound(&self) -> bool {
        self.origin == Origin::Phone
    }

    pub fn to(&self) -> String {
        let number = if self.is_inbound() { &self.sender } else { &self.phone };
        self.channel.address(number)
    }

    /// The sender's address. A Messaging Service names none until it has chosen one.
    pub fn from(&self) -> Option<String> {
        let number = if self.is_inbound() {
            &self.phone
        } else if matches!(self.status, Status::Accepted | Status::Scheduled) {
            return None;
        } else {
            &self.sender
        };
        Some(self.channel.address(number))
    }

    pub fn direction(&self) -> &'static str {
        match self.origin {
            Origin::Api => "outbound-api",
            Origin::Phone => "inbound",
            Origin::Twiml | Origin::Twilio => "outbound-reply",
        }
    }

    /// When it was sent, or made if it was not sent yet: the date that lists filter by.
    pub fn date_sent_ms(&self) -> i64 {
        self.sent_ms.unwrap_or(self.created_ms)
    }

    /// Twilio's JSON for it.
    pub fn resource(&self, sid: &str, account_sid: &str, segment_price_usd_micros: u32) -> Value {
        let uri = format!("/{API_VERSION}/Accounts/{account_sid}/Messages/{sid}");
        let counted = !matches!(self.status, Status::Accepted | Status::Scheduled);
        let price = self.sent_ms.filter(|_| !self.is_inbound()).map(|_| {
            let micros = u64::from(segment_price_usd_micros) * u64::from(self.segments);
            format!("-{}.{:05}", micros / 1_000_000, micros % 1_000_000 / 10)
        });
        json!({
            "account_sid": account_sid,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": rfc2822(self.created_ms),
            "date_sent": self.sent_ms.map(rfc2822),
            "date_updated": rfc2822(self.updated_ms),
            "direction": self.direction(),
            "error_code": self.error,
            "error_message": self.error.map(delivery_error),
            "from": self.from(),
            "messaging_service_sid": self.service.as_deref(),
            "num_media": self.media.len().to_string(),
            "num_segments": if counted { self.segments.to_string() } else { "0".to_owned() },
            "price": price,
            "price_unit": "USD",
            "sid": sid,
            "status": self.status,
            "subresource_uris": { "media": format!("{uri}/Media.json") },
            "to": self.to(),
            "uri": format!("{uri}.json"),
        })
    }

    /// The entry of the truth log.
    pub fn entry(&self, sid: String) -> LogEntry {
        LogEntry {
            number: self.number,
            sid,
            origin: self.origin,
            channel: self.channel,
            to: self.to(),
            from: self.from(),
            messaging_service_sid: self.service.as_deref().map(str::to_owned),
            content_sid: self.content_sid.as_deref().map(str::to_owned),
            body: self.body.to_string(),
            status: self.status,
            error_code: self.error,
            status_callback: self.status_callback.as_deref().map(str::to_owned),
            created_at: date(self.created_ms),
        }
    }
}

/// A message as the truth log and the phones show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Counts up from 1 in the order of acceptance; the cursor of logs and threads.
    pub number: u64,
    /// The message's SID.
    pub sid: String,
    /// Who wrote it.
    pub origin: Origin,
    /// The network that carried it.
    pub channel: Channel,
    /// The recipient's address.
    pub to: String,
    /// The sender's address; `None` while a Messaging Service has not chosen one.
    pub from: Option<String>,
    /// The Messaging Service that took it.
    pub messaging_service_sid: Option<String>,
    /// The content that it was rendered from.
    pub content_sid: Option<String>,
    /// The text, rendered.
    pub body: String,
    /// Where it is now.
    pub status: Status,
    /// Why it failed.
    pub error_code: Option<u32>,
    /// Where its callbacks go.
    pub status_callback: Option<String>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}
