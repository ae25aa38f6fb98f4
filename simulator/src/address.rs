//! Where a message goes: a phone number on a channel, in Twilio's spelling.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The prefix that puts an address on WhatsApp.
const WHATSAPP: &str = "whatsapp:";

/// The network that carries a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// SMS and MMS.
    #[default]
    Sms,
    /// WhatsApp, whose addresses are written `whatsapp:+E164`.
    Whatsapp,
}

impl Channel {
    /// Writes `number` as an address of this channel.
    pub fn address(self, number: &str) -> String {
        match self {
            Self::Sms => number.to_owned(),
            Self::Whatsapp => format!("{WHATSAPP}{number}"),
        }
    }
}

/// A parsed `To` or `From`: the channel, and the number without the channel's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub channel: Channel,
    pub number: Arc<str>,
}

impl Address {
    /// Parses `+E164`, a short code, `whatsapp:+E164`, or a WhatsApp business-scoped user id
    /// (`whatsapp:CC.…`). Anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let (channel, number) = match text.strip_prefix(WHATSAPP) {
            Some(number) => (Channel::Whatsapp, number),
            None => (Channel::Sms, text),
        };
        let valid = is_e164(number)
            || match channel {
                Channel::Sms => is_short_code(number),
                Channel::Whatsapp => is_business_scoped_id(number),
            };
        valid.then(|| Self { channel, number: number.into() })
    }
}

/// A plus, a digit that is not zero, and 6 to 14 more.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_short_code(text: &str) -> bool {
    (5..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `CC.<1 to 128 letters or digits>`, with an optional `ENT.` after the country.
fn is_business_scoped_id(text: &str) -> bool {
    let Some((country, id)) = text.split_once('.') else {
        return false;
    };
    let id = id.strip_prefix("ENT.").unwrap_or(id);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(Channel, &str)>) {
        let parsed = Address::parse(text);
        let parsed = parsed.as_ref().map(|a| (a.channel, a.number.as_ref()));
        assert_eq!(parsed, expected, "{text}");
    }

    #[test]
    fn addresses() {
        check("+14155550100", Some((Channel::Sms, "+14155550100")));
        check("12345", Some((Channel::Sms, "12345")));
        check("whatsapp:+46701234567", Some((Channel::Whatsapp, "+46701234567")));
        check("whatsapp:ID.4566546130240823", Some((Channel::Whatsapp, "ID.4566546130240823")));
        for bad in [
            "",
            "+",
            "+0123456789",
            "14155550100",
            "+1415555010a",
            "+1234567890123456",
            "whatsapp:12345",
            "whatsapp:",
            "whatsapp:id.1",
            "messenger:1",
        ] {
            check(bad, None);
        }
    }
}
