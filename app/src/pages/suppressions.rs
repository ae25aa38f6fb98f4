//! The suppression list: addresses that nobody messages.

use crate::{
    api,
    components::{frame::viewer_may, *},
};
use domain::{
    operator::Operation,
    page::{Page as Rows, PageRequest},
    suppression::Suppression,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The list, a look-up by number, and the forms that add and take off.
#[component]
pub fn Suppressions() -> impl IntoView {
    let query = use_query_map();
    let entries =
        Resource::new(move || query.read().get("after"), |after| api::suppressions::list(PageRequest::after(after)));
    let adding = RwSignal::new(false);
    let may_add = viewer_may(Operation::ConsentWrite);
    let refetch = Callback::new(move |()| entries.refetch());
    let add = move || {
        view! {
            <Show when=move || may_add.get()>
                <Button kind=ButtonKind::Primary on_click=move |_| adding.set(true)>
                    "Suppress a number"
                </Button>
            </Show>
        }
    };
    view! {
        <Page
            title="Suppressions"
            lead="Addresses that nobody messages, whatever an import or an operator says. The list holds keyed hashes, so it names nobody."
            action=add
        >
            <LookUp refetch />
            <Load resource=entries skeleton=|| view! { <TableSkeleton columns=4 /> } view=move |rows| list(rows, refetch) />
        </Page>
        <Dialog open=adding title="Suppress a number">
            <Suppress
                on_done=move || {
                    adding.set(false);
                    entries.refetch();
                }
            />
        </Dialog>
    }
}

fn list(entries: Rows<Suppression>, refetch: Callback<()>) -> AnyView {
    if entries.rows.is_empty() {
        return view! {
            <Empty title="Nobody is suppressed">
                "Erasing a person, a number that does not exist, or your own word puts an address here."
            </Empty>
        }
        .into_any();
    }
    view! {
        <EntryTable rows=entries.rows refetch />
        <NextPage next=entries.next />
    }
    .into_any()
}

#[component]
fn EntryTable(rows: Vec<Suppression>, refetch: Callback<()>) -> impl IntoView {
    let may_lift = viewer_may(Operation::SuppressionLift);
    let lifting = RwSignal::new(None::<Suppression>);
    let open = RwSignal::new(false);
    let row = move |entry: Suppression| {
        let short = entry.short().to_owned();
        let (at, channel, reason) = (entry.at, entry.channel.label(), entry.reason.clone());
        let lift = move |_| {
            lifting.set(Some(entry.clone()));
            open.set(true);
        };
        view! {
            <tr>
                <td data-label="Since">
                    <When at />
                </td>
                <td data-label="Channel">{channel}</td>
                <td data-label="Why">{reason}</td>
                <td data-label="Entry">
                    <code>{short}</code>
                </td>
                <td>
                    <Show when=move || may_lift.get()>
                        <Button kind=ButtonKind::Quiet on_click=lift.clone()>
                            "Take off"
                        </Button>
                    </Show>
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Suppressed addresses" head=vec!["Since", "Channel", "Why", "Entry", ""]>
            {rows.into_iter().map(row).collect_view()}
        </Table>
        <Dialog open title="Take an address off the list">
            {move || {
                lifting
                    .get()
                    .map(|entry| {
                        view! {
                            <Lift
                                entry
                                on_done=move || {
                                    open.set(false);
                                    refetch.run(());
                                }
                            />
                        }
                    })
            }}
        </Dialog>
    }
}

/// Whether a number is on the list.
#[component]
fn LookUp(refetch: Callback<()>) -> impl IntoView {
    let number = RwSignal::new(String::new());
    let ask = Action::new(|number: &String| api::suppressions::look_up(number.clone()));
    let failure = Signal::derive(move || ask.value().get().and_then(Result::err));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        ask.dispatch(number.get_untracked().trim().to_owned());
    };
    let again = Callback::new(move |()| {
        ask.dispatch(number.get_untracked().trim().to_owned());
        refetch.run(());
    });
    let answer = move || {
        ask.value().get().and_then(Result::ok).map(|found| match found.is_empty() {
            true => view! { <p>"This number is not on the list."</p> }.into_any(),
            false => view! { <EntryTable rows=found refetch=again /> }.into_any(),
        })
    };
    view! {
        <Card title="Is a number on it?">
            <form class="stack-tight" on:submit=submit>
                <TextInput
                    label="Number"
                    name="suppressed-number"
                    kind="tel"
                    value=number
                    placeholder="+94 77 123 4567"
                    hint="With + and country code."
                    error=field_error(failure, "number")
                />
                <div class="actions">
                    <Button submit=true pending=ask.pending()>
                        "Look it up"
                    </Button>
                </div>
                <div aria-live="polite">{answer}</div>
            </form>
        </Card>
    }
}

#[component]
fn Suppress(on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let (number, reason) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let save =
        Action::new(|(number, reason): &(String, String)| api::suppressions::suppress(number.clone(), reason.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = save.value().get() {
            toasts.say(Tone::Ok, "Nobody messages this number any more");
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch((number.get_untracked(), reason.get_untracked()));
    };
    view! {
        <form class="stack" on:submit=submit>
            <TextInput
                label="Number"
                name="suppress-number"
                kind="tel"
                value=number
                required=true
                hint="With + and country code. It is suppressed on every channel."
                error=field_error(failure, "number")
            />
            <TextInput
                label="Why"
                name="suppress-reason"
                value=reason
                required=true
                hint="For example: asked by letter on 12 May. It is shown where a message is held back."
                error=field_error(failure, "reason")
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Suppress it"
                </Button>
            </div>
        </form>
    }
}

#[component]
fn Lift(entry: Suppression, on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let reason = RwSignal::new(String::new());
    let (hash, why) = (entry.hash.clone(), entry.reason.clone());
    let save = Action::new(move |reason: &String| api::suppressions::lift(hash.clone(), reason.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = save.value().get() {
            toasts.say(Tone::Ok, "Taken off the list");
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(reason.get_untracked());
    };
    view! {
        <form class="stack" on:submit=submit>
            <p>{format!("It is there because: {why}.")}</p>
            <p class="note note-warn">
                "Whoever this is can be messaged again where they agreed to it. Consent stays as it is."
            </p>
            <TextInput
                label="Why it goes"
                name="lift-reason"
                value=reason
                required=true
                error=field_error(failure, "reason")
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Danger submit=true pending=save.pending()>
                    "Take it off"
                </Button>
            </div>
        </form>
    }
}
