//! Test sends: to marked people only.

use crate::ids::{MessageKey, SenderId, TemplateId, TopicId, UserId};
use serde::{Deserialize, Serialize};

/// How many people one test send reaches at the most.
pub const TEST_SEND_MAX: usize = 10;
/// How many people may be marked.
pub const TEST_PEOPLE_MAX: usize = 50;

/// Someone whom test sends may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestPerson {
    /// The user.
    pub id: UserId,
    /// The name, or else the number.
    pub name: String,
}

/// What an operator enters for a test send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TestSendForm {
    /// The sender.
    pub sender: SenderId,
    /// The template; its newest version is sent.
    pub template: TemplateId,
    /// The topic, which then must reach the person.
    pub topic: Option<TopicId>,
    /// To whom.
    pub people: Vec<UserId>,
}

/// A message of a test send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestMessage {
    /// To whom.
    pub user: UserId,
    /// The message.
    pub key: MessageKey,
}
