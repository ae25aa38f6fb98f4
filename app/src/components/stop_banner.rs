//! Says on every page that the kill switch is on.

use super::When;
use crate::{api, live};
use leptos::prelude::*;
use leptos_router::components::A;

/// The banner; nothing while sending is not stopped.
#[component]
pub fn StopBanner() -> impl IntoView {
    let stop = Resource::new(|| (), |()| api::health::stopped());
    live::on_changed("health", move || stop.refetch());
    let banner = move || {
        Suspend::new(async move {
            stop.await.ok().flatten().map(|stop| {
                view! {
                    <p class="note note-fail stop-banner" role="alert">
                        <strong>"All sending is stopped. "</strong>
                        {stop.reason}
                        " ("
                        {stop.by}
                        ", "
                        <When at=stop.since />
                        ") "
                        <A href="/health">"Health"</A>
                    </p>
                }
            })
        })
    };
    view! { <Transition>{banner}</Transition> }
}
