//! Failures on the page: what happened, what to do, and the request's id.

use crate::api::Failure;
use domain::problem::Kind;
use leptos::prelude::*;

fn request_id(failure: &Failure) -> impl IntoView + use<> {
    failure.0.request_id.clone().map(|id| {
        view! {
            <p class="text-xs text-muted">
                "Request " <code>{id}</code>
            </p>
        }
    })
}

/// A failure in the place of a page's content.
#[component]
pub fn FailurePanel(
    /// The failure.
    failure: Failure,
    /// Tries again.
    #[prop(optional, into)]
    retry: Option<Callback<()>>,
) -> impl IntoView {
    let action = match failure.0.kind {
        Kind::Unauthenticated => {
            Some(view! { <a class="btn btn-primary" href="/sign-in" rel="external">"Sign in"</a> }.into_any())
        }
        Kind::NotFound | Kind::Forbidden => Some(view! { <a class="btn" href="/">"Go to the overview"</a> }.into_any()),
        _ => retry.map(|retry| {
            view! {
                <button type="button" class="btn" on:click=move |_| retry.run(())>
                    "Try again"
                </button>
            }
            .into_any()
        }),
    };
    view! {
        <div class="empty" role="alert">
            <h2>{failure.0.title.clone()}</h2>
            <p class="empty-text">{failure.0.detail.clone()}</p>
            {request_id(&failure)}
            {action}
        </div>
    }
}

/// A failure of something that was tried, beside the button that tried it. Failures of named fields stand under these.
#[component]
pub fn FailureNote(
    /// The failure of the last try, if it failed.
    #[prop(into)]
    failure: Signal<Option<Failure>>,
) -> impl IntoView {
    view! {
        <div aria-live="polite">
            {move || {
                failure
                    .get()
                    .map(|failure| {
                        view! {
                            <div class="note note-fail">
                                <p>{failure.0.detail.clone()}</p>
                                {request_id(&failure)}
                            </div>
                        }
                    })
            }}
        </div>
    }
}

/// What is wrong with one field of a form that was refused, by the field's path (`phone`, `audience/filter`).
pub fn field_error(failure: Signal<Option<Failure>>, path: &'static str) -> Signal<Option<String>> {
    Signal::derive(move || failure.get().and_then(|failure| failure.field(path)))
}

/// What a failure says about the field with this path (`audience/filter`), for that field's error.
pub fn at_field(failure: impl Into<Signal<Option<Failure>>>, path: &'static str) -> Signal<Option<String>> {
    let failure = failure.into();
    Signal::derive(move || failure.with(|failure| failure.as_ref().and_then(|failure| failure.field(path))))
}
