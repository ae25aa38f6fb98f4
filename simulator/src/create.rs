//! Reads and checks the form of a create, as Twilio does.

use std::{collections::BTreeMap, sync::Arc};

use chrono::DateTime;
use url::Url;

use crate::{
    address::{Address, Channel},
    config::{Config, Service},
    content::{self, Content},
    message::Status,
    opt_out::OptOuts,
    segments,
    twilio_error::TwilioError,
};

/// Characters of a body at most.
const BODY_MAX: usize = 1_600;
/// Media of one message at most.
const MEDIA_MAX: usize = 10;
/// How far ahead a message may be scheduled, in seconds: 300 s to 35 days.
const SCHEDULE_S: std::ops::RangeInclusive<i64> = 300..=35 * 86_400;
/// Seconds that a message may wait in a queue, when it does not say.
const VALIDITY_DEFAULT_S: u16 = 36_000;

/// A decoded form.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The first value of `name`, empty or not.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value)
    }

    /// The first value of `name` that is not empty.
    fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A create that Twilio would accept.
#[derive(Debug)]
pub(crate) struct Draft {
    pub channel: Channel,
    pub phone: Arc<str>,
    pub sender: Arc<str>,
    pub service: Option<Arc<str>>,
    pub content_sid: Option<Arc<str>>,
    pub body: String,
    pub media: Box<[String]>,
    pub segments: u16,
    pub validity_s: u16,
    pub send_at_ms: Option<i64>,
    pub status_callback: Option<Box<str>>,
    pub doom: Option<(Status, u32)>,
    pub muted: bool,
}

/// What a create is checked against.
pub(crate) struct Checks<'a> {
    pub config: &'a Config,
    pub contents: &'a BTreeMap<String, Content>,
    pub opt_outs: &'a OptOuts,
    pub now_ms: i64,
}

struct Sending {
    sender: Arc<str>,
    service: Option<Arc<str>>,
    muted: bool,
}

impl Checks<'_> {
    /// Checks the whole form; the first rule that is broken decides the code.
    pub fn draft(&self, form: &Form) -> Result<Draft, TwilioError> {
        let to = recipient(form)?;
        let sending = self.sending(form, &to)?;
        let content = self.content(form)?;
        let (send_at_ms, validity_s) = (self.send_at(form)?, validity(form)?);
        let status_callback = status_callback(form)?;
        let blocked = to.channel == Channel::Sms && self.opt_outs.blocks(self.config, &sending.sender, &to.number);
        if blocked {
            return Err(TwilioError::bad_request(21610, "Attempt to send to unsubscribed recipient"));
        }
        let segments = match to.channel {
            Channel::Sms if content.media.is_empty() => segments::count(&content.body),
            _ => 1,
        };
        Ok(Draft {
            channel: to.channel,
            phone: to.number,
            sender: sending.sender,
            service: sending.service,
            content_sid: content.sid,
            body: content.body,
            media: content.media,
            segments,
            validity_s,
            send_at_ms,
            status_callback,
            doom: content.doom,
            muted: sending.muted,
        })
    }

    /// The sender: `From`, or one of the service's pool. Magic numbers answer first.
    fn sending(&self, form: &Form, to: &Address) -> Result<Sending, TwilioError> {
        let service = self.service(form)?;
        let Some(from) = form.filled("From") else {
            let Some(service) = service else {
                return Err(TwilioError::bad_request(21603, "A 'From' phone number is required"));
            };
            let sender = self.pick(&service.pool, to)?;
            return Ok(Sending { sender, service: Some(service.sid.as_str().into()), muted: false });
        };
        let invalid = || {
            let message = format!("The 'From' number {from} is not a valid phone number");
            TwilioError::bad_request(21212, message)
        };
        let address = Address::parse(from).ok_or_else(invalid)?;
        if address == *to {
            return Err(TwilioError::bad_request(21266, "'To' and 'From' number cannot be the same"));
        }
        match from {
            "+15005550001" => return Err(invalid()),
            "+15005550007" => return Err(not_ours(from)),
            "+15005550008" => return Err(queue_full(from)),
            _ => {}
        }
        let muted = from == "+15005550006";
        if address.channel != to.channel {
            return Err(TwilioError::bad_request(
                21910,
                "Invalid From and To pair. From and To should be of the same channel",
            ));
        }
        if !muted && self.config.sender(address.channel, &address.number).is_none() {
            return Err(match address.channel {
                Channel::Sms => not_ours(from),
                Channel::Whatsapp => {
                    TwilioError::bad_request(63007, "Twilio could not find a Channel with the specified From address")
                }
            });
        }
        Ok(Sending { sender: address.number, service: service.map(|service| service.sid.as_str().into()), muted })
    }

    fn service(&self, form: &Form) -> Result<Option<&Service>, TwilioError> {
        let Some(sid) = form.filled("MessagingServiceSid") else {
            return Ok(None);
        };
        let found = self.config.services.iter().find(|known| known.sid == sid);
        found.map(Some).ok_or_else(|| TwilioError::bad_request(21701, "The Messaging Service does not exist"))
    }

    /// A person always hears from the same number of a pool, as with Twilio's sticky sender.
    fn pick(&self, pool: &[String], to: &Address) -> Result<Arc<str>, TwilioError> {
        let able: Vec<&String> =
            pool.iter().filter(|number| self.config.sender(to.channel, number).is_some()).collect();
        let sum: usize = to.number.bytes().map(usize::from).sum();
        match able.get(sum % able.len().max(1)) {
            Some(number) => Ok(number.as_str().into()),
            None => Err(TwilioError::bad_request(
                21703,
                "The Messaging Service does not have a phone number available to send a message",
            )),
        }
    }

    fn content(&self, form: &Form) -> Result<Body, TwilioError> {
        let media = media(form)?;
        if let Some(sid) = form.filled("ContentSid") {
            let variables = content::variables(form.filled("ContentVariables"))?;
            let Some(content) = self.contents.get(sid) else {
                return Err(TwilioError::bad_request(21655, "The ContentSid Parameter is invalid"));
            };
            // A wrong number of variables is found when WhatsApp renders, not by the create.
            let (body, doom) = match content::render(&content.body, &variables) {
                Ok(body) => (body, None),
                Err(_) => (content.body.clone(), Some((Status::Failed, 63028))),
            };
            return Ok(Body { sid: Some(sid.into()), body, media, doom });
        }
        let body = form.get("Body");
        match body {
            Some("") if media.is_empty() => {
                return Err(TwilioError::bad_request(21602, "Message body is required"));
            }
            None if media.is_empty() => {
                return Err(TwilioError::bad_request(21619, "A text message body or media urls must be specified"));
            }
            Some(text) if text.chars().count() > BODY_MAX => {
                return Err(TwilioError::bad_request(
                    21617,
                    "The concatenated message body exceeds the 1600 character limit",
                ));
            }
            _ => {}
        }
        Ok(Body { sid: None, body: body.unwrap_or_default().to_owned(), media, doom: None })
    }

    fn send_at(&self, form: &Form) -> Result<Option<i64>, TwilioError> {
        let Some(text) = form.filled("SendAt") else {
            return match form.filled("ScheduleType") {
                None => Ok(None),
                Some(_) => Err(TwilioError::bad_request(35114, "Scheduling does not support this timestamp")),
            };
        };
        if form.filled("MessagingServiceSid").is_none() {
            return Err(TwilioError::bad_request(35118, "MessagingServiceSid is required to schedule a message"));
        }
        let parsed = DateTime::parse_from_rfc3339(text).ok();
        let Some(at) = parsed.filter(|_| form.filled("ScheduleType") == Some("fixed")) else {
            return Err(TwilioError::bad_request(35114, "Scheduling does not support this timestamp"));
        };
        let at_ms = at.timestamp_millis();
        if !SCHEDULE_S.contains(&((at_ms - self.now_ms) / 1_000)) {
            return Err(TwilioError::bad_request(
                35115,
                "SendAt time must be at least 300 seconds and at most 35 days in the future",
            ));
        }
        Ok(Some(at_ms))
    }
}

struct Body {
    sid: Option<Arc<str>>,
    body: String,
    media: Box<[String]>,
    doom: Option<(Status, u32)>,
}

fn recipient(form: &Form) -> Result<Address, TwilioError> {
    let Some(to) = form.filled("To") else {
        return Err(TwilioError::bad_request(21604, "A 'To' phone number is required"));
    };
    let refusal = |code, message: String| Err(TwilioError::bad_request(code, message));
    let invalid = format!("The 'To' number {to} is not a valid phone number");
    match to {
        "+15005550001" => refusal(21211, invalid),
        "+15005550002" => refusal(21612, format!("The 'To' phone number {to} is not currently reachable via SMS")),
        "+15005550003" => {
            refusal(21408, format!("Permission to send an SMS has not been enabled for the region of {to}"))
        }
        "+15005550004" => refusal(21610, "Attempt to send to unsubscribed recipient".to_owned()),
        "+15005550009" => refusal(21614, format!("'To' number {to} is not a mobile number")),
        // People have no short codes: a recipient is a full number.
        _ => match Address::parse(to) {
            Some(address) if address.number.starts_with('+') || address.number.contains('.') => Ok(address),
            _ => refusal(21211, invalid),
        },
    }
}

fn not_ours(from: &str) -> TwilioError {
    let message = format!("The 'From' phone number {from} is not a valid, message-capable Twilio phone number");
    TwilioError::bad_request(21606, message)
}

/// The refusal of a number whose queue is full.
pub(crate) fn queue_full(from: &str) -> TwilioError {
    let message = format!("The 'From' number {from} has exceeded the maximum number of queued messages");
    TwilioError::new(429, 21611, message)
}

fn media(form: &Form) -> Result<Box<[String]>, TwilioError> {
    let urls: Vec<String> = form.all("MediaUrl").filter(|url| !url.is_empty()).map(str::to_owned).collect();
    if urls.len() > MEDIA_MAX {
        return Err(TwilioError::bad_request(21623, "Number of media files exceeds allowed limit"));
    }
    if urls.iter().any(|url| webhook_url(url).is_none()) {
        return Err(TwilioError::bad_request(21620, "Invalid media URL(s)"));
    }
    Ok(urls.into())
}

fn validity(form: &Form) -> Result<u16, TwilioError> {
    let Some(text) = form.filled("ValidityPeriod") else {
        return Ok(VALIDITY_DEFAULT_S);
    };
    let parsed = text.parse().ok();
    parsed.filter(|seconds| (1..=VALIDITY_DEFAULT_S).contains(seconds)).ok_or_else(|| {
        let message = format!("The ValidityPeriod {text} is not between 1 and 36000");
        TwilioError::bad_request(21624, message)
    })
}

fn status_callback(form: &Form) -> Result<Option<Box<str>>, TwilioError> {
    let Some(text) = form.filled("StatusCallback") else {
        return Ok(None);
    };
    match webhook_url(text) {
        Some(_) => Ok(Some(text.into())),
        None => {
            let message = format!("The StatusCallback URL {text} is not a valid URL.");
            Err(TwilioError::bad_request(21609, message))
        }
    }
}

/// A URL that Twilio would call: http or https, with a host that holds no underscore.
pub(crate) fn webhook_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.contains('_'))
    })
}
