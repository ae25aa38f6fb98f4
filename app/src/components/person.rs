//! A person's channels at a glance.

use super::{Badge, badge::Status};
use domain::{
    consent::{ConsentState, ConsentView},
    phone::Channel,
};
use leptos::prelude::*;

/// Where a person stands on a channel: what was never said is no consent.
pub fn state_on(consents: &[ConsentView], channel: Channel) -> ConsentState {
    consents.iter().find(|one| one.channel == channel).map_or(ConsentState::None, |one| one.state)
}

/// Consent on every channel, as badges that name the channel.
#[component]
pub fn Consents(
    /// Consent per channel.
    consents: Vec<ConsentView>,
) -> impl IntoView {
    let badge = |channel: &Channel| {
        let state = state_on(&consents, *channel);
        view! { <Badge tone=state.tone() word=format!("{} {}", channel.label(), state.label().to_lowercase()) /> }
    };
    view! { <span class="badges">{Channel::ALL.iter().map(badge).collect_view()}</span> }
}
