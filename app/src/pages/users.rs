use leptos::prelude::*;

#[component]
pub fn Users() -> impl IntoView {}
