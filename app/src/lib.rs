//! The dashboard: pages, components and server functions.
//!
//! Pages are rendered on the server and hydrated in the browser. Reading needs no script; what changes something calls a
//! server function of `api`, which calls one use case of the engine. No rule of the business is decided here.
#![recursion_limit = "512"]

mod api;
mod components;
mod format;
mod keyboard;
mod live;
mod pages;
#[cfg(feature = "ssr")]
mod preferences;
mod routes;
#[cfg(feature = "ssr")]
mod shell;
mod theme;
mod timing;

#[cfg(feature = "ssr")]
pub use preferences::{Answer, preferences};
pub use routes::App;
#[cfg(feature = "ssr")]
pub use shell::shell;

/// Takes over the page that the server rendered. By the next frame, when what hydration left to microtasks is done too, the
/// root element says so (`data-hydrated`): from then on whatever is pressed is heard.
#[cfg(feature = "hydrate")]
pub fn hydrate() {
    use leptos::prelude::{document, request_animation_frame};
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(App);
    request_animation_frame(|| {
        if let Some(root) = document().document_element() {
            // Cannot fail for this constant name.
            let _ = root.set_attribute("data-hydrated", "");
        }
    });
}
