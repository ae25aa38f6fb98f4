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
    campaign::{Approval, Campaign, CampaignRow, CampaignStatus, Listed},
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

fn address(listed: Listed) -> String {
    match listed {
        Listed::All => "/campaigns".to_owned(),
        Listed::Status(status) => format!("/campaigns?status={status}"),
        Listed::ToApprove => "/campaigns?status=to_approve".to_owned(),
        Listed::Archived => "/campaigns?status=archived".to_owned(),
    }
}

fn listed(word: Option<&str>) -> Listed {
    match word {
        Some("to_approve") => Listed::ToApprove,
        Some("archived") => Listed::Archived,
        word => word.and_then(|word| word.parse().ok()).map_or(Listed::All, Listed::Status),
    }
}

/// The campaigns page.
#[component]
pub fn Campaigns() -> impl IntoView {
    let query = use_query_map();
    let shown = Memo::new(move |_| listed(query.read().get_str("status")));
    let after = Memo::new(move |_| query.read().get("after"));
    let campaigns = Resource::new(
        move || (shown.get(), after.get()),
        |(shown, after)| api::campaigns::list(shown, PageRequest::after(after)),
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
        list(page, shown.get_untracked(), after.get_untracked().is_some())
    };
    let may_write = viewer_may(Operation::CampaignWrite);
    let first = [(address(Listed::All), "All".to_owned()), (address(Listed::ToApprove), "To approve".to_owned())];
    let by_status = CampaignStatus::ALL.iter().map(|one| (address(Listed::Status(*one)), one.label().to_owned()));
    let last = [(address(Listed::Archived), "Archived".to_owned())];
    let tabs = first.into_iter().chain(by_status).chain(last).collect();
    view! {
        <Page
            title="Campaigns"
            lead="What goes out, to whom, and how far it is."
            action=move || view! { <Show when=move || may_write.get()>{new_campaign()}</Show> }
        >
            <Tabs label="Status" tabs=tabs current=Signal::derive(move || address(shown.get())) />
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

fn list(page: page::Page<CampaignRow>, shown: Listed, beyond_first: bool) -> impl IntoView {
    if page.rows.is_empty() {
        return match shown {
            Listed::Status(status) => {
                let title = format!("No campaign is {}", status.label().to_lowercase());
                view! { <Empty title=title>"Campaigns that are will be listed here."</Empty> }.into_any()
            }
            Listed::ToApprove => view! {
                <Empty title="Nothing waits for an approval">
                    "Where the workspace asks for a second operator's word, proposed campaigns are listed here until one is given."
                </Empty>
            }
            .into_any(),
            Listed::Archived => view! {
                <Empty title="The archive is empty">
                    "Drafts and ended campaigns that were put away are listed here. They keep their page and figures."
                </Empty>
            }
            .into_any(),
            Listed::All if beyond_first => view! { <Empty title="Nothing further">"This was the last page."</Empty> }.into_any(),
            Listed::All => view! {
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
    let approval = match (&campaign.approval, campaign.status) {
        (Approval::Proposed { .. }, CampaignStatus::Draft) => Some("To approve"),
        (Approval::Approved { .. }, CampaignStatus::Draft) => Some("Approved"),
        _ => None,
    };
    let approval = approval.map(|word| view! { <span class="block text-xs text-muted">{word}</span> });
    let (told, status) = (told(&campaign), badge::status(&campaign.status));
    view! {
        <tr>
            <td data-label="Campaign">
                <A href=format!("/campaigns/{}", campaign.id) attr:data-row="">
                    {campaign.form.name}
                </A>
                <p class="text-xs text-muted">{told}</p>
            </td>
            <td data-label="Status">{status} {approval}</td>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_is_listed() {
        for one in [Listed::All, Listed::ToApprove, Listed::Archived, Listed::Status(CampaignStatus::Held)] {
            let address = address(one);
            assert_eq!(listed(address.split_once('=').map(|(_, word)| word)), one, "{address}");
        }
        assert_eq!(listed(Some("nonsense")), Listed::All);
    }
}
