//! Identifiers: newtypes over UUIDv7, so that one kind is never taken for another and rows sort by birth.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// An identifier could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an identifier")]
pub struct IdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::from_str(text).map(Self).map_err(|_| IdError)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

ids! {
    /// A user: a person who receives messages.
    UserId,
    /// A key of the REST API.
    ApiKeyId,
    /// A declared attribute.
    AttributeId,
    /// A topic that people subscribe to.
    TopicId,
    /// A saved filter over users.
    SegmentId,
    /// A saved way to look at the list of users.
    UserViewId,
    /// A change of everyone who matches a filter.
    BulkId,
    /// A template; its text lives in versions.
    TemplateId,
    /// A number or messaging service that messages are sent from.
    SenderId,
    /// A campaign.
    CampaignId,
    /// An import of users.
    ImportId,
    /// An operator: a person at the dashboard.
    OperatorId,
    /// One entry of the consent ledger.
    ConsentEventId,
    /// One entry of the raw event log.
    EventId,
    /// A message that a person wrote to us.
    InboundId,
    /// One entry of the decision ledger.
    DecisionId,
    /// One entry of the audit log.
    AuditId,
    /// A piece of work that was given up.
    DeadLetterId,
    /// An endpoint of outgoing webhooks.
    WebhookId,
}

/// The key of one message: its campaign and its place in the campaign's audience snapshot. It is carried in the status
/// callback's URL, and is the primary key of the message's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageKey {
    /// The campaign.
    pub campaign: CampaignId,
    /// The place in the audience, from 1.
    pub seq: i64,
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.campaign, self.seq)
    }
}

impl FromStr for MessageKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (campaign, seq) = text.split_once('.').ok_or(IdError)?;
        let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or(IdError)?;
        Ok(Self { campaign: campaign.parse()?, seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_keys_round_trip_and_refuse_nonsense() {
        let key = MessageKey { campaign: CampaignId(Uuid::from_u128(7)), seq: 42 };
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in ["", "x", "00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000007.0", "x.1"] {
            assert_eq!(bad.parse::<MessageKey>(), Err(IdError), "{bad}");
        }
    }
}
