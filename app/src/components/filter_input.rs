//! The filter language's input: parsed as it is typed, with what is wrong marked at its place and what may come next under it.

mod offers;

use super::Field;
use domain::filter::{self, FilterError};
use leptos::{html, prelude::*};
use offers::Offers;

/// What is wrong with a filter's text, if anything; the very parser of the server, run in the browser.
pub fn problem(text: &str) -> Option<FilterError> {
    filter::parse(text).err()
}

/// A filter's text with the parser's judgement under it.
#[component]
pub fn FilterInput(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// The control's name and id.
    #[prop(into)]
    name: String,
    /// The text.
    value: RwSignal<String>,
    /// Whether `/` brings the focus here.
    #[prop(optional)]
    search: bool,
    /// How many lines it shows.
    #[prop(default = 1)]
    rows: u32,
    /// What the server found wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let wrong = Memo::new(move |_| problem(&value.get()));
    let message = Signal::derive(move || wrong.get().map(|wrong| wrong.message).or_else(|| error.get()));
    let described_by = format!("{name}-place {name}-hint {name}-error");
    let area = NodeRef::<html::Textarea>::new();
    let offers = Offers::new(&name, value, area);
    view! {
        <Field
            label
            name=name.clone()
            hint="For example: city = \"Colombo\" and consent.whatsapp = opted_in and not messaged within 7 days. Empty means everyone. Ctrl+Space shows what may come next."
            error=message
        >
            <div class="offers-place">
            <textarea
                node_ref=area
                class="input input-code"
                rows=rows
                id=name.clone()
                name=name.clone()
                spellcheck="false"
                autocapitalize="off"
                data-search=search.then_some("")
                aria-describedby=described_by
                aria-invalid=move || wrong.read().is_some().then_some("true")
                prop:value=move || value.get()
                autocomplete="off"
                aria-autocomplete="list"
                aria-haspopup="listbox"
                aria-controls=offers.id()
                aria-activedescendant=move || offers.chosen_id()
                on:focus=move |_| offers.prepare()
                on:blur=move |_| offers.close()
                on:input:target=move |event| {
                    value.set(event.target().value());
                    offers.refresh();
                }
                on:keydown=move |event| {
                    if offers.key(&event) {
                        event.prevent_default();
                        event.stop_propagation();
                    } else {
                        submit_on_enter(&event, offers);
                    }
                }
            >
                {value.get_untracked()}
            </textarea>
            {offers.view()}
            </div>
            <Place id=format!("{name}-place") value wrong=wrong.into() />
        </Field>
    }
}

/// Enter submits the form around a filter, and Shift+Enter makes a new line.
fn submit_on_enter(event: &leptos::ev::KeyboardEvent, offers: Offers) {
    if event.key() != "Enter" || event.shift_key() || event.is_composing() {
        return;
    }
    let form = event_target::<web_sys::HtmlTextAreaElement>(event).form();
    if let Some(form) = form {
        event.prevent_default();
        offers.close();
        // Fails only if the form left the page meanwhile.
        let _ = form.request_submit();
    }
}

/// The text again with the wrong part marked, and what to write instead.
#[component]
fn Place(id: String, value: RwSignal<String>, wrong: Signal<Option<FilterError>>) -> impl IntoView {
    let shown = move || {
        let wrong = wrong.get()?;
        let text = value.get();
        let (start, end) = (wrong.span.start.min(text.len()), wrong.span.end.min(text.len()));
        // The memo and the text change one after the other, so for a moment the span may belong to another text.
        let (before, rest) = text.split_at_checked(start)?;
        let (marked, after) = rest.split_at_checked(end.saturating_sub(start))?;
        let replace = wrong.suggestion.clone().map(|suggestion| {
            let replaced = format!("{before}{suggestion}{after}");
            view! {
                <button type="button" class="btn btn-quiet" on:click=move |_| value.set(replaced.clone())>
                    "Write " <code>{suggestion}</code>
                </button>
            }
        });
        let marked = if marked.is_empty() { "␣".to_owned() } else { marked.to_owned() };
        Some(view! {
            <code class="filter-place">{before.to_owned()} <mark>{marked}</mark> {after.to_owned()}</code>
            {replace}
        })
    };
    view! {
        <div id=id class="filter-wrong">
            {shown}
        </div>
    }
}
