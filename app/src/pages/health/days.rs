//! Days that were compared with the provider's list.

use crate::{
    api::{self, Failure},
    components::{
        Badge, Button, Card, FailureNote, Load, Table, TableSkeleton, TextInput, Toasts, Tone, When, failure::at_field,
        frame::viewer_may,
    },
    format, live,
};
use domain::{operator::Operation, reconciliation::Reconciliation};
use leptos::prelude::*;

/// The days, and the way to have one compared now.
#[component]
pub fn ComparedDays() -> impl IntoView {
    let days = Resource::new(|| (), |()| api::health::reconciliations());
    live::on_changed("health", move || days.refetch());
    let may_ask = viewer_may(Operation::MessageReview);
    view! {
        <Card title="Compared with the provider" flush=true>
            <p class="card-body text-muted">
                "Each night the provider's list of the day before is read beside what is known here, and once more two nights later: a report that was lost is made up for, and prices are filled in. Days are in UTC."
            </p>
            <Load resource=days skeleton=|| view! { <TableSkeleton columns=6 rows=2 /> } view=table />
            <Show when=move || may_ask.get()>
                <Ask />
            </Show>
        </Card>
    }
}

fn table(days: Vec<Reconciliation>) -> impl IntoView {
    if days.is_empty() {
        return view! { <p class="card-body text-muted">"No day was compared yet: it happens from three o'clock on, UTC."</p> }
            .into_any();
    }
    let row = |day: Reconciliation| {
        let ended = match day.finished_at {
            Some(at) => view! { <When at /> }.into_any(),
            None => view! { <Badge tone=Tone::Wait word="Under way" /> }.into_any(),
        };
        view! {
            <tr>
                <td data-label="Day">{format::day(day.day)}</td>
                <td data-label="Listed" class="num">
                    {format::number(day.listed)}
                </td>
                <td data-label="Made up for" class="num">
                    {format::number(day.healed)}
                </td>
                <td data-label="New prices" class="num">
                    {format::number(day.priced)}
                </td>
                <td data-label="Not from here" class="num">
                    {format::number(day.strange)}
                </td>
                <td data-label="Compared">{ended}</td>
            </tr>
        }
    };
    view! {
        <Table
            label="Compared with the provider"
            head=vec!["Day", "Listed", "Made up for", "New prices", "Not from here", "Compared"]
        >
            {days.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

#[component]
fn Ask() -> impl IntoView {
    let toasts = Toasts::here();
    let day = RwSignal::new(String::new());
    let unread = RwSignal::new(None::<String>);
    let ask = Action::new(|day: &chrono::NaiveDate| api::health::compare(*day));
    let failure: Signal<Option<Failure>> = Signal::derive(move || ask.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(begun)) = ask.value().get() {
            toasts.say(Tone::Ok, format!("Comparing {}", format::day(begun.day)));
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match day.get_untracked().parse() {
            Ok(day) => {
                unread.set(None);
                ask.dispatch(day);
            }
            Err(_) => unread.set(Some("choose a day".to_owned())),
        }
    };
    let wrong = at_field(failure, "day");
    view! {
        <form class="card-body stack-tight" on:submit=submit>
            <TextInput
                label="Another day"
                name="compared-day"
                value=day
                kind="date"
                error=Signal::derive(move || unread.get().or_else(|| wrong.get()))
            />
            <div class="actions">
                <Button submit=true pending=ask.pending()>
                    "Compare it now"
                </Button>
            </div>
            <FailureNote failure />
        </form>
    }
}
