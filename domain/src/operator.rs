//! Operators, their roles, and the one table of what each role may do.

use crate::{consent::words, ids::OperatorId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words! {
    /// A role.
    Role {
        /// Reads.
        Viewer = "viewer", "Viewer";
        /// Answers people.
        Agent = "agent", "Agent";
        /// Makes campaigns.
        Marketer = "marketer", "Marketer";
        /// Approves campaigns.
        Approver = "approver", "Approver";
        /// Everything.
        Admin = "admin", "Admin";
    }
}

words! {
    /// Something that can be done; every use case names the one it is.
    Operation {
        /// See users.
        UserRead = "user.read", "See users";
        /// Change users.
        UserWrite = "user.write", "Change users";
        /// Change many users at once.
        UserBulk = "user.bulk", "Change many users at once";
        /// Say whom test sends may reach.
        TestPersonWrite = "user.test", "Mark test people";
        /// Take out everything that is held on a person.
        UserExport = "user.export", "Export what is held on users";
        /// Remove and erase users.
        UserErase = "user.erase", "Remove and erase users";
        /// Change what people consented to, with evidence.
        ConsentWrite = "consent.write", "Change consent";
        /// Import users.
        ImportWrite = "import.write", "Import users";
        /// Take addresses off the suppression list.
        SuppressionLift = "suppression.lift", "Take addresses off the suppression list";
        /// See topics, segments, templates and senders.
        ContentRead = "content.read", "See topics, segments, templates and senders";
        /// Change topics, segments and templates.
        ContentWrite = "content.write", "Change topics, segments and templates";
        /// Change senders.
        SenderWrite = "sender.write", "Change senders";
        /// See campaigns and messages.
        CampaignRead = "campaign.read", "See campaigns and messages";
        /// Write campaigns.
        CampaignWrite = "campaign.write", "Write campaigns";
        /// Launch, pause, resume and cancel campaigns.
        CampaignLaunch = "campaign.launch", "Launch, pause, resume and cancel campaigns";
        /// Approve campaigns that somebody else proposed.
        CampaignApprove = "campaign.approve", "Approve campaigns";
        /// Send a template to test people.
        TestSend = "test.send", "Send tests";
        /// Stop all sending, and let it go on.
        DeliveryStop = "delivery.stop", "Stop all sending, and let it go on";
        /// Send single messages.
        MessageSend = "message.send", "Send single messages";
        /// Decide on messages held for review.
        MessageReview = "message.review", "Decide on messages held for review";
        /// See what people wrote.
        InboundRead = "inbound.read", "See inbound messages";
        /// Change what holds for the whole workspace.
        SettingWrite = "setting.write", "Change the workspace's settings";
        /// Use the simulator's phones.
        SimulatorUse = "simulator.use", "Use simulated phones";
        /// See the audit log.
        AuditRead = "audit.read", "See the audit log";
        /// Manage keys of the REST API.
        ApiKeyWrite = "key.write", "Manage API keys";
        /// Read the event stream.
        EventRead = "event.read", "Read the event stream";
        /// Manage outgoing webhooks.
        WebhookWrite = "webhook.write", "Manage webhooks";
        /// Manage operators.
        OperatorWrite = "operator.write", "Manage operators";
        /// Manage one's own account.
        OwnAccount = "own.account", "Manage one's own account";
    }
}

/// Whether a role may do this. Whatever is not named here is denied.
pub const fn may(role: Role, operation: Operation) -> bool {
    use Operation::*;
    let least = match operation {
        UserRead | ContentRead | CampaignRead | InboundRead | EventRead | OwnAccount => return true,
        SimulatorUse => Role::Agent,
        ConsentWrite | UserWrite => return matches!(role, Role::Agent | Role::Marketer | Role::Admin),
        UserBulk | UserExport | UserErase | ImportWrite | ContentWrite | CampaignWrite | TestPersonWrite => {
            return matches!(role, Role::Marketer | Role::Admin);
        }
        CampaignLaunch | DeliveryStop | MessageReview | MessageSend | TestSend => Role::Marketer,
        CampaignApprove => Role::Approver,
        ApiKeyWrite | WebhookWrite | SettingWrite | SuppressionLift | SenderWrite | AuditRead | OperatorWrite => {
            Role::Admin
        }
    };
    role as u8 >= least as u8
}

/// An operator, as pages show one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    /// The id.
    pub id: OperatorId,
    /// The e-mail address, which is the sign-in name.
    pub email: String,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Whether a password was set.
    pub has_password: bool,
    /// When the operator was made.
    pub created_at: DateTime<Utc>,
}

/// What the dashboard's frame needs to know of whoever looks at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Viewer {
    /// The operator.
    pub operator: Operator,
    /// What may be done.
    pub operations: Vec<Operation>,
    /// Whether the provider is the simulator.
    pub simulated: bool,
}

impl Viewer {
    /// Whether the operator may do this.
    pub fn may(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_roles() {
        use Operation::*;
        let expected: &[(Operation, &[Role])] = &[
            (UserRead, Role::ALL),
            (ContentRead, Role::ALL),
            (CampaignRead, Role::ALL),
            (InboundRead, Role::ALL),
            (EventRead, Role::ALL),
            (OwnAccount, Role::ALL),
            (SimulatorUse, &[Role::Agent, Role::Marketer, Role::Approver, Role::Admin]),
            (ConsentWrite, &[Role::Agent, Role::Marketer, Role::Admin]),
            (UserWrite, &[Role::Agent, Role::Marketer, Role::Admin]),
            (UserBulk, &[Role::Marketer, Role::Admin]),
            (UserExport, &[Role::Marketer, Role::Admin]),
            (UserErase, &[Role::Marketer, Role::Admin]),
            (ImportWrite, &[Role::Marketer, Role::Admin]),
            (ContentWrite, &[Role::Marketer, Role::Admin]),
            (CampaignWrite, &[Role::Marketer, Role::Admin]),
            (CampaignLaunch, &[Role::Marketer, Role::Approver, Role::Admin]),
            (DeliveryStop, &[Role::Marketer, Role::Approver, Role::Admin]),
            (MessageReview, &[Role::Marketer, Role::Approver, Role::Admin]),
            (MessageSend, &[Role::Marketer, Role::Approver, Role::Admin]),
            (TestPersonWrite, &[Role::Marketer, Role::Admin]),
            (TestSend, &[Role::Marketer, Role::Approver, Role::Admin]),
            (CampaignApprove, &[Role::Approver, Role::Admin]),
            (SuppressionLift, &[Role::Admin]),
            (ApiKeyWrite, &[Role::Admin]),
            (WebhookWrite, &[Role::Admin]),
            (SettingWrite, &[Role::Admin]),
            (SenderWrite, &[Role::Admin]),
            (AuditRead, &[Role::Admin]),
            (OperatorWrite, &[Role::Admin]),
        ];
        assert_eq!(expected.len(), Operation::ALL.len());
        for (operation, roles) in expected {
            for role in Role::ALL {
                assert_eq!(may(*role, *operation), roles.contains(role), "{role} {operation}");
            }
        }
    }
}
