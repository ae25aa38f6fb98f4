//! The palette: go anywhere by a few letters.

use super::{Dialog, frame::PLACES};
use crate::api::Failure;
use domain::operator::Viewer;
use leptos::{ev::KeyboardEvent, html, prelude::*};
use leptos_router::hooks::use_navigate;

/// What the palette offers beyond the navigation: address, words, and what one must be allowed to do.
const ACTIONS: [(&str, &str); 2] = [("/campaigns/new", "New campaign"), ("/users?new=1", "New user")];

/// The palette.
#[component]
pub fn Palette(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Whoever looks at the page.
    viewer: Resource<Result<Viewer, Failure>>,
) -> impl IntoView {
    view! {
        <Dialog open title="Go to">
            <Search open viewer />
        </Dialog>
    }
}

/// The places that match, each an address and its words.
fn matches(query: &str, viewer: Option<&Viewer>) -> Vec<(&'static str, &'static str)> {
    let query = query.trim().to_lowercase();
    let places = PLACES.iter().filter(|place| viewer.is_some_and(|viewer| place.is_for(viewer)));
    let all = places.map(|place| (place.href, place.name)).chain(ACTIONS);
    all.filter(|(_, words)| words.to_lowercase().contains(&query)).collect()
}

#[component]
fn Search(open: RwSignal<bool>, viewer: Resource<Result<Viewer, Failure>>) -> impl IntoView {
    let query = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let input = NodeRef::<html::Input>::new();
    let navigate = use_navigate();
    Effect::new(move || {
        if let Some(input) = input.get() {
            // Fails only if the input left the page meanwhile.
            let _ = input.focus();
        }
    });
    // Read in an effect: the palette opens long after hydration, and stands under no suspense.
    let known_viewer = RwSignal::new(None::<Viewer>);
    Effect::new(move || known_viewer.set(viewer.get().and_then(Result::ok)));
    let found = Memo::new(move |_| matches(&query.read(), known_viewer.read().as_ref()));
    let go = move |href: &str| {
        open.set(false);
        navigate(href, leptos_router::NavigateOptions::default());
    };
    let key = {
        let go = go.clone();
        move |event: KeyboardEvent| {
            let last = found.read_untracked().len().saturating_sub(1);
            match event.key().as_str() {
                "ArrowDown" => chosen.update(|n| *n = (*n + 1).min(last)),
                "ArrowUp" => chosen.update(|n| *n = n.saturating_sub(1)),
                "Enter" => {
                    if let Some((href, _)) = found.get_untracked().get(chosen.get_untracked()) {
                        go(href);
                    }
                }
                _ => return,
            }
            event.prevent_default();
        }
    };
    let option = move |(place, (href, words)): (usize, (&'static str, &'static str))| {
        let go = go.clone();
        view! {
            <li
                id=format!("palette-{place}")
                role="option"
                class="palette-option"
                aria-selected=move || (chosen.get() == place).to_string()
                on:click=move |_| go(href)
            >
                {words}
            </li>
        }
    };
    view! {
        <div class="stack">
            <input
                node_ref=input
                class="input"
                role="combobox"
                aria-label="Page"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-activedescendant=move || format!("palette-{}", chosen.get())
                placeholder="A page, or something to do"
                prop:value=move || query.get()
                on:input:target=move |event| {
                    query.set(event.target().value());
                    chosen.set(0);
                }
                on:keydown=key
            />
            <ul class="palette-list" id="palette-list" role="listbox" aria-label="Pages">
                {move || found.get().into_iter().enumerate().map(option.clone()).collect_view()}
            </ul>
            <Show when=move || found.read().is_empty()>
                <p class="text-muted">"Nothing is called that."</p>
            </Show>
        </div>
    }
}
