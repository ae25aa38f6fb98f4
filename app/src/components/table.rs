//! Tables, and the links between their pages.

use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_location};
use std::borrow::Cow;

/// A table. On a narrow screen its rows become blocks, each cell led by its `data-label`.
#[component]
pub fn Table<H>(
    /// What the table holds, for those who cannot see it.
    #[prop(into)]
    label: String,
    /// The heads of its columns.
    head: Vec<H>,
    /// Its rows. In each, the link that opens it has `data-row`, so that `j` and `k` find it.
    children: Children,
) -> impl IntoView
where
    H: Into<Cow<'static, str>> + 'static,
{
    view! {
        <div class="table-frame">
            <table class="table" aria-label=label>
                <thead>
                    <tr>{head.into_iter().map(|text| text.into()).map(|text: Cow<'static, str>| view! { <th scope="col">{text}</th> }).collect_view()}</tr>
                </thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
}

/// How many pages back the address remembers.
const TRAIL_MAX: usize = 20;
/// Stands where the way back is longer than what is remembered.
const CUT: &str = "-";

/// Where the pages before this one began, the first page's left out; they are part of the URL (`?back=`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Trail(Vec<String>);

impl Trail {
    fn read(text: Option<String>) -> Self {
        let text = text.unwrap_or_default();
        Self(text.split(' ').filter(|place| !place.is_empty()).map(str::to_owned).collect())
    }

    /// The trail of the page behind the one that begins at `here`.
    fn after(&self, here: Option<&String>) -> Self {
        let mut places: Vec<String> = self.0.iter().chain(here).cloned().collect();
        if places.len() > TRAIL_MAX {
            places.drain(..places.len() - TRAIL_MAX);
            places[0] = CUT.to_owned();
        }
        Self(places)
    }

    /// Where the page before this one begins (`None`: it is the first page), and its own trail; nothing where the way back is
    /// not remembered.
    fn back(&self) -> Option<(Option<String>, Self)> {
        let mut places = self.0.clone();
        let place = places.pop();
        (place.as_deref() != Some(CUT)).then_some((place, Self(places)))
    }
}

/// The links to the first page, the one before and the next one. They are part of the URL (`?after=`), so a page can be
/// shared, and Back goes back.
#[component]
pub fn NextPage(
    /// Where the next page begins; `None` on the last.
    next: Option<String>,
) -> impl IntoView {
    let location = use_location();
    let link = move |after: Option<String>, trail: Trail| {
        let mut query = location.query.get_untracked();
        query.remove("after");
        query.remove("back");
        if let Some(after) = after {
            query.replace("after", after);
        }
        if !trail.0.is_empty() {
            query.replace("back", trail.0.join(" "));
        }
        format!("{}{}", location.pathname.get_untracked(), query.to_query_string())
    };
    let here = location.query.read_untracked().get("after");
    let trail = Trail::read(location.query.read_untracked().get("back"));
    let first =
        here.is_some().then(|| view! { <A href=link(None, Trail::default()) attr:class="btn">"First page"</A> });
    let before = here.is_some().then(|| trail.back()).flatten();
    let before = before.map(|(place, trail)| {
        view! { <A href=link(place, trail) attr:class="btn" attr:rel="prev">"Previous page"</A> }
    });
    let next = next.map(|after| {
        view! { <A href=link(Some(after), trail.after(here.as_ref())) attr:class="btn" attr:rel="next">"Next page"</A> }
    });
    view! { <nav class="pager" aria-label="Pages">{first}{before}{next}</nav> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_the_way_there_as_far_as_it_is_remembered() {
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let second = Trail::default().after(None);
        assert_eq!(second.back(), Some((None, Trail::default())), "before the second page is the first");
        let third = second.after(Some(&a));
        let fourth = third.after(Some(&b));
        assert_eq!(Trail::read(Some("a b".to_owned())), fourth);
        assert_eq!(fourth.back(), Some((Some(b), third.clone())));
        assert_eq!(third.back(), Some((Some(a), second)));
        let far = (0..50).fold(Trail::default(), |trail, n| trail.after(Some(&n.to_string())));
        let steps = std::iter::successors(Some(far), |trail| trail.back().map(|(_, trail)| trail)).count();
        assert_eq!(steps, TRAIL_MAX, "it ends rather than jumps to the first page");
    }
}
