//! Keys of the REST API: who an integration is, and what it may do.

use crate::{ids::ApiKeyId, operator::Operation};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How every key begins, so that scanners for leaked secrets find one.
pub const PREFIX: &str = "ese_";
/// How many keys there may be that were not revoked.
pub const KEYS_MAX: usize = 200;
/// The longest life of a key, in days.
pub const LIFE_MAX_DAYS: u32 = 730;
/// How many requests a second a key may make, unless it says otherwise.
pub const RATE_PER_SECOND: u32 = 50;
/// The most requests a second that a key may be given.
pub const RATE_MAX_PER_SECOND: u32 = 1_000;

/// What a key may do: a resource, and what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    /// See users, their consent and what happened.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Enter, change and merge users.
    #[serde(rename = "users:write")]
    UsersWrite,
    /// Take out everything that is held on users.
    #[serde(rename = "users:export")]
    UsersExport,
    /// Remove and erase users.
    #[serde(rename = "users:erase")]
    UsersErase,
    /// Record consent and subscriptions, and suppress numbers.
    #[serde(rename = "consent:write")]
    ConsentWrite,
    /// Take addresses off the suppression list.
    #[serde(rename = "suppressions:lift")]
    SuppressionsLift,
    /// Import users.
    #[serde(rename = "imports:write")]
    ImportsWrite,
    /// See topics, attributes, segments, templates and senders.
    #[serde(rename = "content:read")]
    ContentRead,
    /// Change topics, attributes, segments and templates.
    #[serde(rename = "content:write")]
    ContentWrite,
    /// See campaigns, messages and the engine's health.
    #[serde(rename = "campaigns:read")]
    CampaignsRead,
    /// Write campaigns.
    #[serde(rename = "campaigns:write")]
    CampaignsWrite,
    /// Launch, pause, resume and cancel campaigns.
    #[serde(rename = "campaigns:launch")]
    CampaignsLaunch,
    /// Send single messages, and tests.
    #[serde(rename = "messages:send")]
    MessagesSend,
    /// Decide on messages of unknown fate, and on dead letters.
    #[serde(rename = "messages:review")]
    MessagesReview,
    /// See what people wrote.
    #[serde(rename = "inbound:read")]
    InboundRead,
    /// Stop all sending, and let it go on.
    #[serde(rename = "delivery:stop")]
    DeliveryStop,
    /// See the audit log.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Read the event stream.
    #[serde(rename = "events:read")]
    EventsRead,
    /// Manage webhooks.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
    /// Manage API keys that may do no more.
    #[serde(rename = "keys:write")]
    KeysWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::UsersRead,
        Self::UsersWrite,
        Self::UsersExport,
        Self::UsersErase,
        Self::ConsentWrite,
        Self::SuppressionsLift,
        Self::ImportsWrite,
        Self::ContentRead,
        Self::ContentWrite,
        Self::CampaignsRead,
        Self::CampaignsWrite,
        Self::CampaignsLaunch,
        Self::MessagesSend,
        Self::MessagesReview,
        Self::InboundRead,
        Self::DeliveryStop,
        Self::AuditRead,
        Self::EventsRead,
        Self::WebhooksWrite,
        Self::KeysWrite,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::UsersExport => "users:export",
            Self::UsersErase => "users:erase",
            Self::ConsentWrite => "consent:write",
            Self::SuppressionsLift => "suppressions:lift",
            Self::ImportsWrite => "imports:write",
            Self::ContentRead => "content:read",
            Self::ContentWrite => "content:write",
            Self::CampaignsRead => "campaigns:read",
            Self::CampaignsWrite => "campaigns:write",
            Self::CampaignsLaunch => "campaigns:launch",
            Self::MessagesSend => "messages:send",
            Self::MessagesReview => "messages:review",
            Self::InboundRead => "inbound:read",
            Self::DeliveryStop => "delivery:stop",
            Self::AuditRead => "audit:read",
            Self::EventsRead => "events:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::KeysWrite => "keys:write",
        }
    }

    /// What it allows, in words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::UsersRead => "See users, their consent and what happened",
            Self::UsersWrite => "Enter, change and merge users",
            Self::UsersExport => "Take out everything that is held on users",
            Self::UsersErase => "Remove and erase users",
            Self::ConsentWrite => "Record consent and subscriptions, and suppress numbers",
            Self::SuppressionsLift => "Take addresses off the suppression list",
            Self::ImportsWrite => "Import users",
            Self::ContentRead => "See topics, attributes, segments, templates and senders",
            Self::ContentWrite => "Change topics, attributes, segments and templates",
            Self::CampaignsRead => "See campaigns, messages and the engine's health",
            Self::CampaignsWrite => "Write campaigns",
            Self::CampaignsLaunch => "Launch, pause, resume and cancel campaigns",
            Self::MessagesSend => "Send single messages, and tests",
            Self::MessagesReview => "Decide on messages of unknown fate, and on dead letters",
            Self::InboundRead => "See what people wrote",
            Self::DeliveryStop => "Stop all sending, and let it go on",
            Self::AuditRead => "See the audit log",
            Self::EventsRead => "Read the event stream",
            Self::WebhooksWrite => "Manage webhooks",
            Self::KeysWrite => "Manage API keys that may do no more",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a scope")]
pub struct NoScope(String);

impl FromStr for Scope {
    type Err = NoScope;

    fn from_str(text: &str) -> Result<Self, NoScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| NoScope(text.to_owned()))
    }
}

/// The scope that an operation needs; `None` for what no key may do, whatever its scopes.
pub const fn needed(operation: Operation) -> Option<Scope> {
    use Operation::*;
    let scope = match operation {
        UserRead => Scope::UsersRead,
        UserWrite | UserBulk => Scope::UsersWrite,
        UserExport => Scope::UsersExport,
        UserErase => Scope::UsersErase,
        ConsentWrite => Scope::ConsentWrite,
        SuppressionLift => Scope::SuppressionsLift,
        ImportWrite => Scope::ImportsWrite,
        ContentRead => Scope::ContentRead,
        ContentWrite => Scope::ContentWrite,
        CampaignRead => Scope::CampaignsRead,
        CampaignWrite => Scope::CampaignsWrite,
        CampaignLaunch => Scope::CampaignsLaunch,
        MessageSend | TestSend => Scope::MessagesSend,
        MessageReview => Scope::MessagesReview,
        InboundRead => Scope::InboundRead,
        DeliveryStop => Scope::DeliveryStop,
        AuditRead => Scope::AuditRead,
        EventRead => Scope::EventsRead,
        WebhookWrite => Scope::WebhooksWrite,
        ApiKeyWrite => Scope::KeysWrite,
        // People's own matters, and what holds for the whole workspace.
        CampaignApprove | OperatorWrite | OwnAccount | SenderWrite | SettingWrite | SimulatorUse | TestPersonWrite => {
            return None;
        }
    };
    Some(scope)
}

/// A key, as lists show it. The secret is shown once, when it is made, and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// How it begins: enough to tell which one a log or a setting holds.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// How many requests it may make a second.
    pub rate_per_second: u32,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops to hold; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What a new key is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKeyForm {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// After how many days it stops to hold, at most 730; `null` for never.
    #[serde(default)]
    pub expires_in_days: Option<u32>,
    /// How many requests it may make a second; `null` for the default.
    #[serde(default)]
    pub rate_per_second: Option<u32>,
}

/// A key that was just made, with its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewApiKey {
    /// The key.
    pub key: ApiKey,
    /// The whole of it, for `Authorization: Bearer …`. It is not shown again: a request that is repeated gets `null`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub secret: String,
}

impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKey").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_needed_by_something_and_read_as_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).ok(), Some(scope.as_str().into()));
            assert!(Operation::ALL.iter().any(|operation| needed(*operation) == Some(scope)), "{scope}");
        }
        assert!("users".parse::<Scope>().is_err());
    }
}
