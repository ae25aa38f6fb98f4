//! What pauses a campaign by itself.

use crate::{
    api,
    components::{Button, ButtonKind, Card, FailureNote, TextInput, Toasts, Tone, field_error, frame::viewer_may},
};
use domain::{brake::Bounds, operator::Operation};
use leptos::prelude::*;

/// The bounds of the brake.
#[component]
pub fn BrakeSetting(
    /// As they are stored.
    bounds: Bounds,
) -> impl IntoView {
    let toasts = Toasts::here();
    let may_write = viewer_may(Operation::SettingWrite);
    let least = RwSignal::new(bounds.least_messages.to_string());
    let filtered = RwSignal::new(bounds.filtered_percent.to_string());
    let opted_out = RwSignal::new(bounds.opted_out_percent.to_string());
    let failed = RwSignal::new(bounds.failed_percent.to_string());
    let save = Action::new(|bounds: &Bounds| api::settings::set_brake(*bounds));
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = save.value().get() {
            toasts.say(Tone::Ok, "Saved; campaigns that run are held to it at once");
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        // What is no number is 0, which the server refuses at its field.
        let percent = |text: RwSignal<String>| text.get_untracked().trim().parse().unwrap_or(0.0);
        save.dispatch(Bounds {
            least_messages: least.get_untracked().trim().parse().unwrap_or(0),
            filtered_percent: percent(filtered),
            opted_out_percent: percent(opted_out),
            failed_percent: percent(failed),
        });
    };
    view! {
        <Card title="Brake">
            <form class="stack" novalidate on:submit=submit>
                <p class="text-muted">
                    "A campaign beyond one of these shares of its messages pauses by itself and says why. Whoever lets it go on starts the count anew."
                </p>
                <div class="grid-2">
                    <TextInput
                        label="Filtered by carriers, in percent"
                        name="brake-filtered"
                        value=filtered
                        input_mode="decimal"
                        error=field_error(failure, "filtered_percent")
                    />
                    <TextInput
                        label="Opted out, in percent"
                        name="brake-opted-out"
                        value=opted_out
                        input_mode="decimal"
                        error=field_error(failure, "opted_out_percent")
                    />
                    <TextInput
                        label="Failed in any way, in percent"
                        name="brake-failed"
                        value=failed
                        input_mode="decimal"
                        error=field_error(failure, "failed_percent")
                    />
                    <TextInput
                        label="From so many messages on"
                        name="brake-least"
                        value=least
                        input_mode="numeric"
                        hint="A few failures say little."
                        error=field_error(failure, "least_messages")
                    />
                </div>
                <FailureNote failure />
                <Show when=move || may_write.get()>
                    <div class="actions">
                        <Button kind=ButtonKind::Primary submit=true pending=save.pending()>
                            "Save the brake"
                        </Button>
                    </div>
                </Show>
            </form>
        </Card>
    }
}
