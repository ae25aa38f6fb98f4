//! Where the messages stand: the funnel and the balance.

use crate::{components::Card, format, pages::messages::of_state};
use domain::{
    campaign::Progress,
    ids::CampaignId,
    message::{Bucket, State},
    phone::Channel,
};
use leptos::prelude::*;
use leptos_router::components::A;

/// A stage of the funnel: its name, and how many people are in it.
type Stage = (&'static str, fn(&Progress) -> i64);

const STAGES: [Stage; 6] = [
    ("Audience", |progress| progress.audience),
    ("Sent", |progress| progress.bucket(Bucket::Sent)),
    ("Delivered", |progress| progress.reached(State::Delivered)),
    ("Read", |progress| progress.reached(State::Read)),
    ("Replied", |progress| progress.replied),
    ("Opted out", |progress| progress.opted_out),
];

/// From the audience to the replies.
#[component]
pub fn Funnel(
    /// The counters.
    progress: RwSignal<Progress>,
    /// By what it goes.
    channel: Option<Channel>,
) -> impl IntoView {
    let stage = move |(name, count): Stage| {
        let n = move || count(&progress.read());
        let share = move || {
            let audience = progress.read().audience;
            if audience == 0 { 0.0 } else { n() as f64 / audience as f64 }
        };
        view! {
            <tr>
                <th scope="row" class="py-1 pr-3 text-left font-normal whitespace-nowrap">
                    {name}
                </th>
                <td class="w-full py-1">
                    <div class="h-2 rounded-sm bg-sunken">
                        <div
                            class="h-2 rounded-sm bg-accent transition-[width] duration-200"
                            style:width=move || format!("{:.2}%", share().clamp(0.0, 1.0) * 100.0)
                        ></div>
                    </div>
                </td>
                <td class="num py-1 pl-3 font-semibold">{move || format::number(n())}</td>
                <td class="num min-w-20 py-1 pl-3 text-muted">{move || format::share(n(), progress.read().audience)}</td>
            </tr>
        }
    };
    let no_receipts = channel == Some(Channel::Sms);
    view! {
        <Card title="Funnel">
            <table class="w-full tabular-nums" aria-label="Funnel">
                <tbody>{STAGES.map(stage).collect_view()}</tbody>
            </table>
            {no_receipts
                .then(|| view! { <p class="pt-2 text-xs text-muted">"Phones do not report that an SMS was read."</p> })}
        </Card>
    }
}

/// Every message once, and that they sum up to the audience.
#[component]
pub fn Balance(
    /// Which campaign.
    id: CampaignId,
    /// The counters.
    progress: RwSignal<Progress>,
) -> impl IntoView {
    let row = move |bucket: Bucket| {
        let states = move || {
            let progress = progress.read();
            let within = progress.states.iter().filter(|(state, n)| state.bucket() == bucket && *n > 0);
            let link = |(state, n): &(State, i64)| {
                let words = format!("{} {}", state.label(), format::number(*n));
                view! { <A href=of_state(id, *state)>{words}</A> }
            };
            within.map(link).collect_view()
        };
        view! {
            <tr>
                <th scope="row" class="py-1 pr-3 text-left font-normal whitespace-nowrap">
                    {bucket.label()}
                </th>
                <td class="w-full py-1">
                    <span class="flex flex-wrap gap-x-3 text-xs">{states}</span>
                </td>
                <td class="num py-1 pl-3 font-semibold">{move || format::number(progress.read().bucket(bucket))}</td>
            </tr>
        }
    };
    let sum = move || Bucket::ALL.iter().map(|bucket| progress.read().bucket(*bucket)).sum::<i64>();
    let verdict = move || {
        let progress = progress.read();
        if progress.balances() {
            view! { <span class="text-ok">"✓ equals the audience"</span> }.into_any()
        } else {
            let audience = format::number(progress.audience);
            view! { <span class="text-fail">"× the audience is " {audience}</span> }.into_any()
        }
    };
    view! {
        <Card title="Balance">
            <table class="w-full tabular-nums" aria-label="Balance">
                <tbody>{Bucket::ALL.map(row).collect_view()}</tbody>
                <tfoot class="border-t border-line">
                    <tr>
                        <th scope="row" class="py-1 pr-3 text-left">
                            "Sum"
                        </th>
                        <td class="py-1 text-xs">{verdict}</td>
                        <td class="num py-1 pl-3 font-semibold">{move || format::number(sum())}</td>
                    </tr>
                </tfoot>
            </table>
        </Card>
    }
}
