//! What stands where there is nothing yet.

use leptos::prelude::*;

/// Says what this place is for, and offers the first step.
#[component]
pub fn Empty(
    /// What is not here yet.
    #[prop(into)]
    title: String,
    /// The first step, as a button or link.
    #[prop(optional, into)]
    action: ViewFn,
    /// What this place is for.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="empty">
            <h2>{title}</h2>
            <div class="empty-text">{children()}</div>
            {action.run()}
        </div>
    }
}
