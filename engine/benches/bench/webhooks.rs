//! Webhooks as Twilio posts them: the fields of its documentation, signed.

use crate::wire::{self, Request};
use engine::twilio::{Secret, signature::sign};
use form_urlencoded::Serializer;
use simulator::LogEntry;
use std::net::SocketAddr;

/// Where people's messages go.
const INBOUND: &str = "/webhooks/twilio/inbound";
/// What people write back. No word of it is a command.
const TEXT: &str = "Thanks, see you on Saturday";

/// What signs for the simulator's account.
pub struct Signer {
    token: Secret,
    address: SocketAddr,
}

impl Signer {
    /// For the server at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { token: Secret::new(simulator::AUTH_TOKEN), address }
    }

    /// The n-th message from a person; each has an id of its own.
    pub fn inbound(&self, n: u64, person: &str) -> Request {
        // Apart from those that the simulator makes, which begin with zeros or are random.
        let sid = format!("SMbe9c{n:028x}");
        let form = [
            ("ToCountry", "US"),
            ("ToState", "DC"),
            ("SmsMessageSid", sid.as_str()),
            ("NumMedia", "0"),
            ("ToCity", ""),
            ("FromZip", ""),
            ("SmsSid", sid.as_str()),
            ("FromState", "WA"),
            ("SmsStatus", "received"),
            ("FromCity", ""),
            ("Body", TEXT),
            ("FromCountry", "US"),
            ("To", simulator::LONG_CODE),
            ("ToZip", ""),
            ("NumSegments", "1"),
            ("MessageSid", sid.as_str()),
            ("AccountSid", simulator::ACCOUNT_SID),
            ("From", person),
            ("ApiVersion", "2010-04-01"),
        ];
        self.request(&format!("http://{}{INBOUND}", self.address), &form)
    }

    /// The report that a message of ours has this status now. `None` if it has no callback.
    pub fn status(&self, message: &LogEntry, status: &str) -> Option<Request> {
        let form = [
            ("SmsSid", message.sid.as_str()),
            ("SmsStatus", status),
            ("MessageStatus", status),
            ("To", message.to.as_str()),
            ("MessageSid", message.sid.as_str()),
            ("AccountSid", simulator::ACCOUNT_SID),
            ("From", simulator::LONG_CODE),
            ("ApiVersion", "2010-04-01"),
        ];
        Some(self.request(message.status_callback.as_deref()?, &form))
    }

    fn request(&self, url: &str, form: &[(&str, &str)]) -> Request {
        let signature = sign(&self.token, url, form.iter().copied());
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let origin = format!("http://{}", self.address);
        wire::post(self.address, url.strip_prefix(&origin).unwrap_or(url), &signature, &body)
    }
}
