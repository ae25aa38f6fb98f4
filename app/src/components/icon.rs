//! The few icons of the navigation: 16 × 16, drawn with the text's colour.

use leptos::prelude::*;

/// An icon of a stroke; what it means stands beside it in words.
#[component]
pub fn Icon(
    /// The path's data.
    path: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
            <path d=path />
        </svg>
    }
}

/// Four tiles.
pub const OVERVIEW: &str = "M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z";
/// A paper plane.
pub const CAMPAIGNS: &str = "M14 2 2 7l5 2 2 5zM14 2 7 9";
/// Lines of text.
pub const TEMPLATES: &str = "M3 2h10v12H3zM5.5 5.5h5M5.5 8h5M5.5 10.5h3";
/// A pulse.
pub const HEALTH: &str = "M1 8h3l2-5 4 10 2-5h3";
/// A speech bubble.
pub const MESSAGES: &str = "M2 3h12v8H7l-3 3v-3H2z";
/// A tray.
pub const INBOX: &str = "M2 9l2-6h8l2 6v4H2zM2 9h4l1 2h2l1-2h4";
/// A person.
pub const USERS: &str = "M8 8a2.75 2.75 0 1 0 0-5.5A2.75 2.75 0 0 0 8 8zM2.5 14c.5-3 2.6-4 5.5-4s5 1 5.5 4";
/// A circle with a part of it.
pub const SEGMENTS: &str = "M8 2a6 6 0 1 0 6 6H8zM10.5 2.5a6 6 0 0 1 3 3h-3z";
/// A label.
pub const TOPICS: &str = "M2 2h6l6 6-6 6-6-6zM5 5h.01";
/// A circle with a bar through it.
pub const SUPPRESSIONS: &str = "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM3.8 3.8l8.4 8.4";
/// Lines beside dots.
pub const ATTRIBUTES: &str = "M6 4h8M6 8h8M6 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01";
/// An arrow into a tray.
pub const IMPORT: &str = "M8 2v8M5 7l3 3 3-3M2 11v3h12v-3";
/// A phone.
pub const PHONES: &str = "M4.5 1.5h7v13h-7zM7 12.5h2";
/// Two plugs that meet.
pub const INTEGRATIONS: &str = "M1 8h3M12 8h3M4 5h3v6H4zM9 5h3v6H9zM7 6.5h2M7 9.5h2";
/// Sliders.
pub const SETTINGS: &str = "M2 4h12M2 8h12M2 12h12M5 2.5v3M11 6.5v3M7 10.5v3";
/// A list with marks.
pub const AUDIT: &str = "M2 4l1 1 2-2M2 8l1 1 2-2M2 12l1 1 2-2M8 4h6M8 8h6M8 12h6";
/// A key.
pub const ACCOUNT: &str = "M5 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 8h6v3M11 8v2";
