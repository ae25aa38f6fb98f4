//! What people wrote to us, and what it did.

use crate::{
    api,
    components::{Badge, Empty, LinesSkeleton, Load, NextPage, Page, Tabs, When, badge},
    format, live,
};
use domain::{
    ids::UserId,
    inbound::{InboundKind, InboundMessage},
    page::{self, PageRequest},
    phone::Phone,
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};

fn address(kind: Option<InboundKind>, user: Option<UserId>) -> String {
    let parts = [kind.map(|kind| format!("kind={kind}")), user.map(|user| format!("user={user}"))];
    let query = parts.into_iter().flatten().collect::<Vec<_>>().join("&");
    if query.is_empty() { "/inbox".to_owned() } else { format!("/inbox?{query}") }
}

/// The inbox page.
#[component]
pub fn Inbox() -> impl IntoView {
    let query = use_query_map();
    let kind = Memo::new(move |_| query.read().get_str("kind").and_then(|word| word.parse::<InboundKind>().ok()));
    let user = Memo::new(move |_| query.read().get_str("user").and_then(|id| id.parse::<UserId>().ok()));
    let after = Memo::new(move |_| query.read().get("after"));
    let messages = Resource::new(
        move || (kind.get(), user.get(), after.get()),
        |(kind, user, after)| api::inbound::list(kind, user, PageRequest::after(after)),
    );
    live::on_changed("inbound", move || messages.refetch());
    let tabs = move || {
        let user = user.get();
        let all = std::iter::once((address(None, user), "All".to_owned()));
        let kinds = InboundKind::ALL.iter().map(|kind| (address(Some(*kind), user), kind.label().to_owned()));
        view! {
            <Tabs
                label="Kind"
                tabs=all.chain(kinds).collect()
                current=Signal::derive(move || address(kind.get(), user))
            />
        }
    };
    view! {
        <Page title="Inbox" lead="What people wrote, newest first. Commands are answered and carried out by themselves.">
            {tabs}
            <Show when=move || user.get().is_some()>
                <p class="note note-plain">
                    "Only the messages of one person. " <A href=move || address(kind.get(), None)>"Show everyone's"</A>
                </p>
            </Show>
            <Load
                resource=messages
                skeleton=|| view! { <LinesSkeleton lines=8 /> }
                view=move |page| list(page, kind.get_untracked())
            />
        </Page>
    }
}

fn list(page: page::Page<InboundMessage>, kind: Option<InboundKind>) -> impl IntoView {
    if page.rows.is_empty() {
        let title = match kind {
            Some(kind) => format!("No messages of the kind “{}”", kind.label()),
            None => "Nobody wrote yet".to_owned(),
        };
        return view! {
            <Empty title=title>
                "Replies to your campaigns arrive here, with the commands among them: STOP, START, HELP, and SUBSCRIBE with a topic."
            </Empty>
        }
        .into_any();
    }
    view! {
        <ul class="stack" aria-label="Messages">
            {page.rows.into_iter().map(message).collect_view()}
        </ul>
        <NextPage next=page.next />
    }
    .into_any()
}

fn message(message: InboundMessage) -> impl IntoView {
    let masked = || message.phone.as_ref().map(Phone::masked);
    let person = message.user_name.clone().or_else(masked).unwrap_or_else(|| "No name or number".to_owned());
    let media = (message.media_count > 0).then(|| {
        let count = format::counted(message.media_count.into(), "attachment", "attachments");
        view! { <p class="text-xs text-muted">{count}</p> }
    });
    let text = if message.body.is_empty() {
        view! { <p class="text-muted">"No text"</p> }.into_any()
    } else {
        view! { <p class="bubble">{message.body}</p> }.into_any()
    };
    let reply = message.reply.map(|reply| {
        view! {
            <div>
                <p class="text-xs text-muted">"We answered"</p>
                <p class="bubble bubble-ours">{reply}</p>
            </div>
        }
    });
    view! {
        <li class="card card-body stack">
            <header class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <A href=format!("/users/{}", message.user_id) attr:data-row="" attr:class="font-semibold">
                    {person}
                </A>
                {badge::status(&message.kind)}
                <Badge word=message.channel.label() />
                <span class="text-xs text-muted">"to " {message.to}</span>
                <span class="ml-auto text-xs text-muted">
                    <When at=message.received_at />
                </span>
            </header>
            <div class="bubbles">{text} {media} {reply}</div>
            {message.effect.map(|effect| view! { <p class="text-sm">"Effect: " {effect}</p> })}
        </li>
    }
}
