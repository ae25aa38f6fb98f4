//! What holds for the whole workspace.

mod approval;
mod brake;
mod caps;
mod hours;
mod prices;

use crate::{
    api,
    components::{LinesSkeleton, Load, Page},
};
use approval::ApprovalSetting;
use brake::BrakeSetting;
use caps::CapsSetting;
use hours::HoursSetting;
use leptos::prelude::*;
use prices::PricesSetting;

/// The settings page.
#[component]
pub fn Settings() -> impl IntoView {
    let approval = Resource::new(|| (), |()| api::settings::approval_required());
    let caps = Resource::new(|| (), |()| api::settings::frequency_caps());
    let brake = Resource::new(|| (), |()| api::settings::brake());
    let hours = Resource::new(|| (), |()| api::settings::quiet_hours());
    let prices = Resource::new(|| (), |()| api::settings::prices());
    let skeleton = || view! { <LinesSkeleton lines=3 /> };
    let hours_changed = Callback::new(move |()| hours.refetch());
    let prices_changed = Callback::new(move |()| prices.refetch());
    view! {
        <Page title="Settings" lead="What holds for every campaign. Each change is written to the audit log.">
            <Load resource=approval skeleton view=|required| view! { <ApprovalSetting required /> } />
            <Load resource=caps skeleton view=|caps| view! { <CapsSetting caps /> } />
            <Load resource=brake skeleton view=|bounds| view! { <BrakeSetting bounds /> } />
            <Load
                resource=hours
                skeleton
                view=move |rules| view! { <HoursSetting rules changed=hours_changed /> }
            />
            <Load
                resource=prices
                skeleton
                view=move |prices| view! { <PricesSetting prices changed=prices_changed /> }
            />
        </Page>
    }
}
