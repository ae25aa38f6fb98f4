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
            <Load resource=topics skeleton=|| view! { <TableSkeleton columns=5 /> } view=list />
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

fn list(topics: Vec<Topic>) -> AnyView {
    if topics.is_empty() {
        return view! {
            <Empty title="No topics yet">
                "A topic is something people choose to hear about: offers, news, reminders. A campaign on a topic reaches only those whom the topic reaches."
            </Empty>
        }
        .into_any();
    }
    let row = |topic: Topic| {
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
            </tr>
        }
    };
    view! {
        <Table label="Topics" head=vec!["Name", "Keyword", "Reaches", "Following", "Left", "Added"]>
            {topics.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
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
