//! The WASM entry.

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the script that Leptos writes into every page.
#[wasm_bindgen]
pub fn hydrate() {
    app::hydrate();
}
