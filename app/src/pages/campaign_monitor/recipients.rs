//! The campaign's messages, person by person.

use crate::{
    api,
    components::{Load, TableSkeleton, frame::viewer_may},
    live,
    pages::messages::{Filters, query_of, table},
};
use domain::{ids::CampaignId, operator::Operation, page::PageRequest};
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
    let may_export = viewer_may(Operation::UserExport);
    let file = move |form: &str| format!("/ui/campaigns/{id}/recipients.{form}");
    view! {
        <section class="stack" aria-label="People">
            <div class="row-between">
                <h2>"People"</h2>
                <Show when=move || may_export.get()>
                    <div class="actions">
                        <a class="btn btn-quiet" href=file("csv") download rel="external">
                            "Export CSV"
                        </a>
                        <a class="btn btn-quiet" href=file("jsonl") download rel="external">
                            "JSON lines"
                        </a>
                    </div>
                </Show>
            </div>
            <Filters campaigns=None query action=format!("/campaigns/{id}") />
            <Load
                resource=messages
                skeleton=|| view! { <TableSkeleton columns=5 /> }
                view=|page| table(page, false)
            />
        </section>
    }
}
