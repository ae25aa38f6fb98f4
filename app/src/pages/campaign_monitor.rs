//! A campaign as it runs: where its messages stand, how fast it sends, what stops it. The page moves by itself.

mod acts;
mod approval;
mod counts;
mod pace;
mod reasons;
mod recipients;

use crate::{
    api::{self, Failure},
    components::{Card, DryRun, Fact, Facts, LinesSkeleton, Load, Page, When},
    format, live, timing,
};
use acts::Acts;
use approval::ApprovalCard;
use counts::{Balance, Funnel};
use domain::{
    campaign::{Campaign, CampaignRow, CampaignStatus, Start},
    problem::{Kind, Problem},
    sender::Sender,
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_params_map};
use pace::Pace;
use reasons::{Errors, Gates};
use recipients::Recipients;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a running campaign is read in any case: the last hint of a burst may have come before its last second.
const READ_EVERY: Duration = Duration::from_secs(5);

/// A campaign with what it points to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shown {
    row: CampaignRow,
    sender: Option<Sender>,
    segment: Option<String>,
    topic: Option<String>,
}

async fn show(id: Option<String>) -> Result<Shown, Failure> {
    let unknown = || Failure(Problem::new(Kind::NotFound, "This is not the address of a campaign."));
    let id = id.and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
    let row = api::campaigns::get(id).await?;
    let form = &row.campaign.form;
    let sender = api::senders::list().await?.into_iter().find(|one| Some(one.id) == form.sender);
    let segment = match form.audience.segment {
        Some(id) => api::segments::list().await?.into_iter().find(|one| one.id == id).map(|one| one.name),
        None => None,
    };
    let topic = match form.topic {
        Some(id) => api::topics::list().await?.into_iter().find(|one| one.id == id).map(|one| one.name),
        None => None,
    };
    Ok(Shown { row, sender, segment, topic })
}

/// The page of a campaign.
#[component]
pub fn CampaignMonitor() -> impl IntoView {
    let params = use_params_map();
    let campaign = Resource::new(move || params.read().get("id"), show);
    view! {
        <Load
            resource=campaign
            skeleton=|| {
                view! {
                    <Page title="Campaign">
                        <LinesSkeleton lines=3 />
                        <LinesSkeleton lines=8 />
                    </Page>
                }
            }
            view=|shown| view! { <Monitor shown /> }
        />
    }
}

#[component]
fn Monitor(shown: Shown) -> impl IntoView {
    let Shown { row, sender, segment, topic } = shown;
    let id = row.campaign.id;
    let channel = row.campaign.channel;
    let campaign = RwSignal::new(row.campaign);
    let progress = RwSignal::new(row.progress);
    let read = Action::new(move |()| api::campaigns::get(id));
    Effect::new(move || {
        if let Some(Ok(row)) = read.value().get() {
            campaign.set(row.campaign);
            progress.set(row.progress);
        }
    });
    let heard = live::campaign_progress(id);
    Effect::new(move || {
        if let Some(counters) = heard.get() {
            let moved = counters.status.is_some_and(|status| status != campaign.read_untracked().status);
            progress.set(counters);
            if moved {
                read.dispatch(());
            }
        }
    });
    let read_again = move || {
        read.dispatch(());
    };
    live::on_changed("campaigns", read_again);
    timing::every(READ_EVERY, move || {
        if campaign.read_untracked().status == CampaignStatus::Running {
            read_again();
        }
    });
    let was_launched = Memo::new(move |_| campaign.read().launched_at.is_some());
    view! {
        <Page
            title=Signal::derive(move || campaign.read().form.name.clone())
            lead=Signal::derive(move || described(&campaign.read()))
            action=move || view! { <Acts campaign progress /> }
        >
            <Pace campaign progress sender />
            <ApprovalCard campaign />
            <Show
                when=move || was_launched.get()
                fallback=|| {
                    view! {
                        <p class="note note-plain">
                            "Nothing was sent yet. Once it is launched, this page shows where each message stands."
                        </p>
                    }
                }
            >
                <div class="grid-2">
                    <div class="stack">
                        <Funnel progress channel />
                        <Gates id progress />
                    </div>
                    <div class="stack">
                        <Balance id progress />
                        <Errors id progress />
                    </div>
                </div>
            </Show>
            <DryRun
                id=Signal::stored(Some(id))
                actual=Signal::derive(move || {
                    was_launched.get().then(|| (campaign.get(), progress.get()))
                })
                may_ask=Signal::derive(move || {
                    !was_launched.get() && campaign.read().status != CampaignStatus::Canceled
                })
            />
            <Card title="Definition">
                <Definition campaign segment topic />
            </Card>
            <Show when=move || was_launched.get()>
                <Recipients id />
            </Show>
        </Page>
    }
}

/// By what, from whom, with which text.
fn described(campaign: &Campaign) -> String {
    let channel = campaign.channel.map(|channel| channel.label().to_owned());
    let sender = campaign.sender_name.as_ref().map(|name| format!("from {name}"));
    let template = campaign.template_name.as_ref().map(|name| match campaign.template_version {
        Some(version) => format!("template {name}, version {version}"),
        None => format!("template {name}"),
    });
    [channel, sender, template].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

#[component]
fn Definition(campaign: RwSignal<Campaign>, segment: Option<String>, topic: Option<String>) -> impl IntoView {
    let filter = move || {
        let filter = campaign.read().form.audience.filter.clone();
        if filter.is_empty() {
            view! { <span>"Everyone"</span> }.into_any()
        } else {
            view! { <code>{filter}</code> }.into_any()
        }
    };
    let rate = move || {
        let rate = campaign.read().form.rate_per_second;
        rate.map_or("The sender's".to_owned(), |rate| format!("{} segments a second", format::number(rate.into())))
    };
    let cap = move || match campaign.read().form.frequency_cap {
        Some(cap) => format!("The workspace's, and {}", cap.describe()),
        None => "The workspace's".to_owned(),
    };
    let canary = move || match campaign.read().form.canary {
        Some(first) => format!("{} people first", format::number(first.into())),
        None => "None: everyone at once".to_owned(),
    };
    let hours = move || {
        let form = &campaign.read().form;
        match (form.not_before.as_deref(), form.not_after.as_deref()) {
            (None, None) => "The rules of each person's place".to_owned(),
            (from, to) => {
                let (from, to) = (from.unwrap_or("the rules' start"), to.unwrap_or("the rules' end"));
                format!("The rules of each person's place, and only between {from} and {to}")
            }
        }
    };
    let start = move || match campaign.read().form.start {
        Start::Now => "When it is launched".into_any(),
        Start::Instant { at } => view! { <When at=at exact=true /> }.into_any(),
        Start::Local { at } => format!("{} on the clock of each person, zone by zone", at.format("%F %R")).into_any(),
    };
    let hash = move || campaign.read().audience_hash.clone().unwrap_or_else(|| "Set at the launch".to_owned());
    view! {
        <Facts>
            <Fact name="Segment">
                {segment
                    .map_or_else(
                        || "None".into_any(),
                        |name| view! { <A href="/segments">{name}</A> }.into_any(),
                    )}
            </Fact>
            <Fact name="Filter">{filter}</Fact>
            <Fact name="Topic">{topic.unwrap_or_else(|| "None".to_owned())}</Fact>
            <Fact name="Start">{start}</Fact>
            <Fact name="Rate limit">{rate}</Fact>
            <Fact name="Frequency cap">{cap}</Fact>
            <Fact name="Canary">{canary}</Fact>
            <Fact name="Sending hours">{hours}</Fact>
            <Fact name="If a message's fate is unknown">
                {move || campaign.read().form.unknown_policy.label()}
            </Fact>
            <Fact name="Late start allowed for">
                {move || format::duration(i64::from(campaign.read().form.start_deadline_minutes) * 60)}
            </Fact>
            <Fact name="Fingerprint">
                <code class="break-all">{hash}</code>
            </Fact>
        </Facts>
    }
}
