use leptos::prelude::*;

#[component]
pub fn Campaigns() -> impl IntoView {}
