//! What other programs may do here, and what they are told.

mod endpoints;
mod keys;

pub use endpoints::{EndpointForm, events, health};

use crate::{
    api,
    components::{Load, Page, TableSkeleton},
    live,
};
use endpoints::Endpoints;
use keys::Keys;
use leptos::prelude::*;

/// Keys of the REST API, and webhooks.
#[component]
pub fn Integrations() -> impl IntoView {
    let keys = Resource::new(|| (), |()| api::api_keys::list());
    let endpoints = Resource::new(|| (), |()| api::webhooks::list());
    live::on_changed("webhooks", move || endpoints.refetch());
    let keys_changed = Callback::new(move |()| keys.refetch());
    let skeleton = || view! { <TableSkeleton columns=4 rows=3 /> };
    let documentation = || {
        // Not a page of the dashboard, so the browser goes there by itself.
        view! {
            <a class="btn" href="/api/docs" rel="external">
                "API documentation"
            </a>
        }
    };
    view! {
        <Page
            title="Integrations"
            lead="What other programs may do here, by keys of the REST API, and what they are told, by webhooks."
            action=documentation
        >
            <Load resource=keys skeleton view=move |keys| view! { <Keys keys changed=keys_changed /> } />
            <Load resource=endpoints skeleton view=move |endpoints| view! { <Endpoints endpoints /> } />
        </Page>
    }
}
