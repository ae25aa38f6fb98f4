//! Sign-in by a link. Opening it changes nothing: mail scanners open links too. The button spends it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The page that a sign-in link opens.
#[component]
pub fn SignInLink() -> impl IntoView {
    let query = use_query_map();
    let token = move || query.read().get("token").filter(|token| !token.is_empty());
    let refused = move || query.read().get("failed").is_some();
    let form = move || match token() {
        Some(token) if !refused() => view! {
            <p class="text-muted">"The link works once, and for 15 minutes."</p>
            <form method="post" action="/sign-in/link">
                <input type="hidden" name="token" value=token />
                <button class="btn btn-primary" autofocus>
                    "Sign in"
                </button>
            </form>
        }
        .into_any(),
        _ => view! {
            <p class="note note-fail" role="alert">
                "This link is not complete, was used before, or is older than 15 minutes. Ask for a new one."
            </p>
            <a class="btn" href="/sign-in">
                "Sign in with a password"
            </a>
        }
        .into_any(),
    };
    view! {
        <Title text="Sign in · Event Stream Engine" />
        <main class="door">
            <div class="card stack">
                <h1>"Sign in by link"</h1>
                {form}
            </div>
        </main>
    }
}
