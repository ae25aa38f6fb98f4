//! What happened to a user: the timeline, the messages with the reasons of those that were not sent, and the ledger.

use crate::{
    components::{badge, *},
    pages::decisions::of_user,
};
use domain::{
    consent::ConsentEvent,
    ids::UserId,
    message::MessageRow,
    topic::SubscriptionView,
    user::{TimelineEntry, TimelineKind},
};
use leptos::prelude::*;
use leptos_router::components::A;

const fn kind_word(kind: TimelineKind) -> &'static str {
    match kind {
        TimelineKind::Joined => "Joined",
        TimelineKind::Consent => "Consent",
        TimelineKind::Outbound => "Sent",
        TimelineKind::Inbound => "Wrote",
        TimelineKind::Edited => "Edited",
        TimelineKind::Imported => "Imported",
    }
}

/// Everything, newest first.
#[component]
pub fn Timeline(timeline: Vec<TimelineEntry>) -> impl IntoView {
    if timeline.is_empty() {
        return view! { <Empty title="Nothing happened yet">"Messages, answers and consent appear here."</Empty> }
            .into_any();
    }
    let entry = |entry: TimelineEntry| {
        let title = match entry.link {
            Some(link) => view! { <A href=link>{entry.title}</A> }.into_any(),
            None => entry.title.into_any(),
        };
        view! {
            <li>
                <When at=entry.at />
                <div>
                    <span class="badge">{kind_word(entry.kind)}</span>
                    " "
                    {title}
                    {entry.detail.map(|detail| view! { <p class="text-muted">{detail}</p> })}
                </div>
            </li>
        }
    };
    view! {
        <Card>
            <ol class="timeline">{timeline.into_iter().map(entry).collect_view()}</ol>
        </Card>
    }
    .into_any()
}

/// Messages to this user, newest first.
#[component]
pub fn Messages(id: UserId, messages: Vec<MessageRow>) -> impl IntoView {
    if messages.is_empty() {
        return view! {
            <Empty title="No messages yet">"When a campaign includes this person, its message stands here, sent or not, with the reason."</Empty>
        }
        .into_any();
    }
    let row = |message: MessageRow| {
        view! {
            <tr>
                <td data-label="Campaign">
                    <A href=format!("/messages/{}", message.key) attr:data-row="">
                        {message.campaign_name}
                    </A>
                </td>
                <td data-label="Channel">{message.channel.label()}</td>
                <td data-label="State">{badge::status(&message.state)}</td>
                <td data-label="Why">{message.reason.or(message.error_text).unwrap_or_default()}</td>
                <td data-label="Changed">
                    <When at=message.updated_at />
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Messages" head=vec!["Campaign", "Channel", "State", "Why", "Changed"]>
            {messages.into_iter().map(row).collect_view()}
        </Table>
        <p>
            <A href=of_user(id)>"All decisions on this person's messages"</A>
        </p>
    }
    .into_any()
}

/// The consent ledger, newest first.
#[component]
pub fn Ledger(
    ledger: Vec<ConsentEvent>,
    /// All topics, for the names of those that choices were made on.
    topics: Vec<SubscriptionView>,
) -> impl IntoView {
    if ledger.is_empty() {
        return view! {
            <Empty title="The ledger is empty">"Nobody has recorded anything that this person agreed to or refused. Campaigns skip people without consent."</Empty>
        }
        .into_any();
    }
    let row = move |event: ConsentEvent| {
        let topic = event.topic_id.and_then(|id| topics.iter().find(|topic| topic.topic_id == id));
        let topic = topic.map(|topic| format!(": {}", topic.name));
        view! {
            <tr>
                <td data-label="When">
                    <When at=event.at exact=true />
                </td>
                <td data-label="What">{event.kind.label()} {topic}</td>
                <td data-label="Channel">{event.channel.label()}</td>
                <td data-label="By">
                    {event.source.label()} {event.sender.map(|sender| format!(", to {sender}"))}
                </td>
                <td data-label="Evidence">{event.evidence}</td>
            </tr>
        }
    };
    view! {
        <Table label="Consent ledger" head=vec!["When", "What", "Channel", "By", "Evidence"]>
            {ledger.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}
