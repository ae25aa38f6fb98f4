//! The ledger of decisions: what each gate said, and why.

use super::messages::{CampaignChooser, Chooser, person};
use crate::{
    api,
    components::{Badge, Button, Empty, Load, NextPage, Page, Table, TableSkeleton, Tone, When},
    live,
};
use domain::{
    campaign::Listed,
    compliance::Gate,
    ids::{CampaignId, UserId},
    message::{DecisionEntry, DecisionQuery},
    page::{self, LIMIT_MAX, PageRequest},
};
use leptos::prelude::*;
use leptos_router::{
    components::{A, Form},
    hooks::use_query_map,
    params::ParamsMap,
};

/// What the URL asks for. Words that mean nothing are left out.
fn query_of(params: &ParamsMap) -> DecisionQuery {
    DecisionQuery {
        campaign: params.get_str("campaign").and_then(|text| text.parse().ok()),
        user: params.get_str("user").and_then(|text| text.parse().ok()),
        gate: params.get_str("gate").and_then(|text| text.parse().ok()),
    }
}

/// The decisions on a campaign's messages.
pub fn of_campaign(campaign: CampaignId) -> String {
    format!("/decisions?campaign={campaign}")
}

/// The decisions on a person's messages.
pub fn of_user(user: UserId) -> String {
    format!("/decisions?user={user}")
}

/// The verdict in a word.
pub fn verdict(verdict: &str) -> impl IntoView + use<> {
    let (tone, word) = if verdict == "skip" { (Tone::Plain, "Skipped") } else { (Tone::Wait, "Asked to wait") };
    view! { <Badge tone word /> }
}

/// The page.
#[component]
pub fn Decisions() -> impl IntoView {
    let params = use_query_map();
    let query = Memo::new(move |_| query_of(&params.read()));
    let after = Memo::new(move |_| params.read().get("after"));
    let decisions = Resource::new(
        move || (query.get(), after.get()),
        |(query, after)| api::messages::decisions(query, PageRequest::after(after)),
    );
    live::on_changed("messages", move || decisions.refetch());
    let campaigns =
        Resource::new(|| (), |()| api::campaigns::list(Listed::All, PageRequest { after: None, limit: LIMIT_MAX }));
    let is_filtered = Memo::new(move |_| *query.read() != DecisionQuery::default());
    let chosen = Signal::derive(move || query.read().campaign);
    let gates = Signal::derive(|| Gate::ALL.iter().map(|gate| (gate.to_string(), gate.label().to_owned())).collect());
    let gate = Signal::derive(move || query.read().gate.map(|gate| gate.to_string()).unwrap_or_default());
    let user = move || query.read().user.map(|id| view! { <input type="hidden" name="user" value=id.to_string() /> });
    view! {
        <Page
            title="Decisions"
            lead="Each time a gate skipped a message or told it to wait: which gate, the fact it used, and when it asks again. Lines are only added."
        >
            <Load
                resource=campaigns
                skeleton=|| view! { <div class="toolbar"><span class="skeleton"></span></div> }
                view=move |page| {
                    view! {
                        <Form method="GET" action="/decisions" attr:class="toolbar" attr:role="search">
                            {user}
                            <CampaignChooser campaigns=page.rows chosen />
                            <Chooser label="Gate" name="gate" chosen=gate choices=gates />
                            <div class="actions">
                                <Button submit=true>"Show"</Button>
                                <Show when=move || is_filtered.get()>
                                    <A href="/decisions" attr:class="btn btn-quiet">
                                        "Show all"
                                    </A>
                                </Show>
                            </div>
                        </Form>
                    }
                }
            />
            <Load
                resource=decisions
                skeleton=|| view! { <TableSkeleton columns=6 /> }
                view=move |page| list(page, is_filtered.get_untracked() || after.get_untracked().is_some())
            />
        </Page>
    }
}

fn list(page: page::Page<DecisionEntry>, is_part: bool) -> AnyView {
    if page.rows.is_empty() {
        return match is_part {
            true => view! { <Empty title="No such decisions">"Nothing matches this filter."</Empty> }.into_any(),
            false => view! {
                <Empty title="No decisions yet">
                    "Once a campaign meets someone who did not agree, whose night it is, or who had enough messages, the gate's word stands here."
                </Empty>
            }
            .into_any(),
        };
    }
    view! {
        <Table label="Decisions" head=vec!["Person", "Campaign", "Gate", "Verdict", "Asks again", "Decided"]>
            {page.rows.into_iter().map(row).collect_view()}
        </Table>
        <NextPage next=page.next />
    }
    .into_any()
}

fn row(entry: DecisionEntry) -> impl IntoView {
    let decision = entry.decision;
    let called = person(entry.user_name.as_ref(), entry.phone.as_ref());
    view! {
        <tr>
            <td data-label="Person">
                <A href=format!("/messages/{}", entry.key) attr:data-row="">
                    {called}
                </A>
            </td>
            <td data-label="Campaign">
                <A href=format!("/campaigns/{}", entry.key.campaign)>{entry.campaign_name}</A>
            </td>
            <td data-label="Gate">
                {decision.gate.label()} <p class="text-xs text-muted">{decision.fact}</p>
            </td>
            <td data-label="Verdict">{verdict(&decision.verdict)}</td>
            <td data-label="Asks again">
                {match decision.next_at {
                    Some(at) => view! { <When at /> }.into_any(),
                    None => "–".into_any(),
                }}
            </td>
            <td data-label="Decided">
                <When at=decision.at exact=true />
            </td>
        </tr>
    }
}
