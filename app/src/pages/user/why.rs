//! Why this person gets a campaign's message, or why not.

use crate::{
    api,
    components::{badge, *},
};
use domain::{
    campaign::{CampaignRow, Listed, Place, Why},
    compliance::Step,
    ids::{CampaignId, UserId},
    page::PageRequest,
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::A,
    hooks::{use_navigate, use_query_map},
};

/// The question: which campaign; and its answer. The campaign stands in the URL, so that an answer can be shared.
#[component]
pub fn WhyOrWhyNot(user: UserId) -> impl IntoView {
    let query = use_query_map();
    let chosen = Memo::new(move |_| query.read().get("campaign").and_then(|text| text.parse::<CampaignId>().ok()));
    let campaigns = Resource::new(|| (), |()| api::campaigns::list(Listed::All, PageRequest::default()));
    let answer = Resource::new(
        move || chosen.get(),
        move |chosen| async move {
            match chosen {
                Some(id) => api::campaigns::why(id, user).await.map(Some),
                None => Ok(None),
            }
        },
    );
    view! {
        <Card title="Why, or why not?">
            <div class="stack">
                <Load
                    resource=campaigns
                    skeleton=|| view! { <LinesSkeleton lines=1 /> }
                    view=move |page| view! { <Choose user rows=page.rows chosen /> }
                />
                <Load resource=answer skeleton=|| view! { <LinesSkeleton lines=8 /> } view=|why| why.map(told) />
            </div>
        </Card>
    }
}

#[component]
fn Choose(user: UserId, rows: Vec<CampaignRow>, chosen: Memo<Option<CampaignId>>) -> impl IntoView {
    let navigate = use_navigate();
    let value = RwSignal::new(chosen.get_untracked().map(|id| id.to_string()).unwrap_or_default());
    let choices: Vec<Choice> = std::iter::once((String::new(), "Choose a campaign".to_owned()))
        .chain(rows.into_iter().map(|row| (row.campaign.id.to_string(), row.campaign.form.name)))
        .collect();
    Effect::new(move |before: Option<String>| {
        let now = value.get();
        if before.is_some_and(|before| before != now) {
            let campaign = if now.is_empty() { String::new() } else { format!("&campaign={now}") };
            let options = NavigateOptions { scroll: false, replace: true, ..NavigateOptions::default() };
            navigate(&format!("/users/{user}?tab=why{campaign}"), options);
        }
        now
    });
    view! { <Select label="Campaign" name="why-campaign" value choices /> }
}

fn told(why: Why) -> impl IntoView {
    let message = match &why.place {
        Place::In(message) => Some(format!("/messages/{}", message.key)),
        _ => None,
    };
    let summary = why.summary();
    let (filter, audience) = (why.filter, why.audience);
    let matches = if audience.matches { "Matches" } else { "Does not match" };
    let conditions = if filter.is_empty() {
        view! { <p>"The audience is everyone."</p> }.into_any()
    } else {
        view! {
            <p>{matches} " now: " <code>{filter}</code></p>
            <Matched found=audience />
        }
        .into_any()
    };
    let gates = if why.steps.is_empty() {
        view! { <p class="text-muted">"The gates can be asked once the campaign has a sender and a template."</p> }
            .into_any()
    } else {
        view! {
            <Table label="Gates" head=vec!["Gate", "Says", "Because"]>
                {why.steps.into_iter().map(gate).collect_view()}
            </Table>
        }
        .into_any()
    };
    view! {
        <p class="font-semibold" data-why="">
            {summary}
        </p>
        {message.map(|href| view! { <p><A href>"Open the message"</A></p> })}
        <h3>"Audience"</h3>
        {conditions}
        <h3>"Gates, as they stand now"</h3>
        {gates}
    }
}

fn gate(step: Step) -> impl IntoView {
    view! {
        <tr>
            <td data-label="Gate">{step.gate.name()}</td>
            <td data-label="Says">{badge::status(&step.answer)}</td>
            <td data-label="Because">
                {step.fact}
                {step
                    .until
                    .map(|at| {
                        view! {
                            <span class="text-muted">
                                " · until " <When at exact=true />
                            </span>
                        }
                    })}
            </td>
        </tr>
    }
}
