//! The first step: to whom.

use super::draft::Draft;
use crate::{
    api::{self, Failure},
    components::{Choice, FilterInput, LinesSkeleton, Load, Select, failure::at_field},
    format, timing,
};
use domain::{
    filter,
    segment::{Segment, SegmentCount},
    topic::Topic,
};
use leptos::prelude::*;
use leptos_router::components::A;
use std::time::Duration;

/// How long typing rests before people are counted.
const COUNT_AFTER: Duration = Duration::from_millis(400);

/// The filter of a segment and a filter of one's own, both of which must match; `None` while one of them cannot be read.
fn combined(segment: Option<&str>, own: &str) -> Option<String> {
    let own = filter::parse(own).ok()?;
    let Some(segment) = segment else { return Some(own.to_string()) };
    Some(filter::parse(segment).ok()?.and(own).ok()?.to_string())
}

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
    let text = Memo::new(move |_| {
        let chosen = draft.segment.read();
        segments.with_value(|segments| {
            let segment = segments.iter().find(|one| one.id.to_string() == *chosen);
            combined(segment.map(|one| one.filter.as_str()), &draft.filter.read())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_and_a_filter_must_both_match() {
        assert_eq!(combined(None, "").as_deref(), Some(""));
        assert_eq!(combined(None, "city ="), None);
        let both = combined(Some("city = \"Colombo\""), "locale = \"si\"").expect("both can be read");
        assert!(both.contains("Colombo") && both.contains("si"), "{both}");
        assert_eq!(combined(Some("city ="), ""), None);
    }
}
