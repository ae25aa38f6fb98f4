//! All messages, by campaign, state, and the gate that stopped them.

use crate::{
    api,
    components::{Button, Empty, LinkButton, Load, NextPage, Page, Table, TableSkeleton, When, badge},
    live,
};
use domain::{
    campaign::{CampaignRow, Listed},
    compliance::Gate,
    ids::CampaignId,
    message::{MessageQuery, MessageRow, State},
    page::{self, LIMIT_MAX, PageRequest},
    phone::Phone,
};
use leptos::prelude::*;
use leptos_router::{
    components::{A, Form},
    hooks::use_query_map,
    params::ParamsMap,
};

/// What the URL asks for. Words that mean nothing are left out.
pub fn query_of(params: &ParamsMap) -> MessageQuery {
    MessageQuery {
        campaign: params.get_str("campaign").and_then(|text| text.parse().ok()),
        user: params.get_str("user").and_then(|text| text.parse().ok()),
        state: params.get_str("state").and_then(|text| text.parse().ok()),
        gate: params.get_str("gate").and_then(|text| text.parse().ok()),
        error: params.get_str("error").and_then(|text| text.trim().parse().ok()),
        since: params.get_str("since").and_then(|text| text.parse().ok()),
        until: params.get_str("until").and_then(|text| text.parse().ok()),
    }
}

/// The messages of a campaign that a gate stopped.
pub fn of_gate(campaign: CampaignId, gate: Gate) -> String {
    format!("/messages?campaign={campaign}&gate={gate}")
}

/// The messages of a campaign that ended with this error code.
pub fn of_error(campaign: CampaignId, code: i32) -> String {
    format!("/messages?campaign={campaign}&error={code}")
}

/// The messages of a campaign in this state.
pub fn of_state(campaign: CampaignId, state: State) -> String {
    format!("/messages?campaign={campaign}&state={state}")
}

/// The messages page.
#[component]
pub fn Messages() -> impl IntoView {
    let params = use_query_map();
    let query = Memo::new(move |_| query_of(&params.read()));
    let after = Memo::new(move |_| params.read().get("after"));
    let messages = Resource::new(
        move || (query.get(), after.get()),
        |(query, after)| api::messages::list(query, PageRequest::after(after)),
    );
    live::on_changed("messages", move || messages.refetch());
    let campaigns =
        Resource::new(|| (), |()| api::campaigns::list(Listed::All, PageRequest { after: None, limit: LIMIT_MAX }));
    view! {
        <Page
            title="Messages"
            lead="One row for each person of each campaign, with the reason where nothing was sent."
            action=|| view! { <LinkButton href="/decisions">"Decisions"</LinkButton> }
        >
            <Load
                resource=campaigns
                skeleton=|| view! { <div class="toolbar"><span class="skeleton"></span></div> }
                view=move |page| view! { <Filters campaigns=Some(page.rows) query action="/messages".to_owned() /> }
            />
            <Load
                resource=messages
                skeleton=|| view! { <TableSkeleton columns=5 /> }
                view=move |page| {
                    let nothing_asked = query.get_untracked() == MessageQuery::default() && after.get_untracked().is_none();
                    if page.rows.is_empty() && nothing_asked { first_step().into_any() } else { table(page, true).into_any() }
                }
            />
        </Page>
    }
}

fn first_step() -> impl IntoView {
    view! {
        <Empty title="No messages yet" action=|| view! { <LinkButton href="/campaigns/new">"New campaign"</LinkButton> }.into_any()>
            "A launched campaign writes one message for each person of its audience. They appear here with what became of them."
        </Empty>
    }
}

/// What the list is filtered by, as a plain form of the URL.
#[component]
pub fn Filters(
    /// The campaigns to choose from; `None` where all messages are of one.
    campaigns: Option<Vec<CampaignRow>>,
    /// What the URL says now.
    query: Memo<MessageQuery>,
    /// The page's address.
    action: String,
) -> impl IntoView {
    let chosen = Signal::derive(move || query.read().campaign);
    let of_campaign = campaigns.map(|campaigns| view! { <CampaignChooser campaigns chosen /> });
    let is_filtered = {
        let fixed = of_campaign.is_none();
        move || {
            let query = query.read();
            query.state.is_some()
                || query.gate.is_some()
                || query.error.is_some()
                || query.since.is_some()
                || query.until.is_some()
                || query.user.is_some()
                || (!fixed && query.campaign.is_some())
        }
    };
    let states = move || State::ALL.iter().map(|state| (state.to_string(), state_words(*state))).collect();
    let gates = move || Gate::ALL.iter().map(|gate| (gate.to_string(), gate.label().to_owned())).collect();
    let state = move || query.read().state.map(|state| state.to_string()).unwrap_or_default();
    let gate = move || query.read().gate.map(|gate| gate.to_string()).unwrap_or_default();
    let error = move || query.read().error.map(|code| code.to_string()).unwrap_or_default();
    let user = move || query.read().user.map(|id| view! { <input type="hidden" name="user" value=id.to_string() /> });
    view! {
        <Form method="GET" action=action.clone() attr:class="toolbar" attr:role="search">
            {user} {of_campaign}
            <Chooser label="State" name="state" chosen=Signal::derive(state) choices=Signal::derive(states) />
            <Chooser label="Stopped by" name="gate" chosen=Signal::derive(gate) choices=Signal::derive(gates) />
            <div class="field">
                <label for="error">"Error code"</label>
                <input class="input" type="text" inputmode="numeric" id="error" name="error" size="6" value=error />
            </div>
            <div class="actions">
                <Button submit=true>"Show"</Button>
                <Show when=is_filtered>
                    <A href=action.clone() attr:class="btn btn-quiet">
                        "Show all"
                    </A>
                </Show>
            </div>
        </Form>
    }
}

/// The select of the campaign, in a filter bar.
#[component]
pub fn CampaignChooser(
    /// The newest campaigns.
    campaigns: Vec<CampaignRow>,
    /// What the URL says now.
    chosen: Signal<Option<CampaignId>>,
) -> impl IntoView {
    let campaigns = StoredValue::new(campaigns);
    let listed = move || {
        let chosen = chosen.get();
        campaigns.with_value(|campaigns| {
            let listed = campaigns.iter().map(|row| (row.campaign.id.to_string(), row.campaign.form.name.clone()));
            let mut choices: Vec<_> = listed.collect();
            // An older campaign, by its link: it stays chosen though it is not among the newest.
            if let Some(id) = chosen.filter(|id| campaigns.iter().all(|row| row.campaign.id != *id)) {
                choices.insert(0, (id.to_string(), format!("Campaign {id}")));
            }
            choices
        })
    };
    let chosen = move || chosen.get().map(|id| id.to_string()).unwrap_or_default();
    view! {
        <Chooser label="Campaign" name="campaign" chosen=Signal::derive(chosen) choices=Signal::derive(listed) />
    }
}

/// The two ends that share a word are told apart here.
fn state_words(state: State) -> String {
    match state {
        State::ProviderCanceled => "Canceled by the provider".to_owned(),
        other => other.label().to_owned(),
    }
}

/// A select of a filter bar; its first option filters nothing.
#[component]
pub fn Chooser(
    /// What it filters by.
    label: &'static str,
    /// Its name in the URL.
    name: &'static str,
    /// What the URL says now.
    chosen: Signal<String>,
    /// Value and words.
    choices: Signal<Vec<(String, String)>>,
) -> impl IntoView {
    let options = move || {
        let chosen = chosen.get();
        let option = |(value, words): (String, String)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }
        };
        choices.get().into_iter().map(option).collect_view()
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <select class="input" id=name name=name>
                <option value="">"Any"</option>
                {options}
            </select>
        </div>
    }
}

/// A page of messages. The campaign's name is left out where all are of one.
pub fn table(page: page::Page<MessageRow>, with_campaign: bool) -> impl IntoView {
    if page.rows.is_empty() {
        return view! { <Empty title="No such messages">"Nothing matches this filter."</Empty> }.into_any();
    }
    let mut head = vec!["Person", "State", "Why", "Tried", "Changed"];
    if with_campaign {
        head.insert(1, "Campaign");
    }
    view! {
        <Table label="Messages" head=head>
            {page.rows.into_iter().map(|message| row(message, with_campaign)).collect_view()}
        </Table>
        <NextPage next=page.next />
    }
    .into_any()
}

fn row(message: MessageRow, with_campaign: bool) -> impl IntoView {
    let campaign = with_campaign.then(|| {
        let name = message.campaign_name.clone();
        view! {
            <td data-label="Campaign">
                <A href=format!("/campaigns/{}", message.key.campaign)>{name}</A>
            </td>
        }
    });
    let (person, why) = (person(message.user_name.as_ref(), message.phone.as_ref()), why(&message));
    view! {
        <tr>
            <td data-label="Person">
                <A href=format!("/messages/{}", message.key) attr:data-row="">
                    {person}
                </A>
                <p class="text-xs text-muted">{message.channel.label()}</p>
            </td>
            {campaign}
            <td data-label="State">{badge::status(&message.state)}</td>
            <td data-label="Why">{why}</td>
            <td data-label="Tried" class="num">
                {message.attempts}
            </td>
            <td data-label="Changed">
                <When at=message.updated_at />
            </td>
        </tr>
    }
}

/// What to call the person: the name, else the number without its middle.
pub fn person(name: Option<&String>, phone: Option<&Phone>) -> String {
    name.cloned().or_else(|| phone.map(Phone::masked)).unwrap_or_else(|| "No name or number".to_owned())
}

/// The reason a message waits, was skipped or failed; a dash where there is nothing to explain.
pub fn why(message: &MessageRow) -> String {
    match (&message.reason, message.error_code, &message.error_text) {
        (Some(reason), ..) => reason.clone(),
        (None, Some(code), Some(text)) => format!("{text} ({code})"),
        (None, Some(code), None) => format!("Error {code}"),
        (None, None, _) => "–".to_owned(),
    }
}
