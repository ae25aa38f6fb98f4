//! Sign-in: a plain form, which works without script.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The sign-in page.
#[component]
pub fn SignIn() -> impl IntoView {
    let query = use_query_map();
    let refusal = move || {
        let query = query.read();
        if query.get("limited").is_some() {
            Some("Too many tries. Wait a few minutes, then try again.")
        } else if query.get("failed").is_some() {
            Some("The e-mail address or the password is wrong.")
        } else {
            None
        }
    };
    view! {
        <Title text="Sign in · Event Stream Engine" />
        <main class="door">
            <div class="card stack">
                <h1>"Sign in"</h1>
                {move || refusal().map(|text| view! { <p class="note note-fail" role="alert">{text}</p> })}
                <form method="post" action="/sign-in" class="stack">
                    <div class="field">
                        <label for="email">"E-mail address"</label>
                        <input class="input" type="email" id="email" name="email" autocomplete="username" required autofocus />
                    </div>
                    <div class="field">
                        <label for="password">"Password"</label>
                        <input
                            class="input"
                            type="password"
                            id="password"
                            name="password"
                            autocomplete="current-password"
                            required
                        />
                    </div>
                    <button class="btn btn-primary">"Sign in"</button>
                </form>
                <p class="text-muted">
                    "No password yet? Open the sign-in link that the server printed when it started, or ask an admin for a new one."
                </p>
            </div>
        </main>
    }
}
