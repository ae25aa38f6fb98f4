//! How many messages a person may get.

use crate::{
    api,
    components::{Button, ButtonKind, Card, Choice, FailureNote, Select, TextInput, Toasts, Tone, frame::viewer_may},
};
use domain::{
    frequency::{CAPS_MAX, Cap, ChannelCap},
    operator::Operation,
    phone::Channel,
};
use leptos::prelude::*;

/// A cap as it is typed.
#[derive(Clone, Copy)]
struct Row {
    no: usize,
    channel: RwSignal<String>,
    messages: RwSignal<String>,
    days: RwSignal<String>,
}

impl Row {
    fn of(no: usize, one: ChannelCap) -> Self {
        Self {
            no,
            channel: RwSignal::new(one.channel.to_string()),
            messages: RwSignal::new(one.cap.messages.to_string()),
            days: RwSignal::new(one.cap.days.to_string()),
        }
    }

    /// What is sent to the server, which says what is wrong with 0.
    fn cap(self) -> ChannelCap {
        let number = |text: RwSignal<String>| text.get_untracked().trim().parse().unwrap_or(0);
        ChannelCap {
            channel: self.channel.get_untracked().parse().unwrap_or(Channel::Sms),
            cap: Cap { messages: number(self.messages), days: number(self.days) },
        }
    }
}

/// The workspace's frequency caps.
#[component]
pub fn CapsSetting(
    /// As they are stored.
    caps: Vec<ChannelCap>,
) -> impl IntoView {
    let toasts = Toasts::here();
    let may_write = viewer_may(Operation::SettingWrite);
    let rows = RwSignal::new(caps.into_iter().enumerate().map(|(no, one)| Row::of(no, one)).collect::<Vec<_>>());
    let save = Action::new(|caps: &Vec<ChannelCap>| api::settings::set_frequency_caps(caps.clone()));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = save.value().get() {
            toasts.say(Tone::Ok, "Saved; the caps hold from the next message on");
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(rows.get_untracked().into_iter().map(Row::cap).collect());
    };
    let add = move |_| {
        rows.update(|rows| {
            let no = rows.iter().map(|row| row.no + 1).max().unwrap_or(0);
            rows.push(Row::of(no, ChannelCap { channel: Channel::Sms, cap: Cap { messages: 3, days: 7 } }));
        });
    };
    let channels: Vec<Choice> =
        Channel::ALL.iter().map(|channel| (channel.to_string(), channel.label().to_owned())).collect();
    let row = move |row: Row| {
        let wrong = move || {
            let place = rows.read().iter().position(|one| one.no == row.no)?;
            failure.get()?.field(&format!("caps/{place}"))
        };
        let remove = move |_| rows.update(|rows| rows.retain(|one| one.no != row.no));
        view! {
            <fieldset class="flex flex-wrap items-end gap-3">
                <Select label="Channel" name=format!("cap-channel-{}", row.no) value=row.channel choices=channels.clone() />
                <TextInput
                    label="At most this many messages"
                    name=format!("cap-messages-{}", row.no)
                    value=row.messages
                    input_mode="numeric"
                    error=Signal::derive(wrong)
                />
                <TextInput
                    label="In so many days"
                    name=format!("cap-days-{}", row.no)
                    value=row.days
                    input_mode="numeric"
                />
                <Show when=move || may_write.get()>
                    <Button kind=ButtonKind::Quiet on_click=remove>
                        "Remove"
                    </Button>
                </Show>
            </fieldset>
        }
    };
    view! {
        <Card title="Frequency caps">
            <form class="stack" on:submit=submit>
                <p class="text-muted">
                    "Whoever is at a cap is skipped, with the reason. Messages that other campaigns still plan count. A campaign can add a stricter cap of its own; tests and replies do not count."
                </p>
                <For each=move || rows.get() key=|row| row.no children=row />
                <Show when=move || rows.read().is_empty()>
                    <p>"No cap: a person gets as many messages as campaigns send."</p>
                </Show>
                <FailureNote failure />
                <Show when=move || may_write.get()>
                    <div class="actions">
                        <Show when=move || { rows.read().len() < CAPS_MAX }>
                            <Button on_click=add>"Add a cap"</Button>
                        </Show>
                        <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                            "Save the caps"
                        </Button>
                    </div>
                </Show>
            </form>
        </Card>
    }
}
