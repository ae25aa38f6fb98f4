//! Who acts: an argument of every use case.

use crate::error::{Error, Result};
use domain::{
    ids::OperatorId,
    operator::{Operation, Role, may},
};

/// Where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The address, as text.
    pub address: Option<String>,
    /// The user agent.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
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
        }
    }

    /// The operator, if it is one.
    pub fn operator_id(&self) -> Option<OperatorId> {
        match &self.identity {
            Identity::System => None,
            Identity::Operator { id, .. } => Some(*id),
        }
    }
}

/// Whether the actor may do this. Every use case begins with it; what the table does not name is denied.
///
/// # Errors
/// [`Error::Forbidden`].
pub fn authorize(operation: Operation, actor: &Actor) -> Result<()> {
    let allowed = match &actor.identity {
        Identity::System => true,
        Identity::Operator { role, .. } => may(*role, operation),
    };
    if allowed { Ok(()) } else { Err(Error::Forbidden { operation }) }
}
