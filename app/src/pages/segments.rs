//! Segments: filters saved under a name.

use super::users::{number_or_id, users_matching};
use crate::{
    api,
    components::{filter_input, frame::viewer_may, *},
    format,
};
use domain::{operator::Operation, segment::Segment, segment::SegmentCount};
use leptos::prelude::*;
use leptos_router::components::A;
use std::time::Duration;

/// How long the typing must rest before the count is asked for.
const COUNT_AFTER: Duration = Duration::from_millis(300);

/// The list of segments.
#[component]
pub fn Segments() -> impl IntoView {
    let segments = Resource::new(|| (), |()| api::segments::list());
    let adding = RwSignal::new(false);
    let may_add = viewer_may(Operation::ContentWrite);
    let add = move || {
        view! {
            <Show when=move || may_add.get()>
                <Button kind=ButtonKind::Primary on_click=move |_| adding.set(true)>
                    "New segment"
                </Button>
            </Show>
        }
    };
    view! {
        <Page title="Segments" lead="Filters over users, saved under a name. A segment always means who matches now." action=add>
            <Load resource=segments skeleton=|| view! { <TableSkeleton columns=3 /> } view=list />
        </Page>
        <Dialog open=adding title="New segment">
            <NewSegment
                on_done=move || {
                    adding.set(false);
                    segments.refetch();
                }
            />
        </Dialog>
    }
}

fn list(segments: Vec<Segment>) -> AnyView {
    if segments.is_empty() {
        return view! {
            <Empty title="No segments yet">
                "A segment is a filter you use again: customers in Colombo, people who replied this month. Campaigns choose their audience by it."
            </Empty>
        }
        .into_any();
    }
    let row = |segment: Segment| {
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
            </tr>
        }
    };
    view! {
        <Table label="Segments" head=vec!["Name", "Filter", "Added"]>
            {segments.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

#[component]
fn NewSegment(on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let (name, filter) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let save = Action::new(|(name, filter): &(String, String)| api::segments::create(name.clone(), filter.clone()));
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
        <form class="stack" on:submit=submit>
            <TextInput label="Name" name="segment-name" value=name required=true error=field_error(failure, "name") />
            <FilterInput
                label="Filter"
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
    let count = LocalResource::new(move || {
        let text = rested.get();
        async move {
            match text {
                Some(text) => Some(api::segments::count(text).await),
                None => None,
            }
        }
    });
    let shown = move || match count.get().flatten() {
        None => view! { <p class="text-muted">"Counting…"</p> }.into_any(),
        Some(Ok(count)) => view! { <Counted count /> }.into_any(),
        Some(Err(failure)) => view! { <p class="field-error">{failure.detail().to_owned()}</p> }.into_any(),
    };
    // The height is kept, so that the button under it stays where it is while one types.
    view! { <div class="live-count" aria-live="polite">{shown}</div> }
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
