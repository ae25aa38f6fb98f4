use leptos::prelude::*;

#[component]
pub fn CampaignMonitor() -> impl IntoView {}
