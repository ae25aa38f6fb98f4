use leptos::prelude::*;

#[component]
pub fn Templates() -> impl IntoView {}
