//! Work that was given up: each piece is tried again or thrown away by a person.

use crate::{
    api,
    components::{
        Button, ButtonKind, Card, FailureNote, Load, NextPage, Table, TableSkeleton, Tabs, Toasts, Tone, When,
        frame::viewer_may,
    },
    live,
};
use domain::{
    dead_letter::{DeadLetter, Resolution},
    ids::DeadLetterId,
    operator::Operation,
    page::{Page, PageRequest},
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};

/// The kinds of work that can be given up, with their words: the names of the queues.
const KINDS: [(&str, &str); 4] =
    [("deliver", "Sending"), ("expand", "Audiences"), ("import", "Imports"), ("reconcile", "Unknown outcomes")];

fn address(kind: Option<&str>) -> String {
    kind.map_or_else(|| "/health".to_owned(), |kind| format!("/health?kind={kind}"))
}

/// The list, with its filter in the URL.
#[component]
pub fn DeadLetters() -> impl IntoView {
    let query = use_query_map();
    let kind = Memo::new(move |_| query.read().get("kind"));
    let after = Memo::new(move |_| query.read().get("after"));
    let letters = Resource::new(
        move || (kind.get(), after.get()),
        |(kind, after)| api::health::dead_letters(kind, PageRequest::after(after)),
    );
    live::on_changed("health", move || letters.refetch());
    let all = std::iter::once((address(None), "All".to_owned()));
    let tabs = all.chain(KINDS.map(|(kind, words)| (address(Some(kind)), words.to_owned()))).collect();
    view! {
        <Card title="Given up" flush=true>
            <Tabs label="Kind of work" tabs current=Signal::derive(move || address(kind.get().as_deref())) />
            <Load
                resource=letters
                skeleton=|| view! { <TableSkeleton columns=5 rows=2 /> }
                view=move |page| list(page, Callback::new(move |()| letters.refetch()))
            />
        </Card>
    }
}

fn list(page: Page<DeadLetter>, decided: Callback<()>) -> AnyView {
    if page.rows.is_empty() {
        return view! { <p class="card-body text-muted">"Nothing was given up, or all of it was decided on."</p> }
            .into_any();
    }
    view! {
        <Table label="Work that was given up" head=vec!["When", "Work", "About", "Why", "Decide"]>
            {page.rows.into_iter().map(|letter| row(letter, decided)).collect_view()}
        </Table>
        <NextPage next=page.next />
    }
    .into_any()
}

fn row(letter: DeadLetter, decided: Callback<()>) -> impl IntoView {
    let words =
        KINDS.iter().find(|(kind, _)| *kind == letter.kind).map_or(letter.kind.clone(), |(_, w)| (*w).to_owned());
    let href = match letter.subject.split_once(':') {
        Some(("campaign", id)) => Some(format!("/campaigns/{id}")),
        Some(("message", key)) => Some(format!("/messages/{key}")),
        Some(("import", id)) => Some(format!("/import/{id}")),
        Some(_) | None => None,
    };
    let subject = match href {
        Some(href) => view! {
            <A href=href attr:data-row="">
                <code class="break-all">{letter.subject}</code>
            </A>
        }
        .into_any(),
        None => view! { <code class="break-all">{letter.subject}</code> }.into_any(),
    };
    let payload = format!("{:#}", letter.payload);
    view! {
        <tr>
            <td data-label="When">
                <When at=letter.at />
            </td>
            <td data-label="Work">{words}</td>
            <td data-label="About">{subject}</td>
            <td data-label="Why">
                {letter.reason}
                <details>
                    <summary>"What was kept of it"</summary>
                    <pre class="pre">{payload}</pre>
                </details>
            </td>
            <td data-label="Decide">
                <Decide id=letter.id decided />
            </td>
        </tr>
    }
}

#[component]
fn Decide(id: DeadLetterId, decided: Callback<()>) -> impl IntoView {
    let may = viewer_may(Operation::MessageReview);
    let toasts = Toasts::here();
    let resolve = Action::new(move |resolution: &Resolution| api::health::resolve(id, *resolution));
    let failure = Signal::derive(move || resolve.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(letter)) = resolve.value().get() {
            let said = if letter.resolution == Some(Resolution::Discarded) { "Discarded" } else { "It is tried again" };
            toasts.say(Tone::Ok, said);
            decided.run(());
        }
    });
    let decide = move |resolution: Resolution| {
        resolve.dispatch(resolution);
    };
    view! {
        <Show when=move || may.get()>
            <div class="actions">
                <Button pending=resolve.pending() on_click=move |_| decide(Resolution::Redriven)>
                    "Try again"
                </Button>
                <Button kind=ButtonKind::Quiet pending=resolve.pending() on_click=move |_| decide(Resolution::Discarded)>
                    "Discard"
                </Button>
            </div>
        </Show>
        <FailureNote failure />
    }
}
