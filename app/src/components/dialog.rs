//! Dialogs. The browser's own `<dialog>` holds the focus inside, closes on Esc, and gives the focus back.

use super::{Button, ButtonKind, TextInput};
use crate::format;
use leptos::{html, prelude::*};

/// From this many people on, a confirmation asks for the number to be typed.
const TYPED_FROM: i64 = 1_000;

/// A dialog over the page.
#[component]
pub fn Dialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Its heading.
    #[prop(into)]
    title: Signal<String>,
    /// Its content; made anew each time it opens.
    children: ChildrenFn,
) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        let Some(dialog) = element.get() else { return };
        if open.get() && !dialog.open() {
            // Fails only if the element left the page meanwhile: then there is nothing to open.
            let _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    // The browser says a moment later that it closed one, and by then it may have been opened again.
    let closed = move || {
        if element.get_untracked().is_none_or(|dialog| !dialog.open()) {
            open.set(false);
        }
    };
    view! {
        <dialog node_ref=element class="dialog" aria-label=move || title.get() on:close=move |_| closed()>
            <header class="dialog-head">
                <h2>{move || title.get()}</h2>
                <button type="button" class="btn btn-quiet" aria-label="Close" on:click=move |_| open.set(false)>
                    "×"
                </button>
            </header>
            {
                let children = StoredValue::new(children);
                move || open.get().then(|| children.with_value(|children| children()))
            }
        </dialog>
    }
}

/// Asks once before something that ends in messages, or cannot be undone. It says how many people it touches; where they
/// are many, the number must be typed.
#[component]
pub fn Confirm(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// The question: "Launch this campaign?".
    #[prop(into)]
    title: Signal<String>,
    /// How many people it touches.
    #[prop(into)]
    people: Signal<i64>,
    /// The verb on the button: "Launch".
    #[prop(into)]
    verb: Signal<String>,
    /// Whether it cannot be undone.
    #[prop(optional, into)]
    danger: Signal<bool>,
    /// Whether what was confirmed is under way.
    #[prop(optional, into)]
    pending: Signal<bool>,
    /// What to do; closing the dialog is up to it.
    #[prop(into)]
    on_confirm: Callback<()>,
    /// What will happen, in a sentence or two.
    children: ChildrenFn,
) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let asks_number = Memo::new(move |_| people.get() >= TYPED_FROM);
    let agrees = move || {
        !asks_number.get()
            || typed.get().chars().filter(char::is_ascii_digit).collect::<String>() == people.get().to_string()
    };
    let children = StoredValue::new(children);
    Effect::new(move || {
        if !open.get() {
            typed.set(String::new());
        }
    });
    view! {
        <Dialog open title>
            <div class="stack">
                <Show when=move || people.get().is_positive()>
                    <p class="text-lg font-semibold">{move || format::counted(people.get(), "person", "people")}</p>
                </Show>
                <div>{children.with_value(|children| children())}</div>
                <Show when=move || asks_number.get()>
                    <TextInput
                        label=Signal::derive(move || {
                            format!("To confirm, type the number: {}", format::number(people.get()))
                        })
                        name="people"
                        value=typed
                        input_mode="numeric"
                    />
                </Show>
                <div class="actions">
                    <Button on_click=move |_| open.set(false)>"Go back"</Button>
                    {move || {
                        let kind = if danger.get() { ButtonKind::Danger } else { ButtonKind::Primary };
                        view! {
                            <Button
                                kind
                                pending
                                disabled=Signal::derive(move || !agrees())
                                on_click=move |_| on_confirm.run(())
                            >
                                {move || verb.get()}
                            </Button>
                        }
                    }}
                </div>
            </div>
        </Dialog>
    }
}
