//! One user: identity, consent, subscriptions, and everything that happened.

mod acts;
mod consent;
mod history;
mod test_mark;
mod why;

use super::users::{Identity, number_or_id, plain};
use crate::{
    api,
    components::{frame::viewer_may, *},
    live,
};
use acts::Acts;
use consent::{ConsentCard, SubscriptionsCard};
use domain::{
    attribute::Attribute,
    ids::UserId,
    operator::Operation,
    user::{UserDetail, UserForm},
};
use history::{Ledger, Messages, Timeline};
use leptos::prelude::*;
use leptos_router::{
    components::A,
    hooks::{use_params_map, use_query_map},
};
use serde_json::{Map, Value};
use test_mark::TestMark;
use why::WhyOrWhyNot;

/// The page of a user.
#[component]
pub fn User() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").unwrap_or_default());
    let user = Resource::new(
        move || id.get(),
        |id| async move {
            match id.parse::<UserId>() {
                Ok(id) => api::users::get(id).await,
                Err(_) => Err(api::not_found("user")),
            }
        },
    );
    for noun in ["users", "messages", "inbound"] {
        live::on_changed(noun, move || user.refetch());
    }
    let title = RwSignal::new("User".to_owned());
    let refetch = Callback::new(move |()| user.refetch());
    view! {
        <Page title>
            <Load
                resource=user
                skeleton=|| {
                    view! {
                        <div class="grid-2">
                            <LinesSkeleton lines=6 />
                            <LinesSkeleton lines=6 />
                        </div>
                        <LinesSkeleton lines=10 />
                    }
                }
                view=move |detail: UserDetail| {
                    title.set(detail.user.label());
                    view! { <Detail detail refetch /> }
                }
            />
        </Page>
    }
}

#[component]
fn Detail(detail: UserDetail, refetch: Callback<()>) -> impl IntoView {
    let UserDetail { user, possible_zones, suppressed, subscriptions, declared, ledger, messages, timeline } = detail;
    let user_id = user.id;
    let query = use_query_map();
    let tab = Memo::new(move |_| query.read().get("tab").unwrap_or_default());
    let base = format!("/users/{}", user.id);
    let tabs = vec![
        (base.clone(), "Timeline".to_owned()),
        (format!("{base}?tab=messages"), "Messages".to_owned()),
        (format!("{base}?tab=consent"), "Consent ledger".to_owned()),
        (format!("{base}?tab=why"), "Why, or why not".to_owned()),
    ];
    let current = {
        let base = base.clone();
        Signal::derive(move || match tab.get().as_str() {
            tab @ ("messages" | "consent" | "why") => format!("{base}?tab={tab}"),
            _ => base.clone(),
        })
    };
    let topics = subscriptions.clone();
    let open = move || match tab.get().as_str() {
        "messages" => view! { <Messages id=user_id messages=messages.clone() /> }.into_any(),
        "consent" => view! { <Ledger ledger=ledger.clone() topics=topics.clone() /> }.into_any(),
        "why" => view! { <WhyOrWhyNot user=user_id /> }.into_any(),
        _ => view! { <Timeline timeline=timeline.clone() /> }.into_any(),
    };
    let merged = user.merged_into.map(|into| {
        view! {
            <p class="note note-warn">
                "This row was merged into another person, who goes on. Its own history stands here. "
                <A href=format!("/users/{into}")>"Open that person"</A>
            </p>
        }
    });
    let suppressed = suppressed.into_iter().map(|entry| {
        let because = format!(". The reason: {}. ", entry.reason);
        view! {
            <p class="note note-warn">
                {format!("Nobody messages this person on {}, whatever they agreed to: the address was suppressed ", entry.channel.label())}
                <When at=entry.at /> {because} <A href="/suppressions">"Look at the list"</A>
            </p>
        }
    });
    view! {
        {merged}
        {suppressed.collect_view()}
        <div class="grid-2">
            <IdentityCard user=user.clone() possible_zones declared refetch />
            <div class="stack">
                <ConsentCard user=user.id consents=user.consents.clone() refetch />
                <SubscriptionsCard user=user.id subscriptions refetch />
                <Acts user=user.clone() refetch />
                <TestMark user=user.id />
            </div>
        </div>
        <Tabs label="What happened" tabs current />
        {open}
    }
}

#[component]
fn IdentityCard(
    user: domain::user::User,
    possible_zones: Vec<String>,
    declared: Vec<Attribute>,
    refetch: Callback<()>,
) -> impl IntoView {
    let editing = RwSignal::new(false);
    let may_edit = viewer_may(Operation::UserWrite);
    let id = user.id;
    let form = UserForm {
        phone: user.phone.as_ref().map(ToString::to_string).unwrap_or_default(),
        name: user.name.clone().unwrap_or_default(),
        locale: user.locale.clone().unwrap_or_default(),
        zone: user.zone.clone().unwrap_or_default(),
        attributes: Some(with_declared(&user, &declared)),
    };
    let zone = match (&user.zone, possible_zones.as_slice()) {
        (Some(zone), _) => zone.clone(),
        (None, []) => "Not known".to_owned(),
        (None, [only]) => format!("{only}, by the number"),
        (None, zones) => format!("Not known; by the number one of {}", zones.join(", ")),
    };
    let edit = move || {
        view! {
            <Show when=move || may_edit.get()>
                <Button kind=ButtonKind::Quiet on_click=move |_| editing.set(true)>
                    "Edit"
                </Button>
            </Show>
        }
    };
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let mut facts = vec![
        ("Name".to_owned(), or_dash(&user.name)),
        ("Phone".to_owned(), number_or_id(&user)),
        ("WhatsApp id".to_owned(), or_dash(&user.whatsapp_id)),
        ("Language".to_owned(), or_dash(&user.locale)),
        ("Time zone".to_owned(), zone),
    ];
    facts.extend(user.attributes.iter().map(|(name, value)| (name.clone(), plain(value))));
    let facts = facts.into_iter().map(|(name, text)| view! { <Fact name>{text}</Fact> }).collect_view();
    let (created_at, updated_at) = (user.created_at, user.updated_at);
    view! {
        <Card title="Identity" aside=edit>
            <Facts>
                {facts} <Fact name="Added">
                    <When at=created_at />
                </Fact> <Fact name="Changed">
                    <When at=updated_at />
                </Fact>
            </Facts>
        </Card>
        <Dialog open=editing title="Edit the identity">
            <Edit
                id
                form=form.clone()
                on_done=move || {
                    editing.set(false);
                    refetch.run(());
                }
            />
        </Dialog>
    }
}

/// The person's attributes, and beside them those that are declared and that the person has no value of.
fn with_declared(user: &domain::user::User, declared: &[Attribute]) -> Map<String, Value> {
    let mut all = user.attributes.clone();
    for attribute in declared {
        all.entry(attribute.name.clone()).or_insert(Value::Null);
    }
    all
}

#[component]
fn Edit(id: UserId, form: UserForm, on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let identity = Identity::new(form);
    let save = Action::new(move |form: &UserForm| api::users::update(id, form.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = save.value().get() {
            toasts.say(Tone::Ok, "Saved");
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(identity.form());
    };
    view! {
        <form class="stack" on:submit=submit>
            {identity.controls(failure)}
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Save"
                </Button>
            </div>
        </form>
    }
}
