//! Load on the built program, from outside, over loopback: `make load`, or a shorter one: `make load-quick`.
//!
//! It starts `ESE_BIN` on ports and folders of its own, and works it as people and the provider do: through the dashboard's
//! calls and signed webhooks. Peers run in the same minutes, so that ratios hold on a machine that has other things to do.
//! A figure counts only if everything was right: every person exactly one message by the provider's own log, counters that
//! balance at every look, no answer but success. It ends by itself, and nothing that it started outlives it.
//!
//! Linux only: what processes cost is read from `/proc`.

mod dashboard;
mod machine;
mod open_loop;
mod peer;
mod people;
mod process;
mod report;
mod saturate;
mod send;
mod webhooks;
mod wire;
mod world;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use machine::Machine;
use report::Outcome;
use std::{process::ExitCode, time::Duration};
use world::Shape;

/// How long one scenario may take, whatever happens in it.
const DEADLINE: Duration = Duration::from_secs(300);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// A campaign on the embedded default.
    Campaign,
    /// Webhooks, as many as go through, on the embedded default.
    Webhooks,
    /// A campaign on PostgreSQL and Redis, with two workers.
    Scaled,
    /// Webhooks, as many as go through, on PostgreSQL.
    WebhooksScaled,
}

/// Load on the built program.
#[derive(Debug, Parser)]
struct Options {
    /// What to measure; all of it if nothing is named.
    scenarios: Vec<Scenario>,
    /// How many people there are.
    #[arg(long, default_value_t = 10_000)]
    people: u32,
    /// The sender's rate on the embedded default, in message segments a second.
    #[arg(long, default_value_t = 400)]
    rate: u32,
    /// The sender's rate where there are two workers.
    #[arg(long, default_value_t = 2_000)]
    scaled_rate: u32,
    /// How many people write in a second while a campaign runs.
    #[arg(long, default_value_t = 50)]
    inbound: u32,
    /// How often webhooks and their peer take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Given by `cargo bench`; it means nothing here.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    ensure!((1..=people::MAX).contains(&options.people), "--people: 1 to {}", people::MAX);
    ensure!(options.rate > 0 && options.scaled_rate > 0, "--rate, --scaled-rate: at least 1");
    ensure!((1..=1_000).contains(&options.inbound), "--inbound: 1 to 1000");
    let enough = options.people as usize >= options.rounds;
    ensure!(options.rounds > 0 && enough, "--rounds: at least 1, and no more than there are people");
    // It is installed already if another part of the process did so first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let met = runtime.block_on(all(&options));
    // What is left of a scenario that failed is not waited for.
    runtime.shutdown_background();
    Ok(if met? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the scenarios one after the other, and prints the tables; whether all targets were met.
async fn all(options: &Options) -> Result<bool> {
    let folder = tempfile::Builder::new().prefix("ese-load-").tempdir()?;
    let machine = Machine::survey(folder.path())?;
    let scenarios = if options.scenarios.is_empty() { Scenario::value_variants() } else { &options.scenarios };
    let (mut tables, mut met, mut kept) = (String::new(), true, None);
    for scenario in scenarios {
        eprintln!("load: {scenario:?}");
        let outcome = match tokio::time::timeout(DEADLINE, run(*scenario, options, &machine)).await {
            Ok(outcome) => outcome.with_context(|| format!("{scenario:?}"))?,
            Err(_) => bail!("{scenario:?} did not end within {} seconds", DEADLINE.as_secs()),
        };
        kept = Some(outcome.keep()?);
        met &= outcome.is_met();
        tables.push_str(&outcome.markdown());
    }
    println!("{tables}");
    if let Some(path) = kept {
        println!("\nAlso in {}", path.display());
    }
    Ok(met)
}

async fn run(scenario: Scenario, options: &Options, machine: &Machine) -> Result<Outcome> {
    let send = |shape, rate| send::Settings { shape, people: options.people, rate, inbound: options.inbound };
    let saturate = |shape| saturate::Settings { shape, people: options.people, rounds: options.rounds };
    match scenario {
        Scenario::Campaign => send::run("campaign", machine, send(Shape::Embedded, options.rate)).await,
        Scenario::Webhooks => saturate::run("webhooks", machine, saturate(Shape::Embedded)).await,
        Scenario::Scaled => send::run("scaled", machine, send(Shape::Scaled, options.scaled_rate)).await,
        Scenario::WebhooksScaled => saturate::run("webhooks-scaled", machine, saturate(Shape::Scaled)).await,
    }
}
