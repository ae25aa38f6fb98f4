//! Why messages were skipped, wait, or failed, and what to do.

use crate::{
    components::{Card, Table},
    format,
    pages::{
        decisions::{of_campaign, verdict},
        messages::{of_error, of_gate},
    },
};
use domain::{
    campaign::{ErrorCount, GateCount, Progress},
    ids::CampaignId,
};
use leptos::prelude::*;
use leptos_router::components::A;

/// How many messages each gate stopped.
#[component]
pub fn Gates(
    /// Which campaign.
    id: CampaignId,
    /// The counters.
    progress: RwSignal<Progress>,
) -> impl IntoView {
    let gates = Memo::new(move |_| progress.read().gates.clone());
    let row = move |one: GateCount| {
        view! {
            <tr>
                <td data-label="Gate">
                    <A href=of_gate(id, one.gate)>{one.gate.label()}</A>
                </td>
                <td data-label="Verdict">{verdict(&one.verdict)}</td>
                <td data-label="Times" class="num">
                    {format::number(one.count)}
                </td>
            </tr>
        }
    };
    view! {
        <Card title="Gates" flush=true>
            <Show
                when=move || !gates.read().is_empty()
                fallback=|| view! { <p class="card-body text-muted">"No gate stopped or delayed a message."</p> }
            >
                <Table label="Gates" head=vec!["Gate", "Verdict", "Times"]>
                    {move || gates.get().into_iter().map(row).collect_view()}
                </Table>
                <p class="card-body">
                    <A href=of_campaign(id)>"All decisions"</A>
                </p>
            </Show>
        </Card>
    }
}

/// Failures by the provider's code, in words.
#[component]
pub fn Errors(
    /// Which campaign.
    id: CampaignId,
    /// The counters.
    progress: RwSignal<Progress>,
) -> impl IntoView {
    let errors = Memo::new(move |_| progress.read().errors.clone());
    let row = move |one: ErrorCount| {
        view! {
            <tr>
                <td data-label="What">
                    {one.text} " " <span class="text-xs text-muted">{one.code}</span>
                    <p class="text-xs text-muted">{one.advice}</p>
                </td>
                <td data-label="Messages" class="num">
                    <A href=of_error(id, one.code)>{format::number(one.count)}</A>
                </td>
            </tr>
        }
    };
    view! {
        <Card title="Errors" flush=true>
            <Show
                when=move || !errors.read().is_empty()
                fallback=|| view! { <p class="card-body text-muted">"The provider reported no error."</p> }
            >
                <Table label="Errors" head=vec!["What it means, and what to do", "Messages"]>
                    {move || errors.get().into_iter().map(row).collect_view()}
                </Table>
            </Show>
        </Card>
    }
}
