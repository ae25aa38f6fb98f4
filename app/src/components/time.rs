//! Times on the page.
//!
//! The server says what time it is when it renders, and the browser starts from the very same instant: so both write the
//! same words, and hydration finds what it expects. From then on the browser's own clock moves them, in its own zone.

use crate::format;
use chrono::{DateTime, Utc};
use leptos::prelude::*;
use std::time::Duration;

/// How often words like "5 min ago" are written anew.
const TICK: Duration = Duration::from_secs(5);

/// The page's idea of time.
#[derive(Clone, Copy)]
struct PageClock {
    now: RwSignal<DateTime<Utc>>,
    /// How far the reader's zone is ahead of UTC, in minutes; `None` until the browser has taken over.
    offset_minutes: RwSignal<Option<i32>>,
}

/// Sets up the page's clock. To be called once, by the outermost component.
pub fn provide_clock() {
    let millis = SharedValue::new(this_moment).into_inner();
    let clock = PageClock {
        now: RwSignal::new(DateTime::from_timestamp_millis(millis).unwrap_or_default()),
        offset_minutes: RwSignal::new(None),
    };
    provide_context(clock);
    Effect::new(move || {
        let tick = move || {
            if let Some(now) = DateTime::from_timestamp_millis(js_sys::Date::now() as i64) {
                clock.now.set(now);
            }
        };
        clock.offset_minutes.set(Some(-js_sys::Date::new_0().get_timezone_offset() as i32));
        tick();
        if let Ok(ticking) = set_interval_with_handle(tick, TICK) {
            on_cleanup(move || ticking.clear());
        }
    });
}

#[cfg(feature = "ssr")]
fn this_moment() -> i64 {
    // While the routes are listed at start-up there is no engine yet, and nothing is shown.
    use_context::<engine::Engine>().map_or(0, |engine| engine.clock.now().timestamp_millis())
}

#[cfg(not(feature = "ssr"))]
fn this_moment() -> i64 {
    js_sys::Date::now() as i64
}

/// What time it is at this moment, to reckon with; for words on the page there is [`now`].
pub fn current() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(this_moment()).unwrap_or_default()
}

/// What time it is, for times that must agree between server and browser.
pub fn now() -> Signal<DateTime<Utc>> {
    expect_context::<PageClock>().now.into()
}

/// How far the reader's zone is ahead of UTC, in minutes; 0 until the browser has taken over.
pub fn offset_minutes() -> Signal<i32> {
    let clock = expect_context::<PageClock>();
    Signal::derive(move || clock.offset_minutes.get().unwrap_or(0))
}

/// A time in relation to now, with the exact one on hover.
#[component]
pub fn When(
    /// The instant.
    at: DateTime<Utc>,
    /// Whether the exact time is shown, to the minute, and the relative one on hover: for plans and logs.
    #[prop(optional)]
    exact: bool,
) -> impl IntoView {
    let (now, offset) = (now(), offset_minutes());
    let relative = move || format::relative(at, now.get());
    let full = move || format::exact(at, offset.get());
    let minute = move || format::to_the_minute(at, offset.get());
    view! {
        <time datetime=at.to_rfc3339() title=move || if exact { relative() } else { full() }>
            {move || if exact { minute() } else { relative() }}
        </time>
    }
}
