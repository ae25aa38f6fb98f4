//! The editor of a template, on its own page and inside the composer.

use super::{
    draft::{Draft, LocaleDraft, TextDraft},
    judgement::Judgement,
};
use crate::{
    api::Failure,
    components::{Button, ButtonKind, Choice, Select, TextArea, TextInput, failure::at_field},
};
use domain::{phone::Channel, template::ContentTemplate};
use leptos::prelude::*;

/// How variables are written, for hints.
const SYNTAX: &str = "Variables: {{ name }}, {{ attributes.city }}, with a fallback: {{ name | default(\"friend\") }}. Who has neither a value nor a fallback gets no message.";

/// The fields of a template, with what there is to say about its text.
#[component]
pub fn Editor(
    /// What is being written.
    draft: Draft,
    /// Whether the channel is settled elsewhere.
    #[prop(optional)]
    channel_is_fixed: bool,
    /// Why the last attempt to save it failed.
    failure: Signal<Option<Failure>>,
) -> impl IntoView {
    let channel = Signal::derive(move || draft.channel());
    let is_whatsapp = move || channel.get() == Channel::Whatsapp;
    let channels: Vec<Choice> =
        Channel::ALL.iter().map(|channel| (channel.to_string(), channel.label().to_owned())).collect();
    let write_plainly = Callback::new(move |()| draft.text.body.update(|body| *body = domain::sms::plain(body)));
    view! {
        <div class="grid-2">
            <div class="stack">
                <TextInput
                    label="Template's name"
                    name="template-name"
                    value=draft.name
                    required=true
                    autocomplete="off"
                    error=at_field(failure, "name")
                />
                <Show when=move || !channel_is_fixed>
                    <Select
                        label="Channel"
                        name="template-channel"
                        value=draft.channel
                        choices=channels.clone()
                        error=at_field(failure, "channel")
                    />
                </Show>
                <Show when=is_whatsapp>
                    <Content text=draft.text place=String::new() failure />
                </Show>
                <TextArea
                    label=Signal::derive(move || {
                        if is_whatsapp() { "Text, as the approved template says it" } else { "Text" }.to_owned()
                    })
                    name="template-body"
                    value=draft.text.body
                    rows=6
                    hint=SYNTAX
                    error=at_field(failure, "body")
                />
            </div>
            <Judgement source=draft.text.body channel write_plainly />
        </div>
        <Languages draft channel failure />
    }
}

/// What the template says in other languages.
#[component]
fn Languages(draft: Draft, channel: Signal<Channel>, failure: Signal<Option<Failure>>) -> impl IntoView {
    let one = move |locale: LocaleDraft| {
        let id = format!("locale-{}", locale.no);
        let place = move || {
            let tag = locale.tag.read().trim().replace('_', "-").to_lowercase();
            format!("locales/{tag}")
        };
        let wrong = move |field: &'static str| {
            Signal::derive(move || failure.get().and_then(|failure| failure.field(&format!("{}{field}", place()))))
        };
        let remove = move |_| draft.locales.update(|locales| locales.retain(|other| other.no != locale.no));
        view! {
            <fieldset class="stack rounded-md border border-line p-4">
                <legend class="px-1 font-medium">{move || language_of(&locale.tag.read())}</legend>
                <div class="grid-2">
                    <div class="stack">
                        <TextInput
                            label="Language"
                            name=format!("locale-{}-tag", locale.no)
                            value=locale.tag
                            placeholder="de"
                            autocomplete="off"
                            hint="As de, or pt-BR. Who reads de-AT gets de, if there is no de-AT; who reads none of these gets the default."
                            error=wrong("")
                        />
                        <Show when=move || channel.get() == Channel::Whatsapp>
                            <Content text=locale.text place=id.clone() failure=Signal::stored(None) />
                            <p class="field-error" role="status">
                                {move || wrong("/content_sid").get().or_else(|| wrong("/content_variables").get())}
                            </p>
                        </Show>
                        <TextArea
                            label="Text"
                            name=format!("locale-{}-body", locale.no)
                            value=locale.text.body
                            rows=6
                            error=wrong("/body")
                        />
                        <div>
                            <Button kind=ButtonKind::Quiet on_click=remove>
                                "Remove this language"
                            </Button>
                        </div>
                    </div>
                    <Judgement source=locale.text.body channel />
                </div>
            </fieldset>
        }
    };
    view! {
        <section class="stack" aria-label="Languages">
            <For each=move || draft.locales.get() key=|locale| locale.no children=one />
            <div>
                <Button on_click=move |_| draft.add_locale()>"Add a language"</Button>
            </div>
        </section>
    }
}

fn language_of(tag: &str) -> String {
    match tag.trim() {
        "" => "Another language".to_owned(),
        tag => format!("In {tag}"),
    }
}

/// The approved template that the provider holds, and the values of its variables.
#[component]
fn Content(
    text: TextDraft,
    /// What makes the ids of its fields its own.
    place: String,
    failure: Signal<Option<Failure>>,
) -> impl IntoView {
    let name = move |of: &str| if place.is_empty() { of.to_owned() } else { format!("{place}-{of}") };
    let sid_name = name("content-sid");
    let prefix = name("content-variable");
    let variable = move |place: usize| {
        let id = format!("{prefix}-{place}");
        let key = move || text.variables.read().get(place).map(|(key, _)| key.clone()).unwrap_or_default();
        let value = move || text.variables.read().get(place).map(|(_, value)| value.clone()).unwrap_or_default();
        let change = move |value_now: String| {
            text.variables.update(|variables| {
                if let Some((_, value)) = variables.get_mut(place) {
                    *value = value_now;
                }
            });
        };
        view! {
            <div class="flex items-center gap-2">
                <label class="min-w-12" for=id.clone()>
                    <code>{move || format!("{{{{{}}}}}", key())}</code>
                </label>
                <input
                    class="input input-code"
                    id=id
                    autocomplete="off"
                    prop:value=value
                    on:input:target=move |event| change(event.target().value())
                />
            </div>
        }
    };
    let count = move || text.variables.read().len();
    let refused = at_field(failure, "content_variables");
    let error = move || {
        ContentTemplate::parse(&text.variables.get().into_iter().collect()).err().map(|error| error.to_string())
    };
    let error = Signal::derive(move || error().or_else(|| refused.get()));
    view! {
        <TextInput
            label="Approved template"
            name=sid_name
            value=text.content_sid
            placeholder="HX…"
            autocomplete="off"
            hint="The provider's content id. Without one the text reaches only people who wrote to you in the last 24 hours."
            error=at_field(failure, "content_sid")
        />
        <Show when=move || !text.content_sid.read().trim().is_empty()>
            <fieldset class="stack-tight">
                <legend class="text-sm font-medium">"Values of its variables"</legend>
                <For each=move || 0..count() key=|place| *place children=variable.clone() />
                <p class="field-error" role="status">
                    {move || error.get()}
                </p>
                <div class="actions">
                    <Button on_click=move |_| text.add_variable()>"Add a variable"</Button>
                    <Show when=move || { count() > 0 }>
                        <Button
                            kind=ButtonKind::Quiet
                            on_click=move |_| text.variables.update(|variables| {
                                variables.pop();
                            })
                        >
                            "Remove the last"
                        </Button>
                    </Show>
                </div>
            </fieldset>
        </Show>
    }
}
