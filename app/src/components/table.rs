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

/// The links to the first page and to the next one. They are part of the URL (`?after=`), so a page can be shared, and Back
/// goes back.
#[component]
pub fn NextPage(
    /// Where the next page begins; `None` on the last.
    next: Option<String>,
) -> impl IntoView {
    let location = use_location();
    let link = move |after: Option<String>| {
        let mut query = location.query.get_untracked();
        query.remove("after");
        if let Some(after) = after {
            query.replace("after", after);
        }
        format!("{}{}", location.pathname.get_untracked(), query.to_query_string())
    };
    let beyond_first = location.query.read_untracked().get("after").is_some();
    let first = beyond_first.then(|| view! { <A href=link(None) attr:class="btn">"First page"</A> });
    let next = next.map(|after| view! { <A href=link(Some(after)) attr:class="btn" attr:rel="next">"Next page"</A> });
    view! { <nav class="pager" aria-label="Pages">{first}{next}</nav> }
}
