//! Where no page is.

use leptos::prelude::*;
use leptos_meta::Title;

/// The page for an address that has none.
#[component]
pub fn Missing() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(answer) = use_context::<leptos_axum::ResponseOptions>() {
        answer.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Not found · Event Stream Engine" />
        <main class="door">
            <div class="card stack">
                <h1>"There is no such page"</h1>
                <p class="text-muted">"The address may be mistyped, or what it showed was removed."</p>
                <a class="btn" href="/">
                    "Go to the overview"
                </a>
            </div>
        </main>
    }
}
