//! A person writes: the webhook, Twilio's own answers, and the application's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    address::{Address, Channel},
    config::SenderKind,
    create::webhook_url,
    message::{API_VERSION, LogEntry, Message, Origin, Status},
    opt_out::Keyword,
    segments,
    shared::{Shared, State},
    twilio_error::TwilioError,
    twiml,
};

/// Characters of a person's message at most.
const BODY_MAX: usize = 4_096;
/// Media and extra fields of one message at most.
const FIELDS_MAX: usize = 10;
/// Conversation windows remembered at most.
const WINDOWS_MAX: usize = 1_000_000;

/// A file that a person sends along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Where it is.
    pub url: String,
    /// Its media type, such as `image/jpeg`.
    pub content_type: String,
}

/// A message from a phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inbound {
    /// The person's number in E.164, without a channel's prefix.
    pub from: String,
    /// Ours; without it, the one that last wrote to this person on the channel, or else the
    /// first sender of the channel.
    pub to: Option<String>,
    /// The text, at most 4,096 characters.
    pub body: String,
    /// The network.
    pub channel: Channel,
    /// The person's name on WhatsApp.
    pub profile_name: Option<String>,
    /// What is sent along, at most ten.
    pub media: Vec<Media>,
    /// The payload of a pressed button; the body is then its text.
    pub button_payload: Option<String>,
}

impl Inbound {
    /// An SMS.
    pub fn sms(from: impl Into<String>, to: impl Into<String>, body: impl Into<String>) -> Self {
        Self { from: from.into(), to: Some(to.into()), body: body.into(), ..Self::default() }
    }

    /// A WhatsApp message.
    pub fn whatsapp(from: impl Into<String>, to: impl Into<String>, body: impl Into<String>) -> Self {
        Self { channel: Channel::Whatsapp, ..Self::sms(from, to, body) }
    }
}

/// What came of a message from a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The message as it is in the log.
    pub message: LogEntry,
    /// The HTTP status of the application's answer; `None` if it was not reached, or if there is
    /// no inbound URL.
    pub status: Option<u16>,
    /// The body of the answer.
    pub twiml: String,
    /// The application's replies that reached the phone.
    pub replies: Vec<String>,
    /// What Twilio itself answered to STOP, START or HELP.
    pub twilio_reply: Option<String>,
    /// What went wrong: the application was not reached, its answer is no TwiML, or a reply was
    /// withheld because the person opted out.
    pub problem: Option<String>,
}

/// Why a phone could not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InboundError {
    /// The person's number is none.
    #[error("{0} is not a phone number")]
    From(String),
    /// The account has no such sender on the channel.
    #[error("the account has no such number on this channel")]
    To,
    /// Nothing was said, or too much.
    #[error("a message has a text or media, at most {BODY_MAX} characters and {FIELDS_MAX} files")]
    Body,
    /// The log is full of messages that have not finished.
    #[error("the log is full")]
    Full,
}

impl Shared {
    /// Records the message, posts the webhook and shows what was answered.
    pub(crate) async fn receive(&self, inbound: Inbound) -> Result<Outcome, InboundError> {
        let (number, fields, url, nonce, mut outcome) = {
            let mut state = self.lock();
            let (number, twilio_reply, keyword) = self.record(&mut state, &inbound)?;
            let message = state.log.get(number).ok_or(InboundError::Full)?;
            let entry = state.entry(message);
            let fields = self.inbound_fields(message, &entry.sid, &inbound, keyword);
            let outcome = Outcome {
                message: entry,
                status: None,
                twiml: String::new(),
                replies: Vec::new(),
                twilio_reply,
                problem: None,
            };
            (number, fields, state.inbound_url.clone(), state.nonce, outcome)
        };
        let Some(url) = url else {
            return Ok(outcome);
        };
        let slot = self.slots.acquire().await;
        let answer = self.post(url, &fields).await;
        drop(slot);
        let texts = match answer {
            Err(error) => Err(error.to_string()),
            Ok((status, text)) => {
                outcome.status = Some(status);
                outcome.twiml = text;
                if (200..300).contains(&status) {
                    twiml::messages(&outcome.twiml).map_err(|error| error.to_string())
                } else {
                    Err(format!("the application answered {status}"))
                }
            }
        };
        match texts {
            Err(problem) => outcome.problem = Some(problem),
            Ok(texts) => {
                let mut state = self.lock();
                if state.nonce == nonce {
                    self.show_replies(&mut state, number, texts, &mut outcome);
                }
            }
        }
        Ok(outcome)
    }

    /// Stores the message, opens the window, and lets Twilio answer keywords.
    fn record(
        &self,
        state: &mut State,
        inbound: &Inbound,
    ) -> Result<(u64, Option<String>, Option<Keyword>), InboundError> {
        let silent = inbound.body.is_empty() && inbound.media.is_empty();
        let urls = inbound.media.iter().map(|media| media.url.as_str());
        if silent
            || inbound.body.chars().count() > BODY_MAX
            || inbound.media.len() > FIELDS_MAX
            || urls.into_iter().any(|url| webhook_url(url).is_none())
        {
            return Err(InboundError::Body);
        }
        let from = Address::parse(&inbound.channel.address(&inbound.from))
            .filter(|from| self.config.sender(from.channel, &from.number).is_none())
            .ok_or_else(|| InboundError::From(inbound.from.clone()))?;
        let (sender, kind) = self.addressee(state, &from, inbound.to.as_deref())?;
        if !state.log.make_room(self.config.log_limit) {
            return Err(InboundError::Full);
        }
        let phone = state.log.intern(&from.number);
        let service = self.config.service_of(&sender);
        let number = self.push_finished(
            state,
            Message {
                status: Status::Received,
                service: service.map(|service| service.sid.as_str().into()),
                media: inbound.media.iter().map(|m| m.url.clone()).collect(),
                ..self.text(Origin::Phone, from.channel, &phone, &sender, &inbound.body)
            },
        );
        state.stats.inbound += 1;
        if from.channel == Channel::Whatsapp && state.windows.len() < WINDOWS_MAX {
            let now_ms = self.config.clock.now_ms();
            state.windows.insert((phone.clone(), sender.clone()), now_ms);
        }
        let keyword = Keyword::of(&inbound.body, kind);
        let answered = keyword.filter(|keyword| state.opt_outs.apply(&self.config, *keyword, &sender, &phone));
        let reply = answered.map(Keyword::reply);
        if let Some(reply) = reply
            && state.log.make_room(self.config.log_limit)
        {
            let message = self.text(Origin::Twilio, Channel::Sms, &phone, &sender, reply);
            self.push_finished(state, message);
        }
        Ok((number, reply.map(str::to_owned), keyword))
    }

    /// Our number that the person writes to.
    fn addressee(
        &self,
        state: &State,
        from: &Address,
        to: Option<&str>,
    ) -> Result<(Arc<str>, SenderKind), InboundError> {
        let chosen = match to {
            Some(to) => self.config.sender(from.channel, to),
            None => state
                .log
                .thread(&from.number, u64::MAX, FIELDS_MAX)
                .into_iter()
                .filter(|message| message.channel == from.channel)
                .find_map(|message| self.config.sender(from.channel, &message.sender))
                .or_else(|| {
                    let mut senders = self.config.senders.iter();
                    senders.find(|sender| sender.channel() == from.channel)
                }),
        };
        let sender = chosen.ok_or(InboundError::To)?;
        Ok((sender.number.as_str().into(), sender.kind))
    }

    fn show_replies(&self, state: &mut State, number: u64, texts: Vec<String>, outcome: &mut Outcome) {
        let Some(message) = state.log.get(number) else {
            return;
        };
        let (channel, phone, sender) = (message.channel, message.phone.clone(), message.sender.clone());
        if channel == Channel::Sms && !texts.is_empty() && state.opt_outs.blocks(&self.config, &sender, &phone) {
            outcome.problem = Some("21610: the person opted out, so the reply was withheld".into());
            return;
        }
        for text in texts {
            if !state.log.make_room(self.config.log_limit) {
                return;
            }
            let reply = self.text(Origin::Twiml, channel, &phone, &sender, &text);
            self.push_finished(state, reply);
            outcome.replies.push(text);
        }
    }

    /// A message that has arrived already.
    fn text(&self, origin: Origin, channel: Channel, phone: &Arc<str>, sender: &Arc<str>, body: &str) -> Message {
        let now_ms = self.config.clock.now_ms();
        Message {
            number: 0,
            channel,
            origin,
            status: Status::Delivered,
            doom: None,
            pending: 0,
            held: None,
            muted: false,
            early: false,
            segments: segments::count(body),
            error: None,
            validity_s: 0,
            created_ms: now_ms,
            updated_ms: now_ms,
            sent_ms: Some(now_ms),
            send_at_ms: None,
            phone: phone.clone(),
            sender: sender.clone(),
            service: None,
            content_sid: None,
            body: body.into(),
            media: Box::default(),
            status_callback: None,
        }
    }

    fn push_finished(&self, state: &mut State, message: Message) -> u64 {
        let number = state.log.push(message);
        state.log.finish(number);
        number
    }

    fn inbound_fields(
        &self,
        message: &Message,
        sid: &str,
        inbound: &Inbound,
        keyword: Option<Keyword>,
    ) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("MessageSid", sid.to_owned()),
            ("SmsSid", sid.to_owned()),
            ("SmsMessageSid", sid.to_owned()),
            ("AccountSid", self.config.account_sid.clone()),
            ("From", message.channel.address(&message.phone)),
            ("To", message.to()),
            ("Body", inbound.body.clone()),
            ("NumMedia", inbound.media.len().to_string()),
            ("NumSegments", message.segments.to_string()),
            ("SmsStatus", "received".to_owned()),
            ("ApiVersion", API_VERSION.to_owned()),
        ];
        if let Some(service) = self.config.service_of(&message.sender) {
            fields.push(("MessagingServiceSid", service.sid.clone()));
            if let Some(keyword) = keyword.filter(|_| service.advanced_opt_out) {
                fields.push(("OptOutType", keyword.as_str().to_owned()));
            }
        }
        for (media, (url, content_type)) in inbound.media.iter().zip(MEDIA_FIELDS) {
            fields.push((url, media.url.clone()));
            fields.push((content_type, media.content_type.clone()));
        }
        match message.channel {
            Channel::Sms => {
                for name in PLACE_FIELDS {
                    fields.push((name, String::new()));
                }
            }
            Channel::Whatsapp => {
                let kind = match (&inbound.button_payload, inbound.media.is_empty()) {
                    (Some(_), _) => "button",
                    (None, true) => "text",
                    (None, false) => "image",
                };
                let name = inbound.profile_name.as_deref().unwrap_or_default();
                fields.push(("ProfileName", name.to_owned()));
                fields.push(("WaId", inbound.from.trim_start_matches('+').to_owned()));
                fields.push(("MessageType", kind.to_owned()));
                if let Some(payload) = &inbound.button_payload {
                    fields.push(("ButtonText", inbound.body.clone()));
                    fields.push(("ButtonPayload", payload.clone()));
                }
            }
        }
        fields
    }
}

/// The places of both ends, which Twilio names even where it does not know them.
const PLACE_FIELDS: [&str; 8] =
    ["FromCity", "FromState", "FromZip", "FromCountry", "ToCity", "ToState", "ToZip", "ToCountry"];

const MEDIA_FIELDS: [(&str, &str); FIELDS_MAX] = [
    ("MediaUrl0", "MediaContentType0"),
    ("MediaUrl1", "MediaContentType1"),
    ("MediaUrl2", "MediaContentType2"),
    ("MediaUrl3", "MediaContentType3"),
    ("MediaUrl4", "MediaContentType4"),
    ("MediaUrl5", "MediaContentType5"),
    ("MediaUrl6", "MediaContentType6"),
    ("MediaUrl7", "MediaContentType7"),
    ("MediaUrl8", "MediaContentType8"),
    ("MediaUrl9", "MediaContentType9"),
];

impl From<InboundError> for TwilioError {
    fn from(error: InboundError) -> Self {
        Self::bad_request(20001, error.to_string())
    }
}
