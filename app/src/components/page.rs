//! The head of a page: its title and its one primary action.

use leptos::prelude::*;
use leptos_meta::Title;

/// A page with its title.
#[component]
pub fn Page(
    /// The title, in the page and in the browser's tab.
    #[prop(into)]
    title: Signal<String>,
    /// A sentence under the title.
    #[prop(optional, into)]
    lead: Signal<String>,
    /// The one primary action, and at most a few others.
    #[prop(optional, into)]
    action: ViewFn,
    /// The content.
    children: Children,
) -> impl IntoView {
    view! {
        <Title text=move || format!("{} · Event Stream Engine", title.get()) />
        <header class="page-head">
            <div class="min-w-0">
                <h1>{move || title.get()}</h1>
                <Show when=move || !lead.read().is_empty()>
                    <p class="text-muted">{move || lead.get()}</p>
                </Show>
            </div>
            <div class="actions">{action.run()}</div>
        </header>
        <div class="stack">{children()}</div>
    }
}
