//! Imports: a place to drop a file, and the list of those that came before.

mod quality;
mod upload;

use crate::{
    api,
    components::{badge, frame::viewer_may, *},
    format, live,
};
use domain::{
    import::ImportView,
    operator::Operation,
    page::{Page as Rows, PageRequest},
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};
use quality::QualityChart;
use upload::Upload;

/// The imports.
#[component]
pub fn Imports() -> impl IntoView {
    let query = use_query_map();
    let imports =
        Resource::new(move || query.read().get("after"), |after| api::imports::list(PageRequest::after(after)));
    live::on_changed("imports", move || imports.refetch());
    let may_import = viewer_may(Operation::ImportWrite);
    view! {
        <Page title="Import" lead="Bring in people from a CSV or JSON file. Nothing is written before you have seen what would happen.">
            <Show when=move || may_import.get()>
                <Upload />
            </Show>
            <Load resource=imports skeleton=|| view! { <TableSkeleton columns=5 rows=4 /> } view=list />
        </Page>
    }
}

fn list(imports: Rows<ImportView>) -> AnyView {
    if imports.rows.is_empty() {
        return view! { <p class="text-muted">"Nothing was imported yet."</p> }.into_any();
    }
    view! {
        <QualityChart imports=imports.rows.clone() />
        <Table label="Imports" head=vec!["File", "Status", "Rows", "New", "Changed", "Rejected", "Usable", "Mobile", "Twice", "Agreed", "Uploaded"]>
            {imports.rows.into_iter().map(row).collect_view()}
        </Table>
        <NextPage next=imports.next />
    }
    .into_any()
}

fn row(import: ImportView) -> impl IntoView {
    let report = import.report;
    let count = |label: &'static str, n: i64| {
        view! {
            <td data-label=label class="num">
                {format::number(n)}
            </td>
        }
    };
    let share = |label: &'static str, n: i64| {
        let share = if report.rows == 0 { "–".to_owned() } else { format::share(n, report.rows) };
        view! {
            <td data-label=label class="num">
                {share}
            </td>
        }
    };
    view! {
        <tr>
            <td data-label="File">
                <A href=format!("/import/{}", import.id) attr:data-row="">
                    {import.file_name}
                </A>
            </td>
            <td data-label="Status">{badge::status(&import.status)}</td>
            {count("Rows", report.rows)}
            {count("New", report.created)}
            {count("Changed", report.updated)}
            {count("Rejected", report.rejected)}
            {share("Usable", report.valid())}
            {share("Mobile", report.quality.mobile)}
            {share("Twice", report.duplicates)}
            <td data-label="Agreed" class="num">
                {if report.people() == 0 { "–".to_owned() } else { format::share(report.reachable(), report.people()) }}
            </td>
            <td data-label="Uploaded">
                <When at=import.created_at />
            </td>
        </tr>
    }
}
