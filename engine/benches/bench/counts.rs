//! B8: how many people a filter matches, exactly, and by the estimate that comes before; beside them the plainest count that
//! the database could do of the same people.

use crate::{
    crowd::Crowd,
    machine::{Machine, Snapshot},
    report::{Figure, Outcome, Target},
    rounds::Spread,
};
use anyhow::{Result, ensure};
use chrono::Utc;
use engine::{db, segments, testing::TestEnv, values};
use std::time::{Duration, Instant};

/// Segments from everyone to one person; the first is the broad one that gates are judged by.
const SEGMENTS: [&str; 12] = [
    "city = \"Hamburg\" and plan = \"pro\" and age >= 30 and consent.sms = opted_in",
    "",
    "city = \"Berlin\"",
    "city = \"Ulm\" and plan = \"pro\"",
    "age >= 30 and age < 40",
    "ltv > 990",
    "tag = \"vip\"",
    "tag = \"vip\" and not tag = \"beta\"",
    "code = \"c77\"",
    "consent.whatsapp = opted_in",
    "name ~ \"grace f\"",
    "locale = \"si-LK\" and consent.sms = opted_out",
];
/// How long an exact count may take: of a million people, and of ten, in milliseconds.
const EXACT_GATE_MS: [(u32, f64); 2] = [(1_000_000, 400.0), (10_000_000, 3_000.0)];
/// How long an estimate may take, in milliseconds.
const ESTIMATE_GATE_MS: f64 = 100.0;
/// How far an estimate may be off, in percent of the exact count.
const ERROR_GATE: f64 = 10.0;
/// Below so many matches a sample says little, and the count itself is quick or nothing is: the error is only shown.
const BROAD: i64 = 100_000;

/// The plainest way to count the first segment's people by their attributes, without its consent: everyone is looked at.
const PLAIN: &str = "SELECT count(*) AS value FROM users u WHERE attributes ->> 'city' = 'Hamburg'
    AND attributes ->> 'plan' = 'pro' AND (attributes ->> 'age')::float8 >= 30";

/// Runs it.
pub async fn run(machine: &Machine, crowd: &Crowd, rounds: usize) -> Result<Outcome> {
    let before = Snapshot::take()?;
    let TestEnv { engine, admin, .. } = &crowd.env;
    let gate = EXACT_GATE_MS.iter().find(|(rows, _)| crowd.rows <= *rows).map(|(_, gate)| *gate);
    let mut figures = Vec::new();
    for segment in SEGMENTS {
        eprintln!("bench: {segment:?}");
        let name = if segment.is_empty() { "everyone" } else { segment };
        let (mut exact, mut estimates, mut errors, mut plain) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut total = 0;
        for round in 0..=rounds {
            let began = Instant::now();
            let estimate = segments::estimate(engine, admin, segment).await?;
            let estimated = ms(began.elapsed());
            let began = Instant::now();
            total = segments::count(engine, admin, segment).await?.total;
            let counted = ms(began.elapsed());
            let began = Instant::now();
            let peer: Option<i64> = db::scalar(engine.db.read(), PLAIN, values![]).await?;
            ensure!(peer.is_some_and(|peer| peer > 0), "nobody is found by the plain count");
            // The first time everything is read from disk, which says more of the disk.
            if round > 0 {
                plain.push(ms(began.elapsed()));
                exact.push(counted);
                estimates.push(estimated);
                errors.push(100.0 * (estimate.about - total).abs() as f64 / total.max(1) as f64);
            }
        }
        let ratio = Spread::of_ratios(&exact, &plain);
        let count = Figure::of(format!("{name}: exact ({total})"), Spread::of(exact), "ms");
        let error = Figure::of(format!("{name}: error of the estimate"), Spread::of(errors), "%");
        figures.push(match gate {
            Some(gate) => count.with(Target::AtMost(gate)),
            None => count,
        });
        figures.push(Figure::of(format!("{name}: exact ÷ plain count of everyone by attributes"), ratio, "×"));
        figures.push(
            Figure::of(format!("{name}: estimate"), Spread::of(estimates), "ms").with(Target::AtMost(ESTIMATE_GATE_MS)),
        );
        figures.push(if total >= BROAD { error.with(Target::AtMost(ERROR_GATE)) } else { error });
    }
    figures.extend(crowd.embedded.counts(&SEGMENTS, rounds).await?);
    let after = Snapshot::take()?;
    Ok(Outcome {
        scenario: "b8",
        settings: format!("{} people on PostgreSQL with declared attributes, {rounds} rounds", crowd.rows),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: after.others_since(&before, machine.cores),
        figures,
        complaints: Vec::new(),
    })
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
