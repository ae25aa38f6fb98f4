//! Buttons, and links that look like them.

use leptos::{ev, prelude::*};
use leptos_router::components::A;

/// How much a button asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ButtonKind {
    /// The one thing to do here.
    Primary,
    /// Something else that can be done.
    #[default]
    Secondary,
    /// Something that cannot be undone.
    Danger,
    /// Beside something else.
    Quiet,
}

impl ButtonKind {
    /// The class of the look.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Primary => "btn btn-primary",
            Self::Secondary => "btn",
            Self::Danger => "btn btn-danger",
            Self::Quiet => "btn btn-quiet",
        }
    }
}

/// A button.
#[component]
pub fn Button(
    /// The look.
    #[prop(optional)]
    kind: ButtonKind,
    /// Whether it submits the form around it.
    #[prop(optional)]
    submit: bool,
    /// Whether it cannot be used now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Whether what it started is still under way: it says so and takes no second press.
    #[prop(optional, into)]
    pending: Signal<bool>,
    /// What it does.
    #[prop(optional, into)]
    on_click: Option<Callback<ev::MouseEvent>>,
    /// Its words.
    children: Children,
) -> impl IntoView {
    let click = move |event: ev::MouseEvent| {
        if let Some(on_click) = on_click
            && !pending.get_untracked()
        {
            on_click.run(event);
        }
    };
    view! {
        <button
            class=kind.class()
            type=if submit { "submit" } else { "button" }
            disabled=move || disabled.get()
            aria-busy=move || pending.get().then_some("true")
            on:click=click
        >
            {children()}
        </button>
    }
}

/// A link to another page that looks like a button.
#[component]
pub fn LinkButton(
    /// Where to.
    #[prop(into)]
    href: String,
    /// The look.
    #[prop(optional)]
    kind: ButtonKind,
    /// Its words.
    children: Children,
) -> impl IntoView {
    view! {
        <A href=href attr:class=kind.class()>
            {children()}
        </A>
    }
}
