//! Tabs that are links: which one is open stands in the URL.

use leptos::prelude::*;

/// A row of tabs.
#[component]
pub fn Tabs(
    /// What they choose between, for those who cannot see them.
    #[prop(into)]
    label: String,
    /// The tabs: address and words.
    tabs: Vec<(String, String)>,
    /// The address of the open one.
    #[prop(into)]
    current: Signal<String>,
) -> impl IntoView {
    let tab = move |(href, words): (String, String)| {
        let is_current = {
            let href = href.clone();
            move || (current.get() == href).then_some("page")
        };
        view! {
            <a class="tab" href=href aria-current=is_current>
                {words}
            </a>
        }
    };
    view! {
        <nav class="tabs" aria-label=label>
            {tabs.into_iter().map(tab).collect_view()}
        </nav>
    }
}
