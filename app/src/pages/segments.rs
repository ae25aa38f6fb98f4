use leptos::prelude::*;

#[component]
pub fn Segments() -> impl IntoView {}
