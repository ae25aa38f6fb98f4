//! The way of every page: resource → transition → failure or view.

use super::FailurePanel;
use crate::api::Failure;
use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

/// Shows a resource: a skeleton until it is first there, the failure if it failed, else the view of what it holds. While
/// it is fetched again, what it held before stays on the page, so that nothing jumps and the focus is kept outside it.
#[component]
pub fn Load<T, F, V>(
    /// What is shown.
    resource: Resource<Result<T, Failure>>,
    /// The shape of the page until it is there.
    #[prop(into)]
    skeleton: ViewFn,
    /// The view of it.
    view: F,
) -> impl IntoView
where
    T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    F: Fn(T) -> V + Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let retry = Callback::new(move |()| resource.refetch());
    let show = move || {
        let view = view.clone();
        Suspend::new(async move {
            match resource.await {
                Ok(value) => view(value).into_any(),
                Err(failure) => view! { <FailurePanel failure retry /> }.into_any(),
            }
        })
    };
    view! { <Transition fallback=move || skeleton.run()>{show}</Transition> }
}
