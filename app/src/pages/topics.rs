use leptos::prelude::*;

#[component]
pub fn Topics() -> impl IntoView {}
