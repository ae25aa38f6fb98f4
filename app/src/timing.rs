//! Work that waits, or comes back, while a page is open. None of it runs on the server.

use leptos::prelude::*;
use std::time::Duration;

/// Runs again and again while the component that calls it is on the page and the page can be seen. For what sends no hints.
pub fn every(period: Duration, run: impl Fn() + Clone + 'static) {
    Effect::new(move || {
        let run = run.clone();
        let ticking = set_interval_with_handle(
            move || {
                if !document().hidden() {
                    run();
                }
            },
            period,
        );
        if let Ok(ticking) = ticking {
            on_cleanup(move || ticking.clear());
        }
    });
}

/// The value once it has stayed the same for a while: for work that should not follow every key.
pub fn settled<T>(value: Memo<T>, after: Duration) -> Signal<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let settled = RwSignal::new(value.get_untracked());
    Effect::new(move || {
        let next = value.get();
        let waiting = set_timeout_with_handle(
            move || {
                if settled.try_with_untracked(|now| *now != next) == Some(true) {
                    settled.set(next);
                }
            },
            after,
        );
        if let Ok(waiting) = waiting {
            on_cleanup(move || waiting.clear());
        }
    });
    settled.into()
}
