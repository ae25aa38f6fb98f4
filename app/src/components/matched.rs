//! What each condition of a filter says of a person.

use domain::segment::SegmentMatch;
use leptos::prelude::*;

/// The conditions, each with whether it holds and whether it decides.
#[component]
pub fn Matched(
    /// What they say.
    found: SegmentMatch,
) -> impl IntoView {
    let condition = |one: domain::filter::Explanation| {
        view! {
            <li>
                {if one.holds { "✓ " } else { "✗ " }} <code>{one.text}</code>
                {if one.holds { " holds" } else { " does not hold" }}
                {one.decides.then_some(", and decides it")}
            </li>
        }
    };
    view! { <ul>{found.conditions.into_iter().map(condition).collect_view()}</ul> }
}
