//! Twilio: both directions, and the only place that knows its words, fields and codes.
//!
//! Facts are from Twilio's public documentation and its helper libraries; each file names what it relies on.

pub mod client;
pub mod codes;
pub mod signature;
pub mod stored;
pub mod twiml;
pub mod webhook;

use domain::message::State;
use std::fmt;

/// A credential. `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a credential.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The credential itself, for signing and for the `Authorization` header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What one of Twilio's status words means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// A state of an outgoing message.
    State(State),
    /// A message to us (`receiving`, `received`): no state of ours.
    Inbound,
    /// A word that we do not know: no change, and a warning.
    Unknown,
}

/// Reads a status word (the enum of Twilio's OpenAPI file).
fn status_word(word: &str) -> Word {
    Word::State(match word {
        "accepted" => State::Accepted,
        "scheduled" => State::Scheduled,
        "queued" => State::Queued,
        "sending" => State::Transmitting,
        // Only group messages can end as `partially_delivered`, and this engine sends none; for one person it says no
        // more than that it left.
        "sent" | "partially_delivered" => State::Sent,
        "canceled" => State::ProviderCanceled,
        "failed" => State::Failed,
        "undelivered" => State::Undelivered,
        "delivered" => State::Delivered,
        "read" => State::Read,
        "receiving" | "received" => return Word::Inbound,
        _ => return Word::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_specification_is_known() {
        let words = [
            "queued",
            "sending",
            "sent",
            "failed",
            "delivered",
            "undelivered",
            "receiving",
            "received",
            "accepted",
            "scheduled",
            "read",
            "partially_delivered",
            "canceled",
        ];
        for word in words {
            match status_word(word) {
                Word::State(state) => assert!(state.is_providers(), "{word}"),
                meaning => assert_eq!((meaning, word.starts_with("receiv")), (Word::Inbound, true), "{word}"),
            }
        }
        for word in ["", "Queued", "pending", "cancelled"] {
            assert_eq!(status_word(word), Word::Unknown, "{word}");
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }
}
