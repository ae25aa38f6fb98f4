//! What the check of a file found: what would happen, which repairs would save rows, and the word that lets it happen.

use super::{
    mapping::MappingForm,
    report::{ConsentNote, Counts},
};
use crate::{
    api,
    components::{frame::viewer_may, *},
    format,
};
use domain::{
    import::{Change, ImportReport, ImportView, Offer, Repair},
    operator::Operation,
};
use leptos::prelude::*;
use std::collections::BTreeSet;

/// What rows of a file are counted by.
pub fn counted_by(import: &ImportView) -> &'static str {
    if import.format == "json" { "Object" } else { "Line" }
}

/// The report of a check, with what can be done now.
#[component]
pub fn Checked(import: ImportView, moved: Callback<()>) -> impl IntoView {
    let report = import.report.clone();
    let may_import = viewer_may(Operation::ImportWrite);
    let changing = RwSignal::new(false);
    let import = StoredValue::new(import);
    view! {
        <p class="text-muted">
            {format!(
                "{} read. Nothing is written yet: this is what would happen.",
                format::counted(report.rows, "row", "rows"),
            )}
        </p>
        <Counts report=report.clone() />
        <ConsentNote report=report.clone() />
        <Show when=move || may_import.get()>
            <Repairs import=import.get_value() moved />
        </Show>
        <QualityCard report=report.clone() />
        <Changes changes=report.changes.clone() counted=counted_by(&import.get_value()) />
        <Show when=move || may_import.get()>
            <Apply import=import.get_value() moved />
            <div class="actions">
                <Button on_click=move |_| changing.update(|open| *open = !*open)>"Change columns or options"</Button>
            </div>
            <Show when=move || changing.get()>
                <MappingForm import=import.get_value() started=moved />
            </Show>
        </Show>
    }
}

#[component]
fn Apply(import: ImportView, moved: Callback<()>) -> impl IntoView {
    let id = import.id;
    let report = import.report;
    let people = report.created + report.updated;
    let sequences = report.sequences;
    let confirmed = RwSignal::new(false);
    let apply = Action::new(move |confirmed: &bool| api::imports::apply(id, *confirmed));
    let failure = Signal::derive(move || apply.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = apply.value().get() {
            moved.run(());
        }
    });
    let words = match people {
        0 => "Apply, though nobody changes".to_owned(),
        people => format!("Apply to {}", format::counted(people, "person", "people")),
    };
    view! {
        {sequences
            .is_suspicious()
            .then(|| {
                view! {
                    <div class="note note-warn stack-tight" role="note">
                        <p>
                            {format!(
                                "{} numbers of this file follow one another, {} in one run. Lists that were bought or made up look like this, and sending to them costs a sender its standing.",
                                format::number(sequences.in_runs),
                                format::number(sequences.longest),
                            )}
                        </p>
                        <label class="check">
                            <input
                                type="checkbox"
                                id="confirmed"
                                prop:checked=move || confirmed.get()
                                on:change:target=move |event| confirmed.set(event.target().checked())
                            />
                            "These people gave us their numbers themselves."
                        </label>
                    </div>
                }
            })}
        <FailureNote failure />
        <div class="actions">
            <Button
                kind=ButtonKind::Primary
                pending=apply.pending()
                disabled=Signal::derive(move || sequences.is_suspicious() && !confirmed.get())
                on_click=move |_| {
                    apply.dispatch(confirmed.get_untracked());
                }
            >
                {words}
            </Button>
        </div>
    }
}

/// Repairs that would save rows, to choose from; those that were chosen before stand among them.
#[component]
fn Repairs(import: ImportView, moved: Callback<()>) -> impl IntoView {
    let ImportView { id, options, report, .. } = import;
    let made: Vec<(Repair, String)> = report
        .repaired
        .iter()
        .map(|(repair, rows)| (*repair, format!("made in {}", format::counted(*rows, "row", "rows"))))
        .collect();
    let offered = report.offers.into_iter().map(|Offer { repair, rows, before, after }| {
        (repair, format!("saves {}: {before} becomes {after}", format::counted(rows, "row", "rows")))
    });
    let all: Vec<(Repair, String)> = made.into_iter().chain(offered).collect();
    if all.is_empty() {
        return ().into_any();
    }
    let chosen = RwSignal::new(options.repairs.clone());
    let before: BTreeSet<Repair> = options.repairs.clone();
    let options = StoredValue::new(options);
    let check = Action::new(move |repairs: &BTreeSet<Repair>| {
        let options = domain::import::ImportOptions { repairs: repairs.clone(), ..options.get_value() };
        api::imports::check(id, options)
    });
    let failure = Signal::derive(move || check.value().get().and_then(Result::err));
    Effect::new(move || {
        if let Some(Ok(_)) = check.value().get() {
            moved.run(());
        }
    });
    let row = move |(repair, effect): (Repair, String)| {
        view! {
            <li>
                <label class="check">
                    <input
                        type="checkbox"
                        id=format!("repair-{repair}")
                        prop:checked=move || chosen.read().contains(&repair)
                        on:change:target=move |event| {
                            let on = event.target().checked();
                            chosen.update(|set| if on { set.insert(repair); } else { set.remove(&repair); });
                        }
                    />
                    <span>
                        {repair.label()} <span class="text-muted">{format!(" – {effect}")}</span>
                    </span>
                </label>
            </li>
        }
    };
    view! {
        <Card title="Repairs">
            <div class="stack-tight">
                <ul class="stack-tight">{all.into_iter().map(row).collect_view()}</ul>
                <FailureNote failure />
                <div class="actions">
                    <Button
                        pending=check.pending()
                        disabled=Signal::derive(move || *chosen.read() == before)
                        on_click=move |_| {
                            check.dispatch(chosen.get_untracked());
                        }
                    >
                        "Check again with these repairs"
                    </Button>
                </div>
            </div>
        </Card>
    }
    .into_any()
}

/// How good the list is.
#[component]
pub fn QualityCard(report: ImportReport) -> impl IntoView {
    let rows = report.rows;
    let of = move |n: i64| if rows == 0 { "–".to_owned() } else { format::share(n, rows) };
    let (valid, mobile, other, twice) =
        (report.valid(), report.quality.mobile, report.quality.other_lines, report.duplicates);
    let longest = report.sequences.longest;
    let reachable = match report.people() {
        0 => "–".to_owned(),
        people => format::share(report.reachable(), people),
    };
    let damaged = (report.damaged > 0).then(|| {
        let rows: Vec<String> = report.damaged_rows.iter().map(ToString::to_string).collect();
        format!(
            "{} with characters that cannot be read, in columns that are left out: {}{}",
            format::counted(report.damaged, "row", "rows"),
            rows.join(", "),
            if report.damaged > report.damaged_rows.len() as i64 { " and others" } else { "" },
        )
    });
    let gaps: Vec<String> = report
        .quality
        .missing
        .iter()
        .map(|(column, rows)| format!("{column} in {}", format::counted(*rows, "row", "rows")))
        .collect();
    view! {
        <Card title="How good the list is">
            <Facts>
                <Fact name="Rows that can be used">{of(valid)}</Fact>
                <Fact name="People who agreed to some channel">{reachable}</Fact>
                <Fact name="Mobile numbers">{of(mobile)}</Fact>
                <Fact name="Other lines, which get no SMS">{of(other)}</Fact>
                <Fact name="Twice in the file">{of(twice)}</Fact>
                <Fact name="Longest run of following numbers">{format::number(longest)}</Fact>
                <Fact name="Empty cells">{if gaps.is_empty() { "None".to_owned() } else { gaps.join(", ") }}</Fact>
                {damaged.map(|damaged| view! { <Fact name="Damaged">{damaged}</Fact> })}
            </Facts>
        </Card>
    }
}

/// Some of the changes.
#[component]
fn Changes(changes: Vec<Change>, counted: &'static str) -> impl IntoView {
    if changes.is_empty() {
        return ().into_any();
    }
    let field = |(name, before, after): (String, String, String)| {
        let change = match (before.as_str(), after.as_str()) {
            ("", after) => view! { <ins>{after.to_owned()}</ins> }.into_any(),
            (before, "") => view! { <del>{before.to_owned()}</del> }.into_any(),
            (before, after) => view! {
                <del>{before.to_owned()}</del>
                " → "
                <ins>{after.to_owned()}</ins>
            }
            .into_any(),
        };
        view! {
            <li>
                <span class="text-muted">{name} ": "</span>
                {change}
            </li>
        }
    };
    let row = move |change: Change| {
        view! {
            <tr>
                <td data-label=counted class="num">
                    {format::number(i64::try_from(change.line).unwrap_or(i64::MAX))}
                </td>
                <td data-label="Person">{change.address}</td>
                <td data-label="Is">{if change.created { "New" } else { "Changed" }}</td>
                <td data-label="Values">
                    <ul class="changes">{change.fields.into_iter().map(field).collect_view()}</ul>
                </td>
            </tr>
        }
    };
    view! {
        <Card title="Some of the changes" flush=true>
            <Table label="Some of the changes" head=vec![counted, "Person", "Is", "Values"]>
                {changes.into_iter().map(row).collect_view()}
            </Table>
        </Card>
    }
    .into_any()
}
