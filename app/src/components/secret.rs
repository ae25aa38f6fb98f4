//! A secret that is shown once.

use super::{Button, Field, Toasts, Tone};
use leptos::{html, prelude::*};

/// Shows a secret in full, to be copied now: it is kept nowhere.
#[component]
pub fn Secret(
    /// What it is: "Key".
    #[prop(into)]
    label: String,
    /// The field's name and id.
    name: &'static str,
    /// The secret.
    secret: String,
) -> impl IntoView {
    let toasts = Toasts::here();
    let field = NodeRef::<html::Input>::new();
    let copied = secret.clone();
    let copy = move |_| {
        if let Some(field) = field.get_untracked() {
            field.select();
        }
        // Absent where the page is neither https nor local: the text is selected by then, and copied by hand.
        let clipboard = js_sys::Reflect::get(&window().navigator(), &"clipboard".into());
        if clipboard.is_ok_and(|found| found.is_object()) {
            // Whether the browser lets it happen is its own affair; the secret stays in sight.
            let _ = window().navigator().clipboard().write_text(&copied);
            toasts.say(Tone::Ok, "Copied");
        }
    };
    view! {
        <Field label name=name hint="Copy it now. It is not shown again, and nobody can look it up.">
            <div class="secret">
                <input
                    class="input"
                    type="text"
                    id=name
                    readonly=true
                    autocomplete="off"
                    spellcheck="false"
                    aria-describedby=format!("{name}-hint {name}-error")
                    value=secret
                    node_ref=field
                />
                <Button on_click=copy>"Copy"</Button>
            </div>
        </Field>
    }
}
