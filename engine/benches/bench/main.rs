//! What is measured, and held to its gates: `make bench`, or small and in minutes: `make bench-quick`. One of them:
//! `make bench BENCH=b7`.
//!
//! Each bench puts a figure beside something that runs in the same minutes, turn by turn, so that ratios hold on a machine
//! that has other things to do; every ratio is the median of its rounds, with the least and the most of them. A figure counts only if what was done was right: each bench checks its own counts first, and fails else.
//!
//! Those that need the program start `ESE_BIN` on ports and folders of its own, and work it as people and the provider do.
//! Everything ends by itself, and nothing that was started outlives it.
//!
//! Linux only: what processes cost is read from `/proc`.

mod counts;
mod crowd;
mod dashboard;
mod delivery;
mod embedded;
mod import;
mod lists;
mod machine;
mod open_loop;
mod paced;
mod peer;
mod people;
mod plain;
mod process;
mod recovery;
mod report;
mod rounds;
mod saturate;
mod send;
mod traps;
mod webhooks;
mod wire;
mod world;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use crowd::Crowd;
use machine::Machine;
use report::Outcome;
use std::{process::ExitCode, time::Duration};
use tikv_jemallocator::Jemalloc;
use world::Shape;

/// The program's own allocator, as what runs in this process is measured like the program.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// How long one bench may take, whatever happens in it. Those that make millions of rows first take most of it for that.
const DEADLINE: Duration = Duration::from_secs(1_500);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Campaigns to a provider that answers at once, beside the bare client.
    B2,
    /// Rates and fairness, to a slow provider, with one, two and four workers.
    B3,
    /// Campaigns with three reports for each message.
    B4,
    /// Imports beside COPY of the same people.
    B6,
    /// Pages of the lists of users and messages, first and deep, through the engine and through the API.
    B7,
    /// How many people a filter matches: the exact count and the estimate before it.
    B8,
    /// A worker, PostgreSQL and Redis are killed while a campaign runs.
    B11,
    /// What jams queues: many doorbells, retries that are due together, a long queue.
    B12,
    /// The four that follow: the whole program under load.
    Load,
    /// A campaign on the embedded default, while people write.
    Campaign,
    /// Webhooks, as many as go through, on the embedded default.
    Webhooks,
    /// A campaign on PostgreSQL and Redis, with two workers.
    Scaled,
    /// Webhooks, as many as go through, on PostgreSQL.
    WebhooksScaled,
}

impl Bench {
    /// What is run when nothing is named.
    const ALL: [Self; 8] = [Self::B2, Self::B3, Self::B4, Self::B6, Self::B7, Self::B8, Self::B11, Self::B12];
    /// What stands for the whole program under load.
    const LOAD: [Self; 4] = [Self::Campaign, Self::Webhooks, Self::Scaled, Self::WebhooksScaled];

    /// Whether it looks at millions of people who are there before.
    fn needs_crowd(self) -> bool {
        matches!(self, Self::B7 | Self::B8)
    }
}

/// Measures, beside what runs in the same minutes.
#[derive(Debug, Parser)]
struct Options {
    /// What to measure; all that have a letter and a number if nothing is named.
    #[arg(ignore_case = true)]
    benches: Vec<Bench>,
    /// Small, to see that it runs: no figure of it is worth quoting, and no gate is judged by it.
    #[arg(long)]
    quick: bool,
    /// How many rows lists and counts are measured on; 10,000,000, or 100,000 if quick.
    #[arg(long)]
    rows: Option<u32>,
    /// How many people there are under load; 10,000, or 2,000 if quick.
    #[arg(long)]
    people: Option<u32>,
    /// The sender's rate on the embedded default, in message segments a second.
    #[arg(long, default_value_t = 400)]
    rate: u32,
    /// The sender's rate where there are two workers.
    #[arg(long, default_value_t = 2_000)]
    scaled_rate: u32,
    /// How many people write in a second while a campaign runs.
    #[arg(long, default_value_t = 50)]
    inbound: u32,
    /// How often a thing and its peer take turns; 5, or 3 if quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Be the peer of pages instead, on the database of this URL: this program starts itself so.
    #[arg(long, hide = true)]
    plain: Option<String>,
    /// Given by `cargo bench`; it means nothing here.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// The large figure, or the small one if it is to be quick.
    fn sized<T>(&self, given: Option<T>, large: T, small: T) -> T {
        given.unwrap_or(if self.quick { small } else { large })
    }

    fn people(&self) -> u32 {
        self.sized(self.people, 10_000, 2_000)
    }

    fn rounds(&self) -> usize {
        self.sized(self.rounds, 5, 3)
    }

    fn benches(&self) -> Vec<Bench> {
        if self.benches.is_empty() {
            return Bench::ALL.to_vec();
        }
        let each = |bench: &Bench| if *bench == Bench::Load { Bench::LOAD.to_vec() } else { vec![*bench] };
        self.benches.iter().flat_map(each).collect()
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let (people, rounds) = (options.people(), options.rounds());
    ensure!((1..=people::MAX).contains(&people), "--people: 1 to {}", people::MAX);
    ensure!(options.rate > 0 && options.scaled_rate > 0, "--rate, --scaled-rate: at least 1");
    ensure!((1..=1_000).contains(&options.inbound), "--inbound: 1 to 1000");
    ensure!(rounds > 0 && people as usize >= rounds, "--rounds: at least 1, and no more than there are people");
    ensure!(options.rows.is_none_or(|rows| crowd::ROWS.contains(&rows)), "--rows: {:?}", crowd::ROWS);
    // It is installed already if another part of the process did so first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(database) = &options.plain {
        runtime.block_on(plain::serve(database))?;
        return Ok(ExitCode::SUCCESS);
    }
    let met = runtime.block_on(all(&options));
    // What is left of a bench that failed is not waited for.
    runtime.shutdown_background();
    Ok(if met? || options.quick { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs them one after the other, and prints the tables; whether all gates were met.
async fn all(options: &Options) -> Result<bool> {
    let folder = tempfile::Builder::new().prefix("ese-bench-").tempdir()?;
    let machine = Machine::survey(folder.path())?;
    let (mut tables, mut met, mut kept) = (String::new(), true, None);
    // Made once for all that look at it, and gone before the others.
    let mut crowd = None;
    for bench in options.benches() {
        eprintln!("bench: {bench:?}");
        if !bench.needs_crowd() {
            crowd = None;
        }
        let outcome = match tokio::time::timeout(DEADLINE, run(bench, options, &machine, &mut crowd)).await {
            Ok(outcome) => outcome.with_context(|| format!("{bench:?}"))?,
            Err(_) => bail!("{bench:?} did not end within {} seconds", DEADLINE.as_secs()),
        };
        let outcome = Outcome { quick: options.quick, ..outcome };
        kept = Some(outcome.keep()?);
        met &= outcome.is_met();
        tables.push_str(&outcome.markdown());
    }
    println!("{tables}");
    if options.quick {
        println!("\nThis was the quick run: no figure of it is worth quoting, and no gate is judged by it.");
    }
    if let Some(path) = kept {
        println!("\nAlso in {}", path.display());
    }
    Ok(met)
}

async fn run(bench: Bench, options: &Options, machine: &Machine, crowd: &mut Option<Crowd>) -> Result<Outcome> {
    let (people, rounds) = (options.people(), options.rounds());
    let send = |shape, rate| send::Settings { shape, people, rate, inbound: options.inbound };
    let saturate = |shape| saturate::Settings { shape, people, rounds };
    if bench.needs_crowd() && crowd.is_none() {
        *crowd = Some(Crowd::gather(options.sized(options.rows, 10_000_000, 100_000)).await?);
    }
    let crowd = || crowd.as_ref().context("the crowd was made");
    match bench {
        Bench::B6 => import::run(machine, options.sized(options.rows, 100_000, 5_000), rounds.min(3)).await,
        Bench::B7 => {
            lists::run(machine, crowd()?, lists::Settings { rounds, pages: options.sized(None, 100, 20) }).await
        }
        Bench::B8 => counts::run(machine, crowd()?, rounds.min(3)).await,
        Bench::B2 => delivery::send(machine, people, rounds.min(3)).await,
        Bench::B3 => paced::run(machine, &[80, 2_000], options.sized(None, 20, 5)).await,
        Bench::B4 => delivery::reports(machine, people, rounds.min(3)).await,
        Bench::B11 => recovery::run(machine, options.sized(None, 400, 100)).await,
        Bench::B12 => traps::run(machine, 10_000, options.sized(None, 1_000_000, 50_000), rounds.min(3)).await,
        Bench::Campaign => send::run("campaign", machine, send(Shape::Embedded, options.rate)).await,
        Bench::Webhooks => saturate::run("webhooks", machine, saturate(Shape::Embedded)).await,
        Bench::Scaled => send::run("scaled", machine, send(Shape::Scaled, options.scaled_rate)).await,
        Bench::WebhooksScaled => saturate::run("webhooks-scaled", machine, saturate(Shape::Scaled)).await,
        Bench::Load => bail!("it stands for four others"),
    }
}
