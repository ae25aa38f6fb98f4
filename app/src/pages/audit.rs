use leptos::prelude::*;

#[component]
pub fn Audit() -> impl IntoView {}
