//! A test send, from wherever a template is looked at.

use super::{Button, ButtonKind, Dialog, FailureNote, LinesSkeleton, Load, failure::at_field, frame::viewer_may};
use crate::api::{self, Failure};
use domain::{
    ids::{SenderId, TemplateId, TopicId, UserId},
    operator::Operation,
    test_send::{TEST_SEND_MAX, TestMessage, TestPerson, TestSendForm},
};
use leptos::prelude::*;
use leptos_router::components::A;

/// What is sent: a sender, a template and perhaps a topic.
pub type Tested = (SenderId, TemplateId, Option<TopicId>);

/// A button that opens the dialog of a test send.
#[component]
pub fn TestSend(
    /// What is sent; `None` while something is not chosen.
    #[prop(into)]
    tested: Signal<Option<Tested>>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let may_send = viewer_may(Operation::TestSend);
    view! {
        <Show when=move || may_send.get() && tested.read().is_some()>
            <div>
                <Button on_click=move |_| open.set(true)>"Send a test…"</Button>
            </div>
        </Show>
        <Dialog open title="Send a test">
            <Ask tested />
        </Dialog>
    }
}

#[component]
fn Ask(tested: Signal<Option<Tested>>) -> impl IntoView {
    let people = Resource::new(|| (), |()| api::test_sends::people());
    view! {
        <Load
            resource=people
            skeleton=|| view! { <LinesSkeleton lines=3 /> }
            view=move |people| view! { <Choose tested people /> }
        />
    }
}

#[component]
fn Choose(tested: Signal<Option<Tested>>, people: Vec<TestPerson>) -> impl IntoView {
    let chosen = RwSignal::new(Vec::<UserId>::new());
    let send = Action::new(|form: &TestSendForm| api::test_sends::send_to_marked(form.clone()));
    let failure: Signal<Option<Failure>> = Signal::derive(move || send.value().get().and_then(Result::err));
    if people.is_empty() {
        return view! {
            <p>
                "Nobody is marked as a test person yet. Open a user and choose " <strong>"Mark as a test person"</strong>
                ": tests reach marked people only."
            </p>
            <A href="/users">"All users"</A>
        }
        .into_any();
    }
    let names = StoredValue::new(people.clone());
    let row = move |person: TestPerson| {
        let id = person.id;
        let toggle = move |on: bool| {
            chosen.update(|chosen| {
                chosen.retain(|one| *one != id);
                if on {
                    chosen.push(id);
                }
            });
        };
        view! {
            <label class="check">
                <input type="checkbox" on:change:target=move |event| toggle(event.target().checked()) />
                <span>{person.name}</span>
            </label>
        }
    };
    // No form of its own: the dialog also opens inside the composer's, and forms cannot be nested.
    let submit = move |_| {
        if let Some((sender, template, topic)) = tested.get_untracked() {
            send.dispatch(TestSendForm { sender, template, topic, people: chosen.get_untracked() });
        }
    };
    let sent = move || {
        let messages = send.value().get().and_then(Result::ok)?;
        let one = move |message: TestMessage| {
            let name = names.with_value(|people| {
                people.iter().find(|one| one.id == message.user).map(|one| one.name.clone()).unwrap_or_default()
            });
            view! {
                <li>
                    <A href=format!("/messages/{}", message.key)>"Message to " {name}</A>
                </li>
            }
        };
        Some(view! {
            <div class="note note-ok" role="status">
                <p>"On its way, ahead of campaigns. What became of it, or which gate stopped it:"</p>
                <ul class="list-disc pl-5">{messages.into_iter().map(one).collect_view()}</ul>
            </div>
        })
    };
    view! {
        <div class="stack">
            <p class="text-muted">
                "The newest saved version goes out as it would in a campaign: consent, quiet hours and all other gates hold."
            </p>
            <fieldset class="stack-tight">
                <legend class="text-sm font-medium">{format!("To, at most {TEST_SEND_MAX}")}</legend>
                {people.into_iter().map(row).collect_view()}
                <p class="field-error" role="status">
                    {move || at_field(failure, "people").get()}
                </p>
            </fieldset>
            <FailureNote failure />
            {sent}
            <div class="actions">
                <Button
                    kind=ButtonKind::Primary
                    pending=send.pending()
                    on_click=submit
                    disabled=Signal::derive(move || chosen.read().is_empty())
                >
                    "Send the test"
                </Button>
            </div>
        </div>
    }
    .into_any()
}
