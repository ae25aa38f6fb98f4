//! What can be done with a person as a whole: documents, merging, erasing.

use super::super::users::number_or_id;
use crate::{
    api,
    components::{frame::viewer_may, *},
};
use domain::{
    operator::Operation,
    page::PageRequest,
    user::{User, UserSort},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

/// What must be typed before someone is erased.
const WORD: &str = "erase";

/// The acts, as a card.
#[component]
pub fn Acts(user: User, refetch: Callback<()>) -> impl IntoView {
    let (may_export, may_erase) = (viewer_may(Operation::UserExport), viewer_may(Operation::UserErase));
    let may_merge = viewer_may(Operation::UserWrite);
    let (merging, erasing) = (RwSignal::new(false), RwSignal::new(false));
    let id = user.id;
    let user = StoredValue::new(user);
    view! {
        <Card title="The record as a whole">
            <div class="actions">
                <Show when=move || may_export.get()>
                    <a class="btn" href=format!("/ui/users/{id}/export.json") download rel="external">
                        "Everything held, as JSON"
                    </a>
                    <a class="btn" href=format!("/ui/users/{id}/consent-receipt.json") download rel="external">
                        "Signed consent receipt"
                    </a>
                </Show>
                <Show when=move || may_merge.get()>
                    <Button on_click=move |_| merging.set(true)>"Merge a duplicate"</Button>
                </Show>
                <Show when=move || may_erase.get()>
                    <Button kind=ButtonKind::Danger on_click=move |_| erasing.set(true)>
                        "Delete or erase"
                    </Button>
                </Show>
            </div>
        </Card>
        <Dialog open=merging title="Merge a duplicate into this person">
            <Merge
                user=user.get_value()
                on_done=move || {
                    merging.set(false);
                    refetch.run(());
                }
            />
        </Dialog>
        <Dialog open=erasing title="Delete or erase">
            <Erase user=user.get_value() />
        </Dialog>
    }
}

#[component]
fn Merge(user: User, on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let into = user.id;
    let number = RwSignal::new(String::new());
    let find = Action::new(move |number: &String| {
        let filter = format!("phone = \"{}\"", number.replace(['"', '\\'], ""));
        api::users::list(filter, UserSort::Newest, PageRequest::default())
    });
    let found =
        Signal::derive(move || find.value().get().and_then(Result::ok).map(|page| page.rows.into_iter().next()));
    let merge = Action::new(move |from: &domain::ids::UserId| api::users::merge(*from, into));
    let failure = Signal::derive(move || {
        let refused = merge.value().get().and_then(Result::err);
        refused.or_else(|| find.value().get().and_then(Result::err))
    });
    Effect::new(move || {
        if let Some(Ok(_)) = merge.value().get() {
            toasts.say(Tone::Ok, "Merged; both histories are here");
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        find.dispatch(number.get_untracked().trim().to_owned());
    };
    let name = user.label();
    view! {
        <div class="stack">
            <p class="text-muted">
                "Both histories stay as they are, and show up here. Gaps are filled from the duplicate, and the stricter consent of the two holds."
            </p>
            <form class="stack" on:submit=submit>
                <TextInput label="The duplicate's number" name="duplicate" kind="tel" value=number placeholder="+94 77 123 4567" />
                <div class="actions">
                    <Button submit=true pending=find.pending()>
                        "Find"
                    </Button>
                </div>
            </form>
            {move || {
                let name = name.clone();
                found
                    .get()
                    .map(move |found| match found {
                        None => view! { <p class="note note-warn" role="status">"Nobody has this number."</p> }.into_any(),
                        Some(other) if other.id == into => {
                            view! { <p class="note note-warn" role="status">"This is the same person."</p> }.into_any()
                        }
                        Some(other) => {
                            let from = other.id;
                            view! {
                                <p>{format!("{} ({}) becomes one with {name}.", other.label(), number_or_id(&other))}</p>
                                <div class="actions">
                                    <Button
                                        kind=ButtonKind::Primary
                                        pending=merge.pending()
                                        on_click=move |_| {
                                            merge.dispatch(from);
                                        }
                                    >
                                        "Merge them"
                                    </Button>
                                </div>
                            }
                                .into_any()
                        }
                    })
            }}
            <FailureNote failure />
        </div>
    }
}

#[component]
fn Erase(user: User) -> impl IntoView {
    let navigate = use_navigate();
    let id = user.id;
    let typed = RwSignal::new(String::new());
    let remove = Action::new(move |suppress: &bool| api::users::remove(id, *suppress));
    let failure = Signal::derive(move || remove.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = remove.value().get() {
            navigate("/users", NavigateOptions::default());
        }
    });
    let not_yet = Signal::derive(move || typed.read().trim() != WORD);
    view! {
        <div class="stack">
            <p>
                {format!(
                    "Everything held on {} goes: identity, consent and its ledger, what was written and exchanged. This cannot be undone.",
                    user.label(),
                )}
            </p>
            <p class="text-muted">
                "Erasing leaves a keyed hash of the addresses, so that no later import can bring them back to be messaged. Deleting leaves nothing: for rows that were a mistake."
            </p>
            <TextInput label=format!("Type {WORD} to go on") name="erase-word" value=typed />
            <FailureNote failure />
            <div class="actions">
                <Button
                    kind=ButtonKind::Danger
                    pending=remove.pending()
                    disabled=not_yet
                    on_click=move |_| {
                        remove.dispatch(true);
                    }
                >
                    "Erase for good"
                </Button>
                <Button
                    pending=remove.pending()
                    disabled=not_yet
                    on_click=move |_| {
                        remove.dispatch(false);
                    }
                >
                    "Only delete"
                </Button>
            </div>
        </div>
    }
}
