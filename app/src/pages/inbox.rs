use leptos::prelude::*;

#[component]
pub fn Inbox() -> impl IntoView {}
