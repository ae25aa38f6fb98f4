use leptos::prelude::*;

#[component]
pub fn Missing() -> impl IntoView {}
