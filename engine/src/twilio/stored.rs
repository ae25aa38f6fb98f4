//! Reads again what was stored verbatim: the event log keeps requests as they were on the wire.

use super::{
    client,
    signature::Params,
    webhook::{self, InboundWebhook, StatusCallback, status_callback},
};
use crate::provider::RawExchange;
use domain::message::State;

/// A status report, as its request's body was stored. It was verified before, so whose account it names is not asked again.
/// `None` if it cannot be read.
pub fn status(body: &str) -> Option<StatusCallback> {
    let params = Params::parse(body.as_bytes()).ok()?;
    let account = params.get("AccountSid")?.to_owned();
    status_callback(params, &account).ok()
}

/// What a person wrote, as its request's body was stored; `None` if it cannot be read.
pub fn inbound(body: &str) -> Option<InboundWebhook> {
    let params = Params::parse(body.as_bytes()).ok()?;
    let account = params.get("AccountSid")?.to_owned();
    webhook::inbound(params, &account).ok()
}

/// The state in which the provider took a message, by the stored exchange; `None` if it did not, or did not say so.
pub fn accepted(exchange: &str) -> Option<State> {
    let exchange: RawExchange = serde_json::from_str(exchange).ok()?;
    client::accepted(exchange.http_status?, exchange.response?.as_bytes())
}

/// The text of a stored request to send; `None` if it was one for a template that the provider fills in.
pub fn text(exchange: &str) -> Option<String> {
    let exchange: RawExchange = serde_json::from_str(exchange).ok()?;
    let (_, form) = exchange.request.split_once("\n\n")?;
    Some(Params::parse(form.as_bytes()).ok()?.get("Body")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_report_reads_as_it_did_when_it_came() {
        let sid = "SM00000000000000000000000000000001";
        let report = status(&format!("MessageSid={sid}&MessageStatus=undelivered&ErrorCode=30003&AccountSid=AC1"));
        let report = report.unwrap();
        assert_eq!((report.state, report.error_code), (Some(State::Undelivered), Some(30003)));
        for bad in ["", "MessageStatus=sent", "%", &format!("MessageSid={sid}&AccountSid=AC1")] {
            assert!(status(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_text_is_the_one_on_the_wire() {
        let stored = |form: &str| {
            let exchange = RawExchange {
                request: format!("POST /2010-04-01/Accounts/AC1/Messages.json\n\n{form}"),
                response: None,
                http_status: None,
                started_at: chrono::DateTime::UNIX_EPOCH,
                duration_ms: 0,
            };
            serde_json::to_string(&exchange).unwrap()
        };
        assert_eq!(text(&stored("To=%2B1&Body=Hello+Zo%C3%AB%0A%0A!")), Some("Hello Zoë\n\n!".to_owned()));
        assert_eq!(text(&stored("To=%2B1&ContentSid=HX1")), None);
        assert_eq!(text("{}"), None);
    }
}
