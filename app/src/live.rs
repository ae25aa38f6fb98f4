//! What changes while the page is open.
//!
//! The server sends hints, not data: a page that shows the noun fetches again, at most once a second. The counters of a
//! campaign are the exception and travel in the hint.

use domain::{campaign::Progress, ids::CampaignId, live::Hint};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::{JsCast, closure::Closure};

/// The nouns that hints name ([`Hint::Changed`]).
const NOUNS: [&str; 10] =
    ["users", "imports", "inbound", "messages", "campaigns", "phones", "bulk", "user_views", "health", "webhooks"];
/// The least time between two fetches that hints cause.
const REFETCH_EVERY: Duration = Duration::from_millis(1_000);
/// How long to wait before a refused stream is opened again; it doubles up to the most.
const RECONNECT_FIRST: Duration = Duration::from_secs(1);
const RECONNECT_MOST: Duration = Duration::from_secs(30);

/// The page's stream of hints.
#[derive(Clone, Copy)]
pub struct Live {
    /// How often each noun changed since the page was opened.
    changes: [RwSignal<u32>; NOUNS.len()],
    /// Whether the stream is open. Starts out true, so that nothing alarming is shown while it opens.
    pub connected: RwSignal<bool>,
}

/// Opens the stream while the component that calls it is on the page.
pub fn provide_live() {
    let live = Live { changes: NOUNS.map(|_| RwSignal::new(0)), connected: RwSignal::new(true) };
    provide_context(live);
    Effect::new(move || {
        let stream = Stream::open("/ui/live".to_owned(), move |event| match event {
            StreamEvent::Opened { again } => {
                live.connected.set(true);
                if again {
                    // Whatever changed while we were away was not heard.
                    live.changes.iter().for_each(|changes| changes.update(|n| *n += 1));
                }
            }
            StreamEvent::Lost => live.connected.set(false),
            StreamEvent::Hint(Hint::Changed { noun }) => live.count(&noun),
            StreamEvent::Hint(Hint::Campaign { .. }) => live.count("campaigns"),
        });
        on_cleanup(move || stream.close());
    });
}

impl Live {
    /// A campaign moves by its messages: whoever shows messages hears of it too.
    fn count(&self, noun: &str) {
        if noun == "campaigns" {
            self.count("messages");
        }
        if let Some(place) = NOUNS.iter().position(|known| *known == noun) {
            self.changes[place].update(|n| *n += 1);
        }
    }
}

/// Runs when the noun changed: at most once a second, and always after the last change. While a dialog is open it waits,
/// for what was typed there must not go away with the page beneath it; the same holds for a form marked `data-keep` that
/// has the focus.
pub fn on_changed(noun: &'static str, run: impl Fn() + Clone + 'static) {
    let Some(live) = use_context::<Live>() else { return };
    let Some(place) = NOUNS.iter().position(|known| *known == noun) else { return };
    let waiting = StoredValue::new(false);
    Effect::new(move |before: Option<u32>| {
        let changes = live.changes[place].get();
        if before.is_some_and(|before| before != changes) && !waiting.get_value() {
            waiting.set_value(true);
            run_later(waiting, run.clone());
        }
        changes
    });
}

fn run_later(waiting: StoredValue<bool>, run: impl Fn() + 'static) {
    let later = move || {
        // The page may have been left meanwhile; its values are gone then.
        if waiting.is_disposed() {
            return;
        }
        if is_someone_typing() {
            return run_later(waiting, run);
        }
        waiting.set_value(false);
        run();
    };
    set_timeout(later, REFETCH_EVERY);
}

fn is_someone_typing() -> bool {
    document().query_selector("dialog[open], [data-keep]:focus-within").is_ok_and(|found| found.is_some())
}

/// The counters of a campaign as they change; `None` until the first arrive.
pub fn campaign_progress(id: CampaignId) -> ReadSignal<Option<Progress>> {
    let (progress, set_progress) = signal(None);
    Effect::new(move || {
        let stream = Stream::open(format!("/ui/live?campaign={id}"), move |event| {
            if let StreamEvent::Hint(Hint::Campaign { id: of, progress }) = event
                && of == id
            {
                set_progress.set(Some(*progress));
            }
        });
        on_cleanup(move || stream.close());
    });
    progress
}

enum StreamEvent {
    Opened { again: bool },
    Lost,
    Hint(Hint),
}

/// An `EventSource` that also comes back when the server refused it, which browsers take for final.
#[derive(Clone, Copy)]
struct Stream(StoredValue<State, LocalStorage>);

struct State {
    source: Option<web_sys::EventSource>,
    closed: bool,
    was_open: bool,
    wait: Duration,
}

impl Stream {
    fn open(url: String, on_event: impl Fn(StreamEvent) + Clone + 'static) -> Self {
        let state = State { source: None, closed: false, was_open: false, wait: RECONNECT_FIRST };
        let stream = Self(StoredValue::new_local(state));
        stream.connect(url, on_event);
        stream
    }

    fn connect(self, url: String, on_event: impl Fn(StreamEvent) + Clone + 'static) {
        let Ok(source) = web_sys::EventSource::new(&url) else { return };
        let opened = {
            let on_event = on_event.clone();
            move || {
                let again = self.0.try_update_value(|state| {
                    state.wait = RECONNECT_FIRST;
                    std::mem::replace(&mut state.was_open, true)
                });
                on_event(StreamEvent::Opened { again: again.unwrap_or(false) });
            }
        };
        let heard = {
            let on_event = on_event.clone();
            move |message: web_sys::MessageEvent| {
                let hint = message.data().as_string().and_then(|text| serde_json::from_str(&text).ok());
                if let Some(hint) = hint {
                    on_event(StreamEvent::Hint(hint));
                }
            }
        };
        let failed = {
            let source = source.clone();
            move || {
                on_event(StreamEvent::Lost);
                if source.ready_state() == web_sys::EventSource::CLOSED {
                    self.connect_later(url.clone(), on_event.clone());
                }
            }
        };
        let opened = Closure::<dyn Fn()>::new(opened).into_js_value();
        let heard = Closure::<dyn Fn(web_sys::MessageEvent)>::new(heard).into_js_value();
        let failed = Closure::<dyn Fn()>::new(failed).into_js_value();
        source.set_onopen(Some(opened.unchecked_ref()));
        source.set_onmessage(Some(heard.unchecked_ref()));
        source.set_onerror(Some(failed.unchecked_ref()));
        self.0.try_update_value(|state| state.source = Some(source));
    }

    fn connect_later(self, url: String, on_event: impl Fn(StreamEvent) + Clone + 'static) {
        let wait = self.0.try_update_value(|state| {
            let wait = state.wait;
            state.wait = (wait * 2).min(RECONNECT_MOST);
            wait
        });
        let Some(wait) = wait else { return };
        set_timeout(
            move || {
                if self.0.try_with_value(|state| !state.closed).unwrap_or(false) {
                    self.connect(url, on_event);
                }
            },
            wait,
        );
    }

    fn close(self) {
        self.0.try_update_value(|state| {
            state.closed = true;
            if let Some(source) = state.source.take() {
                source.set_onmessage(None);
                source.set_onerror(None);
                source.set_onopen(None);
                source.close();
            }
        });
    }
}
