//! Boxes of content, figures and facts.

use leptos::prelude::*;

/// A box with a heading.
#[component]
pub fn Card(
    /// The heading; without it the box has none.
    #[prop(optional, into)]
    title: String,
    /// What stands beside the heading: a link, a small button.
    #[prop(optional, into)]
    aside: ViewFn,
    /// Whether the content reaches the box's edges, as a table does.
    #[prop(optional)]
    flush: bool,
    /// The content.
    children: Children,
) -> impl IntoView {
    let head = (!title.is_empty()).then(|| {
        view! {
            <header class="card-head">
                <h2>{title}</h2>
                {aside.run()}
            </header>
        }
    });
    view! {
        <section class="card">
            {head} <div class=if flush { "" } else { "card-body" }>{children()}</div>
        </section>
    }
}

/// A row of figures.
#[component]
pub fn Stats(
    /// The figures, each a [`Stat`].
    children: Children,
) -> impl IntoView {
    view! { <dl class="stats">{children()}</dl> }
}

/// A figure and what it counts.
#[component]
pub fn Stat(
    /// What it counts.
    #[prop(into)]
    label: String,
    /// The figure, formatted.
    #[prop(into)]
    value: Signal<String>,
    /// What it is a share of, or another remark.
    #[prop(optional, into)]
    note: Signal<String>,
) -> impl IntoView {
    view! {
        <div class="stat">
            <dt>{label}</dt>
            <dd>{move || value.get()}</dd>
            <dd class="stat-note">{move || note.get()}</dd>
        </div>
    }
}

/// A list of names and values.
#[component]
pub fn Facts(
    /// The values, each a [`Fact`].
    children: Children,
) -> impl IntoView {
    view! { <dl class="facts">{children()}</dl> }
}

/// A name and its value.
#[component]
pub fn Fact(
    /// The name.
    #[prop(into)]
    name: String,
    /// The value.
    children: Children,
) -> impl IntoView {
    view! {
        <div>
            <dt>{name}</dt>
            <dd>{children()}</dd>
        </div>
    }
}
