//! What Twilio posts to us, once its signature holds: reports on our messages, and messages of people (TWILIO.md 3
//! and 4).
//!
//! The set of fields grows, so all of them are kept in `raw` and only what we use is read. A word that we do not know
//! changes nothing and is logged.

use super::{Word, signature::Params, status_word};
use crate::provider::{Sid, SidError};
use domain::{
    message::State,
    phone::{Address, is_whatsapp_id, parse_address},
};
use std::fmt;

/// How many media one message may bring: Twilio's limit for MMS; WhatsApp has one.
const MEDIA_MAX: usize = 10;
const WHATSAPP_PREFIX: &str = "whatsapp:";

/// Why a signed request cannot be used. No variant holds any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It is about another account.
    #[error("the account is not ours")]
    ForeignAccount,
    /// A field that everything hangs on is not there.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A field that everything hangs on is there twice with different values.
    #[error("the field {0} is there more than once")]
    Repeated(&'static str),
    /// The id is not one of a message.
    #[error(transparent)]
    Sid(#[from] SidError),
    /// Who wrote is not a person: a short code, a sender's name.
    #[error("the sender of the message is not a person")]
    NotAPerson,
}

/// A report on a message of ours. `Debug` shows no address.
#[derive(Clone, PartialEq)]
pub struct StatusCallback {
    /// Which message.
    pub sid: Sid,
    /// Where it stands; `None` for a word that we do not know: no change.
    pub state: Option<State>,
    /// Twilio's word for it.
    pub status: String,
    /// Why it failed, if it did.
    pub error_code: Option<i32>,
    /// The account, ours.
    pub account_sid: String,
    /// To whom, as Twilio writes it; some channels mask it.
    pub to: Option<String>,
    /// From which sender, as Twilio writes it.
    pub from: Option<String>,
    /// Every field.
    pub raw: Params,
}

impl fmt::Debug for StatusCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusCallback")
            .field("sid", &self.sid)
            .field("status", &self.status)
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}

/// What a person was doing with an opt-out word, where Advanced Opt-Out is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOutType {
    /// Opted out; Twilio has answered.
    Stop,
    /// Opted in again; Twilio has answered.
    Start,
    /// Asked for help; Twilio has answered.
    Help,
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Where Twilio keeps it.
    pub url: String,
    /// Its type, such as `image/jpeg`.
    pub content_type: Option<String>,
}

/// A message from a person. `Debug` of it names nobody: addresses are masked, and texts are left to `raw`.
#[derive(Clone, PartialEq)]
pub struct InboundWebhook {
    /// Its id.
    pub sid: Sid,
    /// The account, ours.
    pub account_sid: String,
    /// Who wrote. Where WhatsApp shows no number, the person's id.
    pub from: Address,
    /// To which of our senders, as Twilio writes it.
    pub to: String,
    /// The messaging service that the sender belongs to.
    pub messaging_service_sid: Option<String>,
    /// The text; empty for media alone.
    pub body: String,
    /// Files that came with it.
    pub media: Vec<Media>,
    /// What Twilio took it for, where Advanced Opt-Out is on.
    pub opt_out_type: Option<OptOutType>,
    /// The person's name by their WhatsApp profile.
    pub profile_name: Option<String>,
    /// The person's number by WhatsApp, digits only.
    pub wa_id: Option<String>,
    /// The person's WhatsApp id for our business (BSUID), such as `ID.4566546130240823`.
    pub external_user_id: Option<String>,
    /// The same for our parent business: `ID.ENT.…`.
    pub parent_external_user_id: Option<String>,
    /// The kind of message on WhatsApp: `text`, `image`, `button`, `interactive`, `location` and so on.
    pub message_type: Option<String>,
    /// The payload of the button that was pressed.
    pub button_payload: Option<String>,
    /// The text of the button that was pressed.
    pub button_text: Option<String>,
    /// The id of the list's row that was picked.
    pub list_id: Option<String>,
    /// The message of ours that this one answers.
    pub replied_to: Option<Sid>,
    /// Every field.
    pub raw: Params,
}

impl fmt::Debug for InboundWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundWebhook")
            .field("sid", &self.sid)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("media", &self.media.len())
            .field("opt_out_type", &self.opt_out_type)
            .field("message_type", &self.message_type)
            .finish_non_exhaustive()
    }
}

/// Reads a report on a message of ours.
///
/// # Errors
/// [`WebhookError`]; store the raw request first all the same.
pub fn status_callback(params: Params, our_account_sid: &str) -> Result<StatusCallback, WebhookError> {
    let account_sid = account(&params, our_account_sid)?;
    let sid = sid(&params)?;
    let status = one_of(&params, &["MessageStatus", "SmsStatus"])?.to_owned();
    let state = match status_word(&status) {
        Word::State(state) => Some(state),
        Word::Inbound => None,
        Word::Unknown => {
            tracing::warn!(%sid, status, "a status callback brought a status that we do not know; it changes nothing");
            None
        }
    };
    let error_code = params.get("ErrorCode").and_then(|code| match code.parse() {
        Ok(0) => None,
        Ok(code) => Some(code),
        Err(_) => {
            tracing::warn!(%sid, "a status callback brought an error code that is not a number");
            None
        }
    });
    Ok(StatusCallback {
        sid,
        state,
        status,
        error_code,
        account_sid,
        to: owned(&params, "To"),
        from: owned(&params, "From"),
        raw: params,
    })
}

/// Reads a message from a person.
///
/// # Errors
/// [`WebhookError`]; store the raw request first all the same.
pub fn inbound(params: Params, our_account_sid: &str) -> Result<InboundWebhook, WebhookError> {
    let account_sid = account(&params, our_account_sid)?;
    let sid = sid(&params)?;
    let external_user_id = whatsapp_id(&params, "ExternalUserId");
    Ok(InboundWebhook {
        sid,
        account_sid,
        from: sender(&params, external_user_id.as_deref())?,
        to: one_of(&params, &["To"])?.to_owned(),
        messaging_service_sid: owned(&params, "MessagingServiceSid"),
        body: owned(&params, "Body").unwrap_or_default(),
        media: media(&params, sid),
        opt_out_type: opt_out_type(&params, sid),
        profile_name: owned(&params, "ProfileName"),
        wa_id: owned(&params, "WaId"),
        parent_external_user_id: whatsapp_id(&params, "ParentExternalUserId"),
        external_user_id,
        message_type: owned(&params, "MessageType"),
        button_payload: owned(&params, "ButtonPayload"),
        button_text: owned(&params, "ButtonText"),
        list_id: owned(&params, "ListId"),
        replied_to: params.get("OriginalRepliedMessageSid").and_then(|sid| Sid::parse(sid).ok()),
        raw: params,
    })
}

/// The account, if it is ours. Only then may the rest be believed: a signature proves who signed, not for whom.
fn account(params: &Params, our_account_sid: &str) -> Result<String, WebhookError> {
    let account = one_of(params, &["AccountSid"])?;
    if account == our_account_sid { Ok(account.to_owned()) } else { Err(WebhookError::ForeignAccount) }
}

fn sid(params: &Params) -> Result<Sid, WebhookError> {
    Ok(Sid::parse(one_of(params, &["MessageSid", "SmsSid"])?)?)
}

/// The one value of the first of these names that is there.
fn one_of<'a>(params: &'a Params, names: &[&'static str]) -> Result<&'a str, WebhookError> {
    for &name in names {
        let mut values = params.all(name).filter(|value| !value.is_empty());
        if let Some(first) = values.next() {
            return if values.all(|other| other == first) { Ok(first) } else { Err(WebhookError::Repeated(name)) };
        }
    }
    Err(WebhookError::Missing(names[0]))
}

fn owned(params: &Params, name: &str) -> Option<String> {
    params.get(name).map(str::to_owned)
}

/// A WhatsApp id without its `whatsapp:`, if it is one.
fn whatsapp_id(params: &Params, name: &str) -> Option<String> {
    let value = params.get(name)?;
    let id = value.strip_prefix(WHATSAPP_PREFIX).unwrap_or(value);
    is_whatsapp_id(id).then(|| id.to_owned())
}

/// Who wrote: the `From`, or the WhatsApp id where no number is shown.
fn sender(params: &Params, external_user_id: Option<&str>) -> Result<Address, WebhookError> {
    match (one_of(params, &["From"]), external_user_id) {
        (Ok(from), id) => match (parse_address(from), id) {
            (Ok(address), _) => Ok(address),
            (Err(_), Some(id)) if from.starts_with(WHATSAPP_PREFIX) => Ok(Address::WhatsappId(id.to_owned())),
            (Err(_), _) => Err(WebhookError::NotAPerson),
        },
        (Err(WebhookError::Missing(_)), Some(id)) => Ok(Address::WhatsappId(id.to_owned())),
        (Err(error), _) => Err(error),
    }
}

fn media(params: &Params, sid: Sid) -> Vec<Media> {
    let count = params.get("NumMedia").and_then(|count| count.parse().ok()).unwrap_or(0_usize);
    if count > MEDIA_MAX {
        tracing::warn!(%sid, count, "an inbound message claims more media than Twilio allows; the rest is left out");
    }
    (0..count.min(MEDIA_MAX))
        .filter_map(|n| {
            let url = owned(params, &format!("MediaUrl{n}"))?;
            Some(Media { url, content_type: owned(params, &format!("MediaContentType{n}")) })
        })
        .collect()
}

fn opt_out_type(params: &Params, sid: Sid) -> Option<OptOutType> {
    match params.get("OptOutType")? {
        "STOP" => Some(OptOutType::Stop),
        "START" => Some(OptOutType::Start),
        "HELP" => Some(OptOutType::Help),
        word => {
            tracing::warn!(%sid, word, "an inbound message brought an opt-out type that we do not know");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::phone::{Channel, Phone};

    const OURS: &str = "AC00000000000000000000000000000001";
    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    fn params(text: &str) -> Params {
        Params::parse(format!("AccountSid={OURS}&MessageSid={SID}&{text}").as_bytes()).unwrap()
    }

    #[track_caller]
    fn check_status(text: &str, state: Option<State>, error_code: Option<i32>) {
        let callback = status_callback(params(text), OURS).unwrap();
        assert_eq!((callback.state, callback.error_code), (state, error_code), "{text}");
        assert_eq!(callback.raw, params(text));
    }

    #[test]
    fn reports() {
        check_status("MessageStatus=sent", Some(State::Sent), None);
        check_status("SmsStatus=sending", Some(State::Transmitting), None);
        check_status("MessageStatus=delivered&SmsStatus=sent&ErrorCode=", Some(State::Delivered), None);
        check_status("MessageStatus=undelivered&ErrorCode=30007", Some(State::Undelivered), Some(30007));
        check_status("MessageStatus=failed&ErrorCode=0", Some(State::Failed), None);
        check_status("MessageStatus=failed&ErrorCode=many", Some(State::Failed), None);
        check_status("MessageStatus=teleported&NewIn2027=yes", None, None);
        check_status("MessageStatus=received", None, None);
    }

    #[test]
    fn what_cannot_be_bound_is_refused() {
        use WebhookError::*;
        let status = |text: &str| status_callback(Params::parse(text.as_bytes()).unwrap(), OURS).map(drop);
        let sid = format!("MessageSid={SID}&MessageStatus=sent");
        assert_eq!(status(&sid), Err(Missing("AccountSid")));
        assert_eq!(status(&format!("AccountSid={}2&{sid}", &OURS[..33])), Err(ForeignAccount));
        assert_eq!(status(&format!("AccountSid={OURS}&AccountSid=AC2&{sid}")), Err(Repeated("AccountSid")));
        assert_eq!(status(&format!("AccountSid={OURS}&MessageStatus=sent")), Err(Missing("MessageSid")));
        assert_eq!(status(&format!("AccountSid={OURS}&MessageSid=SM1&MessageStatus=sent")), Err(Sid(SidError)));
        assert_eq!(status(&format!("AccountSid={OURS}&MessageSid={SID}")), Err(Missing("MessageStatus")));
        assert_eq!(status(&format!("AccountSid={OURS}&{sid}&MessageStatus=failed")), Err(Repeated("MessageStatus")));
        assert_eq!(status(&format!("AccountSid={OURS}&{sid}&MessageStatus=sent")), Ok(()));
    }

    #[track_caller]
    fn check_sender(text: &str, expected: Result<Address, WebhookError>) {
        let params = params(&format!("{text}&To=%2B15005550006&Body=hi"));
        assert_eq!(inbound(params, OURS).map(|message| message.from), expected, "{text}");
    }

    #[test]
    fn senders() {
        let phone = Phone::parse_e164("+14155552671").unwrap();
        let bsuid = Address::WhatsappId("ID.4566546130240823".to_owned());
        check_sender("From=%2B14155552671", Ok(Address::Phone(Channel::Sms, phone.clone())));
        check_sender("From=whatsapp%3A%2B14155552671", Ok(Address::Phone(Channel::Whatsapp, phone.clone())));
        // The number wins: it is what people are known by, and the id changes with it.
        check_sender(
            "From=whatsapp%3A%2B14155552671&ExternalUserId=whatsapp%3AID.4566546130240823",
            Ok(Address::Phone(Channel::Whatsapp, phone)),
        );
        check_sender("From=whatsapp%3AID.4566546130240823", Ok(bsuid.clone()));
        check_sender("From=&ExternalUserId=whatsapp%3AID.4566546130240823", Ok(bsuid.clone()));
        check_sender("From=whatsapp%3A&ExternalUserId=ID.4566546130240823", Ok(bsuid));
        check_sender("From=12345", Err(WebhookError::NotAPerson));
        check_sender("From=ACME&ExternalUserId=whatsapp%3AID.1", Err(WebhookError::NotAPerson));
        check_sender("From=%2B14155552671&From=%2B14155552672", Err(WebhookError::Repeated("From")));
        check_sender("ExternalUserId=nobody", Err(WebhookError::Missing("From")));
    }

    #[test]
    fn a_message_with_everything() {
        let text = format!(
            "From=whatsapp%3A%2B14155552671&To=whatsapp%3A%2B15005550006&Body=Stop+%F0%9F%91%8B&NumMedia=2&MediaUrl0=\
             https%3A%2F%2Fapi.example%2Fa&MediaContentType0=image%2Fjpeg&MediaUrl1=https%3A%2F%2Fapi.example%2Fb&\
             OptOutType=STOP&ProfileName=Zo%C3%AB&WaId=14155552671&ExternalUserId=whatsapp%3AID.1&\
             ParentExternalUserId=whatsapp%3AID.ENT.2&MessageType=button&ButtonPayload=no&ButtonText=No&ListId=3&\
             OriginalRepliedMessageSid={SID}&MessagingServiceSid=MG1&SomethingNew=1"
        );
        let message = inbound(params(&text), OURS).unwrap();
        assert_eq!(message.body, "Stop 👋");
        assert_eq!(message.to, "whatsapp:+15005550006");
        assert_eq!(
            message.media,
            [
                Media { url: "https://api.example/a".to_owned(), content_type: Some("image/jpeg".to_owned()) },
                Media { url: "https://api.example/b".to_owned(), content_type: None },
            ]
        );
        assert_eq!(message.opt_out_type, Some(OptOutType::Stop));
        assert_eq!(message.profile_name.as_deref(), Some("Zoë"));
        assert_eq!(message.wa_id.as_deref(), Some("14155552671"));
        assert_eq!(message.external_user_id.as_deref(), Some("ID.1"));
        assert_eq!(message.parent_external_user_id.as_deref(), Some("ID.ENT.2"));
        assert_eq!(message.message_type.as_deref(), Some("button"));
        assert_eq!((message.button_payload.as_deref(), message.button_text.as_deref()), (Some("no"), Some("No")));
        assert_eq!(message.list_id.as_deref(), Some("3"));
        assert_eq!(message.replied_to, Some(message.sid));
        assert_eq!(message.messaging_service_sid.as_deref(), Some("MG1"));
        assert_eq!(message.raw.get("SomethingNew"), Some("1"));
        let debug = format!("{message:?}");
        assert!(!debug.contains("5552671") && !debug.contains("Zoë") && !debug.contains("Stop 👋"), "{debug}");
    }

    #[test]
    fn little_is_enough() {
        let text = "From=%2B14155552671&To=%2B15005550006&NumMedia=99&OptOutType=MAYBE";
        let message = inbound(params(text), OURS).unwrap();
        assert_eq!((message.body.as_str(), message.media.len(), message.opt_out_type), ("", 0, None));
    }
}
