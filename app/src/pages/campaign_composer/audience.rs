//! The first step: to whom.

use super::draft::Draft;
use crate::{
    api::{self, Failure},
    components::{Choice, FilterInput, LinesSkeleton, Load, Select, TextInput, failure::at_field},
    format, timing,
};
use domain::{
    campaign::audience_filter,
    segment::{Segment, SegmentCount},
    topic::Topic,
};
use leptos::prelude::*;
use leptos_router::components::A;
use std::time::Duration;

/// How long typing rests before people are counted.
const COUNT_AFTER: Duration = Duration::from_millis(400);

/// Whom the campaign is for.
#[component]
pub fn AudienceStep(
    /// What is being written.
    draft: Draft,
    /// The saved segments.
    segments: Vec<Segment>,
    /// The topics.
    topics: Vec<Topic>,
    /// Why the last attempt to go on failed.
    failure: Signal<Option<Failure>>,
) -> impl IntoView {
    let any = |words: &str| std::iter::once((String::new(), words.to_owned()));
    let segment_choices: Vec<Choice> =
        any("Everyone").chain(segments.iter().map(|one| (one.id.to_string(), one.name.clone()))).collect();
    let topic_choices: Vec<Choice> = any("No topic")
        .chain(topics.iter().map(|one| (one.id.to_string(), format!("{}: {}", one.name, one.kind.label()))))
        .collect();
    let segments = StoredValue::new(segments);
    // The one filter that all of it means; nothing while a part cannot be read.
    let text = Memo::new(move |_| {
        let audience = draft.form().ok()?.audience;
        segments.with_value(|segments| {
            let of = |id| segments.iter().find(|one| one.id == id).map(|one| one.filter.as_str());
            let excluded: Vec<&str> = audience.exclusions.segments.iter().filter_map(|id| of(*id)).collect();
            let filter = audience_filter(&audience, audience.segment.and_then(of), &excluded);
            filter.ok().map(|filter| filter.to_string())
        })
    });
    let settled = timing::settled(text, COUNT_AFTER);
    let count = Resource::new(
        move || settled.get(),
        |text| async move {
            match text {
                Some(text) => api::segments::count(text).await.map(Some),
                None => Ok(None),
            }
        },
    );
    view! {
        <div class="grid-2">
            <div class="stack">
                <Select
                    label="Segment"
                    name="segment"
                    value=draft.segment
                    choices=segment_choices
                    hint="A saved filter. With a filter below, both must match."
                    error=at_field(failure, "audience/segment")
                />
                <FilterInput
                    label="Filter"
                    name="filter"
                    value=draft.filter
                    rows=2
                    error=at_field(failure, "audience/filter")
                />
                <Exclusions draft segments failure />
                <Select
                    label="Topic"
                    name="topic"
                    value=draft.topic
                    choices=topic_choices
                    hint="With a topic, only those whom it reaches get the message."
                    error=at_field(failure, "topic")
                />
            </div>
            <div aria-live="polite">
                <Load resource=count skeleton=|| view! { <LinesSkeleton lines=3 /> } view=counted />
            </div>
        </div>
    }
}

fn counted(count: Option<SegmentCount>) -> impl IntoView {
    let Some(count) = count else {
        return view! { <p class="text-muted">"People are counted once the filter can be read."</p> }.into_any();
    };
    let person = |user: domain::user::User| {
        let label = user.label();
        view! {
            <li>
                <A href=format!("/users/{}", user.id)>{label}</A>
            </li>
        }
    };
    let some = (!count.sample.is_empty()).then(|| {
        let people = count.sample.into_iter().map(person).collect_view();
        view! {
            <p class="text-xs text-muted">"Some of them"</p>
            <ul class="flex flex-wrap gap-x-4 gap-y-1">{people}</ul>
        }
    });
    view! {
        <div class="stack-tight">
            <p class="text-lg font-semibold">{format::counted(count.total, "person matches", "people match")}</p>
            <p class="text-muted">
                "Who did not agree to the channel, left the topic, or lacks an address is skipped, and counted as such."
            </p>
            {some}
        </div>
    }
    .into_any()
}

/// Whom to leave out, though they match.
#[component]
fn Exclusions(draft: Draft, segments: StoredValue<Vec<Segment>>, failure: Signal<Option<Failure>>) -> impl IntoView {
    let choice = move |segment: Segment| {
        let id = segment.id;
        view! {
            <label class="check">
                <input
                    type="checkbox"
                    id=format!("exclude-{id}")
                    prop:checked=move || draft.excluded.read().contains(&id)
                    on:change:target=move |event| {
                        let on = event.target().checked();
                        draft
                            .excluded
                            .update(|ids| {
                                ids.retain(|one| *one != id);
                                if on {
                                    ids.push(id);
                                }
                            });
                    }
                />
                {segment.name}
            </label>
        }
    };
    let choices = segments.get_value().into_iter().map(choice).collect_view();
    let has_choices = !segments.get_value().is_empty();
    let error = at_field(failure, "audience/exclusions/segments");
    view! {
        {has_choices
            .then(|| {
                view! {
                    <fieldset class="stack-tight">
                        <legend class="field-label">"Leave out"</legend>
                        {choices}
                        <p class="field-error" role="status">
                            {move || error.get()}
                        </p>
                    </fieldset>
                }
            })}
        <TextInput
            label="Leave out whoever was messaged within so many days"
            name="messaged_within_days"
            value=draft.messaged_within_days
            input_mode="numeric"
            hint="Left empty, nobody is left out for that."
            error=at_field(failure, "audience/exclusions/messaged_within_days")
        />
    }
}
