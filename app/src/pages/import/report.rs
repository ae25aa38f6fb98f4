//! How far an import is, what came of it, and the rows that were refused.

use super::checked::QualityCard;
use crate::{
    api,
    components::{frame::viewer_may, time, *},
    format, live,
};
use domain::{
    ids::ImportId,
    import::{ImportReject, ImportReport, ImportStatus, ImportView},
    operator::Operation,
    page::{Page as Rows, PageRequest},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// An import whose rows go in: it moves by itself, by live hints.
#[component]
pub fn RunningProgress(import: ImportView, title: &'static str) -> impl IntoView {
    let share = if import.bytes_total == 0 { 0.0 } else { import.bytes_done as f64 / import.bytes_total as f64 };
    let elapsed_s = import.started_at.map_or(0.0, |at| (time::current() - at).num_milliseconds() as f64 / 1_000.0);
    let pace = (elapsed_s > 0.0).then(|| {
        let rows = format!("{} rows/s", format::rate(import.report.rows as f64 / elapsed_s));
        // The time that the unread bytes take if they go as the read ones went.
        let left = (share > 0.0).then(|| elapsed_s * (1.0 - share) / share);
        match left {
            Some(left) => format!("{rows}, about {} left", format::duration(left.ceil() as i64)),
            None => rows,
        }
    });
    view! {
        <Card title=title>
            <div class="stack-tight">
                <ProgressBar share label="Progress of the import" />
                <p class="text-muted">
                    {format!("{} rows read", format::number(import.report.rows))} {pace.map(|pace| format!(" · {pace}"))}
                </p>
            </div>
        </Card>
        <Counts report=import.report />
    }
}

/// An import that is taken back.
#[component]
pub fn UndoProgress(import: ImportView) -> impl IntoView {
    let all = import.report.created + import.report.updated + import.report.unchanged;
    let share = if all == 0 { 1.0 } else { import.rows_done as f64 / all as f64 };
    view! {
        <Card title="What it did is taken back">
            <div class="stack-tight">
                <ProgressBar share label="Progress of the undoing" />
                <p class="text-muted">
                    {format!("{} of {}", format::number(import.rows_done), format::counted(all, "person", "people"))}
                </p>
            </div>
        </Card>
    }
}

/// The way back.
#[component]
fn Undo(id: ImportId, people: i64, moved: Callback<()>) -> impl IntoView {
    let asking = RwSignal::new(false);
    let undo = Action::new(move |(): &()| api::imports::undo(id));
    let failure = Signal::derive(move || undo.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = undo.value().get() {
            asking.set(false);
            moved.run(());
        }
    });
    view! {
        <Button kind=ButtonKind::Quiet on_click=move |_| asking.set(true)>
            "Undo this import"
        </Button>
        <Dialog open=asking title="Undo this import">
            <div class="stack">
                <p>
                    {format!(
                        "It brought or changed {}. Whoever it brought goes again, earlier values come back, and consent that it recorded is withdrawn: each only where nothing happened to the person since.",
                        format::counted(people, "person", "people"),
                    )}
                </p>
                <FailureNote failure />
                <div class="actions">
                    <Button
                        kind=ButtonKind::Danger
                        pending=undo.pending()
                        on_click=move |_| {
                            undo.dispatch(());
                        }
                    >
                        "Undo it"
                    </Button>
                </div>
            </div>
        </Dialog>
    }
}

/// An import that ended.
#[component]
pub fn Outcome(import: ImportView, moved: Callback<()>) -> impl IntoView {
    let took = import.started_at.zip(import.finished_at).map(|(from, to)| (to - from).num_milliseconds());
    let took = took.map(|millis| {
        let seconds = (millis as f64 / 1_000.0).max(0.001);
        format!(
            "{} in {}, {} rows/s.",
            format::counted(import.report.rows, "row", "rows"),
            format::duration(seconds.ceil() as i64),
            format::rate(import.report.rows as f64 / seconds)
        )
    });
    let failed = import.status == ImportStatus::Failed;
    let why = import.failure.unwrap_or_else(|| "It could not go on.".to_owned());
    let taken_in = import.report.created + import.report.updated;
    let id = import.id;
    let was_applied = import.checked.is_some();
    let undone = import.status == ImportStatus::Undone;
    let may_undo = viewer_may(Operation::ImportWrite);
    let ((removed, restored), kept) = (import.report.undone, import.report.kept);
    view! {
        {failed
            .then(|| {
                view! {
                    <p class="note note-fail" role="alert">
                        {why}
                        {if was_applied {
                            " What was read before is kept; uploading the file again changes nothing twice."
                        } else {
                            " Nothing was written."
                        }}
                    </p>
                }
            })}
        <p class="text-muted">{took}</p>
        <Counts report=import.report.clone() />
        <ConsentNote report=import.report.clone() />
        {was_applied.then(|| view! { <QualityCard report=import.report /> })}
        {undone
            .then(|| {
                view! {
                    <p class="note note-warn" role="status">
                        {format!(
                            "Undone: {} went away again, {} got earlier values back, {} stayed as they are, since something happened to them meanwhile.",
                            format::counted(removed, "person", "people"),
                            format::number(restored),
                            format::number(kept),
                        )}
                    </p>
                }
            })}
        {(taken_in > 0 && !undone)
            .then(|| {
                view! {
                    <div class="actions">
                        <LinkButton href="/users">"See the users"</LinkButton>
                        <Show when=move || may_undo.get() && was_applied>
                            <Undo id people=taken_in moved />
                        </Show>
                    </div>
                }
            })}
    }
}

/// What became, or would become, of the rows.
#[component]
pub fn Counts(report: ImportReport) -> impl IntoView {
    let of_rows = {
        let rows = report.rows;
        move |n: i64| if rows == 0 { String::new() } else { format::share(n, rows) }
    };
    view! {
        <Stats>
            <Stat label="New people" value=format::number(report.created) note=of_rows(report.created) />
            <Stat label="Changed" value=format::number(report.updated) note=of_rows(report.updated) />
            <Stat label="Same as before" value=format::number(report.unchanged) note=of_rows(report.unchanged) />
            <Stat label="Twice in the file" value=format::number(report.duplicates) note=of_rows(report.duplicates) />
            <Stat label="Rejected" value=format::number(report.rejected) note=of_rows(report.rejected) />
        </Stats>
    }
}

/// What it does to consent, and why rows were refused.
#[component]
pub fn ConsentNote(report: ImportReport) -> impl IntoView {
    let line = |n: i64, words: &str| (n > 0).then(|| format!("{} {words}", format::counted(n, "person", "people")));
    let lines = [
        line(report.sms_opted_in, "opted in to SMS by this file."),
        line(report.whatsapp_opted_in, "opted in to WhatsApp by this file."),
        line(report.kept_opted_out, "had opted out before, and stay opted out."),
    ];
    let lines = lines.into_iter().flatten().map(|text| view! { <li>{text}</li> }).collect_view();
    let without = (report.without_consent > 0).then(|| {
        view! {
            <p class="note note-warn">
                {format::counted(report.without_consent, "person", "people")}
                " without consent on any channel: campaigns skip them until they agree."
            </p>
        }
    });
    view! {
        <div class="stack-tight">
            <ul>{lines}</ul>
            {without}
            {(!report.reasons.is_empty())
                .then(|| {
                    let reason = |(reason, n): (String, i64)| {
                        let reason = reason.replace('_', " ");
                        view! { <Fact name=reason>{format::number(n)}</Fact> }
                    };
                    view! {
                        <Card title="Why rows were rejected">
                            <Facts>{report.reasons.into_iter().map(reason).collect_view()}</Facts>
                        </Card>
                    }
                })}
        </div>
    }
}

/// The rows that were refused, with the reason of each.
#[component]
pub fn Rejects(id: ImportId, counted: &'static str) -> impl IntoView {
    let query = use_query_map();
    let rejects = Resource::new(
        move || query.read().get("after"),
        move |after| api::imports::rejects(id, PageRequest::after(after)),
    );
    live::on_changed("imports", move || rejects.refetch());
    let download = move || {
        view! {
            <a class="btn" href=format!("/ui/imports/{id}/rejected.csv") download rel="external">
                "Download as CSV"
            </a>
        }
    };
    view! {
        <Card title="Rejected rows" aside=download flush=true>
            <Load resource=rejects skeleton=|| view! { <TableSkeleton columns=4 rows=3 /> } view=move |rows| list(rows, counted) />
        </Card>
    }
}

fn list(rejects: Rows<ImportReject>, counted: &'static str) -> impl IntoView {
    let row = move |reject: ImportReject| {
        view! {
            <tr>
                <td data-label=counted class="num">
                    {format::number(reject.line)}
                </td>
                <td data-label="Column">{reject.field.unwrap_or_default()}</td>
                <td data-label="Why">{reject.message}</td>
                <td data-label="Row">
                    <code>{reject.raw}</code>
                </td>
            </tr>
        }
    };
    view! {
        <Table label="Rejected rows" head=vec![counted, "Column", "Why", "Row"]>
            {rejects.rows.into_iter().map(row).collect_view()}
        </Table>
        <div class="p-3">
            <NextPage next=rejects.next />
        </div>
    }
}
