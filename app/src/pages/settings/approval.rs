//! Whether campaigns need the word of a second operator.

use crate::{
    api,
    components::{Button, ButtonKind, Card, FailureNote, Toasts, Tone, frame::viewer_may},
};
use domain::operator::Operation;
use leptos::prelude::*;

/// Says whether campaigns need an approval, and lets admins change it.
#[component]
pub fn ApprovalSetting(
    /// Whether they do.
    required: bool,
) -> impl IntoView {
    let toasts = Toasts::here();
    let may_write = viewer_may(Operation::SettingWrite);
    let (chosen, stored) = (RwSignal::new(required), RwSignal::new(required));
    let save = Action::new(|required: &bool| {
        let required = *required;
        async move { api::settings::require_approval(required).await.map(|()| required) }
    });
    let failure = Signal::derive(move || save.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(required)) = save.value().get() {
            stored.set(required);
            toasts.say(Tone::Ok, "Saved");
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.dispatch(chosen.get_untracked());
    };
    view! {
        <Card title="Approval of campaigns">
            <form class="stack" on:submit=submit>
                <label class="check">
                    <input
                        type="checkbox"
                        name="approval-required"
                        checked=required
                        disabled=move || !may_write.get()
                        prop:checked=move || chosen.get()
                        on:change:target=move |event| chosen.set(event.target().checked())
                    />
                    <span>
                        "Every campaign needs the approval of a second operator"
                        <span class="block text-xs text-muted">
                            "It holds for exactly the audience, content, schedule and limits that were approved; any change needs a new one. Approvers and admins can approve, never what they proposed themselves."
                        </span>
                    </span>
                </label>
                <FailureNote failure />
                <Show when=move || may_write.get()>
                    <div class="actions">
                        <Button
                            kind=ButtonKind::Primary
                            submit=true
                            pending=save.pending()
                            disabled=Signal::derive(move || chosen.get() == stored.get())
                        >
                            "Save"
                        </Button>
                    </div>
                </Show>
            </form>
        </Card>
    }
}
