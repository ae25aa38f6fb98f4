use leptos::prelude::*;

#[component]
pub fn Messages() -> impl IntoView {}
