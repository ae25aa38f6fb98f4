//! The mark of a person whom test sends may reach.

use crate::{
    api,
    components::{Button, ButtonKind, FailureNote, LinesSkeleton, Load, Toasts, Tone, frame::viewer_may},
};
use domain::{ids::UserId, operator::Operation};
use leptos::prelude::*;

/// Whether the person is marked, and the way to change it.
#[component]
pub fn TestMark(user: UserId) -> impl IntoView {
    let people = Resource::new(|| (), |()| api::test_sends::people());
    let refetch = Callback::new(move |()| people.refetch());
    view! {
        <Load
            resource=people
            skeleton=|| view! { <LinesSkeleton lines=1 /> }
            view=move |people| {
                let is_marked = people.iter().any(|one| one.id == user);
                view! { <Mark user is_marked refetch /> }
            }
        />
    }
}

#[component]
fn Mark(user: UserId, is_marked: bool, refetch: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let may_mark = viewer_may(Operation::TestPersonWrite);
    let mark = Action::new(move |marked: &bool| api::test_sends::mark(user, *marked));
    let failure = Signal::derive(move || mark.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(())) = mark.value().get() {
            let said = if is_marked { "No test person any more" } else { "Test sends may reach this person" };
            toasts.say(Tone::Ok, said);
            refetch.run(());
        }
    });
    let words = if is_marked { "Take the test mark away" } else { "Mark as a test person" };
    view! {
        <div class="stack-tight">
            {is_marked.then(|| view! { <p class="text-muted">"A test person: test sends may reach them."</p> })}
            <Show when=move || may_mark.get()>
                <div>
                    <Button
                        kind=ButtonKind::Quiet
                        pending=mark.pending()
                        on_click=move |_| {
                            mark.dispatch(!is_marked);
                        }
                    >
                        {words}
                    </Button>
                </div>
            </Show>
            <FailureNote failure />
        </div>
    }
}
