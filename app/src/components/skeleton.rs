//! The shape of what is being fetched.

use leptos::prelude::*;

/// A table being fetched.
#[component]
pub fn TableSkeleton(
    /// How many columns.
    #[prop(default = 4)]
    columns: usize,
    /// How many rows.
    #[prop(default = 8)]
    rows: usize,
) -> impl IntoView {
    let row = |_| {
        let cells = (0..columns).map(|_| view! { <span class="skeleton"></span> }).collect_view();
        view! { <div class="skeleton-row">{cells}</div> }
    };
    view! {
        <div class="card" aria-busy="true" aria-label="Loading">
            {(0..rows).map(row).collect_view()}
        </div>
    }
}

/// Lines of something being fetched.
#[component]
pub fn LinesSkeleton(
    /// How many lines.
    #[prop(default = 4)]
    lines: usize,
) -> impl IntoView {
    view! {
        <div class="card card-body stack" aria-busy="true" aria-label="Loading">
            {(0..lines).map(|_| view! { <span class="skeleton"></span> }).collect_view()}
        </div>
    }
}
