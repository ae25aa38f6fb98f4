//! The campaign's messages, person by person.

use crate::{
    api,
    components::{Load, TableSkeleton},
    live,
    pages::messages::{Filters, query_of, table},
};
use domain::{ids::CampaignId, page::PageRequest};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The messages of one campaign, filtered by the URL.
#[component]
pub fn Recipients(
    /// Which campaign.
    id: CampaignId,
) -> impl IntoView {
    let params = use_query_map();
    let query = Memo::new(move |_| {
        let mut query = query_of(&params.read());
        query.campaign = Some(id);
        query
    });
    let after = Memo::new(move |_| params.read().get("after"));
    let messages = Resource::new(
        move || (query.get(), after.get()),
        |(query, after)| api::messages::list(query, PageRequest::after(after)),
    );
    live::on_changed("messages", move || messages.refetch());
    view! {
        <section class="stack" aria-label="People">
            <h2>"People"</h2>
            <Filters campaigns=None query action=format!("/campaigns/{id}") />
            <Load
                resource=messages
                skeleton=|| view! { <TableSkeleton columns=5 /> }
                view=|page| table(page, false)
            />
        </section>
    }
}
