//! One change of everyone in the list: what it would do and to how many, then its progress.

use super::look::Look;
use crate::{api, components::*, format, live};
use domain::{
    ids::TopicId,
    user::{Bulk, BulkAct, BulkForm, BulkPreview, BulkStatus},
};
use leptos::prelude::*;

/// What can be done, and the words for it.
const ACTS: [(&str, &str); 5] = [
    ("add_tag", "Add a tag"),
    ("remove_tag", "Remove a tag"),
    ("set_attribute", "Set an attribute"),
    ("subscribe", "Subscribe to a topic"),
    ("unsubscribe", "Take off a topic"),
];

/// The form, its preview, and the question.
#[component]
pub fn BulkDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// What the list shows.
    look: Memo<Look>,
) -> impl IntoView {
    let asking = RwSignal::new(false);
    let found = RwSignal::new(None::<(BulkForm, BulkPreview)>);
    let toasts = Toasts::here();
    let start = Action::new(|(form, people): &(BulkForm, i64)| api::users::bulk_start(form.clone(), *people));
    Effect::new(move || match start.value().get() {
        Some(Ok(bulk)) => {
            asking.set(false);
            toasts.say(Tone::Ok, format!("Started: {}", bulk.words));
        }
        Some(Err(failure)) => {
            asking.set(false);
            toasts.say(Tone::Fail, failure.detail().to_owned());
        }
        None => {}
    });
    let on_found = Callback::new(move |answer| {
        found.set(Some(answer));
        open.set(false);
        asking.set(true);
    });
    let words = move || found.read().as_ref().map(|(_, preview)| preview.words.clone()).unwrap_or_default();
    view! {
        <Dialog open title="Change everyone in this list">
            <BulkQuestion look on_found />
        </Dialog>
        <Confirm
            open=asking
            title=Signal::derive(words)
            people=Signal::derive(move || found.read().as_ref().map_or(0, |(_, preview)| preview.people))
            verb="Change them"
            pending=start.pending()
            on_confirm=Callback::new(move |()| {
                if let Some((form, preview)) = found.get_untracked() {
                    start.dispatch((form, preview.people));
                }
            })
        >
            <p>"Everyone who matches the filter now is gone through. If the number is another one by then, nothing is changed."</p>
        </Confirm>
    }
}

#[component]
fn BulkQuestion(look: Memo<Look>, on_found: Callback<(BulkForm, BulkPreview)>) -> impl IntoView {
    let topics = Resource::new(|| (), |()| api::topics::list());
    let act = RwSignal::new(ACTS[0].0.to_owned());
    let (text, value) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (topic, evidence) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let preview = Action::new(|form: &BulkForm| {
        let form = form.clone();
        async move { api::users::preview_bulk(form.clone()).await.map(|preview| (form, preview)) }
    });
    let failure = Signal::derive(move || preview.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(answer)) = preview.value().get() {
            on_found.run(answer);
        }
    });
    let form = move || {
        let (text, value, evidence) = (text.get_untracked(), value.get_untracked(), evidence.get_untracked());
        let topic = topic.get_untracked().parse::<TopicId>().ok();
        let act = match (act.get_untracked().as_str(), topic) {
            ("add_tag", _) => BulkAct::AddTag { tag: text },
            ("remove_tag", _) => BulkAct::RemoveTag { tag: text },
            ("subscribe", Some(topic)) => BulkAct::Subscribe { topic, evidence },
            ("unsubscribe", Some(topic)) => BulkAct::Unsubscribe { topic, evidence },
            ("set_attribute", _) => BulkAct::SetAttribute { name: text, value },
            _ => return None,
        };
        Some(BulkForm { filter: look.get_untracked().filter, act })
    };
    let no_topic = RwSignal::new(None::<String>);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let form = form();
        no_topic.set(form.is_none().then(|| "choose a topic".to_owned()));
        if let Some(form) = form {
            preview.dispatch(form);
        }
    };
    let acts: Vec<Choice> = ACTS.map(|(key, words)| (key.to_owned(), words.to_owned())).into();
    let choices = Signal::derive(move || {
        let known = topics.get().and_then(Result::ok).unwrap_or_default();
        let first = std::iter::once((String::new(), "Choose a topic".to_owned()));
        first.chain(known.into_iter().map(|topic| (topic.id.to_string(), topic.name))).collect::<Vec<Choice>>()
    });
    let is_tag = move || act.read().ends_with("_tag");
    let is_attribute = move || *act.read() == "set_attribute";
    let is_topic = move || act.read().ends_with("subscribe");
    view! {
        <form class="stack" on:submit=submit>
            <Select label="What to do" name="bulk-act" value=act choices=acts />
            <Show when=is_tag>
                <TextInput label="Tag" name="bulk-tag" value=text required=true error=field_error(failure, "act/tag") />
            </Show>
            <Show when=is_attribute>
                <TextInput label="Attribute" name="bulk-name" value=text required=true error=field_error(failure, "act/name") />
                <TextInput
                    label="Value"
                    name="bulk-value"
                    value
                    hint="Empty clears it."
                    error=field_error(failure, "act/value")
                />
            </Show>
            <Show when=is_topic>
                <Select label="Topic" name="bulk-topic" value=topic choices error=no_topic />
                <TextInput
                    label="Evidence"
                    name="bulk-evidence"
                    value=evidence
                    required=true
                    hint="How you know. It stands in everyone's consent ledger; a choice that somebody made for themselves stays."
                    error=field_error(failure, "evidence")
                />
            </Show>
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Primary submit=true pending=preview.pending()>
                    "See how many"
                </Button>
            </div>
        </form>
    }
}

/// The latest change, as long as it is under way.
#[component]
pub fn BulkProgress() -> impl IntoView {
    let latest = Resource::new(|| (), |()| api::users::bulk_list());
    live::on_changed("bulk", move || latest.refetch());
    let shown = move || {
        Suspend::new(async move {
            let running = |bulk: &Bulk| bulk.status == BulkStatus::Running;
            latest.await.ok().and_then(|all| all.into_iter().find(running)).map(|bulk| {
                let share = if bulk.people > 0 { bulk.done as f64 / bulk.people as f64 } else { 1.0 };
                view! {
                    <div class="stack-tight" role="status">
                        <p>
                            {format!(
                                "{}: {} of {} gone through",
                                bulk.words,
                                format::number(bulk.done),
                                format::number(bulk.people),
                            )}
                        </p>
                        <ProgressBar label="People gone through" share />
                    </div>
                }
            })
        })
    };
    view! { <Transition>{shown}</Transition> }
}
