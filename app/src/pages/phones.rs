use leptos::prelude::*;

#[component]
pub fn Phones() -> impl IntoView {}
