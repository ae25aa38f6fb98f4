//! Hints to open pages: "this noun changed", and "this campaign's counters moved". A lost hint costs a late page.

pub mod redis;

use domain::ids::CampaignId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::broadcast;

/// A hint on its way to the web processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Nudge {
    /// A campaign's counters or status moved; readers fetch the rollup.
    Campaign {
        /// Which.
        id: CampaignId,
    },
    /// Something of this noun changed.
    Changed {
        /// `users`, `imports`, `inbound`, `messages`, `campaigns`, `phones` or `health`.
        noun: String,
    },
}

/// Sends and receives hints: within the process, and through Redis when there are several.
#[derive(Clone)]
pub struct Live {
    local: broadcast::Sender<Nudge>,
    remote: Option<Arc<dyn Relay>>,
}

/// Carries hints to the other processes.
pub trait Relay: Send + Sync {
    /// Sends a hint; must not block, and may lose it.
    fn send(&self, nudge: &Nudge);
}

impl Default for Live {
    fn default() -> Self {
        Self { local: broadcast::channel(1_024).0, remote: None }
    }
}

impl Live {
    /// With a relay to other processes. What comes back from them goes to [`Live::deliver`].
    pub fn with_relay(relay: Arc<dyn Relay>) -> Self {
        Self { remote: Some(relay), ..Self::default() }
    }

    /// A campaign moved.
    pub fn campaign(&self, id: CampaignId) {
        self.send(Nudge::Campaign { id });
    }

    /// Something of this noun changed.
    pub fn changed(&self, noun: &str) {
        self.send(Nudge::Changed { noun: noun.to_owned() });
    }

    fn send(&self, nudge: Nudge) {
        if let Some(remote) = &self.remote {
            remote.send(&nudge);
        } else {
            self.deliver(nudge);
        }
    }

    /// Hands a hint to the pages of this process.
    pub fn deliver(&self, nudge: Nudge) {
        // Nobody listening is the usual case.
        let _ = self.local.send(nudge);
    }

    /// Listens. A slow listener skips to the latest.
    pub fn listen(&self) -> broadcast::Receiver<Nudge> {
        self.local.subscribe()
    }
}
