use leptos::prelude::*;

#[component]
pub fn Account() -> impl IntoView {}
