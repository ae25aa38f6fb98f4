//! The kill switch: one button to stop, one to let sending go on.

use crate::{
    api,
    components::{Button, ButtonKind, Dialog, FailureNote, TextArea, Toasts, Tone, field_error, frame::viewer_may},
    live,
};
use domain::operator::Operation;
use leptos::prelude::*;

/// The button that fits, for those who may press it.
#[component]
pub fn KillSwitch() -> impl IntoView {
    let may = viewer_may(Operation::DeliveryStop);
    let stop = Resource::new(|| (), |()| api::health::stopped());
    live::on_changed("health", move || stop.refetch());
    let open = RwSignal::new(false);
    let is_stopped = RwSignal::new(false);
    let done = Callback::new(move |()| {
        open.set(false);
        stop.refetch();
    });
    let button = move || {
        Suspend::new(async move {
            let stopped = matches!(stop.await, Ok(Some(_)));
            is_stopped.set(stopped);
            let (kind, words) = if stopped {
                (ButtonKind::Primary, "Let sending go on")
            } else {
                (ButtonKind::Danger, "Stop all sending")
            };
            view! {
                <Button kind on_click=move |_| open.set(true)>
                    {words}
                </Button>
            }
        })
    };
    let title = move || if is_stopped.get() { "Let sending go on?" } else { "Stop all sending?" }.to_owned();
    view! {
        <Show when=move || may.get()>
            <Transition>{button}</Transition>
            <Dialog open title=Signal::derive(title)>
                {move || {
                    if is_stopped.get_untracked() {
                        view! { <Release done /> }.into_any()
                    } else {
                        view! { <Stop done /> }.into_any()
                    }
                }}
            </Dialog>
        </Show>
    }
}

#[component]
fn Stop(done: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let reason = RwSignal::new(String::new());
    let stop = Action::new(|reason: &String| api::health::stop_all(reason.clone()));
    let failure = Signal::derive(move || stop.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = stop.value().get() {
            toasts.say(Tone::Ok, "All sending is stopped");
            done.run(());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        stop.dispatch(reason.get_untracked());
    };
    view! {
        <form class="stack" on:submit=submit>
            <p>
                "Within a second nothing leaves any more, from any campaign, until somebody lets sending go on. What the provider has already cannot be called back. No message is lost, and none is sent twice."
            </p>
            <TextArea
                label="Why"
                name="stop-reason"
                value=reason
                hint="Everyone sees it, on every page."
                error=field_error(failure, "reason")
            />
            <FailureNote failure />
            <div class="actions">
                <Button kind=ButtonKind::Danger submit=true pending=stop.pending()>
                    "Stop all sending"
                </Button>
            </div>
        </form>
    }
}

#[component]
fn Release(done: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let release = Action::new(|(): &()| api::health::release());
    let failure = Signal::derive(move || release.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = release.value().get() {
            toasts.say(Tone::Ok, "Sending goes on");
            done.run(());
        }
    });
    view! {
        <div class="stack">
            <p>"Running campaigns go on where they stood. Each message passes every gate again."</p>
            <FailureNote failure />
            <div class="actions">
                <Button
                    kind=ButtonKind::Primary
                    pending=release.pending()
                    on_click=move |_| {
                        release.dispatch(());
                    }
                >
                    "Let sending go on"
                </Button>
            </div>
        </div>
    }
}
