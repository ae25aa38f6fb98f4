//! A text as one person would get it, and as the worst case.

use crate::{
    api::{self, Failure},
    components::{Button, Card, FailureNote, TextInput},
    format,
};
use domain::{
    page::PageRequest,
    template::{TemplateForm, TemplatePreview},
    user::UserSort,
};
use leptos::prelude::*;

/// Asks for a person's number, or for the worst case, and shows what that gives.
#[component]
pub fn Previews(
    /// The template as it is now.
    #[prop(into)]
    form: Signal<TemplateForm>,
) -> impl IntoView {
    let number = RwSignal::new(String::new());
    let show = Action::new(|(form, number): &(TemplateForm, Option<String>)| {
        let (form, number) = (form.clone(), number.clone());
        async move {
            match number {
                None => api::templates::worst_case(form, None).await,
                Some(number) => as_person(form, &number).await,
            }
        }
    });
    let failure: Signal<Option<Failure>> = Signal::derive(move || show.value().get().and_then(Result::err));
    let shown = move || show.value().get().and_then(Result::ok).map(shown);
    let ask = move || {
        show.dispatch((form.get_untracked(), Some(number.get_untracked())));
    };
    // No form of its own: it also stands inside the composer's, and forms cannot be nested.
    let on_enter = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            ask();
        }
    };
    view! {
        <Card title="Preview">
            <div class="stack">
                <div class="flex flex-wrap items-end gap-2" role="group" aria-label="Preview">
                    <div on:keydown=on_enter>
                        <TextInput
                            label="As the person with the number"
                            name="preview-number"
                            kind="tel"
                            value=number
                            placeholder="+1 202 555 0143"
                        />
                    </div>
                    <Button pending=show.pending() on_click=move |_| ask()>
                        "Preview"
                    </Button>
                    <Button
                        pending=show.pending()
                        on_click=move |_| {
                            show.dispatch((form.get_untracked(), None));
                        }
                    >
                        "Preview the worst case"
                    </Button>
                </div>
                <FailureNote failure />
                <div aria-live="polite">{shown}</div>
            </div>
        </Card>
    }
}

async fn as_person(form: TemplateForm, number: &str) -> Result<TemplatePreview, Failure> {
    let filter = format!("phone = \"{}\"", number.trim().replace(['"', '\\'], ""));
    let found = api::users::list(filter, UserSort::Newest, PageRequest::default()).await?;
    match found.rows.into_iter().next() {
        Some(user) => api::templates::preview_as(form, user.id).await,
        None => Err(api::not_found("person with this number")),
    }
}

fn shown(preview: TemplatePreview) -> impl IntoView {
    let locale = preview.locale.map_or("the default language".to_owned(), |tag| format!("in {tag}"));
    let parts = match (preview.segments, preview.is_ucs2) {
        (0, _) => String::new(),
        (n, false) => format!(" · {}", format::counted(n.into(), "part", "parts")),
        (n, true) => format!(" · {} in UCS-2", format::counted(n.into(), "part", "parts")),
    };
    let text = match (preview.text, preview.missing) {
        (Some(text), _) => view! { <div class="bubbles"><p class="bubble bubble-ours">{text}</p></div> }.into_any(),
        (None, missing) => {
            let name = missing.unwrap_or_default();
            view! { <p class="note note-warn">{format!("No message: \"{name}\" has no value and no fallback.")}</p> }
                .into_any()
        }
    };
    let values = preview.values.into_iter().map(|(name, value)| {
        view! {
            <li>
                <code>{name}</code>
                " = "
                {value}
            </li>
        }
    });
    view! {
        <div class="stack-tight">
            <p class="text-sm text-muted">{format!("{}, {locale}{parts}", preview.person)}</p>
            {text}
            <ul class="flex flex-wrap gap-x-4 text-xs text-muted">{values.collect_view()}</ul>
        </div>
    }
}
