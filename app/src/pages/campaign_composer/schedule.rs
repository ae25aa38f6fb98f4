//! The third step: when, and how fast.

use super::{
    content::chosen_sender,
    draft::{Draft, LATER, LOCAL, NOW},
};
use crate::{
    api::Failure,
    components::{TextInput, failure::at_field, time},
    format,
};
use domain::{
    campaign::{Start, UnknownPolicy},
    sender::Sender,
};
use leptos::prelude::*;

/// When the campaign starts, and within which limits it sends.
#[component]
pub fn ScheduleStep(
    /// What is being written.
    draft: Draft,
    /// The senders.
    senders: StoredValue<Vec<Sender>>,
    /// Why the last attempt to go on failed.
    failure: Signal<Option<Failure>>,
) -> impl IntoView {
    let sender = chosen_sender(draft, senders);
    let rate_hint = move || match &*sender.read() {
        Some(sender) => {
            let limit = format::number(sender.rate_per_second.into());
            format!("Message segments. Empty: as fast as {} may send, {limit} a second.", sender.name)
        }
        None => "Message segments. Empty: as fast as the sender may.".to_owned(),
    };
    view! {
        <div class="grid-2">
            <fieldset class="stack-tight">
                <legend class="text-sm font-medium">"Start"</legend>
                <Radio name="start" value=NOW chosen=draft.start words="When I launch it" note="" />
                <Radio name="start" value=LATER chosen=draft.start words="At a time" note="" />
                <Radio
                    name="start"
                    value=LOCAL
                    chosen=draft.start
                    words="At a time of day where each person lives"
                    note="It goes out in waves, zone by zone. Who may live in several zones gets it when the last of them has reached the time."
                />
                <Show when=move || draft.starts_later()>
                    <StartAt draft failure />
                </Show>
            </fieldset>
            <div class="stack">
                <TextInput
                    label="At most this many a second"
                    name="rate"
                    value=draft.rate
                    input_mode="numeric"
                    autocomplete="off"
                    hint=Signal::derive(rate_hint)
                    error=at_field(failure, "rate_per_second")
                />
                <TextInput
                    label="Canary: so many people first"
                    name="canary"
                    value=draft.canary
                    input_mode="numeric"
                    autocomplete="off"
                    hint="The others get it once it is known what became of these; if too many fail, the campaign pauses. Empty: everyone at once."
                    error=at_field(failure, "canary")
                />
                <fieldset class="stack-tight">
                    <legend class="text-sm font-medium">"Stricter frequency cap"</legend>
                    <p class="text-xs text-muted">
                        "Beside the workspace's caps, which hold in any case. Empty: only those."
                    </p>
                    <div class="grid-3">
                        <TextInput
                            label="At most this many messages"
                            name="cap-messages"
                            value=draft.cap_messages
                            input_mode="numeric"
                            autocomplete="off"
                            error=at_field(failure, "frequency_cap")
                        />
                        <TextInput
                            label="In so many days"
                            name="cap-days"
                            value=draft.cap_days
                            input_mode="numeric"
                            autocomplete="off"
                        />
                    </div>
                </fieldset>
            </div>
            <fieldset class="stack-tight">
                <legend class="text-sm font-medium">"Stricter quiet hours"</legend>
                <p class="text-xs text-muted">
                    "By the clock of each person. The quiet hours of the law hold in any case; these can only shorten the day."
                </p>
                <div class="grid-3">
                    <TextInput
                        label="Not before"
                        name="not-before"
                        kind="time"
                        value=draft.not_before
                        error=at_field(failure, "not_before")
                    />
                    <TextInput
                        label="Not after"
                        name="not-after"
                        kind="time"
                        value=draft.not_after
                        error=at_field(failure, "not_after")
                    />
                </div>
            </fieldset>
            <fieldset class="stack-tight">
                <legend class="text-sm font-medium">"When it cannot be found out whether a message was sent"</legend>
                <Radio
                    name="unknown-policy"
                    value=UnknownPolicy::Review.as_str()
                    chosen=draft.unknown_policy
                    words="Ask me"
                    note="Nobody gets the message twice; somebody may get none until you decide."
                />
                <Radio
                    name="unknown-policy"
                    value=UnknownPolicy::Resend.as_str()
                    chosen=draft.unknown_policy
                    words="Send it again"
                    note="Everybody gets the message; somebody may get it twice."
                />
            </fieldset>
        </div>
    }
}

#[component]
fn StartAt(draft: Draft, failure: Signal<Option<Failure>>) -> impl IntoView {
    let (now, offset) = (time::now(), time::offset_minutes());
    let hint = move || match (draft.meant.get(), draft.start.read().as_str()) {
        (Some(Start::Instant { at }), _) => {
            format!("{}, {}.", format::to_the_minute(at, offset.get()), format::relative(at, now.get()))
        }
        (Some(start @ Start::Local { .. }), _) => match start.begins_at().zip(start.passed_at()) {
            Some((first, last)) => {
                let (first, last) =
                    (format::to_the_minute(first, offset.get()), format::to_the_minute(last, offset.get()));
                format!("On each person's clock: by yours from {first} in the first zone to {last} in the last.")
            }
            None => String::new(),
        },
        (_, LOCAL) => "As the clock on each person's wall shows it.".to_owned(),
        _ => "In your own zone.".to_owned(),
    };
    view! {
        <TextInput
            label="Time"
            name="at"
            kind="datetime-local"
            value=draft.at
            hint=Signal::derive(hint)
            error=at_field(failure, "scheduled_at")
        />
        <TextInput
            label="May start late by, in minutes"
            name="deadline"
            value=draft.deadline
            input_mode="numeric"
            autocomplete="off"
            hint="If the start is missed by more, for example because the machine was off, the campaign is held and asks you."
            error=at_field(failure, "start_deadline_minutes")
        />
    }
}

/// One of several, with what comes of it.
#[component]
fn Radio(
    name: &'static str,
    value: &'static str,
    chosen: RwSignal<String>,
    words: &'static str,
    note: &'static str,
) -> impl IntoView {
    view! {
        <label class="check">
            <input
                type="radio"
                name=name
                value=value
                checked=chosen.get_untracked() == value
                prop:checked=move || chosen.get() == value
                on:change=move |_| chosen.set(value.to_owned())
            />
            <span>
                {words}
                {(!note.is_empty()).then(|| view! { <span class="block text-xs text-muted">{note}</span> })}
            </span>
        </label>
    }
}
