//! The second step: what they get, and from whom.

use super::draft::Draft;
use crate::{
    api::{self, Failure},
    components::{
        Button, ButtonKind, Choice, FailureNote, Select, TestSend, Toasts, Tone, failure::at_field, frame::viewer_may,
    },
    pages::templates::{draft::Draft as TemplateDraft, editor::Editor, judgement::Judgement, previews::Previews},
};
use domain::{
    operator::Operation,
    phone::Channel,
    sender::Sender,
    template::{TemplateForm, TemplateView},
};
use leptos::prelude::*;

/// The sender that is chosen.
pub fn chosen_sender(draft: Draft, senders: StoredValue<Vec<Sender>>) -> Memo<Option<Sender>> {
    Memo::new(move |_| {
        let chosen = draft.sender.read();
        senders.with_value(|senders| senders.iter().find(|one| one.id.to_string() == *chosen).cloned())
    })
}

/// What the campaign says, and who says it.
#[component]
pub fn ContentStep(
    /// What is being written.
    draft: Draft,
    /// The senders.
    senders: StoredValue<Vec<Sender>>,
    /// The templates.
    templates: RwSignal<Vec<TemplateView>>,
    /// Why the last attempt to go on failed.
    failure: Signal<Option<Failure>>,
) -> impl IntoView {
    let sender = chosen_sender(draft, senders);
    let channel = Memo::new(move |_| sender.read().as_ref().map(|sender| sender.channel));
    let writing = RwSignal::new(false);
    let may_write = viewer_may(Operation::ContentWrite);
    let sender_choices: Vec<Choice> = senders.with_value(|senders| {
        let words = |one: &Sender| {
            let off = if one.enabled { "" } else { " (switched off)" };
            // A sender without a name of its own is called by its address.
            let address = if one.name == one.address { String::new() } else { format!(" · {}", one.address) };
            format!("{} · {}{address}{off}", one.name, one.channel.label())
        };
        let listed = senders.iter().map(|one| (one.id.to_string(), words(one)));
        std::iter::once((String::new(), "Choose a sender".to_owned())).chain(listed).collect()
    });
    let template_choices = Signal::derive(move || {
        let fits = |one: &&TemplateView| channel.get().is_none_or(|channel| one.channel == channel);
        let words = |one: &TemplateView| format!("{} · {} · version {}", one.name, one.channel.label(), one.version);
        let templates = templates.read();
        let listed = templates.iter().filter(fits).map(|one| (one.id.to_string(), words(one)));
        std::iter::once((String::new(), "Choose a template".to_owned())).chain(listed).collect::<Vec<_>>()
    });
    let tested = Signal::derive(move || {
        let (sender, template) = (draft.sender.read().parse().ok()?, draft.template.read().parse().ok()?);
        Some((sender, template, draft.topic.read().parse().ok()))
    });
    view! {
        <div class="stack">
            <div class="grid-2">
                <Select
                    label="Sender"
                    name="sender"
                    value=draft.sender
                    choices=sender_choices
                    hint=Signal::derive(move || match channel.get() {
                        Some(channel) => format!("The campaign goes out by {}.", channel.label()),
                        None => "It decides the channel.".to_owned(),
                    })
                    error=at_field(failure, "sender")
                />
                <Select
                    label="Template"
                    name="template"
                    value=draft.template
                    choices=template_choices
                    hint="Its newest version is pinned at the launch."
                    error=at_field(failure, "template")
                />
            </div>
            <Show when=move || !writing.get() && may_write.get()>
                <div>
                    <Button on_click=move |_| writing.set(true)>
                        "Write a new template here"
                    </Button>
                </div>
            </Show>
            <Show when=move || writing.get()>
                <NewTemplate
                    channel=channel.into()
                    on_saved=move |template: TemplateView| {
                        let id = template.id.to_string();
                        templates.update(|templates| templates.push(template));
                        draft.template.set(id);
                        writing.set(false);
                    }
                    on_dropped=move || writing.set(false)
                />
            </Show>
            <Show when=move || !writing.get()>
                <Chosen draft templates />
                <TestSend tested />
            </Show>
        </div>
    }
}

/// The chosen template's text.
#[component]
fn Chosen(draft: Draft, templates: RwSignal<Vec<TemplateView>>) -> impl IntoView {
    let template = Memo::new(move |_| {
        let chosen = draft.template.read();
        templates.read().iter().find(|one| one.id.to_string() == *chosen).cloned()
    });
    move || {
        template.get().map(|template| {
            let form = TemplateForm::from(&template);
            view! {
                <Judgement source=template.body channel=template.channel />
                <Previews form=Signal::stored(form) />
            }
        })
    }
}

/// A template written in place. It is saved for itself, so that other campaigns find it too.
#[component]
fn NewTemplate(
    channel: Signal<Option<Channel>>,
    on_saved: impl Fn(TemplateView) + Send + Sync + 'static,
    on_dropped: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let toasts = Toasts::here();
    let template = TemplateDraft::empty(channel.get_untracked().unwrap_or(Channel::Sms));
    Effect::new(move || {
        if let Some(channel) = channel.get() {
            template.channel.set(channel.to_string());
        }
    });
    let save = Action::new(|form: &TemplateForm| api::templates::create(form.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(saved)) = save.value().get() {
            toasts.say(Tone::Ok, format!("Saved the template {}", saved.name));
            on_saved(saved);
        }
    });
    view! {
        <fieldset class="stack rounded-md border border-line p-4">
            <legend class="px-1 font-medium">"New template"</legend>
            <Editor draft=template channel_is_fixed=channel.get_untracked().is_some() failure />
            <FailureNote failure />
            <div class="actions">
                <Button
                    pending=save.pending()
                    on_click=move |_| {
                        save.dispatch(untrack(|| template.form()));
                    }
                >
                    "Save the template and use it"
                </Button>
                <Button kind=ButtonKind::Quiet on_click=move |_| on_dropped()>
                    "Never mind"
                </Button>
            </div>
        </fieldset>
    }
}
