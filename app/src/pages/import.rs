//! One import: what its columns are, how far it is, and what came of it.

mod checked;
mod mapping;
mod report;

use crate::{
    api,
    components::{badge, *},
    live,
};
use checked::Checked;
use domain::{
    ids::ImportId,
    import::{ImportStatus, ImportView},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use mapping::MappingForm;
use report::{Outcome, Rejects, RunningProgress, UndoProgress};

/// The page of an import.
#[component]
pub fn Import() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").unwrap_or_default().parse::<ImportId>().ok());
    let import = Resource::new(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => api::imports::get(id).await,
                None => Err(api::not_found("import")),
            }
        },
    );
    // While columns are being chosen nothing changes by itself, and a fresh page would undo what was chosen.
    let is_moving = StoredValue::new(false);
    live::on_changed("imports", move || {
        if is_moving.get_value() {
            import.refetch();
        }
    });
    let title = RwSignal::new("Import".to_owned());
    let started = Callback::new(move |()| import.refetch());
    view! {
        <Page title action=|| view! { <LinkButton href="/import">"All imports"</LinkButton> }>
            <Load
                resource=import
                skeleton=|| view! { <LinesSkeleton lines=10 /> }
                view=move |import: ImportView| {
                    is_moving.set_value(import.status.is_at_work());
                    title.set(import.file_name.clone());
                    view! { <Detail import started /> }
                }
            />
        </Page>
    }
}

#[component]
fn Detail(import: ImportView, started: Callback<()>) -> impl IntoView {
    let head = view! {
        <div class="actions">
            {badge::status(&import.status)} <span class="text-muted">
                "Uploaded " <When at=import.created_at /> ", " {crate::format::bytes(import.bytes_total)}
            </span>
        </div>
    };
    let (id, counted) = (import.id, checked::counted_by(&import));
    let has_rejects = import.report.rejected > 0;
    let body = match import.status {
        ImportStatus::Uploaded => view! { <MappingForm import started /> }.into_any(),
        ImportStatus::Checking => view! { <RunningProgress import title="Rows are checked" /> }.into_any(),
        ImportStatus::Checked => view! { <Checked import moved=started /> }.into_any(),
        ImportStatus::Running => view! { <RunningProgress import title="Rows go in" /> }.into_any(),
        ImportStatus::Undoing => view! { <UndoProgress import /> }.into_any(),
        ImportStatus::Completed | ImportStatus::Failed | ImportStatus::Undone => {
            view! { <Outcome import moved=started /> }.into_any()
        }
    };
    view! {
        {head}
        {body}
        {has_rejects.then(|| view! { <Rejects id counted /> })}
    }
}
