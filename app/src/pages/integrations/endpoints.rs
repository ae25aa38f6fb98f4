//! Endpoints that are told of events.

use crate::{
    api,
    components::{secret::Secret, *},
    format,
};
use domain::{
    feed::EventType,
    webhook::{SignedWebhook, Webhook, WebhookForm},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, components::A, hooks::use_navigate};
use std::collections::BTreeSet;

/// The endpoints, and the way to a new one.
#[component]
pub fn Endpoints(endpoints: Vec<Webhook>) -> impl IntoView {
    let adding = RwSignal::new(false);
    let made = RwSignal::new(None::<SignedWebhook>);
    let showing = RwSignal::new(false);
    let navigate = use_navigate();
    // Once the secret was copied, the next thing is the endpoint itself.
    Effect::new(move |before: Option<bool>| {
        let open = showing.get();
        if before == Some(true)
            && !open
            && let Some(made) = made.get_untracked()
        {
            navigate(&format!("/integrations/{}", made.webhook.id), NavigateOptions::default());
        }
        open
    });
    let add = move || view! { <Button on_click=move |_| adding.set(true)>"Add a webhook"</Button> }.into_any();
    let save = Action::new(|form: &WebhookForm| api::webhooks::create(form.clone()));
    Effect::new(move || {
        if let Some(Ok(webhook)) = save.value().get() {
            adding.set(false);
            made.set(Some(webhook));
            showing.set(true);
        }
    });
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    view! {
        <Card title="Webhooks" aside=add flush=true>
            {list(endpoints)}
        </Card>
        <Dialog open=adding title="Add a webhook">
            <EndpointForm
                verb="Add it"
                failure
                pending=save.pending()
                on_save=move |form| {
                    save.dispatch(form);
                }
            />
        </Dialog>
        <Dialog open=showing title="The webhook's secret">
            {move || {
                made.get()
                    .map(|made| {
                        view! {
                            <div class="stack">
                                <p>
                                    "Events are signed with it as Standard Webhooks has it: check each with the secret before you believe it."
                                </p>
                                <Secret label="Secret" name="webhook-secret" secret=made.secret />
                                <div class="actions">
                                    <Button kind=ButtonKind::Primary on_click=move |_| showing.set(false)>
                                        "I have copied it"
                                    </Button>
                                </div>
                            </div>
                        }
                    })
            }}
        </Dialog>
    }
}

fn list(endpoints: Vec<Webhook>) -> AnyView {
    if endpoints.is_empty() {
        return view! {
            <Empty title="No webhooks yet">
                "A webhook is an address of yours that events are posted to as they happen: a message was delivered, a person wrote, a campaign ended."
            </Empty>
        }
        .into_any();
    }
    let row = |webhook: Webhook| {
        let state = health(&webhook);
        let delivered = match webhook.delivered_at {
            Some(at) => view! { <When at /> }.into_any(),
            None => "Nothing yet".into_any(),
        };
        let events = events(&webhook.types);
        view! {
            <tr>
                <td data-label="Address">
                    <A href=format!("/integrations/{}", webhook.id) attr:data-row="" attr:class="break-all">
                        {webhook.url}
                    </A>
                    <span class="text-muted">{(!webhook.description.is_empty()).then(|| format!(" {}", webhook.description))}</span>
                </td>
                <td data-label="Events">{events}</td>
                <td data-label="State">
                    <span>{state}</span>
                </td>
                <td data-label="Wait" class="num">
                    {format::number(webhook.waiting)}
                </td>
                <td data-label="Last delivered">{delivered}</td>
            </tr>
        }
    };
    view! {
        <Table label="Webhooks" head=vec!["Address", "Events", "State", "Wait", "Last delivered"]>
            {endpoints.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

/// How an endpoint is.
pub fn health(webhook: &Webhook) -> AnyView {
    match (webhook.enabled, webhook.failing_since) {
        (false, _) => {
            let tone = if webhook.disabled_because.is_some() { Tone::Fail } else { Tone::Plain };
            view! { <Badge tone word="Disabled" /> }.into_any()
        }
        (true, Some(at)) => view! {
            <Badge tone=Tone::Warn word="Failing" />
            " since "
            <When at />
        }
        .into_any(),
        (true, None) => view! { <Badge tone=Tone::Ok word="Enabled" /> }.into_any(),
    }
}

/// Which events, in words.
pub fn events(types: &[EventType]) -> String {
    match types.len() {
        0 => "All".to_owned(),
        few if few <= 3 => types.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "),
        many => format::counted(i64::try_from(many).unwrap_or(i64::MAX), "type", "types"),
    }
}

/// What an endpoint is to be.
#[component]
pub fn EndpointForm(
    /// What it is now; nothing for a new one.
    #[prop(optional)]
    webhook: Option<Webhook>,
    /// The verb on the button.
    verb: &'static str,
    /// Why the last try failed.
    failure: Signal<Option<api::Failure>>,
    /// Whether a try is under way.
    pending: Memo<bool>,
    /// Saves.
    #[prop(into)]
    on_save: Callback<WebhookForm>,
) -> impl IntoView {
    let before = webhook.as_ref();
    let url = RwSignal::new(before.map(|webhook| webhook.url.clone()).unwrap_or_default());
    let description = RwSignal::new(before.map(|webhook| webhook.description.clone()).unwrap_or_default());
    let types = RwSignal::new(before.map(|webhook| webhook.types.iter().copied().collect()).unwrap_or_default());
    let enabled = RwSignal::new(before.is_none_or(|webhook| webhook.enabled));
    let is_new = before.is_none();
    let campaign = before.and_then(|webhook| webhook.campaign);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        on_save.run(WebhookForm {
            url: url.get_untracked(),
            description: description.get_untracked(),
            types: types.with_untracked(|types: &BTreeSet<EventType>| types.iter().copied().collect()),
            campaign,
            enabled: enabled.get_untracked(),
        });
    };
    view! {
        <form class="stack" on:submit=submit>
            <TextInput
                label="Address"
                name="webhook-url"
                kind="url"
                value=url
                required=true
                placeholder="https://example.com/hooks/ese"
                hint="https, on the internet. Redirects are not followed."
                error=field_error(failure, "url")
            />
            <TextInput
                label="What it is for"
                name="webhook-description"
                value=description
                hint="For colleagues; may stay empty."
                error=field_error(failure, "description")
            />
            <Types types />
            <Show when=move || !is_new>
                <label class="check">
                    <input
                        type="checkbox"
                        name="webhook-enabled"
                        prop:checked=move || enabled.get()
                        on:change:target=move |event| enabled.set(event.target().checked())
                    />
                    <span>"Enabled. While it is not, events wait for it, for 30 days."</span>
                </label>
            </Show>
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending>
                    {verb}
                </Button>
            </div>
        </form>
    }
}

#[component]
fn Types(types: RwSignal<BTreeSet<EventType>>) -> impl IntoView {
    let kind = move |kind: EventType| {
        let set = move |on: bool| {
            types.update(|types| {
                if on {
                    types.insert(kind);
                } else {
                    types.remove(&kind);
                }
            });
        };
        view! {
            <label class="check">
                <input
                    type="checkbox"
                    name="event-type"
                    value=kind.as_str()
                    prop:checked=move || types.read().contains(&kind)
                    on:change:target=move |event| set(event.target().checked())
                />
                <span>
                    <code>{kind.as_str()}</code>
                    " "
                    <span class="text-muted">{kind.label()}</span>
                </span>
            </label>
        }
    };
    view! {
        <fieldset class="field">
            <legend>"Events"</legend>
            <p class="field-hint">"None chosen means all, also those that a later version adds."</p>
            <div class="choices">{EventType::ALL.iter().copied().map(kind).collect_view()}</div>
        </fieldset>
    }
}
