//! Segments: filters saved under a name.

use super::users::{number_or_id, users_matching};
use crate::{
    api::{self, Failure},
    components::{filter_input, frame::viewer_may, *},
    format,
};
use domain::{
    operator::Operation,
    page::PageRequest,
    segment::{Segment, SegmentCount, SegmentEstimate, SegmentMatch},
    user::UserSort,
};
use leptos::prelude::*;
use leptos_router::components::A;
use std::time::Duration;

/// How long the typing must rest before the count is asked for.
const COUNT_AFTER: Duration = Duration::from_millis(300);

/// The list of segments.
#[component]
pub fn Segments() -> impl IntoView {
    let segments = Resource::new(|| (), |()| api::segments::list());
    // Which segment is open: none, a new one, or one of the list.
    let editing = RwSignal::new(false);
    let open = RwSignal::new(None::<Segment>);
    let refetch = Callback::new(move |()| segments.refetch());
    let edit = Callback::new(move |segment: Option<Segment>| {
        open.set(segment);
        editing.set(true);
    });
    let may_add = viewer_may(Operation::ContentWrite);
    let add = move || {
        view! {
            <Show when=move || may_add.get()>
                <Button kind=ButtonKind::Primary on_click=move |_| edit.run(None)>
                    "New segment"
                </Button>
            </Show>
        }
    };
    view! {
        <Page title="Segments" lead="Filters over users, saved under a name. A segment always means who matches now." action=add>
            <Load resource=segments skeleton=|| view! { <TableSkeleton columns=3 /> } view=move |segments| list(segments, may_add, edit, refetch) />
        </Page>
        <Dialog
            open=editing
            title=Signal::derive(move || {
                open.get().map_or_else(|| "New segment".to_owned(), |segment| format!("Segment {}", segment.name))
            })
        >
            {move || {
                view! {
                    <SegmentForm
                        segment=open.get()
                        on_done=move || {
                            editing.set(false);
                            segments.refetch();
                        }
                    />
                }
            }}
        </Dialog>
    }
}

fn list(
    segments: Vec<Segment>,
    may_change: Signal<bool>,
    edit: Callback<Option<Segment>>,
    refetch: Callback<()>,
) -> AnyView {
    if segments.is_empty() {
        return view! {
            <Empty title="No segments yet">
                "A segment is a filter you use again: customers in Colombo, people who replied this month. Campaigns choose their audience by it."
            </Empty>
        }
        .into_any();
    }
    let row = move |segment: Segment| {
        let stored = StoredValue::new(segment.clone());
        view! {
            <tr>
                <td data-label="Name">
                    <A href=users_matching(&segment.filter) attr:data-row="">
                        {segment.name}
                    </A>
                </td>
                <td data-label="Filter">
                    <code>{segment.filter}</code>
                </td>
                <td data-label="Added">
                    <When at=segment.created_at />
                </td>
                <td>
                    <Show when=move || may_change.get()>
                        <span class="actions">
                            <Button kind=ButtonKind::Quiet on_click=move |_| edit.run(Some(stored.get_value()))>
                                "Edit"
                            </Button>
                            <Delete segment=stored.get_value() refetch />
                        </span>
                    </Show>
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Segments" head=vec!["Name", "Filter", "Added", ""]>
            {segments.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

/// A segment's name and filter, to save.
#[component]
fn SegmentForm(segment: Option<Segment>, on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let id = segment.as_ref().map(|segment| segment.id);
    let (name, filter) = segment.map(|segment| (segment.name, segment.filter)).unwrap_or_default();
    let (name, filter) = (RwSignal::new(name), RwSignal::new(filter));
    let save = Action::new(move |(name, filter): &(String, String)| {
        let (name, filter) = (name.clone(), filter.clone());
        async move {
            match id {
                Some(id) => api::segments::update(id, name, filter).await,
                None => api::segments::create(name, filter).await,
            }
        }
    });
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(segment)) = save.value().get() {
            toasts.say(Tone::Ok, format!("Saved the segment {}", segment.name));
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch((name.get_untracked(), filter.get_untracked()));
    };
    view! {
        <div class="stack">
            <form class="stack" on:submit=submit>
                <TextInput label="Name" name="segment-name" value=name required=true error=field_error(failure, "name") />
                <FilterBuilder value=filter />
                <FilterInput
                    label="The same as text"
                    name="segment-filter"
                    value=filter
                    rows=3
                    error=field_error(failure, "filter")
                />
                <LiveCount filter />
                <FailureNote failure />
                <div class="actions">
                    <Button
                        kind=ButtonKind::Primary
                        submit=true
                        pending=save.pending()
                        disabled=Signal::derive(move || filter_input::problem(&filter.read()).is_some())
                    >
                        "Save the segment"
                    </Button>
                </div>
            </form>
            <Matching filter />
        </div>
    }
}

/// Whether one person matches, and which condition says so.
#[component]
fn Matching(filter: RwSignal<String>) -> impl IntoView {
    let number = RwSignal::new(String::new());
    let ask = Action::new(move |number: &String| {
        let number = number.replace(['"', '\\'], "");
        let text = filter.get_untracked();
        async move {
            let page =
                api::users::list(format!("phone = \"{number}\""), UserSort::Newest, PageRequest::default()).await?;
            match page.rows.into_iter().next() {
                Some(user) => Ok((user.label(), Some(api::segments::explain(text, user.id).await?))),
                None => Ok((number, None)),
            }
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        ask.dispatch(number.get_untracked().trim().to_owned());
    };
    let answer = move || {
        ask.value().get().map(|answer: Result<(String, Option<SegmentMatch>), Failure>| match answer {
            Err(failure) => view! { <p class="field-error">{failure.detail().to_owned()}</p> }.into_any(),
            Ok((number, None)) => {
                view! { <p class="text-muted">{format!("Nobody has the number {number}.")}</p> }.into_any()
            }
            Ok((label, Some(found))) => {
                let verdict = if found.matches { "matches" } else { "does not match" };
                view! {
                    <p class="font-semibold">{format!("{label} {verdict}.")}</p>
                    <Matched found />
                }
                .into_any()
            }
        })
    };
    view! {
        <form class="stack-tight" on:submit=submit>
            <TextInput
                label="Does this person match?"
                name="match-phone"
                kind="tel"
                value=number
                placeholder="+94 77 123 4567"
                hint="The number as it is kept, with + and country code."
            />
            <div class="actions">
                <Button submit=true pending=ask.pending()>
                    "Ask"
                </Button>
            </div>
            <div aria-live="polite">{answer}</div>
        </form>
    }
}

/// The end of a segment.
#[component]
fn Delete(segment: Segment, refetch: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let id = segment.id;
    let name = segment.name;
    let delete = Action::new(move |(): &()| api::segments::delete(id));
    Effect::new(move || match delete.value().get() {
        Some(Ok(())) => {
            toasts.say(Tone::Ok, format!("Deleted the segment {name}"));
            refetch.run(());
        }
        Some(Err(error)) => toasts.say(Tone::Fail, error.detail().to_owned()),
        None => {}
    });
    view! {
        <Button
            kind=ButtonKind::Quiet
            pending=delete.pending()
            on_click=move |_| {
                delete.dispatch(());
            }
        >
            "Delete"
        </Button>
    }
}

/// How many people a filter matches, and a few of them, as it is typed.
#[component]
pub fn LiveCount(
    /// The filter's text.
    #[prop(into)]
    filter: Signal<String>,
) -> impl IntoView {
    // The text that was typed last, once the typing rests and it can be read.
    let rested = RwSignal::new(None::<String>);
    Effect::new(move |waiting: Option<Option<TimeoutHandle>>| {
        if let Some(Some(waiting)) = waiting {
            waiting.clear();
        }
        let text = filter.get();
        if filter_input::problem(&text).is_some() {
            return None;
        }
        let ask = move || {
            rested.try_set(Some(text));
        };
        set_timeout_with_handle(ask, COUNT_AFTER).ok()
    });
    // Each answer with the text that it is of, so that none stands beside another's.
    let count = LocalResource::new(move || asked(rested.get(), api::segments::count));
    let estimate = LocalResource::new(move || asked(rested.get(), api::segments::estimate));
    let shown = move || {
        let text = rested.get();
        let now = |(of, answer)| (Some(of) == text).then_some(answer);
        match (count.get().flatten().and_then(now), estimate.get().flatten()) {
            (Some(Ok(count)), _) => view! { <Counted count /> }.into_any(),
            (Some(Err(failure)), _) => view! { <p class="field-error">{failure.detail().to_owned()}</p> }.into_any(),
            (None, Some((of, Ok(estimate)))) if Some(&of) == text.as_ref() => {
                view! { <Estimated estimate /> }.into_any()
            }
            _ => view! { <p class="text-muted">"Counting…"</p> }.into_any(),
        }
    };
    // The height is kept, so that the button under it stays where it is while one types.
    view! { <div class="live-count" aria-live="polite">{shown}</div> }
}

/// What the server answers of a text, with the text.
async fn asked<T, F: Future<Output = Result<T, Failure>>>(
    text: Option<String>,
    ask: impl FnOnce(String) -> F,
) -> Option<(String, Result<T, Failure>)> {
    let text = text?;
    Some((text.clone(), ask(text).await))
}

/// The number before it is exact, with how far it may be off.
#[component]
fn Estimated(estimate: SegmentEstimate) -> impl IntoView {
    let SegmentEstimate { about, least, most, .. } = estimate;
    view! {
        <p class="font-semibold">"About " {format::counted(about, "person matches", "people match")} ", counting…"</p>
        <p class="text-muted">{format!("Between {} and {}", format::number(least), format::number(most))}</p>
    }
}

#[component]
fn Counted(count: SegmentCount) -> impl IntoView {
    let names = count.sample.iter().take(3).map(|user| match &user.name {
        Some(name) => name.clone(),
        None => number_or_id(user),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    view! {
        <p class="font-semibold">{format::counted(count.total, "person matches", "people match")} " now"</p>
        <p class="text-muted">{(!names.is_empty()).then(|| format!("Among them {names}"))}</p>
    }
}
