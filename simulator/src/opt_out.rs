//! Twilio's own opt-out list, which applies to SMS alone.

use std::collections::HashSet;

use crate::config::{Config, SenderKind};

/// Pairs that the list holds at most.
const PAIRS_MAX: usize = 1_000_000;

/// What a keyword asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Stop,
    Start,
    Help,
}

impl Keyword {
    /// The keyword that the whole of `body` is, in any case, to a sender of this kind.
    pub fn of(body: &str, kind: SenderKind) -> Option<Self> {
        let word = body.trim().to_ascii_uppercase();
        match (kind, word.as_str()) {
            (SenderKind::ShortCode | SenderKind::Whatsapp, _) => None,
            (_, "STOP") => Some(Self::Stop),
            (_, "START" | "UNSTOP") => Some(Self::Start),
            (SenderKind::TollFree, _) => None,
            (_, "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE" | "OPTOUT") => Some(Self::Stop),
            (_, "YES") => Some(Self::Start),
            (_, "HELP" | "INFO") => Some(Self::Help),
            _ => None,
        }
    }

    /// The `OptOutType` of Advanced Opt-Out.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "STOP",
            Self::Start => "START",
            Self::Help => "HELP",
        }
    }

    /// What Twilio answers the person itself.
    pub fn reply(self) -> &'static str {
        match self {
            Self::Stop => {
                "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe."
            }
            Self::Start => {
                "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply."
            }
            Self::Help => "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
        }
    }
}

/// Who stopped whom. Without a service the block is per pair of numbers, and with one it is per
/// person and service.
#[derive(Debug, Default)]
pub(crate) struct OptOuts {
    blocked: HashSet<(String, String)>,
}

impl OptOuts {
    pub fn len(&self) -> usize {
        self.blocked.len()
    }

    pub fn blocks(&self, config: &Config, sender: &str, phone: &str) -> bool {
        self.blocked.contains(&pair(config, sender, phone))
    }

    /// Applies a keyword. `true` if Twilio answers it: always for STOP and HELP, and for the words
    /// that opt in only when they lift a block, because a plain "yes" means something else.
    pub fn apply(&mut self, config: &Config, keyword: Keyword, sender: &str, phone: &str) -> bool {
        match keyword {
            Keyword::Stop => {
                if self.blocked.len() < PAIRS_MAX {
                    self.blocked.insert(pair(config, sender, phone));
                } else {
                    tracing::warn!("the opt-out list is full: a STOP was not kept");
                }
                true
            }
            Keyword::Start => self.blocked.remove(&pair(config, sender, phone)),
            Keyword::Help => true,
        }
    }
}

fn pair(config: &Config, sender: &str, phone: &str) -> (String, String) {
    let scope = config.service_of(sender).map_or(sender, |service| service.sid.as_str());
    (scope.to_owned(), phone.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, kind: SenderKind, expected: Option<Keyword>) {
        assert_eq!(Keyword::of(body, kind), expected, "{body} to {kind:?}");
    }

    #[test]
    fn keywords() {
        use SenderKind::{LongCode, ShortCode, TollFree, Whatsapp};
        for word in ["STOP", "stopall", " Unsubscribe ", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"] {
            check(word, LongCode, Some(Keyword::Stop));
            check(word, ShortCode, None);
            check(word, Whatsapp, None);
        }
        for word in ["START", "yes", "UNSTOP"] {
            check(word, LongCode, Some(Keyword::Start));
        }
        check("INFO", LongCode, Some(Keyword::Help));
        check("STOP PLEASE", LongCode, None);
        check("stop", TollFree, Some(Keyword::Stop));
        check("QUIT", TollFree, None);
        check("YES", TollFree, None);
        check("unstop", TollFree, Some(Keyword::Start));
    }
}
