//! All campaigns: where each stands, how far it is, and how fast.

use crate::{
    api,
    components::{
        ButtonKind, Empty, LinkButton, Load, NextPage, Page, ProgressBar, Table, TableSkeleton, Tabs, When, badge,
        frame::viewer_may,
    },
    format, live, timing,
};
use domain::{
    campaign::{Campaign, CampaignRow, CampaignStatus},
    message::{Bucket, State},
    operator::Operation,
    page::{self, PageRequest},
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};
use std::time::Duration;

/// How often counters are read again while a listed campaign sends.
const READ_EVERY: Duration = Duration::from_secs(3);
const COLUMNS: [&str; 7] = ["Campaign", "Status", "Settled", "A second", "Sent", "Delivered", "Failed"];

fn address(status: Option<CampaignStatus>) -> String {
    status.map_or_else(|| "/campaigns".to_owned(), |status| format!("/campaigns?status={status}"))
}

/// The campaigns page.
#[component]
pub fn Campaigns() -> impl IntoView {
    let query = use_query_map();
    let status = Memo::new(move |_| query.read().get("status").and_then(|word| word.parse::<CampaignStatus>().ok()));
    let after = Memo::new(move |_| query.read().get("after"));
    let campaigns = Resource::new(
        move || (status.get(), after.get()),
        |(status, after)| api::campaigns::list(status, PageRequest::after(after)),
    );
    live::on_changed("campaigns", move || campaigns.refetch());
    let is_sending = StoredValue::new(false);
    timing::every(READ_EVERY, move || {
        if is_sending.get_value() {
            campaigns.refetch();
        }
    });
    let show = move |page: page::Page<CampaignRow>| {
        is_sending.set_value(page.rows.iter().any(|row| row.campaign.status == CampaignStatus::Running));
        list(page, status.get_untracked(), after.get_untracked().is_some())
    };
    let may_write = viewer_may(Operation::CampaignWrite);
    let tabs = std::iter::once((address(None), "All".to_owned()))
        .chain(CampaignStatus::ALL.iter().map(|status| (address(Some(*status)), status.label().to_owned())))
        .collect();
    view! {
        <Page
            title="Campaigns"
            lead="What goes out, to whom, and how far it is."
            action=move || view! { <Show when=move || may_write.get()>{new_campaign()}</Show> }
        >
            <Tabs label="Status" tabs=tabs current=Signal::derive(move || address(status.get())) />
            <Load
                resource=campaigns
                skeleton=|| view! { <TableSkeleton columns=COLUMNS.len() /> }
                view=show
            />
        </Page>
    }
}

fn new_campaign() -> impl IntoView {
    view! {
        <LinkButton href="/campaigns/new" kind=ButtonKind::Primary>
            "New campaign"
        </LinkButton>
    }
}

fn list(page: page::Page<CampaignRow>, status: Option<CampaignStatus>, beyond_first: bool) -> impl IntoView {
    if page.rows.is_empty() {
        return match status {
            Some(status) => {
                let title = format!("No campaign is {}", status.label().to_lowercase());
                view! { <Empty title=title>"Campaigns that are will be listed here."</Empty> }.into_any()
            }
            None if beyond_first => view! { <Empty title="Nothing further">"This was the last page."</Empty> }.into_any(),
            None => view! {
                <Empty title="No campaigns yet" action=|| new_campaign().into_any()>
                    "A campaign sends one message to everyone whom a filter finds and who agreed to the channel. Write the first: you see whom it reaches and what they get before anything is sent."
                </Empty>
            }
            .into_any(),
        };
    }
    view! {
        <Table label="Campaigns" head=COLUMNS.to_vec()>
            {page.rows.into_iter().map(row).collect_view()}
        </Table>
        <NextPage next=page.next />
    }
    .into_any()
}

fn row(CampaignRow { campaign, progress }: CampaignRow) -> impl IntoView {
    let started = progress.audience > 0 || campaign.launched_at.is_some();
    let label = format!("Settled messages of {}", campaign.form.name);
    let settled = if started {
        let share = progress.settled_share();
        let of = format!("of {}", format::counted(progress.audience, "person", "people"));
        view! {
            <ProgressBar share=share label=label />
            <span class="text-xs text-muted">{of}</span>
        }
        .into_any()
    } else {
        view! { <span class="text-muted">"–"</span> }.into_any()
    };
    let figure = move |n: i64| if started { format::number(n) } else { "–".to_owned() };
    let rate = match campaign.status {
        CampaignStatus::Running => format::rate(progress.rate_now),
        _ => "–".to_owned(),
    };
    let (told, status) = (told(&campaign), badge::status(&campaign.status));
    view! {
        <tr>
            <td data-label="Campaign">
                <A href=format!("/campaigns/{}", campaign.id) attr:data-row="">
                    {campaign.form.name}
                </A>
                <p class="text-xs text-muted">{told}</p>
            </td>
            <td data-label="Status">{status}</td>
            <td data-label="Settled">{settled}</td>
            <td data-label="A second" class="num">
                {rate}
            </td>
            <td data-label="Sent" class="num">
                {figure(progress.bucket(Bucket::Sent))}
            </td>
            <td data-label="Delivered" class="num">
                {figure(progress.reached(State::Delivered))}
            </td>
            <td data-label="Failed" class="num">
                {figure(progress.bucket(Bucket::Failed))}
            </td>
        </tr>
    }
}

/// By what it goes, and the time that matters most.
fn told(campaign: &Campaign) -> impl IntoView + use<> {
    let channel = campaign.channel.map_or("No sender yet", |channel| channel.label());
    let (word, at) = match (campaign.status, campaign.scheduled_at, campaign.launched_at) {
        (CampaignStatus::Scheduled | CampaignStatus::Held, Some(at), _) => ("starts", at),
        (_, _, Some(at)) => ("started", at),
        _ => ("changed", campaign.updated_at),
    };
    view! { {channel} " · " {word} " " <When at=at /> }
}
