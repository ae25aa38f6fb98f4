//! One message: what became of it, why, and every word exchanged with the provider.

use crate::{
    api,
    components::{
        Button, ButtonKind, Card, Confirm, Empty, Fact, Facts, FailureNote, LinesSkeleton, Load, Page, Table, Toasts,
        Tone, When, badge, frame::viewer_may,
    },
    format, live,
    pages::messages::{person, why},
};
use domain::{
    ids::MessageKey,
    message::{Decision, Event, Exchange, HistoryEntry, MessageDetail, transition},
    operator::Operation,
    problem::{Kind, Problem},
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_params_map};

/// The page of a message.
#[component]
pub fn Message() -> impl IntoView {
    let params = use_params_map();
    let message = Resource::new(
        move || params.read().get("key").and_then(|key| key.parse::<MessageKey>().ok()),
        |key| async move {
            let unknown = || api::Failure(Problem::new(Kind::NotFound, "This is not the address of a message."));
            api::messages::get(key.ok_or_else(unknown)?).await
        },
    );
    live::on_changed("messages", move || message.refetch());
    view! {
        <Load
            resource=message
            skeleton=|| {
                view! {
                    <Page title="Message">
                        <LinesSkeleton lines=6 />
                    </Page>
                }
            }
            view=move |detail| view! { <Detail detail on_resolved=move || message.refetch() /> }
        />
    }
}

#[component]
fn Detail(detail: MessageDetail, on_resolved: impl Fn() + Copy + Send + Sync + 'static) -> impl IntoView {
    let row = detail.row;
    let (state, key) = (row.state, row.key);
    let (person, why) = (person(row.user_name.as_ref(), row.phone.as_ref()), why(&row));
    let title = format!("Message to {person}");
    view! {
        <Page title=title>
            <Contradictions conflict=detail.conflict duplicate=detail.duplicate />
            <Resolve key_=key state on_resolved />
            <div class="grid-2">
                <Card title="Now">
                    <Facts>
                        <Fact name="State">{badge::status(&state)}</Fact>
                        <Fact name="Why">{why}</Fact>
                        <Fact name="Person">
                            <A href=format!("/users/{}", row.user_id)>{person}</A>
                        </Fact>
                        <Fact name="Channel">{row.channel.label()}</Fact>
                        <Fact name="Campaign">
                            <A href=format!("/campaigns/{}", key.campaign)>{row.campaign_name}</A>
                        </Fact>
                        <Fact name="Place in the audience">{format::number(key.seq)}</Fact>
                        <Fact name="Tried">{format::counted(row.attempts.into(), "time", "times")}</Fact>
                        <Fact name="Provider's id">
                            {match detail.provider_sid {
                                Some(sid) => view! { <code class="break-all">{sid}</code> }.into_any(),
                                None => "The provider gave none".into_any(),
                            }}
                        </Fact>
                        <Fact name="Changed">
                            <When at=row.updated_at exact=true />
                        </Fact>
                    </Facts>
                </Card>
                <Card title="Text">
                    {match detail.text {
                        Some(text) => {
                            view! {
                                <div class="bubbles">
                                    <p class="bubble bubble-ours">{text}</p>
                                </div>
                            }
                                .into_any()
                        }
                        None => view! { <p class="text-muted">"It cannot be written now: a variable has no value."</p> }.into_any(),
                    }}
                </Card>
            </div>
            <Card title="What happened">{history(detail.history)}</Card>
            <Card title="Decisions of the gates" flush=true>
                {decisions(detail.decisions)}
            </Card>
            <Card title="Exchanges with the provider">{exchanges(detail.exchanges)}</Card>
        </Page>
    }
}

/// What the provider's reports should not do, and did.
#[component]
fn Contradictions(conflict: bool, duplicate: bool) -> impl IntoView {
    view! {
        {conflict
            .then(|| {
                view! {
                    <p class="note note-warn">
                        "The provider reported this message both as failed and as delivered. The later stage counts."
                    </p>
                }
            })}
        {duplicate
            .then(|| view! { <p class="note note-warn">"The provider holds this message twice: the person may have got two."</p> })}
    }
}

/// What a person can decide about a message whose fate is not known.
#[component]
fn Resolve(
    key_: MessageKey,
    state: domain::message::State,
    on_resolved: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let (can_resend, can_close) = (transition(state, Event::Resend).is_ok(), transition(state, Event::Close).is_ok());
    let may = viewer_may(Operation::MessageReview);
    let toasts = Toasts::here();
    let (open, resend) = (RwSignal::new(false), RwSignal::new(false));
    let resolve = Action::new(move |resend: &bool| api::messages::resolve(key_, *resend));
    let failure = Signal::derive(move || resolve.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = resolve.value().get() {
            open.set(false);
            let said = if resend.get_untracked() { "It will be sent again" } else { "Closed: it is not sent again" };
            toasts.say(Tone::Ok, said);
            on_resolved();
        }
    });
    let ask = move |again: bool| {
        resend.set(again);
        open.set(true);
    };
    let title = move || if resend.get() { "Send this message again?" } else { "Close this message?" };
    view! {
        <Show when=move || (can_resend || can_close) && may.get()>
            <div class="note note-warn stack">
                <p>
                    "Nobody knows whether this message was sent: the connection broke before the provider answered, and its list of messages shows no trace. Look at the exchanges below and at the provider's console, then decide."
                </p>
                <div class="actions">
                    <Show when=move || can_resend>
                        <Button on_click=move |_| ask(true)>"It was not sent: send again"</Button>
                    </Show>
                    <Show when=move || can_close>
                        <Button kind=ButtonKind::Quiet on_click=move |_| ask(false)>
                            "Close"
                        </Button>
                    </Show>
                </div>
            </div>
        </Show>
        <Confirm
            open
            title=Signal::derive(move || title().to_owned())
            people=1
            verb=Signal::derive(move || if resend.get() { "Send again" } else { "Close" }.to_owned())
            danger=resend
            pending=resolve.pending()
            on_confirm=move |()| {
                resolve.dispatch(resend.get_untracked());
            }
        >
            <p>
                {move || {
                    if resend.get() {
                        "If the first one did leave after all, the person gets two."
                    } else {
                        "It counts as expired and is never sent. If the first one did leave after all, a report of the provider still corrects that."
                    }
                }}
            </p>
            <FailureNote failure />
        </Confirm>
    }
}

fn history(entries: Vec<HistoryEntry>) -> impl IntoView {
    if entries.is_empty() {
        return view! { <p class="text-muted">"Nothing yet: it waits to be claimed."</p> }.into_any();
    }
    let entry = |entry: HistoryEntry| {
        let title = match entry.state {
            Some(state) => badge::status(&state).into_any(),
            None => view! { <strong>{entry.title}</strong> }.into_any(),
        };
        view! {
            <li class="flex flex-wrap items-baseline gap-x-3 gap-y-1">
                <span class="text-muted tabular-nums">
                    <When at=entry.at exact=true />
                </span>
                {title}
                {entry.detail.map(|detail| view! { <span>{detail}</span> })}
            </li>
        }
    };
    view! { <ol class="stack">{entries.into_iter().map(entry).collect_view()}</ol> }.into_any()
}

fn decisions(decisions: Vec<Decision>) -> impl IntoView {
    if decisions.is_empty() {
        return view! { <p class="card-body text-muted">"No gate stopped or delayed it."</p> }.into_any();
    }
    let row = |decision: Decision| {
        let (tone, word) = match decision.verdict.as_str() {
            "skip" => (Tone::Plain, "Skipped"),
            _ => (Tone::Wait, "Waits"),
        };
        view! {
            <tr>
                <td data-label="When">
                    <When at=decision.at exact=true />
                </td>
                <td data-label="Verdict">
                    <badge::Badge tone=tone word=word />
                </td>
                <td data-label="Gate">{decision.gate.label()}</td>
                <td data-label="Fact">{decision.fact}</td>
                <td data-label="Asked again">
                    {decision.next_at.map_or_else(|| "–".into_any(), |at| view! { <When at=at exact=true /> }.into_any())}
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Decisions" head=vec!["When", "Verdict", "Gate", "Fact", "Asked again"]>
            {decisions.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

fn exchanges(exchanges: Vec<Exchange>) -> impl IntoView {
    if exchanges.is_empty() {
        return view! {
            <Empty title="Nothing was exchanged">"The provider was not asked for this message, and reported nothing."</Empty>
        }
        .into_any();
    }
    view! { <div class="stack">{exchanges.into_iter().map(exchange).collect_view()}</div> }.into_any()
}

fn exchange(exchange: Exchange) -> impl IntoView {
    let title = match exchange.kind.as_str() {
        "create" => "Request to send, and the answer".to_owned(),
        "list" => "Search in the provider's list".to_owned(),
        "status" => "Status report".to_owned(),
        "inbound" => "Message of the person".to_owned(),
        other => other.to_owned(),
    };
    let content = match exchange.payload {
        None => view! { <p class="text-muted">"Erased; the fingerprint below is what is left."</p> }.into_any(),
        Some(payload) => {
            let readable = readable(&payload);
            let only_stored = readable.is_none();
            view! {
                {readable.map(|text| view! { <pre class="pre">{text}</pre> })}
                <details open=only_stored>
                    <summary>"As it was stored"</summary>
                    <pre class="pre">{payload}</pre>
                </details>
            }
            .into_any()
        }
    };
    view! {
        <details>
            <summary>
                <strong>{title}</strong>
                " "
                <span class="text-muted">
                    <When at=exchange.at exact=true />
                </span>
            </summary>
            <div class="stack">
                {content}
                <p class="text-xs text-muted break-all">"SHA-256 " <code>{exchange.sha256}</code></p>
            </div>
        </details>
    }
}

/// JSON with a line for each member, or a form with a line for each field; `None` where that adds nothing.
fn readable(payload: &str) -> Option<String> {
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(payload) {
        return serde_json::to_string_pretty(&value).ok().filter(|text| text != payload);
    }
    let is_form = payload.contains('=') && !payload.contains(char::is_whitespace);
    is_form.then(|| {
        let field = |(name, value)| format!("{name}: {value}");
        form_urlencoded::parse(payload.as_bytes()).map(field).collect::<Vec<_>>().join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_made_readable() {
        let cases = [
            (r#"{"sid":"SM1"}"#, Some("{\n  \"sid\": \"SM1\"\n}")),
            ("Body=Hi%20there+you&From=%2B49", Some("Body: Hi there you\nFrom: +49")),
            ("plain words", None),
            ("", None),
        ];
        for (payload, expected) in cases {
            assert_eq!(readable(payload).as_deref(), expected, "{payload}");
        }
    }
}
