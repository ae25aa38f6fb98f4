//! How good lists were, import by import.

use crate::format;
use domain::import::{ImportStatus, ImportView};
use leptos::prelude::*;

/// The grid's units for one import, and for the whole of it.
const STEP: f64 = 10.0;
const HEIGHT: f64 = 100.0;
/// The measures by their class, words and share.
const MEASURES: [Measure; 3] = [
    Measure { class: "chart-usable", words: "Usable rows", share: |i| share(i.report.valid(), i.report.rows) },
    Measure {
        class: "chart-mobile",
        words: "Mobile numbers",
        share: |i| share(i.report.quality.mobile, i.report.rows),
    },
    Measure {
        class: "chart-reachable",
        words: "People who agreed",
        share: |i| share(i.report.reachable(), i.report.people()),
    },
];

struct Measure {
    class: &'static str,
    words: &'static str,
    share: fn(&ImportView) -> f64,
}

fn share(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The shares of the imports that were read, oldest first. One alone shows no course.
#[component]
pub fn QualityChart(
    /// Newest first, as they are listed.
    imports: Vec<ImportView>,
) -> impl IntoView {
    let was_read = |import: &&ImportView| import.report.rows > 0 && import.status != ImportStatus::Checking;
    let read: Vec<&ImportView> = imports.iter().rev().filter(was_read).collect();
    let (Some(first), Some(last), true) = (read.first(), read.last(), read.len() > 1) else { return ().into_any() };
    let width = (read.len() - 1) as f64 * STEP;
    let grid = [0.0, 0.5, 1.0].map(|share| {
        let y = HEIGHT * share;
        view! { <line class="chart-line" x1="0" x2=width y1=y y2=y /> }
    });
    let legend = MEASURES.map(|measure| {
        view! {
            <span>
                <svg class=format!("swatch {}", measure.class) viewBox="0 0 1 1" aria-hidden="true">
                    <rect width="1" height="1" />
                </svg>
                {measure.words}
            </span>
        }
    });
    let lines = MEASURES.map(|measure| {
        let points = read.iter().enumerate().map(|(place, import)| {
            format!("{:.1},{:.1}", place as f64 * STEP, HEIGHT * (1.0 - (measure.share)(import)))
        });
        let points: Vec<String> = points.collect();
        view! { <polyline class=format!("chart-course {}", measure.class) points=points.join(" ") /> }
    });
    let course = MEASURES.map(|measure| {
        let percent = |import: &ImportView| format!("{:.0} %", 100.0 * (measure.share)(import));
        format!("{} from {} to {}", measure.words, percent(first), percent(last))
    });
    let label = format!("{} imports: {}", read.len(), course.join(", "));
    view! {
        <figure class="stack-tight">
            <div class="chart-axis">
                <span>"100 %"</span>
                <div class="legend">{legend}</div>
            </div>
            <svg class="chart" role="img" aria-label=label viewBox=format!("0 0 {width} {HEIGHT}") preserveAspectRatio="none">
                {grid}
                {lines}
            </svg>
            <div class="chart-axis">
                <span>{format::short_day(first.created_at.date_naive())}</span>
                <span>{format::short_day(last.created_at.date_naive())}</span>
            </div>
        </figure>
    }
    .into_any()
}
