//! The chart of days: bars of our own.
//!
//! A chart library was looked at first: leptos-chartistry 0.2.3 lays its chart out by measuring the element in the browser
//! (its `use_watched_node`), and the server's page says "Loading..." until the script has run. Bars on a fixed grid need no
//! measuring: these are drawn on the server, stretch by the view box, and say every figure in words too.

use crate::format;
use domain::overview::DayFigures;
use leptos::prelude::*;

/// The grid's units for one day, and for the height of the tallest bar.
const DAY: f64 = 10.0;
const HEIGHT: f64 = 100.0;
/// The part of a day's width that its bar takes.
const BAR: f64 = 7.0;

/// Sent, delivered and failed by day.
#[component]
pub fn DaysChart(
    /// The days, oldest first.
    days: Vec<DayFigures>,
) -> impl IntoView {
    let most = days.iter().map(|day| day.sent.max(day.failed)).max().unwrap_or(0);
    if most == 0 {
        return view! { <p class="text-muted">"Nothing was sent in the last 30 days."</p> }.into_any();
    }
    let top = round_up(most);
    let width = days.len() as f64 * DAY;
    let (first, last) = (days.first().map(|day| day.day), days.last().map(|day| day.day));
    let total: i64 = days.iter().map(|day| day.sent).sum();
    let label = format!(
        "Messages by day: {} sent in {} days; the most in a day was {}",
        format::number(total),
        days.len(),
        format::number(most)
    );
    let lines = [0.0, 0.5, 1.0].map(|share| {
        let y = HEIGHT * share;
        view! { <line class="chart-line" x1="0" x2=width y1=y y2=y /> }
    });
    let bars = days.iter().enumerate().map(|(place, day)| bars(place, day, top)).collect_view();
    view! {
        <figure class="stack-tight">
            <div class="chart-axis">
                <span>{format::number(top)}</span>
                <div class="legend">
                    <span>
                        <svg class="swatch chart-sent" viewBox="0 0 1 1" aria-hidden="true"><rect width="1" height="1" /></svg>
                        "Sent"
                    </span>
                    <span>
                        <svg class="swatch chart-delivered" viewBox="0 0 1 1" aria-hidden="true"><rect width="1" height="1" /></svg>
                        "Delivered"
                    </span>
                    <span>
                        <svg class="swatch chart-failed" viewBox="0 0 1 1" aria-hidden="true"><rect width="1" height="1" /></svg>
                        "Failed"
                    </span>
                </div>
            </div>
            <svg
                class="chart"
                role="img"
                aria-label=label
                viewBox=format!("0 0 {width} {HEIGHT}")
                preserveAspectRatio="none"
            >
                {lines}
                {bars}
            </svg>
            <div class="chart-axis">
                <span>{first.map(format::short_day)}</span>
                <span>{last.map(format::short_day)}</span>
            </div>
            <details>
                <summary class="text-muted">"As a table"</summary>
                <Rows days />
            </details>
        </figure>
    }
    .into_any()
}

/// The least 1, 2 or 5 times a power of ten that is not less: the top of the scale.
fn round_up(most: i64) -> i64 {
    let mut step = 1_i64;
    loop {
        for factor in [1, 2, 5] {
            if step.saturating_mul(factor) >= most {
                return step.saturating_mul(factor);
            }
        }
        step = step.saturating_mul(10);
    }
}

fn bars(place: usize, day: &DayFigures, top: i64) -> impl IntoView + use<> {
    let height = |n: i64| HEIGHT * n as f64 / top as f64;
    let x = place as f64 * DAY;
    let bar = |class: &'static str, x: f64, width: f64, n: i64| {
        view! { <rect class=class x=x width=width y=HEIGHT - height(n) height=height(n) /> }
    };
    let words = format!(
        "{}: {} sent, {} delivered, {} failed",
        format::short_day(day.day),
        format::number(day.sent),
        format::number(day.delivered),
        format::number(day.failed)
    );
    view! {
        {bar("chart-sent", x, BAR, day.sent)}
        {bar("chart-delivered", x, BAR, day.delivered)}
        {bar("chart-failed", x + BAR, 2.0, day.failed)}
        <rect class="chart-day" x=x width=DAY y="0" height=HEIGHT>
            <title>{words}</title>
        </rect>
    }
}

/// The same figures for those who would rather read them.
#[component]
fn Rows(days: Vec<DayFigures>) -> impl IntoView {
    let row = |day: DayFigures| {
        let cells = [day.sent, day.delivered, day.read, day.failed, day.replies, day.opt_outs];
        view! {
            <tr>
                <th scope="row">{format::short_day(day.day)}</th>
                {cells.map(|n| view! { <td class="num">{format::number(n)}</td> })}
            </tr>
        }
    };
    view! {
        <div class="table-frame">
            <table class="table-plain" aria-label="Messages by day">
                <thead>
                    <tr>
                        {["Day", "Sent", "Delivered", "Read", "Failed", "Replies", "Opt-outs"]
                            .map(|head| view! { <th scope="col">{head}</th> })}
                    </tr>
                </thead>
                <tbody>{days.into_iter().rev().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn the_scale_ends_at_a_round_number() {
        for (most, top) in [(1, 1), (3, 5), (10, 10), (11, 20), (51, 100), (1_234, 2_000)] {
            assert_eq!(round_up(most), top, "{most}");
        }
        assert!(round_up(i64::MAX) == i64::MAX);
    }
}
