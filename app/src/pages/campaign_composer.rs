use leptos::prelude::*;

#[component]
pub fn CampaignComposer() -> impl IntoView {}
