//! Who may write next, where the database has one writer.
//!
//! SQLite's own lock knows no order: whoever waits for it asks again after a while, and may be unlucky for long. Here writers
//! take turns, and an urgent one waits for the transaction under way and at most one other.

use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The turn to write; it is over when this is dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

/// Hands out turns. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    /// Held by whoever writes.
    writing: Arc<Mutex<()>>,
    /// Held by the one ordinary writer that is next: the others wait here, so that an urgent one finds at most this one
    /// before it.
    next: Arc<Mutex<()>>,
}

impl Turns {
    /// A turn in the order of asking.
    pub async fn ordinary(&self) -> Turn {
        let _next = self.next.lock().await;
        self.writing.clone().lock_owned().await
    }

    /// A turn before all ordinary ones but the next.
    pub async fn urgent(&self) -> Turn {
        self.writing.clone().lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::poll;
    use std::{pin::pin, task::Poll};

    #[tokio::test]
    async fn an_urgent_writer_passes_the_queue() {
        let turns = Turns::default();
        let writing = turns.ordinary().await;
        let (mut second, mut third) = (pin!(turns.ordinary()), pin!(turns.ordinary()));
        let mut urgent = pin!(turns.urgent());
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending() && poll!(&mut urgent).is_pending());
        drop(writing);
        let Poll::Ready(second) = poll!(&mut second) else { panic!("the next in order goes first") };
        assert!(poll!(&mut third).is_pending() && poll!(&mut urgent).is_pending());
        drop(second);
        assert!(poll!(&mut third).is_pending(), "the urgent one goes before the third");
        let Poll::Ready(urgent) = poll!(&mut urgent) else { panic!("the urgent one is next") };
        drop(urgent);
        assert!(poll!(&mut third).is_ready());
    }
}
