//! The fourth step: what would happen.

use crate::{
    api::Failure,
    components::{Empty, LinesSkeleton, Load, Table},
    format,
};
use domain::{
    campaign::{Preview, PreviewSample},
    problem::FieldProblem,
};
use leptos::prelude::*;

/// The campaign as it would be sent: whom it reaches, what they get, and what stands against it.
#[component]
pub fn ReviewStep(
    /// The rehearsal, made anew as the draft changes.
    preview: Resource<Result<Preview, Failure>>,
) -> impl IntoView {
    view! { <Load resource=preview skeleton=|| view! { <LinesSkeleton lines=6 /> } view=shown /> }
}

fn shown(preview: Preview) -> impl IntoView {
    let audience = format::counted(preview.audience, "person", "people");
    let verdict = if preview.problems.is_empty() {
        view! { <p class="note note-ok">"✓ Nothing stands against a launch."</p> }.into_any()
    } else {
        let problems = preview.problems.into_iter().map(problem).collect_view();
        view! {
            <div class="note note-warn stack-tight">
                <p>"Before it can be launched:"</p>
                <ul class="list-disc pl-5">{problems}</ul>
            </div>
        }
        .into_any()
    };
    let warnings = preview.warnings.into_iter().map(|text| view! { <li>{text}</li> }).collect_view();
    view! {
        <div class="stack">
            <p class="text-lg font-semibold">{audience} " in the audience"</p>
            <div class="stack-tight" aria-live="polite">
                {verdict}
                <ul class="list-disc pl-5 text-warn">{warnings}</ul>
            </div>
            {samples(preview.samples)}
        </div>
    }
}

fn problem(problem: FieldProblem) -> impl IntoView {
    let step = match problem.pointer.trim_start_matches('/') {
        "name" => "#name",
        "sender" | "template" => "#content",
        field if field.starts_with("audience") || field == "topic" => "#audience",
        _ => "#schedule",
    };
    view! {
        <li>
            <a href=step>{problem.detail}</a>
        </li>
    }
}

fn samples(samples: Vec<PreviewSample>) -> impl IntoView {
    if samples.is_empty() {
        return view! {
            <Empty title="No example yet">
                "Choose an audience, a sender and a template: a few people's messages are then shown here as they would be sent."
            </Empty>
        }
        .into_any();
    }
    let row = |sample: PreviewSample| {
        let text = match sample.text {
            Some(text) => view! { <span class="whitespace-pre-wrap">{text}</span> }.into_any(),
            None => view! { <span class="text-muted">"No message"</span> }.into_any(),
        };
        view! {
            <tr>
                <td data-label="Person">{sample.user}</td>
                <td data-label="Text">{text}</td>
                <td data-label="Segments" class="num">
                    {sample.segments}
                </td>
                <td data-label="If sent now">{sample.verdict}</td>
            </tr>
        }
    };
    view! {
        <Table label="Examples" head=vec!["Person", "Text", "Segments", "If sent now"]>
            {samples.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}
