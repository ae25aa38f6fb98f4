//! Calls the application: status callbacks and inbound messages, signed.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, header::CONTENT_TYPE, redirect};
use tokio::sync::mpsc;
use url::Url;

use crate::{
    address::Channel,
    clock::date,
    create::webhook_url,
    message::{API_VERSION, Message, Status},
    shared::Shared,
    signature::sign,
    twilio_error::delivery_error,
};

/// Twilio's default time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Twilio's default time for the whole call.
const TOTAL: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read; TwiML is no longer than that.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

/// A status callback that is due.
#[derive(Debug)]
pub(crate) struct Callback {
    /// The run that it belongs to: a reset starts another one.
    pub nonce: u64,
    pub number: u64,
    pub status: Status,
}

/// Why the application could not be called.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No connection, or it broke, or it took longer than 15 s.
    #[error("the application could not be reached")]
    Unreachable(#[from] reqwest::Error),
    /// The answer is longer than 64 KiB.
    #[error("the answer is longer than {ANSWER_MAX_BYTES} bytes")]
    TooLong,
}

/// The client for all webhooks: no redirects (they lose the form) and no proxy.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    // The process may have chosen a provider already; then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent("TwilioProxy/1.1")
        .build()
}

/// Makes callbacks until the simulator goes, never more than the configured number at once.
pub(crate) async fn run(shared: Arc<Shared>, mut due: mpsc::UnboundedReceiver<Callback>) {
    loop {
        let callback = tokio::select! {
            () = shared.closing.cancelled() => return,
            callback = due.recv() => callback,
        };
        let (Some(callback), Ok(slot)) = (callback, shared.slots.clone().acquire_owned().await) else {
            return;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let arrived = shared.call_back(&callback).await;
            drop(slot);
            shared.announced(&callback, arrived);
        });
    }
}

impl Shared {
    /// Makes one callback; `true` if the application answered with success.
    async fn call_back(&self, callback: &Callback) -> bool {
        let request = {
            let state = self.lock();
            let message = state.log.get(callback.number);
            message.filter(|_| state.nonce == callback.nonce).and_then(|message| {
                let url = webhook_url(message.status_callback.as_deref()?)?;
                let sid = state.sid(message);
                Some((url, self.callback_fields(message, &sid, callback.status)))
            })
        };
        let Some((url, fields)) = request else {
            return false;
        };
        match self.post(url, &fields).await {
            Ok((status, _)) if (200..300).contains(&status) => true,
            Ok((status, _)) => {
                tracing::debug!(status, "a status callback was refused (11200)");
                false
            }
            Err(error) => {
                tracing::debug!(%error, "a status callback failed (11200)");
                false
            }
        }
    }

    /// Posts a signed form and reads the answer. As with Twilio's default overrides, a call that
    /// could not connect is made once more, under the same token.
    pub(crate) async fn post(
        &self,
        mut url: Url,
        fields: &[(&'static str, String)],
    ) -> Result<(u16, String), WebhookError> {
        // Connection overrides stay with Twilio.
        url.set_fragment(None);
        let signature = sign(&self.config.auth_token, url.as_str(), fields);
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let token = format!("{:032x}", rand::random::<u128>());
        let call = || {
            self.client
                .post(url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
                .header("X-Twilio-Signature", &signature)
                .header("I-Twilio-Idempotency-Token", &token)
                .body(body.clone())
                .send()
        };
        let mut answer = match call().await {
            Err(error) if error.is_connect() => call().await?,
            other => other?,
        };
        let status = answer.status().as_u16();
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if text.len() + chunk.len() > ANSWER_MAX_BYTES {
                return Err(WebhookError::TooLong);
            }
            text.extend_from_slice(&chunk);
        }
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }

    fn callback_fields(&self, message: &Message, sid: &str, status: Status) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("MessageSid", sid.to_owned()),
            ("SmsSid", sid.to_owned()),
            ("MessageStatus", status.as_str().to_owned()),
            ("SmsStatus", status.as_str().to_owned()),
            ("AccountSid", self.config.account_sid.clone()),
            ("From", message.channel.address(&message.sender)),
            ("To", message.to()),
            ("ApiVersion", API_VERSION.to_owned()),
        ];
        if let Some(service) = &message.service {
            fields.push(("MessagingServiceSid", service.to_string()));
        }
        let bad = matches!(status, Status::Failed | Status::Undelivered);
        let error = message.error.filter(|_| bad);
        if let Some(code) = error {
            fields.push(("ErrorCode", code.to_string()));
            fields.push(("ErrorMessage", delivery_error(code).to_owned()));
        }
        match message.channel {
            Channel::Sms if matches!(status, Status::Delivered | Status::Undelivered) => {
                let done = date(message.updated_ms).format("%y%m%d%H%M");
                fields.push(("RawDlrDoneDate", done.to_string()));
            }
            Channel::Sms => {}
            Channel::Whatsapp => whatsapp_fields(message, status, error, &mut fields),
        }
        fields
    }
}

fn whatsapp_fields(message: &Message, status: Status, error: Option<u32>, fields: &mut Vec<(&'static str, String)>) {
    let shown = message.phone.len().saturating_sub(4);
    let masked = message.phone.get(..shown).unwrap_or_default();
    fields.extend([
        ("ChannelPrefix", "whatsapp".to_owned()),
        ("ChannelInstallSid", "XE00000000000000000000000000000051".to_owned()),
        ("ChannelToAddress", format!("{masked}XXXX")),
        ("StructuredMessage", message.content_sid.is_some().to_string()),
    ]);
    if let Some(code) = error {
        fields.push(("ChannelStatusMessage", delivery_error(code).to_owned()));
    }
    let event = match status {
        Status::Delivered => Some("DELIVERED"),
        Status::Read => Some("READ"),
        Status::Undelivered | Status::Failed => Some("UNDELIVERED"),
        _ => None,
    };
    if let Some(event) = event {
        fields.push(("EventType", event.to_owned()));
    }
}
