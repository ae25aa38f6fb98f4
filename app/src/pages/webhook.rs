//! One webhook: what it is, and what became of each event on its way.

use crate::{
    api,
    components::{secret::Secret, time, *},
    format, live,
    pages::integrations::{EndpointForm, events, health},
};
use chrono::Duration;
use domain::{
    ids::WebhookId,
    page::{Page as Rows, PageRequest},
    webhook::{DeliveryState, FAILING_DAYS, ROTATION_HOURS, Webhook as Endpoint, WebhookDelivery, WebhookForm},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::A,
    hooks::{use_navigate, use_params_map, use_query_map},
};

/// The page of a webhook.
#[component]
pub fn Webhook() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").and_then(|id| id.parse::<WebhookId>().ok()));
    let webhook = Resource::new(
        move || id.get(),
        |id| async move { api::webhooks::get(id.ok_or_else(|| api::not_found("webhook"))?).await },
    );
    live::on_changed("webhooks", move || webhook.refetch());
    let changed = Callback::new(move |()| webhook.refetch());
    view! {
        <Load
            resource=webhook
            skeleton=|| {
                view! {
                    <Page title="Webhook">
                        <LinesSkeleton lines=6 />
                    </Page>
                }
            }
            view=move |webhook| view! { <Detail webhook changed /> }
        />
    }
}

#[component]
fn Detail(webhook: Endpoint, changed: Callback<()>) -> impl IntoView {
    let id = webhook.id;
    let title = host(&webhook.url);
    let editing = RwSignal::new(false);
    let stored = StoredValue::new(webhook.clone());
    let save = Action::new(move |form: &WebhookForm| api::webhooks::update(id, form.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    let toasts = Toasts::here();
    Effect::new(move || {
        if let Some(Ok(_)) = save.value().get() {
            toasts.say(Tone::Ok, "Saved");
            editing.set(false);
            changed.run(());
        }
    });
    let action = move || {
        view! {
            <Button kind=ButtonKind::Primary on_click=move |_| editing.set(true)>
                "Change it"
            </Button>
            <Rotate id changed />
            <Remove id />
        }
    };
    let disabled = webhook.disabled_because.clone().filter(|_| !webhook.enabled).map(|why| {
        view! {
            <p class="note note-fail" role="status">
                {format!("It was disabled: {why}. Enable it again once it answers: events waited for it.")}
            </p>
        }
    });
    let failing = (webhook.enabled && webhook.failing_since.is_some()).then(|| {
        view! {
            <p class="note note-warn" role="status">
                {format!(
                    "Nothing gets through. One event at a time is tried while the others wait; after {FAILING_DAYS} days without a success it is disabled.",
                )}
            </p>
        }
    });
    let (state, events) = (health(&webhook), events(&webhook.types));
    let Endpoint { url, description, campaign, waiting, delivered_at, created_at, created_by, .. } = webhook;
    let campaign = campaign.map(|campaign| {
        view! {
            <Fact name="Only of">
                <A href=format!("/campaigns/{campaign}")>"one campaign"</A>
            </Fact>
        }
    });
    let delivered = match delivered_at {
        Some(at) => view! { <When at exact=true /> }.into_any(),
        None => "Nothing yet".into_any(),
    };
    view! {
        <Page title=title action>
            {disabled}
            {failing}
            <Card title="Now">
                <Facts>
                    <Fact name="State">{state}</Fact>
                    <Fact name="Address">
                        <code class="break-all">{url}</code>
                    </Fact>
                    <Fact name="What it is for">{some_or(description, "Nobody said")}</Fact>
                    <Fact name="Events">{events}</Fact>
                    {campaign}
                    <Fact name="Waiting">{format::counted(waiting, "event", "events")}</Fact>
                    <Fact name="Last delivered">{delivered}</Fact>
                    <Fact name="Made">
                        <When at=created_at exact=true />
                        {format!(" by {created_by}")}
                    </Fact>
                </Facts>
            </Card>
            <Deliveries id />
        </Page>
        <Dialog open=editing title="Change the webhook">
            <EndpointForm
                webhook=stored.get_value()
                verb="Save"
                failure
                pending=save.pending()
                on_save=move |form| {
                    save.dispatch(form);
                }
            />
        </Dialog>
    }
}

fn some_or(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

/// What stands for an endpoint in a heading: its host and path, without the scheme.
fn host(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, rest)| rest).to_owned()
}

/// Gives it a new secret.
#[component]
fn Rotate(id: WebhookId, changed: Callback<()>) -> impl IntoView {
    let asking = RwSignal::new(false);
    let rotate = Action::new(move |(): &()| api::webhooks::rotate(id));
    let failure = Signal::derive(move || rotate.value().get().and_then(Result::err));
    let fresh = move || rotate.value().get().and_then(Result::ok);
    Effect::new(move |before: Option<bool>| {
        let open = asking.get();
        if before == Some(true) && !open && fresh().is_some() {
            rotate.clear();
            changed.run(());
        }
        open
    });
    let content = move || {
        match fresh() {
        Some(signed) => view! {
            <p>{format!("For {ROTATION_HOURS} hours the one before signs as well.")}</p>
            <Secret label="Secret" name="webhook-secret" secret=signed.secret />
            <div class="actions">
                <Button kind=ButtonKind::Primary on_click=move |_| asking.set(false)>
                    "I have copied it"
                </Button>
            </div>
        }
        .into_any(),
        None => view! {
            <p>
                {format!(
                    "For {ROTATION_HOURS} hours both secrets sign every event, so that the receiver can change over without missing one.",
                )}
            </p>
            <FailureNote failure />
            <div class="actions">
                <Button on_click=move |_| asking.set(false)>"Go back"</Button>
                <Button
                    kind=ButtonKind::Primary
                    pending=rotate.pending()
                    on_click=move |_| {
                        rotate.dispatch(());
                    }
                >
                    "Make a new one"
                </Button>
            </div>
        }
        .into_any(),
    }
    };
    view! {
        <Button on_click=move |_| asking.set(true)>"New secret"</Button>
        <Dialog open=asking title="Change the secret?">
            <div class="stack">{content}</div>
        </Dialog>
    }
}

/// Removes it.
#[component]
fn Remove(id: WebhookId) -> impl IntoView {
    let toasts = Toasts::here();
    let asking = RwSignal::new(false);
    let remove = Action::new(move |(): &()| api::webhooks::delete(id));
    let failure = Signal::derive(move || remove.value().get().and_then(Result::err));
    let navigate = use_navigate();
    Effect::new(move || {
        if let Some(Ok(())) = remove.value().get() {
            toasts.say(Tone::Ok, "The webhook is gone");
            navigate("/integrations", NavigateOptions::default());
        }
    });
    view! {
        <Button kind=ButtonKind::Quiet on_click=move |_| asking.set(true)>
            "Remove"
        </Button>
        <Dialog open=asking title="Remove the webhook?">
            <div class="stack">
                <p>"What waits for it goes with it, and so does the list of what was delivered. This cannot be undone."</p>
                <FailureNote failure />
                <div class="actions">
                    <Button on_click=move |_| asking.set(false)>"Go back"</Button>
                    <Button
                        kind=ButtonKind::Danger
                        pending=remove.pending()
                        on_click=move |_| {
                            remove.dispatch(());
                        }
                    >
                        "Remove it"
                    </Button>
                </div>
            </div>
        </Dialog>
    }
}

/// What became of each event, newest first.
#[component]
fn Deliveries(id: WebhookId) -> impl IntoView {
    let query = use_query_map();
    let state = Memo::new(move |_| query.read().get_str("state").and_then(|text| text.parse::<DeliveryState>().ok()));
    let after = Memo::new(move |_| query.read().get("after"));
    let deliveries = Resource::new(
        move || (state.get(), after.get()),
        move |(state, after)| api::webhooks::deliveries(id, state, PageRequest::after(after)),
    );
    live::on_changed("webhooks", move || deliveries.refetch());
    let changed = Callback::new(move |()| deliveries.refetch());
    let address = move |state: Option<DeliveryState>| match state {
        Some(state) => format!("/integrations/{id}?state={state}"),
        None => format!("/integrations/{id}"),
    };
    let tabs: Vec<(String, String)> = std::iter::once((address(None), "All".to_owned()))
        .chain(DeliveryState::ALL.iter().map(|state| (address(Some(*state)), state.label().to_owned())))
        .collect();
    view! {
        <div class="row-between">
            <Tabs label="Deliveries" tabs current=Signal::derive(move || address(state.get())) />
            <Recover id changed />
        </div>
        <Load
            resource=deliveries
            skeleton=|| view! { <TableSkeleton columns=4 /> }
            view=move |page| list(id, page, changed)
        />
    }
}

fn list(id: WebhookId, page: Rows<WebhookDelivery>, changed: Callback<()>) -> AnyView {
    if page.rows.is_empty() {
        return view! {
            <Empty title="Nothing here">
                "Events that this webhook is told of appear here, each with the attempts to deliver it. They are kept for 30 days."
            </Empty>
        }
        .into_any();
    }
    let row = move |delivery: WebhookDelivery| {
        let event = delivery.event.id.clone();
        view! {
            <tr>
                <td data-label="Happened">
                    <When at=delivery.event.timestamp />
                </td>
                <td data-label="Event">
                    <code>{delivery.event.kind.as_str()}</code>
                </td>
                <td data-label="State">{badge::status(&delivery.state)} {due(&delivery)}</td>
                <td data-label="Attempts">{attempts(&delivery)}</td>
                <td>
                    <Resend id event changed />
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Deliveries" head=vec!["Happened", "Event", "State", "Attempts", ""]>
            {page.rows.into_iter().map(row).collect_view()}
        </Table>
        <NextPage next=page.next />
    }
    .into_any()
}

fn due(delivery: &WebhookDelivery) -> impl IntoView + use<> {
    delivery.due_at.filter(|_| !delivery.attempts.is_empty()).map(|at| {
        view! {
            <span class="text-muted">
                " again " <When at />
            </span>
        }
    })
}

/// Each attempt in a line, the newest first; those before it on demand.
fn attempts(delivery: &WebhookDelivery) -> impl IntoView + use<> {
    let line = |attempt: &domain::webhook::WebhookAttempt| {
        let what = match (attempt.status, attempt.error.as_deref()) {
            (Some(status), None) => format!("{status} in {} ms", attempt.took_ms),
            (Some(status), Some(error)) => format!("{status}: {error}"),
            (None, error) => error.unwrap_or("no answer").to_owned(),
        };
        let response = (!attempt.response.is_empty()).then(|| {
            view! { <code class="break-all text-muted">{format!(" {}", attempt.response)}</code> }
        });
        let at = attempt.at;
        view! {
            <p>
                <When at /> ": " {what} {response}
            </p>
        }
    };
    let mut lines = delivery.attempts.iter().map(line);
    let newest = lines.next();
    let older: Vec<_> = lines.collect();
    let count = i64::try_from(older.len()).unwrap_or(i64::MAX);
    let older = (count > 0).then(|| {
        view! {
            <details>
                <summary>{format::counted(count, "attempt before", "attempts before")}</summary>
                {older}
            </details>
        }
    });
    match newest {
        Some(newest) => view! { {newest} {older} }.into_any(),
        None => "None yet".into_any(),
    }
}

#[component]
fn Resend(id: WebhookId, event: String, changed: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let resend = Action::new(move |event: &String| api::webhooks::resend(id, event.clone()));
    Effect::new(move || match resend.value().get() {
        Some(Ok(())) => {
            toasts.say(Tone::Ok, "It is sent again");
            changed.run(());
        }
        Some(Err(error)) => toasts.say(Tone::Fail, error.detail().to_owned()),
        None => {}
    });
    view! {
        <Button
            kind=ButtonKind::Quiet
            pending=resend.pending()
            on_click=move |_| {
                resend.dispatch(event.clone());
            }
        >
            "Send again"
        </Button>
    }
}

/// Sends everything again that failed for good lately.
#[component]
fn Recover(id: WebhookId, changed: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let asking = RwSignal::new(false);
    let days = RwSignal::new("7".to_owned());
    let recover = Action::new(move |days: &i64| api::webhooks::recover(id, time::current() - Duration::days(*days)));
    let failure = Signal::derive(move || recover.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(count)) = recover.value().get() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            toasts.say(Tone::Ok, format!("{} sent again", format::counted(count, "event is", "events are")));
            asking.set(false);
            changed.run(());
        }
    });
    let choices: Vec<Choice> = [("1", "1 day"), ("7", "7 days"), ("30", "30 days")]
        .map(|(days, words)| (days.to_owned(), words.to_owned()))
        .to_vec();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        recover.dispatch(days.read_untracked().parse().unwrap_or(1));
    };
    view! {
        <Button on_click=move |_| asking.set(true)>"Send again what failed"</Button>
        <Dialog open=asking title="Send again what failed">
            <form class="stack" on:submit=submit>
                <p>"Every event whose attempts are used up is tried anew, under the same id."</p>
                <Select label="Of the last" name="recover-days" value=days choices=choices.clone() />
                <FailureNote failure />
                <div class="actions">
                    <Button kind=ButtonKind::Primary submit=true pending=recover.pending()>
                        "Send again"
                    </Button>
                </div>
            </form>
        </Dialog>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_needs_no_scheme() {
        assert_eq!(host("https://example.com/hooks"), "example.com/hooks");
        assert_eq!(host("odd"), "odd");
    }
}
