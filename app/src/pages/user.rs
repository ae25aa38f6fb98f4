use leptos::prelude::*;

#[component]
pub fn User() -> impl IntoView {}
