//! What a text is worth before it is sent: faults, doubts, a preview, and its size as SMS. All of it is worked out in the
//! browser by the very code that the server runs.

use crate::{
    components::{Badge, Button, ButtonKind, Tone},
    format,
};
use domain::{
    phone::Channel,
    sms::{self, Encoding, Offender, SmsSize},
    template::{Finding, LintOptions, Severity, Template},
};
use leptos::prelude::*;
use std::{borrow::Cow, collections::BTreeMap};

/// Everything there is to say about a text.
#[component]
pub fn Judgement(
    /// The template's text.
    #[prop(into)]
    source: Signal<String>,
    /// By what it is sent.
    #[prop(into)]
    channel: Signal<Channel>,
    /// Writes typographic characters plainly, where the text can be changed.
    #[prop(optional, into)]
    write_plainly: Option<Callback<()>>,
) -> impl IntoView {
    let parsed = Memo::new(move |_| Template::parse(&source.read()));
    let values = RwSignal::new(BTreeMap::<String, String>::new());
    let is_sms = move || channel.get() == Channel::Sms;
    let error = move || {
        let error = parsed.read().as_ref().err().map(ToString::to_string).filter(|_| !source.read().is_empty());
        error.map(|error| view! { <p class="note note-fail">{error}</p> })
    };
    let findings = move || {
        let parsed = parsed.read();
        let template = parsed.as_ref().ok()?;
        // Whether people have a variable is for the server to say, which knows them: here every name counts as known.
        let findings = template.lint(&template.variables(), LintOptions { marketing: true, sms: is_sms() });
        let findings: Vec<_> = findings.into_iter().map(finding).collect();
        (!source.read().trim().is_empty() && !findings.is_empty())
            .then(|| view! { <ul class="stack-tight" aria-label="Findings">{findings}</ul> })
    };
    let rendered =
        Signal::derive(move || parsed.read().as_ref().map(|template| preview(template, &values.read())).ok());
    let text = Signal::derive(move || rendered.get().unwrap_or_default());
    view! {
        <div class="stack">
            <div class="stack-tight" aria-live="polite">
                {error} {findings}
            </div>
            <PreviewValues parsed values />
            <Show when=move || !text.read().is_empty()>
                <div class="bubbles" aria-label="Preview">
                    <p class="bubble bubble-ours">{move || text.get()}</p>
                </div>
            </Show>
            <Show when=is_sms>
                <SmsMeter text write_plainly />
            </Show>
        </div>
    }
}

fn finding(finding: Finding) -> impl IntoView {
    let (tone, word) = match finding.severity {
        Severity::Note => (Tone::Plain, "Note"),
        Severity::Warning => (Tone::Warn, "Check"),
        Severity::Error => (Tone::Fail, "Wrong"),
    };
    view! {
        <li>
            <Badge tone word />
            " "
            {finding.message}
        </li>
    }
}

/// The text with these values; what has neither value nor fallback shows its name.
fn preview(template: &Template, values: &BTreeMap<String, String>) -> String {
    let value = |name: &str| values.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let required = template.required();
    let fill = |name: &str| match value(name) {
        Some(value) => Some(Cow::Owned(value.to_owned())),
        None => required.contains(&name).then(|| Cow::Owned(format!("<{name}>"))),
    };
    // Whatever is required got a value just now.
    template.render(fill).unwrap_or_default()
}

/// Values to try the text with; they are kept nowhere.
#[component]
fn PreviewValues(
    parsed: Memo<Result<Template, domain::template::TemplateError>>,
    values: RwSignal<BTreeMap<String, String>>,
) -> impl IntoView {
    let names = Memo::new(move |before: Option<&Vec<String>>| match &*parsed.read() {
        Ok(template) => template.variables().into_iter().map(str::to_owned).collect(),
        // While a variable is being typed the inputs stay where they are.
        Err(_) => before.cloned().unwrap_or_default(),
    });
    let input = move |name: String| {
        let id = format!("try-{name}");
        let shown = {
            let name = name.clone();
            move || values.read().get(&name).cloned().unwrap_or_default()
        };
        view! {
            <div class="field">
                <label for=id.clone()>
                    <code>{name.clone()}</code>
                </label>
                <input
                    class="input"
                    id=id
                    autocomplete="off"
                    prop:value=shown
                    on:input:target=move |event| {
                        values
                            .update(|values| {
                                values.insert(name.clone(), event.target().value());
                            })
                    }
                />
            </div>
        }
    };
    view! {
        <Show when=move || !names.read().is_empty()>
            <fieldset class="stack-tight">
                <legend class="text-xs text-muted">"Preview with these values; an empty one takes the fallback"</legend>
                <div class="grid-3">
                    <For each=move || names.get() key=Clone::clone children=input />
                </div>
            </fieldset>
        </Show>
    }
}

/// How many segments a text takes as SMS, and the characters to blame.
#[component]
pub fn SmsMeter(
    /// The text as it would be sent.
    #[prop(into)]
    text: Signal<String>,
    /// Writes typographic characters plainly.
    write_plainly: Option<Callback<()>>,
) -> impl IntoView {
    let size = Memo::new(move |_| sms::size(&text.read()));
    let blame = move || {
        let offenders = size.read().offenders.clone();
        (!offenders.is_empty()).then(|| view! { <Blame offenders write_plainly /> })
    };
    view! {
        <div class="stack-tight" aria-live="polite">
            <p class="text-sm tabular-nums">{move || measured(&size.read())}</p>
            {blame}
        </div>
    }
}

fn measured(size: &SmsSize) -> String {
    let segments = format::counted(size.segments as i64, "segment", "segments");
    let units = format::counted(size.units as i64, "unit", "units");
    let left = format::number(size.remaining_in_segment as i64);
    format!("{segments} · {units} in {} · {left} left in the last", size.encoding.label())
}

#[component]
fn Blame(offenders: Vec<Offender>, write_plainly: Option<Callback<()>>) -> impl IntoView {
    let can_replace = offenders.iter().any(|one| one.replacement.is_some());
    let one = |offender: Offender| {
        let times = offender.positions.len();
        let shown = if offender.character.is_whitespace() || offender.character.is_control() {
            format!("U+{:04X}", u32::from(offender.character))
        } else {
            offender.character.to_string()
        };
        let instead = offender.replacement.map(|plain| match plain.trim() {
            "" => " could be left out or a plain space".to_owned(),
            _ => format!(" could be {plain}"),
        });
        view! {
            <li>
                <code>{shown}</code>
                {(times > 1).then(|| format!(" × {times}"))}
                {instead}
            </li>
        }
    };
    view! {
        <div class="note note-warn stack-tight">
            <p>
                {format!(
                    "These characters make the whole text {}: 70 to a segment instead of 160.",
                    Encoding::Ucs2.label(),
                )}
            </p>
            <ul class="flex flex-wrap gap-x-4">{offenders.into_iter().map(one).collect_view()}</ul>
            {write_plainly
                .filter(|_| can_replace)
                .map(|write_plainly| {
                    view! {
                        <div>
                            <Button kind=ButtonKind::Secondary on_click=move |_| write_plainly.run(())>
                                "Write them plainly"
                            </Button>
                        </div>
                    }
                })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_shows_what_is_missing() {
        let template = Template::parse("Hi {{ name }}, {{ city | default(\"there\") }}").expect("a template");
        let values = |name: &str| BTreeMap::from([("name".to_owned(), name.to_owned())]);
        assert_eq!(preview(&template, &BTreeMap::new()), "Hi <name>, there");
        assert_eq!(preview(&template, &values("Ann")), "Hi Ann, there");
        assert_eq!(preview(&template, &values("")), "Hi <name>, there");
    }

    #[test]
    fn sizes_in_words() {
        assert_eq!(measured(&sms::size("Hi")), "1 segment · 2 units in GSM-7 · 158 left in the last");
        assert_eq!(measured(&sms::size("")), "0 segments · 0 units in GSM-7 · 160 left in the last");
    }
}
