//! Statuses: a mark and a word, so that colour never speaks alone.

use domain::{
    campaign::CampaignStatus, compliance::Answer, consent::ConsentState, import::ImportStatus, inbound::InboundKind,
    message::State, webhook::DeliveryState,
};
use leptos::prelude::*;

/// The hue of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// No status: a plain label.
    #[default]
    Plain,
    /// As it should be.
    Ok,
    /// Under way.
    Wait,
    /// Needs a look.
    Warn,
    /// Went wrong, or was stopped.
    Fail,
}

impl Tone {
    /// The class that sets the hue.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "badge",
            Self::Ok => "badge badge-ok",
            Self::Wait => "badge badge-wait",
            Self::Warn => "badge badge-warn",
            Self::Fail => "badge badge-fail",
        }
    }

    /// The mark: a different shape for each.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Plain => "○",
            Self::Ok => "✓",
            Self::Wait => "◔",
            Self::Warn => "!",
            Self::Fail => "×",
        }
    }
}

/// A type whose values have a hue and a word.
pub trait Status {
    /// The hue.
    fn tone(&self) -> Tone;
    /// The word.
    fn word(&self) -> &'static str;
}

impl Status for CampaignStatus {
    fn tone(&self) -> Tone {
        match self {
            Self::Draft => Tone::Plain,
            Self::Scheduled | Self::Running => Tone::Wait,
            Self::Paused | Self::Held => Tone::Warn,
            Self::Completed => Tone::Ok,
            Self::Canceled => Tone::Fail,
        }
    }

    fn word(&self) -> &'static str {
        self.label()
    }
}

impl Status for Answer {
    fn tone(&self) -> Tone {
        match self {
            Self::Passes => Tone::Ok,
            Self::Waits => Tone::Wait,
            Self::Stops => Tone::Fail,
        }
    }

    fn word(&self) -> &'static str {
        self.label()
    }
}

impl Status for State {
    fn tone(&self) -> Tone {
        match self {
            Self::Sent | Self::Delivered | Self::Read => Tone::Ok,
            Self::Pending | Self::Sending | Self::Accepted | Self::Scheduled | Self::Queued | Self::Transmitting => {
                Tone::Wait
            }
            Self::Unknown | Self::NeedsReview => Tone::Warn,
            Self::Skipped | Self::Expired | Self::Canceled | Self::ProviderCanceled => Tone::Plain,
            Self::Rejected | Self::Failed | Self::Undelivered => Tone::Fail,
        }
    }

    fn word(&self) -> &'static str {
        self.label()
    }
}

impl Status for ConsentState {
    fn tone(&self) -> Tone {
        match self {
            Self::None => Tone::Plain,
            Self::OptedIn => Tone::Ok,
            Self::OptedOut => Tone::Fail,
        }
    }

    fn word(&self) -> &'static str {
        self.label()
    }
}

impl Status for ImportStatus {
    fn tone(&self) -> Tone {
        match self {
            Self::Uploaded => Tone::Plain,
            Self::Checking | Self::Running | Self::Undoing => Tone::Wait,
            Self::Checked | Self::Undone => Tone::Warn,
            Self::Completed => Tone::Ok,
            Self::Failed => Tone::Fail,
        }
    }

    fn word(&self) -> &'static str {
        self.label()
    }
}

impl Status for DeliveryState {
    fn tone(&self) -> Tone {
        match self {
            Self::Pending => Tone::Wait,
            Self::Delivered => Tone::Ok,
            Self::Failed => Tone::Fail,
        }
    }

    fn word(&self) -> &'static str {
        self.label()
    }
}

impl Status for InboundKind {
    fn tone(&self) -> Tone {
        match self {
            Self::Stop | Self::Unsubscribe => Tone::Fail,
            Self::Start | Self::Subscribe => Tone::Ok,
            Self::ProbableOptOut => Tone::Warn,
            Self::Help | Self::Message => Tone::Plain,
        }
    }

    fn word(&self) -> &'static str {
        self.label()
    }
}

/// A status.
#[component]
pub fn Badge(
    /// The hue, which also picks the mark.
    #[prop(optional)]
    tone: Tone,
    /// The word.
    #[prop(into)]
    word: String,
) -> impl IntoView {
    view! {
        <span class=tone.class()>
            <span class="badge-mark" aria-hidden="true">
                {tone.mark()}
            </span>
            {word}
        </span>
    }
}

/// The badge of a status enum.
pub fn status<S: Status>(value: &S) -> impl IntoView + use<S> {
    view! { <Badge tone=value.tone() word=value.word() /> }
}
