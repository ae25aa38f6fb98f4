use leptos::prelude::*;

#[component]
pub fn Message() -> impl IntoView {}
