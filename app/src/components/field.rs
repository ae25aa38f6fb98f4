//! Form fields: a label, a control, a hint, and what is wrong with it.

use leptos::{prelude::*, text_prop::TextProp};

/// The ids that tie a control to its hint and error: the control has the field's name for an id.
fn described_by(name: &str) -> String {
    format!("{name}-hint {name}-error")
}

/// A label, a hint and an error around a control of one's own. The control needs `id=name` and
/// `aria-describedby="{name}-hint {name}-error"`.
#[component]
pub fn Field(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// The control's name and id.
    #[prop(into)]
    name: String,
    /// What to enter, or what comes of it.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The control.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=name.clone()>{move || label.get()}</label>
            {children()}
            <p class="field-hint" id=format!("{name}-hint")>
                {move || hint.get()}
            </p>
            <p class="field-error" id=format!("{name}-error") role="status">
                {move || error.get()}
            </p>
        </div>
    }
}

/// A line of text.
#[component]
pub fn TextInput(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// The control's name and id.
    #[prop(into)]
    name: String,
    /// The text.
    value: RwSignal<String>,
    /// The kind of input: `text`, `tel`, `email`, `password`, `date`, `time`, `datetime-local`, `number`.
    #[prop(default = "text")]
    kind: &'static str,
    /// What to enter, or what comes of it.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// An example, shown while it is empty.
    #[prop(optional)]
    placeholder: &'static str,
    /// Whether the form needs it.
    #[prop(optional)]
    required: bool,
    /// What the browser may fill in.
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    /// Which keyboard a phone shows.
    #[prop(optional)]
    input_mode: Option<&'static str>,
) -> impl IntoView {
    view! {
        <Field label name=name.clone() hint error>
            <input
                class="input"
                type=kind
                id=name.clone()
                name=name.clone()
                placeholder=placeholder
                required=required
                autocomplete=autocomplete
                inputmode=input_mode
                aria-describedby=described_by(&name)
                aria-invalid=move || error.get().is_some().then_some("true")
                // In the document too, so that what is there can be read and sent before the script runs.
                value=value.get_untracked()
                bind:value=value
            />
        </Field>
    }
}

/// Several lines of text.
#[component]
pub fn TextArea(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// The control's name and id.
    #[prop(into)]
    name: String,
    /// The text.
    value: RwSignal<String>,
    /// How many lines it shows.
    #[prop(default = 3)]
    rows: u32,
    /// What to enter, or what comes of it.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// An example, shown while it is empty.
    #[prop(optional, into)]
    placeholder: Option<TextProp>,
    /// Whether the form needs it.
    #[prop(optional)]
    required: bool,
) -> impl IntoView {
    view! {
        <Field label name=name.clone() hint error>
            <textarea
                class="input"
                rows=rows
                id=name.clone()
                name=name.clone()
                required=required
                placeholder=placeholder.map(|text| text.get().to_string())
                aria-describedby=described_by(&name)
                aria-invalid=move || error.get().is_some().then_some("true")
                prop:value=move || value.get()
                on:input:target=move |event| value.set(event.target().value())
            >
                {value.get_untracked()}
            </textarea>
        </Field>
    }
}

/// An option of a select: its value, and its words.
pub type Choice = (String, String);

/// One of several.
#[component]
pub fn Select(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// The control's name and id.
    #[prop(into)]
    name: String,
    /// The chosen value.
    value: RwSignal<String>,
    /// What can be chosen: value and words.
    #[prop(into)]
    choices: Signal<Vec<Choice>>,
    /// What to choose, or what comes of it.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let options = move || {
        let chosen = value.get();
        let option = |(key, words): Choice| {
            let selected = key == chosen;
            view! {
                <option value=key selected=selected>
                    {words}
                </option>
            }
        };
        choices.get().into_iter().map(option).collect_view()
    };
    view! {
        <Field label name=name.clone() hint error>
            <select
                class="input"
                id=name.clone()
                name=name.clone()
                aria-describedby=described_by(&name)
                aria-invalid=move || error.get().is_some().then_some("true")
                on:change:target=move |event| value.set(event.target().value())
            >
                {options}
            </select>
        </Field>
    }
}
