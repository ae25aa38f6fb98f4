//! How far something is.

use crate::format;
use leptos::prelude::*;

/// A bar that fills. The word beside it says the same as its width.
#[component]
pub fn ProgressBar(
    /// The share that is done, 0 to 1.
    #[prop(into)]
    share: Signal<f64>,
    /// What it is the progress of, for those who cannot see it.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let share = move || share.get().clamp(0.0, 1.0);
    view! {
        <div class="progress">
            <div
                class="progress-track"
                role="progressbar"
                aria-label=label
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=move || format!("{:.0}", (share() * 100.0).floor())
            >
                <div class="progress-fill" style:width=move || format!("{:.2}%", share() * 100.0)></div>
            </div>
            <span class="progress-text">{move || format::percent(share())}</span>
        </div>
    }
}
