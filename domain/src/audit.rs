//! Who did what.

use crate::ids::{AuditId, OperatorId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// The id.
    pub id: AuditId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, in words: an e-mail address, `system`, or the name of a key.
    pub actor: String,
    /// The operator, if it was one.
    pub operator_id: Option<OperatorId>,
    /// What was done, as `noun.verb`.
    pub action: String,
    /// To what.
    pub target: String,
    /// How it was before.
    pub before: Option<Value>,
    /// How it is now.
    pub after: Option<Value>,
    /// From where.
    pub address: Option<String>,
}
