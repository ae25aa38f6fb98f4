use leptos::prelude::*;

#[component]
pub fn SignIn() -> impl IntoView {}
