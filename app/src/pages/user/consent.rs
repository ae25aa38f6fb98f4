//! What a user agreed to, and the forms by which an operator records a change: with evidence, for it goes into a ledger
//! that is never rewritten.

use crate::{
    api,
    components::{badge, frame::viewer_may, person::state_on, *},
};
use domain::{
    consent::{ConsentKind, ConsentState, ConsentView},
    ids::{TopicId, UserId},
    operator::Operation,
    phone::Channel,
    topic::{SubscriptionState, SubscriptionView},
};
use leptos::prelude::*;

const EVIDENCE_HINT: &str =
    "How do you know? For example: \"asked by phone on 12 May, call 4711\". It stays in the ledger.";

/// Consent per channel.
#[component]
pub fn ConsentCard(user: UserId, consents: Vec<ConsentView>, refetch: Callback<()>) -> impl IntoView {
    let may_change = viewer_may(Operation::ConsentWrite);
    // The channel whose change is being entered.
    let changing = RwSignal::new(None::<(Channel, ConsentState)>);
    let open = RwSignal::new(false);
    let row = move |channel: &Channel| {
        let channel = *channel;
        let state = state_on(&consents, channel);
        let since = consents.iter().find(|one| one.channel == channel).and_then(|one| one.updated_at);
        let change = move |_| {
            changing.set(Some((channel, state)));
            open.set(true);
        };
        view! {
            <Fact name=channel.label()>
                <span class="actions">
                    {badge::status(&state)}
                    {since
                        .map(|at| {
                            view! {
                                <span class="text-muted text-xs">
                                    <When at />
                                </span>
                            }
                        })} <Show when=move || may_change.get()>
                        <Button kind=ButtonKind::Quiet on_click=change>
                            "Change"
                        </Button>
                    </Show>
                </span>
            </Fact>
        }
    };
    let title = Signal::derive(move || {
        let channel = changing.get().map_or("", |(channel, _)| channel.label());
        format!("Change consent to {channel}")
    });
    view! {
        <Card title="Consent">
            <Facts>{Channel::ALL.iter().map(row).collect_view()}</Facts>
        </Card>
        <Dialog open title>
            {move || {
                changing
                    .get()
                    .map(|(channel, state)| {
                        view! {
                            <Change
                                user
                                channel
                                state
                                on_done=move || {
                                    open.set(false);
                                    refetch.run(());
                                }
                            />
                        }
                    })
            }}
        </Dialog>
    }
}

#[component]
fn Change(
    user: UserId,
    channel: Channel,
    state: ConsentState,
    on_done: impl Fn() + Clone + Send + Sync + 'static,
) -> impl IntoView {
    let toasts = Toasts::here();
    let first = if state == ConsentState::OptedIn { ConsentKind::OptOut } else { ConsentKind::OptIn };
    let kind = RwSignal::new(first.to_string());
    let evidence = RwSignal::new(String::new());
    let save = Action::new(move |(kind, evidence): &(ConsentKind, String)| {
        api::consents::record(user, channel, *kind, evidence.clone())
    });
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = save.value().get() {
            toasts.say(Tone::Ok, "Recorded in the ledger");
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Ok(kind) = kind.get_untracked().parse() {
            save.dispatch((kind, evidence.get_untracked()));
        }
    };
    let kinds: Vec<Choice> =
        [ConsentKind::OptIn, ConsentKind::OptOut].map(|kind| (kind.to_string(), kind.label().to_owned())).into();
    let lifts_opt_out = move || state == ConsentState::OptedOut && kind.read().as_str() == ConsentKind::OptIn.as_str();
    view! {
        <form class="stack" on:submit=submit>
            <Select label="What the person said" name="consent-kind" value=kind choices=kinds />
            <Show when=lifts_opt_out>
                <p class="note note-warn">
                    "This person opted out. Record an opt-in only if they asked for it themselves afterwards."
                </p>
            </Show>
            <TextArea
                label="Evidence"
                name="evidence"
                value=evidence
                required=true
                hint=EVIDENCE_HINT
                error=field_error(failure, "evidence")
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Record"
                </Button>
            </div>
        </form>
    }
}

/// The person's choice on every topic.
#[component]
pub fn SubscriptionsCard(user: UserId, subscriptions: Vec<SubscriptionView>, refetch: Callback<()>) -> impl IntoView {
    let may_change = viewer_may(Operation::ConsentWrite);
    let changing = RwSignal::new(None::<SubscriptionView>);
    let open = RwSignal::new(false);
    let none = subscriptions.is_empty();
    let row = move |subscription: SubscriptionView| {
        let (tone, word) = match (subscription.state, subscription.reached) {
            (Some(SubscriptionState::Subscribed), _) => (Tone::Ok, "Subscribed"),
            (Some(SubscriptionState::Unsubscribed), _) => (Tone::Fail, "Left"),
            (None, true) => (Tone::Plain, "Reached, without a choice"),
            (None, false) => (Tone::Plain, "Not reached"),
        };
        let name = subscription.name.clone();
        let change = move |_| {
            changing.set(Some(subscription.clone()));
            open.set(true);
        };
        view! {
            <Fact name>
                <span class="actions">
                    <Badge tone word />
                    <Show when=move || may_change.get()>
                        <Button kind=ButtonKind::Quiet on_click=change.clone()>
                            "Change"
                        </Button>
                    </Show>
                </span>
            </Fact>
        }
    };
    let title = Signal::derive(move || match changing.get() {
        Some(subscription) => format!("Change the subscription to {}", subscription.name),
        None => String::new(),
    });
    view! {
        <Card title="Subscriptions">
            <Facts>{subscriptions.into_iter().map(row).collect_view()}</Facts>
            {none.then(|| view! { <p class="text-muted">"There are no topics yet."</p> })}
        </Card>
        <Dialog open title>
            {move || {
                changing
                    .get()
                    .map(|subscription| {
                        view! {
                            <ChangeSubscription
                                user
                                topic=subscription.topic_id
                                state=subscription.state
                                on_done=move || {
                                    open.set(false);
                                    refetch.run(());
                                }
                            />
                        }
                    })
            }}
        </Dialog>
    }
}

#[component]
fn ChangeSubscription(
    user: UserId,
    topic: TopicId,
    #[prop(optional_no_strip)] state: Option<SubscriptionState>,
    on_done: impl Fn() + Clone + Send + Sync + 'static,
) -> impl IntoView {
    let toasts = Toasts::here();
    let to = match state {
        Some(SubscriptionState::Subscribed) => SubscriptionState::Unsubscribed,
        Some(SubscriptionState::Unsubscribed) | None => SubscriptionState::Subscribed,
    };
    let chosen = RwSignal::new(to.to_string());
    let evidence = RwSignal::new(String::new());
    let save = Action::new(move |(state, evidence): &(SubscriptionState, String)| {
        api::subscriptions::set(user, topic, *state, evidence.clone())
    });
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = save.value().get() {
            toasts.say(Tone::Ok, "Recorded in the ledger");
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Ok(state) = chosen.get_untracked().parse() {
            save.dispatch((state, evidence.get_untracked()));
        }
    };
    let states: Vec<Choice> =
        SubscriptionState::ALL.iter().map(|state| (state.to_string(), state.label().to_owned())).collect();
    view! {
        <form class="stack" on:submit=submit>
            <Select label="What the person chose" name="subscription-state" value=chosen choices=states />
            <TextArea
                label="Evidence"
                name="subscription-evidence"
                value=evidence
                required=true
                hint=EVIDENCE_HINT
                error=field_error(failure, "evidence")
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Record"
                </Button>
            </div>
        </form>
    }
}
