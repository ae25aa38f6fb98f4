//! The simulator's phones: what a person would see, and what they may answer.

use crate::{
    api,
    components::{
        Button, ButtonKind, Choice, Empty, FailureNote, LinesSkeleton, LinkButton, Load, Page, Select, TextInput,
        Toasts, Tone, When,
    },
    format, live, timing,
};
use domain::{
    handset::{Handset, HandsetMessage},
    phone::{Channel, Phone},
    problem::Kind,
};
use leptos::{html, prelude::*};
use leptos_router::{components::A, hooks::use_query_map, location::Url};
use std::time::Duration;

/// How often the phones are looked at: the simulator sends no hints of its own.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What people mostly answer, one press each.
const QUICK: [&str; 4] = ["STOP", "START", "HELP", "SUBSCRIBE offers"];

/// How the ids of messaging services begin.
const SERVICE_PREFIX: &str = "MG";

/// The phones page.
#[component]
pub fn Phones() -> impl IntoView {
    let query = use_query_map();
    let chosen = Memo::new(move |_| query.read().get("phone").and_then(|phone| phone.parse::<Phone>().ok()));
    // With a real provider there are no phones to show: that is an answer, not a failure.
    let phones = Resource::new(
        || (),
        |()| async {
            match api::phones::list().await {
                Ok(phones) => Ok(Some(phones)),
                Err(failure) if failure.0.kind == Kind::NotFound => Ok(None),
                Err(failure) => Err(failure),
            }
        },
    );
    let is_real = StoredValue::new(false);
    let look = move || {
        if !is_real.get_value() {
            phones.refetch();
        }
    };
    live::on_changed("phones", look);
    live::on_changed("messages", look);
    timing::every(LOOK_EVERY, look);
    let is_simulated = move || !matches!(phones.get(), Some(Ok(None)));
    let thread = move || chosen.get().map(|phone| view! { <Thread phone /> });
    view! {
        <Page title="Phones" lead="Stand in for the people you write to.">
            <Transition>
                <Show when=is_simulated>
                    <p class="note note-plain">
                        "This is the simulator. It stands where the provider would: these phones are not real, and no message leaves this machine."
                    </p>
                </Show>
            </Transition>
            <div class="grid grid-cols-[minmax(0,1fr)] gap-4 items-start md:grid-cols-[minmax(240px,320px)_minmax(0,1fr)]">
                // On a narrow screen an open phone takes the place of the list.
                <div class=move || if chosen.read().is_some() { "max-md:hidden" } else { "md:col-span-2" }>
                    <Load
                        resource=phones
                        skeleton=|| view! { <LinesSkeleton lines=6 /> }
                        view=move |phones| match phones {
                            Some(phones) => list(phones, chosen).into_any(),
                            None => {
                                is_real.set_value(true);
                                with_a_provider().into_any()
                            }
                        }
                    />
                </div>
                {thread}
            </div>
        </Page>
    }
}

fn with_a_provider() -> impl IntoView {
    view! {
        <Empty
            title="A real provider is connected"
            action=|| view! { <LinkButton href="/inbox">"Open the inbox"</LinkButton> }.into_any()
        >
            "These phones belong to the simulator, which is not running here. Messages go to the people themselves; what they answer is in the inbox."
        </Empty>
    }
}

fn list(phones: Vec<Handset>, chosen: Memo<Option<Phone>>) -> impl IntoView {
    if phones.is_empty() {
        return view! {
            <Empty
                title="No phone has a message yet"
                action=|| view! { <LinkButton href="/campaigns">"Open the campaigns"</LinkButton> }.into_any()
            >
                "Launch a campaign: every person it writes to appears here with a phone, and you can answer as they would."
            </Empty>
        }
        .into_any();
    }
    let item = move |handset: Handset| {
        let href = format!("/phones?phone={}", Url::escape(handset.phone.as_str()));
        let phone = handset.phone.clone();
        let is_chosen = move || (chosen.read().as_ref() == Some(&phone)).then_some("true");
        view! {
            <li>
                <A href=href attr:class="flex flex-col gap-1 px-4 py-2 min-h-11 hover:bg-sunken aria-[current=true]:bg-accent-soft" attr:data-row="" attr:aria-current=is_chosen>
                    <span class="flex justify-between gap-2">
                        <strong class="tabular-nums">{handset.phone.to_string()}</strong>
                        <span class="text-xs text-muted">
                            <When at=handset.last_at />
                        </span>
                    </span>
                    <span class="flex justify-between gap-2">
                        <span class="truncate text-muted">{handset.last_text}</span>
                        <span class="text-xs text-muted">{format::number(handset.count)}</span>
                    </span>
                </A>
            </li>
        }
    };
    view! {
        <ul class="card max-h-[75vh] overflow-y-auto divide-y divide-line" aria-label="Phones">
            {phones.into_iter().map(item).collect_view()}
        </ul>
    }
    .into_any()
}

/// Which of our senders a person can answer, and by which channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    channel: Channel,
    sender: String,
}

impl Line {
    fn key(&self) -> String {
        format!("{} {}", self.channel, self.sender)
    }

    fn choice(&self) -> Choice {
        (self.key(), format!("{} · {}", self.channel.label(), self.sender))
    }
}

/// The lines of a thread, the last used first.
fn lines(thread: &[HandsetMessage]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for message in thread.iter().rev() {
        let line = Line { channel: message.channel, sender: message.sender.clone() };
        // Until the provider has chosen a number, all there is is the service's id, to which nobody can write.
        if !lines.contains(&line) && !line.sender.starts_with(SERVICE_PREFIX) {
            lines.push(line);
        }
    }
    lines
}

#[component]
fn Thread(phone: Phone) -> impl IntoView {
    let number = phone.to_string();
    let label = format!("Messages of {number}");
    let thread = {
        let phone = phone.clone();
        Resource::new(|| (), move |()| api::phones::thread(phone.clone()))
    };
    live::on_changed("messages", move || thread.refetch());
    timing::every(LOOK_EVERY, move || thread.refetch());
    let known = RwSignal::new(Vec::<Line>::new());
    let screen = NodeRef::<html::Div>::new();
    // Keeps the newest message in sight, and the choice of lines up to date, without making the answer box anew.
    Effect::new(move |before: Option<usize>| {
        let Some(Ok(messages)) = thread.get() else { return before.unwrap_or(0) };
        let found = lines(&messages);
        if *known.read_untracked() != found {
            known.set(found);
        }
        if let Some(screen) = screen.get().filter(|_| before != Some(messages.len())) {
            request_animation_frame(move || screen.set_scroll_top(screen.scroll_height()));
        }
        messages.len()
    });
    view! {
        <section class="card" aria-label=label>
            <header class="card-head">
                <h2 class="tabular-nums">{number}</h2>
                <A href="/phones" attr:class="btn btn-quiet">
                    "Close"
                </A>
            </header>
            <div class="h-[52vh] overflow-y-auto p-4" node_ref=screen tabindex="0" role="log" aria-label="Messages">
                <Load resource=thread skeleton=|| view! { <LinesSkeleton lines=4 /> } view=bubbles />
            </div>
            <Answer phone known on_sent=move || thread.refetch() />
        </section>
    }
}

fn bubbles(thread: Vec<HandsetMessage>) -> impl IntoView {
    if thread.is_empty() {
        return view! { <p class="card-body text-muted">"This phone has no messages."</p> }.into_any();
    }
    let bubble = |message: HandsetMessage| {
        // Here the reader is the person: what they wrote stands on their side.
        let class = if message.from_person { "bubble bubble-ours" } else { "bubble" };
        view! {
            <div class=class title=message.sid>
                <p>{message.text}</p>
                <p class="text-xs text-muted">
                    {message.channel.label()} " · " {message.status} " · " <When at=message.at />
                </p>
            </div>
        }
    };
    view! { <div class="bubbles">{thread.into_iter().map(bubble).collect_view()}</div> }.into_any()
}

#[component]
fn Answer(
    phone: Phone,
    known: RwSignal<Vec<Line>>,
    on_sent: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let toasts = Toasts::here();
    let (text, line) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let chosen = Signal::derive(move || {
        let line = line.get();
        known.with(|known| known.iter().find(|one| one.key() == line).or_else(|| known.first()).cloned())
    });
    let write = Action::new(move |(line, text): &(Line, String)| {
        api::phones::write(phone.clone(), line.sender.clone(), line.channel, text.clone())
    });
    let failure = Signal::derive(move || write.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = write.value().get() {
            toasts.say(Tone::Ok, "Sent from this phone");
            on_sent();
        }
    });
    let send = move |text: String| {
        if let Some(line) = chosen.get_untracked().filter(|_| !text.trim().is_empty()) {
            write.dispatch((line, text));
        }
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        send(text.get_untracked());
        text.set(String::new());
    };
    let quick = move |word: &'static str| {
        view! {
            <Button kind=ButtonKind::Quiet pending=write.pending() on_click=move |_| send(word.to_owned())>
                {word}
            </Button>
        }
    };
    let choices = Signal::derive(move || known.with(|known| known.iter().map(Line::choice).collect::<Vec<_>>()));
    view! {
        <form class="card-body stack" on:submit=submit>
            <div class="actions" role="group" aria-label="Quick answers">
                {QUICK.map(quick).collect_view()}
            </div>
            <TextInput label="Answer as this person" name="answer" value=text autocomplete="off" placeholder="What they would write" />
            <Show when=move || { known.read().len() > 1 }>
                <Select label="To" name="line" value=line choices=choices />
            </Show>
            <FailureNote failure />
            <Button
                kind=ButtonKind::Primary
                submit=true
                pending=write.pending()
                disabled=Signal::derive(move || chosen.get().is_none())
            >
                {move || chosen.get().map_or_else(|| "Send".to_owned(), |line| format!("Send by {}", line.channel.label()))}
            </Button>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_used_line_comes_first() {
        let message = |channel, sender: &str| HandsetMessage {
            sid: "SM1".to_owned(),
            from_person: false,
            sender: sender.to_owned(),
            channel,
            text: "Hi".to_owned(),
            status: "delivered".to_owned(),
            at: chrono::DateTime::UNIX_EPOCH,
        };
        let thread = [
            message(Channel::Sms, "MG0"),
            message(Channel::Sms, "+1"),
            message(Channel::Whatsapp, "+1"),
            message(Channel::Sms, "+1"),
        ];
        let found: Vec<String> = lines(&thread).iter().map(Line::key).collect();
        assert_eq!(found, ["sms +1", "whatsapp +1"]);
        assert_eq!(lines(&[]), []);
    }
}
