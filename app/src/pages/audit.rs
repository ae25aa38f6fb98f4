//! The audit log: who did what.

use crate::{api, components::*};
use domain::{
    audit::AuditEntry,
    page::{Page as Rows, PageRequest},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde_json::Value;

/// The log, newest first.
#[component]
pub fn Audit() -> impl IntoView {
    let query = use_query_map();
    let entries = Resource::new(move || query.read().get("after"), |after| api::audit::list(PageRequest::after(after)));
    view! {
        <Page title="Audit" lead="Who did what, from where, and what changed. Entries are never rewritten.">
            <Load resource=entries skeleton=|| view! { <TableSkeleton columns=5 rows=12 /> } view=list />
        </Page>
    }
}

fn list(entries: Rows<AuditEntry>) -> AnyView {
    if entries.rows.is_empty() {
        return view! { <Empty title="Nothing yet">"Every sign-in, change, launch and export is written down here."</Empty> }
            .into_any();
    }
    view! {
        <Table label="Audit log" head=vec!["When", "Who", "What", "To what", "From", "Change"]>
            {entries.rows.into_iter().map(row).collect_view()}
        </Table>
        <NextPage next=entries.next />
    }
    .into_any()
}

fn row(entry: AuditEntry) -> impl IntoView {
    let has_change = entry.before.is_some() || entry.after.is_some();
    let change = has_change.then(|| {
        view! {
            <details>
                <summary>"Show"</summary>
                {part("Before", entry.before)}
                {part("After", entry.after)}
            </details>
        }
    });
    view! {
        <tr>
            <td data-label="When">
                <When at=entry.at exact=true />
            </td>
            <td data-label="Who">{entry.actor}</td>
            <td data-label="What">
                <code>{entry.action}</code>
            </td>
            <td data-label="To what">{entry.target}</td>
            <td data-label="From">{entry.address.unwrap_or_default()}</td>
            <td data-label="Change">{change}</td>
        </tr>
    }
}

fn part(title: &'static str, value: Option<Value>) -> impl IntoView {
    value.map(|value| {
        // Alternate form: one member a line.
        let text = format!("{value:#}");
        view! {
            <h3 class="text-xs">{title}</h3>
            <pre class="pre">{text}</pre>
        }
    })
}
