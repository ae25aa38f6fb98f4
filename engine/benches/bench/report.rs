//! What came out: JSON lines for machines, a Markdown table for people.

use crate::{machine::Machine, rounds::Spread};
use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

/// Where JSON lines are added to, below the checkout's `target`.
const FILE: &str = "bench/results.jsonl";

/// What a figure must keep to.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Not above this.
    AtMost(f64),
    /// Not below this.
    AtLeast(f64),
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The least and the most of all rounds, if it is the median of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<[f64; 2]>,
    /// What it must keep to, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

impl Figure {
    /// A figure.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, spread: None, target: None }
    }

    /// The median of several rounds.
    pub fn of(name: impl Into<String>, rounds: Spread, unit: &'static str) -> Self {
        Self { spread: Some([rounds.least, rounds.most]), ..Self::new(name, rounds.median, unit) }
    }

    /// With what it must keep to.
    pub fn with(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtMost(most) => self.value <= most,
            Target::AtLeast(least) => self.value >= least,
        })
    }
}

/// What one scenario measured.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Which.
    pub scenario: &'static str,
    /// Its settings, in words.
    pub settings: String,
    /// Whether it was small, so that no figure counts.
    pub quick: bool,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// What it ran on.
    pub machine: Machine,
    /// The share of the machine, 0 to 1, that went to others while it measured; above 0.2 only ratios and CPU times count.
    pub others: f64,
    /// The figures.
    pub figures: Vec<Figure>,
    /// What the processes warned of.
    pub complaints: Vec<String>,
}

/// The share of the machine that others may take before a run counts as noisy.
const NOISY: f64 = 0.2;

impl Outcome {
    /// Whether all targets were met.
    pub fn is_met(&self) -> bool {
        self.figures.iter().all(|figure| figure.is_met() != Some(false))
    }

    /// Adds it to the file of all runs.
    pub fn keep(&self) -> Result<PathBuf> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(FILE);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::options().create(true).append(true).open(&path)?;
        writeln!(file, "{}", serde_json::to_string(self)?)?;
        Ok(path)
    }

    /// It as Markdown.
    pub fn markdown(&self) -> String {
        let Machine { cores, memory_gib, load_before, fdatasync_per_second } = &self.machine;
        let mut text = format!("\n### {}\n\n{}\n\n", self.scenario, self.settings);
        let noisy = if self.others > NOISY { ": **noisy**, only ratios and CPU times count" } else { "" };
        let _ = writeln!(
            text,
            "{cores} cores, {memory_gib} GiB, load before {load_before:.2}, {fdatasync_per_second:.0} fdatasync/s, \
             {:.0} % of the machine went to others{noisy}\n",
            self.others * 100.0
        );
        text.push_str("| figure | value | least to most | gate |\n|---|---:|---:|---|\n");
        for figure in &self.figures {
            let target = match figure.target {
                None => String::new(),
                Some(Target::AtMost(most)) => format!("≤ {}", number(most)),
                Some(Target::AtLeast(least)) => format!("≥ {}", number(least)),
            };
            let verdict = match figure.is_met() {
                None => "",
                Some(_) if self.quick => " (not judged)",
                Some(true) => " ✓",
                Some(false) => " **missed**",
            };
            let spread = figure.spread.map(|[least, most]| format!("{} to {}", number(least), number(most)));
            let _ = writeln!(
                text,
                "| {} | {} {} | {} | {target}{verdict} |",
                figure.name,
                number(figure.value),
                figure.unit,
                spread.unwrap_or_default()
            );
        }
        if !self.complaints.is_empty() {
            let _ =
                writeln!(text, "\n{} lines of warnings; the first: `{}`", self.complaints.len(), self.complaints[0]);
        }
        text
    }
}

/// Three digits that count, or all of a larger whole number.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
