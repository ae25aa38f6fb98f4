//! The first page: what sends now, what starts next, today's figures, and what needs a person.

mod chart;
mod first_steps;

use crate::{
    api,
    components::{badge, frame::viewer_may, *},
    format, live,
};
use chart::DaysChart;
use domain::{
    campaign::CampaignRow,
    operator::Operation,
    overview::{Attention, DayFigures, Overview as Figures},
};
use first_steps::FirstSteps;
use leptos::prelude::*;
use leptos_router::components::A;

/// The overview.
#[component]
pub fn Overview() -> impl IntoView {
    let figures = Resource::new(|| (), |()| api::overview::get());
    for noun in ["campaigns", "inbound", "users"] {
        live::on_changed(noun, move || figures.refetch());
    }
    let may_write = viewer_may(Operation::CampaignWrite);
    let action = move || {
        view! {
            <Show when=move || may_write.get()>
                <LinkButton kind=ButtonKind::Primary href="/campaigns/new">
                    "New campaign"
                </LinkButton>
            </Show>
        }
    };
    view! {
        <Page title="Overview" action>
            <Load
                resource=figures
                skeleton=|| {
                    view! {
                        <LinesSkeleton lines=3 />
                        <LinesSkeleton lines=8 />
                        <TableSkeleton columns=4 rows=3 />
                    }
                }
                view=|figures| view! { <Content figures /> }
            />
        </Page>
    }
}

#[component]
fn Content(figures: Figures) -> impl IntoView {
    let has_sent = figures.days.iter().any(|day| day.sent > 0);
    let has_campaigns = has_sent || !figures.running.is_empty() || !figures.scheduled.is_empty();
    let steps = (figures.users == 0 || !has_campaigns).then(|| {
        view! { <FirstSteps users=figures.users opted_in=figures.opted_in /> }
    });
    let nothing_needed = figures.attention.is_empty();
    view! {
        {steps}
        <Today users=figures.users opted_in=figures.opted_in today=figures.today />
        {(!nothing_needed)
            .then(|| {
                view! {
                    <Card title="Needs you" flush=true>
                        <ul class="attention">{figures.attention.into_iter().map(attention).collect_view()}</ul>
                    </Card>
                }
            })}
        <Card title="The last 30 days">
            <DaysChart days=figures.days />
        </Card>
        <div class="grid-2">
            <Campaigns
                title="Sending now"
                none="No campaign sends at the moment."
                rows=figures.running
            />
            <Campaigns title="Next" none="No campaign is scheduled." rows=figures.scheduled />
        </div>
    }
}

#[component]
fn Today(users: i64, opted_in: i64, today: DayFigures) -> impl IntoView {
    let of_sent =
        move |n: i64| if today.sent == 0 { String::new() } else { format!("{} of sent", format::share(n, today.sent)) };
    view! {
        <Stats>
            <Stat
                label="Users"
                value=format::number(users)
                note=format!("{} opted in", format::number(opted_in))
            />
            <Stat label="Sent today" value=format::number(today.sent) note="UTC day" />
            <Stat label="Delivered" value=format::number(today.delivered) note=of_sent(today.delivered) />
            <Stat label="Read" value=format::number(today.read) note=of_sent(today.read) />
            <Stat label="Failed" value=format::number(today.failed) note=of_sent(today.failed) />
            <Stat label="Replies" value=format::number(today.replies) />
            <Stat label="Opt-outs" value=format::number(today.opt_outs) />
        </Stats>
    }
}

#[component]
fn Campaigns(#[prop(into)] title: String, none: &'static str, rows: Vec<CampaignRow>) -> impl IntoView {
    let is_empty = rows.is_empty();
    let row = |row: CampaignRow| {
        let CampaignRow { campaign, progress } = row;
        let share = progress.settled_share();
        let name = campaign.form.name;
        let detail = match campaign.scheduled_at.filter(|_| campaign.launched_at.is_none()) {
            Some(at) => view! {
                <span>"Starts " <When at /></span>
            }
            .into_any(),
            None => view! { <ProgressBar share label=format!("Progress of {name}") /> }.into_any(),
        };
        view! {
            <li class="stack-tight">
                <div class="actions">
                    <A href=format!("/campaigns/{}", campaign.id)>{name}</A>
                    {badge::status(&campaign.status)}
                </div>
                {detail}
            </li>
        }
    };
    view! {
        <Card title>
            <ul class="stack">{rows.into_iter().map(row).collect_view()}</ul>
            {is_empty.then(|| view! { <p class="text-muted">{none}</p> })}
        </Card>
    }
}

fn attention(attention: Attention) -> impl IntoView {
    let (tone, words, href, action) = match attention {
        Attention::HeldCampaign { id, name, .. } => (
            Tone::Warn,
            format!("“{name}” missed its start and waits for a decision"),
            Some(format!("/campaigns/{id}")),
            "Decide",
        ),
        Attention::NeedsReview { id, name, count, .. } => (
            Tone::Warn,
            format!("{} of “{name}” with an outcome that nobody knows", format::counted(count, "message", "messages")),
            Some(format!("/messages?campaign={id}&state=needs_review")),
            "Review",
        ),
        Attention::DeadLetters { count } => (
            Tone::Fail,
            format!("{} given up", format::counted(count, "piece of work was", "pieces of work were")),
            Some("/health".to_owned()),
            "Look",
        ),
        Attention::ProbableOptOuts { count } => (
            Tone::Warn,
            format!("{} like an opt-out in the last 30 days", format::counted(count, "message reads", "messages read")),
            Some("/inbox?kind=probable_opt_out".to_owned()),
            "Read",
        ),
    };
    view! {
        <li>
            <span class=tone.class() aria-hidden="true">
                {tone.mark()}
            </span>
            <span class="grow">{words}</span>
            {href.map(|href| view! { <LinkButton href>{action}</LinkButton> })}
        </li>
    }
}
