//! Keys that work on every page: `/` to the search, `g` and a letter to go, `j` and `k` in lists, Ctrl or Cmd and K for
//! the palette. Esc closes dialogs by the browser's own means, and here the drawer.

use crate::components::frame::PLACES;
use leptos::{ev, prelude::*};
use leptos_router::hooks::use_navigate;
use std::time::Duration;
use wasm_bindgen::JsCast;

/// How long `g` waits for its letter.
const GO_WAITS: Duration = Duration::from_millis(1_500);

/// Listens while the component that calls it is on the page.
pub fn listen(palette_open: RwSignal<bool>, drawer_open: RwSignal<bool>) {
    let navigate = use_navigate();
    let going = StoredValue::new(false);
    Effect::new(move || {
        let navigate = navigate.clone();
        let listener = window_event_listener(ev::keydown, move |event| {
            let key = event.key();
            if (event.ctrl_key() || event.meta_key()) && key.eq_ignore_ascii_case("k") {
                event.prevent_default();
                // What the page shows counts: of a palette that Esc closed, the browser tells a moment later.
                let shown = document().query_selector("dialog[open][aria-label='Go to']");
                palette_open.set(!shown.is_ok_and(|shown| shown.is_some()));
                return;
            }
            if key == "Escape" {
                drawer_open.set(false);
            }
            if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing(&event) {
                return;
            }
            if going.get_value() {
                going.set_value(false);
                if let Some(place) = PLACES.iter().find(|place| key.chars().eq([place.key])) {
                    event.prevent_default();
                    navigate(place.href, leptos_router::NavigateOptions::default());
                }
                return;
            }
            match key.as_str() {
                "g" => {
                    going.set_value(true);
                    set_timeout(
                        move || {
                            going.try_set_value(false);
                        },
                        GO_WAITS,
                    );
                }
                "/" if focus("[data-search]") => event.prevent_default(),
                "j" => move_in_list(1),
                "k" => move_in_list(-1),
                _ => {}
            }
        });
        on_cleanup(move || listener.remove());
    });
}

/// Whether the key belongs to a control, or to an open dialog.
fn is_typing(event: &ev::KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|target| {
        target.closest("input, textarea, select, [contenteditable], dialog").is_ok_and(|found| found.is_some())
    })
}

fn focus(selector: &str) -> bool {
    let found = document().query_selector(selector).ok().flatten();
    let found = found.and_then(|found| found.dyn_into::<web_sys::HtmlElement>().ok());
    found.is_some_and(|found| found.focus().is_ok())
}

/// Moves the focus to the next or previous row of the page's list.
fn move_in_list(by: i32) {
    let Ok(rows) = document().query_selector_all("[data-row]") else { return };
    let rows: Vec<web_sys::HtmlElement> =
        (0..rows.length()).filter_map(|n| rows.item(n)).filter_map(|row| row.dyn_into().ok()).collect();
    let focused = document().active_element();
    let place = rows.iter().position(|row| focused.as_ref().is_some_and(|focused| row.is_same_node(Some(focused))));
    let next = match place {
        None if by > 0 => 0,
        None => rows.len().saturating_sub(1),
        Some(place) => place.saturating_add_signed(by as isize).min(rows.len().saturating_sub(1)),
    };
    if let Some(row) = rows.get(next) {
        // Fails only if the row left the page meanwhile.
        let _ = row.focus();
    }
}
