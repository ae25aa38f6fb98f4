//! What holds for the whole workspace.

mod approval;

use crate::{
    api,
    components::{LinesSkeleton, Load, Page},
};
use approval::ApprovalSetting;
use leptos::prelude::*;

/// The settings page.
#[component]
pub fn Settings() -> impl IntoView {
    let approval = Resource::new(|| (), |()| api::settings::approval_required());
    view! {
        <Page title="Settings" lead="What holds for every campaign. Each change is written to the audit log.">
            <Load
                resource=approval
                skeleton=|| view! { <LinesSkeleton lines=3 /> }
                view=|required| view! { <ApprovalSetting required /> }
            />
        </Page>
    }
}
