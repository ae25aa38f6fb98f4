//! The editor of a template, on its own page and inside the composer.

use super::{draft::Draft, judgement::Judgement};
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
    let write_plainly = Callback::new(move |()| draft.body.update(|body| *body = domain::sms::plain(body)));
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
                    <Content draft failure />
                </Show>
                <TextArea
                    label=Signal::derive(move || {
                        if is_whatsapp() { "Text, as the approved template says it" } else { "Text" }.to_owned()
                    })
                    name="template-body"
                    value=draft.body
                    rows=6
                    hint=SYNTAX
                    error=at_field(failure, "body")
                />
            </div>
            <Judgement source=draft.body channel write_plainly />
        </div>
    }
}

/// The approved template that the provider holds, and the values of its variables.
#[component]
fn Content(draft: Draft, failure: Signal<Option<Failure>>) -> impl IntoView {
    let variable = move |place: usize| {
        let id = format!("content-variable-{place}");
        let key = move || draft.variables.read().get(place).map(|(key, _)| key.clone()).unwrap_or_default();
        let value = move || draft.variables.read().get(place).map(|(_, value)| value.clone()).unwrap_or_default();
        let change = move |text: String| {
            draft.variables.update(|variables| {
                if let Some((_, value)) = variables.get_mut(place) {
                    *value = text;
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
    let count = move || draft.variables.read().len();
    let refused = at_field(failure, "content_variables");
    let error = move || ContentTemplate::parse(&draft.form().content_variables).err().map(|error| error.to_string());
    let error = Signal::derive(move || error().or_else(|| refused.get()));
    view! {
        <TextInput
            label="Approved template"
            name="content-sid"
            value=draft.content_sid
            placeholder="HX…"
            autocomplete="off"
            hint="The provider's content id. Without one the text reaches only people who wrote to you in the last 24 hours."
            error=at_field(failure, "content_sid")
        />
        <Show when=move || !draft.content_sid.read().trim().is_empty()>
            <fieldset class="stack-tight">
                <legend class="text-sm font-medium">"Values of its variables"</legend>
                <For each=move || 0..count() key=|place| *place children=variable />
                <p class="field-error" role="status">
                    {move || error.get()}
                </p>
                <div class="actions">
                    <Button on_click=move |_| draft.add_variable()>"Add a variable"</Button>
                    <Show when=move || { count() > 0 }>
                        <Button
                            kind=ButtonKind::Quiet
                            on_click=move |_| draft.variables.update(|variables| {
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
