use leptos::prelude::*;

#[component]
pub fn Imports() -> impl IntoView {}
