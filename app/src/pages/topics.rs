//! Topics that people follow.

use crate::{
    api,
    components::{frame::viewer_may, *},
    format,
    pages::users::users_matching,
};
use domain::{
    operator::Operation,
    topic::{Topic, TopicForm, TopicKind},
};
use leptos::prelude::*;
use leptos_router::components::A;

/// The list of topics.
#[component]
pub fn Topics() -> impl IntoView {
    let topics = Resource::new(|| (), |()| api::topics::list());
    let adding = RwSignal::new(false);
    let may_add = viewer_may(Operation::ContentWrite);
    let refetch = Callback::new(move |()| topics.refetch());
    let add = move || {
        view! {
            <Show when=move || may_add.get()>
                <Button kind=ButtonKind::Primary on_click=move |_| adding.set(true)>
                    "New topic"
                </Button>
            </Show>
        }
    };
    view! {
        <Page title="Topics" lead="What people follow, by writing SUBSCRIBE and the keyword." action=add>
            <Load resource=topics skeleton=|| view! { <TableSkeleton columns=5 /> } view=move |topics| list(topics, refetch) />
        </Page>
        <Dialog open=adding title="New topic">
            <NewTopic
                on_done=move || {
                    adding.set(false);
                    topics.refetch();
                }
            />
        </Dialog>
    }
}

fn list(topics: Vec<Topic>, refetch: Callback<()>) -> AnyView {
    if topics.is_empty() {
        return view! {
            <Empty title="No topics yet">
                "A topic is something people choose to hear about: offers, news, reminders. A campaign on a topic reaches only those whom the topic reaches."
            </Empty>
        }
        .into_any();
    }
    view! { <TopicTable topics refetch /> }.into_any()
}

#[component]
fn TopicTable(topics: Vec<Topic>, refetch: Callback<()>) -> impl IntoView {
    let may_change = viewer_may(Operation::ContentWrite);
    let changing = RwSignal::new(None::<Topic>);
    let open = RwSignal::new(false);
    let row = move |topic: Topic| {
        let change = {
            let topic = topic.clone();
            move |_| {
                changing.set(Some(topic.clone()));
                open.set(true);
            }
        };
        let people = users_matching(&format!("subscribed to \"{}\"", topic.key));
        view! {
            <tr>
                <td data-label="Name">
                    <A href=people attr:data-row="">
                        {topic.name}
                    </A>
                </td>
                <td data-label="Keyword">
                    <code>{topic.key}</code>
                </td>
                <td data-label="Reaches">{topic.kind.label()}</td>
                <td data-label="Following" class="num">
                    {format::number(topic.subscribed)}
                </td>
                <td data-label="Left" class="num">
                    {format::number(topic.unsubscribed)}
                </td>
                <td data-label="Added">
                    <When at=topic.created_at />
                </td>
                <td>
                    <Show when=move || may_change.get()>
                        <Button kind=ButtonKind::Quiet on_click=change.clone()>
                            "Change"
                        </Button>
                    </Show>
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Topics" head=vec!["Name", "Keyword", "Reaches", "Following", "Left", "Added", ""]>
            {topics.into_iter().map(row).collect_view()}
        </Table>
        <Dialog open title="Change a topic">
            {move || {
                changing
                    .get()
                    .map(|topic| {
                        view! {
                            <ChangeTopic
                                topic
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
fn ChangeTopic(topic: Topic, on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let (id, key) = (topic.id, topic.key.clone());
    let name = RwSignal::new(topic.name.clone());
    let kind = RwSignal::new(topic.kind.to_string());
    let save = Action::new(move |form: &TopicForm| api::topics::update(id, form.clone()));
    let delete = Action::new(move |(): &()| api::topics::delete(id));
    let failure = Signal::derive(move || {
        let deleted = delete.value().get().and_then(Result::err);
        deleted.or_else(|| save.value().get().and_then(Result::err))
    });
    let done = on_done.clone();
    Effect::new(move || {
        if let Some(Ok(topic)) = save.value().get() {
            toasts.say(Tone::Ok, format!("Changed the topic {}", topic.name));
            done();
        }
    });
    Effect::new(move || {
        if let Some(Ok(())) = delete.value().get() {
            toasts.say(Tone::Ok, "The topic is gone");
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(TopicForm {
            name: name.get_untracked(),
            key: key.clone(),
            kind: kind.get_untracked().parse().unwrap_or(topic.kind),
        });
    };
    let kinds: Vec<Choice> = TopicKind::ALL.iter().map(|kind| (kind.to_string(), kind.label().to_owned())).collect();
    view! {
        <form class="stack" on:submit=submit>
            <p class="text-muted">
                {format!("Its keyword stays \"{}\": people have written it, and the ledger quotes it.", topic.key)}
            </p>
            <TextInput label="Name" name="change-name" value=name required=true error=field_error(failure, "name") />
            <Select
                label="Whom it reaches"
                name="change-kind"
                value=kind
                choices=kinds
                hint="Campaigns that run feel this from their next message on."
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Save"
                </Button>
                <Button
                    kind=ButtonKind::Danger
                    pending=delete.pending()
                    on_click=move |_| {
                        delete.dispatch(());
                    }
                >
                    "Delete the topic"
                </Button>
            </div>
        </form>
    }
}

#[component]
fn NewTopic(on_done: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let toasts = Toasts::here();
    let (name, key) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let kind = RwSignal::new(TopicKind::OptIn.to_string());
    let save = Action::new(|form: &TopicForm| api::topics::create(form.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(topic)) = save.value().get() {
            toasts.say(Tone::Ok, format!("Added the topic {}", topic.name));
            on_done();
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(TopicForm {
            name: name.get_untracked(),
            key: key.get_untracked(),
            kind: kind.get_untracked().parse().unwrap_or(TopicKind::OptIn),
        });
    };
    let kinds: Vec<Choice> = TopicKind::ALL.iter().map(|kind| (kind.to_string(), kind.label().to_owned())).collect();
    view! {
        <form class="stack" on:submit=submit>
            <TextInput label="Name" name="topic-name" value=name required=true error=field_error(failure, "name") />
            <TextInput
                label="Keyword"
                name="topic-key"
                value=key
                required=true
                placeholder="offers"
                hint="What people write after SUBSCRIBE: lower-case letters and digits, at most 34."
                error=field_error(failure, "key")
            />
            <Select
                label="Whom it reaches"
                name="topic-kind"
                value=kind
                choices=kinds
                hint="Nobody gets marketing without consent on the channel, whatever is chosen here."
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                    "Add the topic"
                </Button>
            </div>
        </form>
    }
}
