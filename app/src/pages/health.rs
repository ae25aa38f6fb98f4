//! How the engine is: what holds sending up, who works, and what waits for a person.

mod days;
mod letters;
mod switch;

use crate::{
    api,
    components::{
        Badge, Card, Empty, Fact, Facts, LinesSkeleton, Load, Page, Stat, Stats, Table, TableSkeleton, Tone, When,
    },
    format, live, timing,
};
use days::ComparedDays;
use domain::{
    breaker::OpenBreaker,
    health::{Bells, Health as Figures, TroubledWebhook, Unsure, Worker},
};
use leptos::prelude::*;
use leptos_router::components::A;
use letters::DeadLetters;
use std::time::Duration;
use switch::KillSwitch;

/// How often the page is read again: workers say that they live every few seconds.
const READ_EVERY: Duration = Duration::from_secs(10);

/// The page.
#[component]
pub fn Health() -> impl IntoView {
    let figures = Resource::new(|| (), |()| api::health::get());
    for noun in ["health", "campaigns"] {
        live::on_changed(noun, move || figures.refetch());
    }
    timing::every(READ_EVERY, move || figures.refetch());
    view! {
        <Page
            title="Health"
            lead="What holds sending up, who works, and what waits for a person."
            action=|| view! { <KillSwitch /> }
        >
            <Load
                resource=figures
                skeleton=|| {
                    view! {
                        <LinesSkeleton lines=3 />
                        <TableSkeleton columns=4 rows=2 />
                    }
                }
                view=|figures| view! { <Content figures /> }
            />
            <ComparedDays />
            <DeadLetters />
        </Page>
    }
}

#[component]
fn Content(figures: Figures) -> impl IntoView {
    let alive = figures.workers.iter().filter(|worker| worker.is_alive).count();
    let overdue = match figures.overdue_since {
        Some(at) => view! {
            "Since "
            <When at />
        }
        .into_any(),
        None => "Nothing is overdue".into_any(),
    };
    let (tone, redis) = match figures.bells {
        Bells::Local => (Tone::Plain, "Not used: one process does all the work"),
        Bells::Shared => (Tone::Ok, "Answers"),
        Bells::Away => (Tone::Fail, "Does not answer: work is found a little later"),
    };
    view! {
        <Stats>
            <Stat label="Workers" value=format::number(i64::try_from(alive).unwrap_or(i64::MAX)) note="heard of lately" />
            <Stat label="Still to send" value=format::number(figures.pending) note="in running campaigns" />
            <Stat label="Given up" value=format::number(figures.dead_letters) note="waits for a decision" />
        </Stats>
        {breakers(figures.breakers)}
        {webhooks(figures.troubled_webhooks)}
        <div class="grid-2">
            <Card title="State">
                <Facts>
                    <Fact name="Sending">
                        {match figures.stop {
                            Some(_) => view! { <Badge tone=Tone::Fail word="Stopped by the kill switch" /> },
                            None => view! { <Badge tone=Tone::Ok word="Allowed" /> },
                        }}
                    </Fact>
                    <Fact name="Longest overdue">{overdue}</Fact>
                    <Fact name="On disk, for the database">
                        {match figures.spooled {
                            0 => "Nothing waits".to_owned(),
                            some => format!("{} that people wrote; nothing is sent before they are taken in", format::counted(some, "message", "messages")),
                        }}
                    </Fact>
                    <Fact name="Database">
                        <Badge tone=Tone::Ok word=format!("{} answers", figures.database) />
                    </Fact>
                    <Fact name="Redis">
                        <Badge tone=tone word=redis />
                    </Fact>
                </Facts>
            </Card>
            <Card title="Fate not known" flush=true>
                {unsure(figures.unsure)}
            </Card>
        </div>
        <Card title="Workers" flush=true>
            {workers(figures.workers)}
        </Card>
    }
}

/// Webhooks that nothing reaches; nothing while all are well.
fn webhooks(rows: Vec<TroubledWebhook>) -> impl IntoView {
    let row = |row: TroubledWebhook| {
        let (tone, word) = if row.enabled { (Tone::Warn, "Failing") } else { (Tone::Fail, "Disabled") };
        let since = row.failing_since.map(|at| view! { <When at /> });
        view! {
            <tr>
                <td data-label="Host">
                    <A href=format!("/integrations/{}", row.id)>{row.host}</A>
                </td>
                <td data-label="State">
                    <Badge tone word />
                </td>
                <td data-label="Because">{row.because.unwrap_or_else(|| "its receiver does not take what it is sent".to_owned())}</td>
                <td data-label="Since">{since}</td>
            </tr>
        }
    };
    (!rows.is_empty()).then(|| {
        view! {
            <Card title="Webhooks in trouble" flush=true>
                <p class="card-body text-muted">
                    "What they are not told waits, for 30 days at the most."
                </p>
                <Table label="Webhooks in trouble" head=vec!["Host", "State", "Because", "Since"]>
                    {rows.into_iter().map(row).collect_view()}
                </Table>
            </Card>
        }
    })
}

/// What the circuit breakers hold back; nothing while all are closed.
fn breakers(rows: Vec<OpenBreaker>) -> impl IntoView {
    let row = |row: OpenBreaker| {
        let what = row.what();
        view! {
            <tr>
                <td data-label="Holds">
                    <Badge tone=Tone::Fail word=what />
                </td>
                <td data-label="Because">{row.why}</td>
                <td data-label="Since">
                    <When at=row.since />
                </td>
                <td data-label="Next probe">
                    <When at=row.probe_at />
                </td>
            </tr>
        }
    };
    (!rows.is_empty()).then(|| {
        view! {
            <Card title="Circuit breakers that are open" flush=true>
                <p class="card-body text-muted">
                    "Messages wait, and none is spent. A probe goes out every few seconds; once one succeeds, sending goes on by itself."
                </p>
                <Table label="Open circuit breakers" head=vec!["Holds", "Because", "Since", "Next probe"]>
                    {rows.into_iter().map(row).collect_view()}
                </Table>
            </Card>
        }
    })
}

fn unsure(rows: Vec<Unsure>) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="card-body text-muted">"The fate of every message is known."</p> }.into_any();
    }
    let row = |row: Unsure| {
        let link = |state: &str, count: i64| {
            let href = format!("/messages?campaign={}&state={state}", row.campaign);
            view! { <A href=href>{format::number(count)}</A> }
        };
        view! {
            <tr>
                <td data-label="Campaign">
                    <A href=format!("/campaigns/{}", row.campaign) attr:data-row="">
                        {row.name}
                    </A>
                </td>
                <td data-label="Looked for" class="num">
                    {link("unknown", row.unknown)}
                </td>
                <td data-label="To decide" class="num">
                    {link("needs_review", row.needs_review)}
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Messages whose fate is not known" head=vec!["Campaign", "Looked for", "To decide"]>
            {rows.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

fn workers(rows: Vec<Worker>) -> AnyView {
    if rows.is_empty() {
        return view! {
            <Empty title="No process works">"Messages wait until one is started: ese serve, or ese worker."</Empty>
        }
        .into_any();
    }
    let row = |worker: Worker| {
        let state = if worker.is_alive {
            view! { <Badge tone=Tone::Ok word="Alive" /> }
        } else {
            view! { <Badge tone=Tone::Fail word="Silent" /> }
        };
        view! {
            <tr>
                <td data-label="Process">
                    <code class="break-all">{worker.name}</code>
                </td>
                <td data-label="State">{state}</td>
                <td data-label="Does">{if worker.serves { "Serves and works" } else { "Works" }}</td>
                <td data-label="Started">
                    <When at=worker.started_at />
                </td>
                <td data-label="Heard of">
                    <When at=worker.seen_at />
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Workers" head=vec!["Process", "State", "Does", "Started", "Heard of"]>
            {rows.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}
