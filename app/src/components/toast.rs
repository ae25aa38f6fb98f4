//! Short notes on what was just done.

use super::Tone;
use leptos::prelude::*;
use std::time::Duration;

/// How long a note stays.
const STAYS: Duration = Duration::from_secs(6);

/// A note.
#[derive(Clone)]
pub struct Note {
    id: u32,
    tone: Tone,
    text: String,
}

/// The notes on the page.
#[derive(Clone, Copy)]
pub struct Toasts(RwSignal<Vec<Note>>);

/// Sets up the place for notes. To be called once, by the outermost component.
pub fn provide_toasts() {
    provide_context(Toasts(RwSignal::new(Vec::new())));
}

impl Toasts {
    /// The page's notes. To be called while a component is made, not in an event handler.
    pub fn here() -> Self {
        expect_context()
    }

    /// Says something for a few seconds. For what was done; a failure that needs reading belongs beside what failed.
    pub fn say(self, tone: Tone, text: impl Into<String>) {
        let notes = self.0;
        let id = notes.read_untracked().last().map_or(0, |note| note.id.wrapping_add(1));
        notes.update(|notes| notes.push(Note { id, tone, text: text.into() }));
        set_timeout(move || notes.update(|notes| notes.retain(|note| note.id != id)), STAYS);
    }
}

/// Where notes appear.
#[component]
pub fn ToastRegion() -> impl IntoView {
    let Toasts(notes) = Toasts::here();
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For
                each=move || notes.get()
                key=|note| note.id
                children=|note| {
                    view! {
                        <p class="toast">
                            <span class=note.tone.class() aria-hidden="true">
                                {note.tone.mark()}
                            </span>
                            {note.text}
                        </p>
                    }
                }
            />
        </div>
    }
}
