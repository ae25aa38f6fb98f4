use leptos::prelude::*;

#[component]
pub fn SignInLink() -> impl IntoView {}
