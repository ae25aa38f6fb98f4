//! Who acts: an argument of every use case.

use crate::error::{Error, Result};
use domain::{
    api_key::{Scope, needed},
    consent::ConsentSource,
    ids::{ApiKeyId, OperatorId},
    operator::{Operation, Role, may},
};
use serde::Serialize;

/// Where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The address, as text.
    pub address: Option<String>,
    /// The user agent.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The `Idempotency-Key` under which an integration may repeat the request.
    pub idempotency_key: Option<String>,
    /// The `If-Match` of the request: tags of what it means to change.
    pub if_match: Option<String>,
}

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub identity: Identity,
    /// From where.
    pub client: Client,
}

/// Kinds of actors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The engine itself: the sweep, a job, the seed, a command on the machine.
    System,
    /// A person at the dashboard.
    Operator {
        /// Who.
        id: OperatorId,
        /// The sign-in name.
        email: String,
        /// The role.
        role: Role,
        /// The hash of the session's token.
        session: Vec<u8>,
    },
    /// An integration.
    Key {
        /// Its key.
        id: ApiKeyId,
        /// The key's name and prefix.
        label: String,
        /// What it may do.
        scopes: Vec<Scope>,
    },
}

impl Actor {
    /// The engine itself.
    pub fn system() -> Self {
        Self { identity: Identity::System, client: Client::default() }
    }

    /// Who it is, for the audit log.
    pub fn label(&self) -> &str {
        match &self.identity {
            Identity::System => "system",
            Identity::Operator { email, .. } => email,
            Identity::Key { label, .. } => label,
        }
    }

    /// Whose word it is when they say what a person agreed to.
    pub(crate) fn consent_source(&self) -> ConsentSource {
        match self.identity {
            Identity::System | Identity::Operator { .. } => ConsentSource::Operator,
            Identity::Key { .. } => ConsentSource::Api,
        }
    }

    /// The operator, if it is one.
    pub fn operator_id(&self) -> Option<OperatorId> {
        match &self.identity {
            Identity::System | Identity::Key { .. } => None,
            Identity::Operator { id, .. } => Some(*id),
        }
    }
}

/// The tag of a representation, for `ETag` and `If-Match`: the same bytes have the same.
pub fn tag(body: &[u8]) -> String {
    format!("\"{}\"", &hex::encode(crate::digest(body))[..32])
}

/// Refuses a change of something that is no longer as the caller read it; without `If-Match` the last writer wins. To be asked of
/// what was read once its row is locked.
///
/// # Errors
/// [`Error::Stale`].
pub(crate) fn unchanged<T: Serialize>(actor: &Actor, current: &T) -> Result<()> {
    let Some(wanted) = &actor.client.if_match else { return Ok(()) };
    let now = tag(&serde_json::to_vec(current)?);
    let matches = wanted.trim() == "*" || wanted.split(',').any(|one| one.trim() == now);
    if matches { Ok(()) } else { Err(Error::Stale) }
}

/// Whether the actor may do this. Every use case begins with it; what the table does not name is denied.
///
/// # Errors
/// [`Error::Forbidden`].
pub fn authorize(operation: Operation, actor: &Actor) -> Result<()> {
    let why = match &actor.identity {
        Identity::System => return Ok(()),
        Identity::Operator { role, .. } if may(*role, operation) => return Ok(()),
        Identity::Operator { .. } => format!("your role does not allow you to: {operation}"),
        Identity::Key { scopes, .. } => match needed(operation) {
            Some(scope) if scopes.contains(&scope) => return Ok(()),
            Some(scope) => format!("this key lacks the scope {scope}"),
            None => "no key may do this: it takes a person at the dashboard".to_owned(),
        },
    };
    Err(Error::Forbidden { operation, why })
}
