//! A whole campaign: import, launch, send, callbacks; while people write and the process' health is asked.

use crate::{
    machine::{self, Disk, Machine, Snapshot},
    open_loop::{Latencies, OpenLoop, Stream},
    peer::Peer,
    people,
    report::{Figure, Outcome, Target},
    webhooks::Signer,
    wire,
    world::{Shape, World},
};
use anyhow::{Result, ensure};
use chrono::Utc;
use domain::{
    campaign::{CampaignStatus, Progress},
    ids::CampaignId,
    message::{Bucket, State},
};
use simulator::{LogEntry, Stats};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// What everyone gets: one message segment.
pub const TEXT: &str = "Hi {{ name }}, your order is ready for you.";
/// How often the campaign, the memory and the disk are looked at while it runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long webhooks are measured before the launch, to compare with.
const IDLE: Duration = Duration::from_secs(5);
/// How long a campaign may take beyond what its rate allows.
const PATIENCE: Duration = Duration::from_secs(120);

/// By how much of its rate a sender may be ahead in any one second, and by one message at least: requests do not all take
/// the same time.
const OVERSHOOT: f64 = 0.02;

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How to run.
    pub shape: Shape,
    /// How many people get the campaign.
    pub people: u32,
    /// The sender's rate, in message segments a second.
    pub rate: u32,
    /// How many people write in a second.
    pub inbound: u32,
}

/// What was seen while the campaign ran.
struct Run {
    /// From the launch to the last message that the provider accepted.
    sending: Duration,
    /// From the launch to the last callback.
    all: Duration,
    /// The most memory of all processes together, in bytes, of what was seen every half second.
    memory_peak: u64,
    /// One page made durable, beside the campaign.
    syncs: Latencies,
    before: Snapshot,
    after: Snapshot,
    progress: Progress,
    log: Vec<LogEntry>,
    stats: Stats,
}

/// Runs it.
pub async fn run(scenario: &'static str, machine: &Machine, settings: Settings) -> Result<Outcome> {
    let world = World::start(settings.shape, settings.rate).await?;
    let peer = Peer::start().await?;
    let (_, importing) = world.import(settings.people).await?;
    let campaign = world.dashboard.campaign("Load", simulator::LONG_CODE, TEXT).await?;
    let idle = OpenLoop::start(streams(&world, &peer, settings, 0), settings.inbound);
    tokio::time::sleep(IDLE).await;
    let idle = idle.stop().await?;
    let beside = OpenLoop::start(streams(&world, &peer, settings, 1 << 32), settings.inbound);
    let ran = observe(&world, campaign, settings).await?;
    let beside = beside.stop().await?;
    judge(&ran, settings)?;
    let mut figures = pace(&ran, settings);
    figures.push(Figure::new("import", f64::from(settings.people) / importing.as_secs_f64(), "people/s"));
    figures.extend(latencies(&idle, &beside, &ran.syncs, settings));
    figures.extend(costs(&world, &ran, settings)?);
    Ok(Outcome {
        scenario,
        settings: format!(
            "{} people, a sender of {} segments/s, {} inbound messages/s beside it; {}",
            settings.people,
            settings.rate,
            settings.inbound,
            match settings.shape {
                Shape::Embedded => "SQLite, one process, its simulator in it",
                Shape::Scaled => "PostgreSQL and Redis, one `serve`, two `worker`, the simulator apart",
            }
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: ran.after.others_since(&ran.before, machine.cores),
        figures,
        complaints: world.complaints(),
    })
}

/// People who write, the process' health, and the peer: as many a second of each.
fn streams(world: &World, peer: &Peer, settings: Settings, first: u64) -> Vec<Stream> {
    let signer = Signer::new(world.address);
    let (server, peer) = (world.address, peer.address);
    let all = u64::from(settings.people);
    let writes = move |n: u64| signer.inbound(first + n, &people::phone((n * 7 % all) as u32));
    vec![
        Stream { address: server, request: Box::new(writes) },
        Stream { address: server, request: Box::new(move |_| wire::get(server, "/healthz")) },
        Stream { address: peer, request: Box::new(move |_| wire::get(peer, "/healthz")) },
    ]
}

/// Launches, and looks on until every callback was made.
async fn observe(world: &World, campaign: CampaignId, settings: Settings) -> Result<Run> {
    let mut disk: Disk = world.disk()?;
    let before = Snapshot::take()?;
    let (launched_at, began) = (Utc::now(), Instant::now());
    world.dashboard.launch(campaign).await?;
    let until = began + Duration::from_secs((settings.people / settings.rate).into()) + PATIENCE;
    let (mut memory_peak, mut syncs) = (0, Vec::new());
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let (progress, all) = loop {
        looks.tick().await;
        let held: Vec<u64> =
            world.processes.iter().map(|one| Ok(machine::memory(one.pid)?.1)).collect::<Result<_>>()?;
        memory_peak = memory_peak.max(held.iter().sum());
        let synced;
        (disk, synced) = tokio::task::spawn_blocking(move || disk.sync().map(|took| (disk, took))).await??;
        syncs.push(synced);
        let row = world.dashboard.look(campaign).await?;
        let delivered = row.progress.reached(State::Delivered) == i64::from(settings.people);
        if row.campaign.status == CampaignStatus::Completed && delivered {
            break (row.progress, began.elapsed());
        }
        ensure!(
            Instant::now() < until,
            "{:?} after {:?}: {:?}; {:?}",
            row.campaign.status,
            began.elapsed(),
            row.progress,
            world.complaints()
        );
    };
    let after = Snapshot::take()?;
    let (log, stats) = (world.provider.log().await?, world.provider.stats().await?);
    let last = log.iter().map(|entry| entry.created_at).max().unwrap_or(launched_at);
    let sending = last.signed_duration_since(launched_at).to_std()?;
    Ok(Run { sending, all, memory_peak, syncs: Latencies::new(syncs), before, after, progress, log, stats })
}

/// Whether a figure may count at all: by the provider's own log, everyone got one message and nobody two; and our own
/// counters say the same.
fn judge(run: &Run, settings: Settings) -> Result<()> {
    let mut got: HashMap<&str, u32> = HashMap::new();
    for entry in &run.log {
        *got.entry(entry.to.as_str()).or_default() += 1;
    }
    let twice = got.values().filter(|count| **count != 1).count();
    ensure!(twice == 0, "{twice} people got more than one message");
    ensure!(got.len() == settings.people as usize, "{} people of {} got one", got.len(), settings.people);
    ensure!(run.stats.evicted == 0, "the provider's log is not whole");
    let progress = &run.progress;
    ensure!(progress.audience == i64::from(settings.people), "the audience: {progress:?}");
    ensure!(progress.bucket(Bucket::Sent) == i64::from(settings.people), "not all were sent: {progress:?}");
    ensure!(progress.bucket(Bucket::Unknown) == 0, "some are of unknown fate: {progress:?}");
    Ok(())
}

/// The most segments that the provider took from our sender in any second.
fn peak(run: &Run) -> u32 {
    let ours = run.stats.senders.iter().find(|sender| sender.number == simulator::LONG_CODE);
    ours.map_or(0, |sender| sender.peak_per_second)
}

fn pace(run: &Run, settings: Settings) -> Vec<Figure> {
    let people = f64::from(settings.people);
    let per_second = people / run.sending.as_secs_f64();
    let sending = Figure::new("launch to the last accepted", run.sending.as_secs_f64(), "s");
    let per_minute = Figure::new("sent", per_second * 60.0, "messages/min");
    let targets = settings.shape == Shape::Embedded && settings.people == 10_000 && settings.rate == 400;
    let (sending, per_minute) = match targets {
        true => (sending.with(Target::AtMost(60.0)), per_minute.with(Target::AtLeast(10_000.0))),
        false => (sending, per_minute),
    };
    let peak = f64::from(peak(run));
    vec![
        sending,
        Figure::new("launch to the last callback", run.all.as_secs_f64(), "s"),
        per_minute,
        Figure::new("sent", per_second, "messages/s"),
        Figure::new("share of the sender's rate that was used", 100.0 * per_second / f64::from(settings.rate), "%"),
        Figure::new("most in any second, by the provider", peak, "messages")
            .with(Target::AtMost(f64::from(settings.rate) + (f64::from(settings.rate) * OVERSHOOT).max(1.0))),
        Figure::new("callbacks taken", run.stats.callbacks_made as f64 / run.all.as_secs_f64(), "per s"),
    ]
}

fn latencies(idle: &[Latencies], beside: &[Latencies], syncs: &Latencies, settings: Settings) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (place, name) in ["inbound webhook", "/healthz", "axum no-op"].into_iter().enumerate() {
        let beside = &beside[place];
        let p99 = Figure::new(format!("{name}, p99 while it runs"), beside.quantile_ms(0.99), "ms");
        let judged = place == 0 && settings.shape == Shape::Embedded;
        figures.push(Figure::new(format!("{name}, p99 before it runs"), idle[place].quantile_ms(0.99), "ms"));
        figures.push(Figure::new(format!("{name}, p50 while it runs"), beside.quantile_ms(0.5), "ms"));
        figures.push(if judged { p99.with(Target::AtMost(100.0)) } else { p99 });
        figures.push(Figure::new(format!("{name}, p99.9 while it runs"), beside.quantile_ms(0.999), "ms"));
    }
    let (inbound, no_op) = (beside[0].quantile_ms(0.99), beside[2].quantile_ms(0.99));
    figures.push(Figure::new("requests measured, of each", beside[0].count() as f64, ""));
    figures.push(Figure::new("fdatasync beside it, p50", syncs.quantile_ms(0.5), "ms"));
    figures.push(Figure::new("fdatasync beside it, p99", syncs.quantile_ms(0.99), "ms"));
    figures.push(Figure::new("inbound p99 ÷ axum no-op p99", inbound / no_op, "×"));
    figures.push(Figure::new("inbound p99 ÷ fdatasync p50", inbound / syncs.quantile_ms(0.5), "×"));
    figures
}

/// What a message costs, by process, with everything that ran beside; and the memory.
fn costs(world: &World, run: &Run, settings: Settings) -> Result<Vec<Figure>> {
    let per_message = |cpu: Duration| cpu.as_secs_f64() * 1e6 / f64::from(settings.people);
    let mut figures = Vec::new();
    for (n, process) in world.processes.iter().enumerate() {
        let name = format!("`{}` ({})", process.role, n + 1);
        let cpu = run.after.cpu_since(&run.before, process.pid);
        let peak =
            Figure::new(format!("memory of {name}, most ever"), machine::memory(process.pid)?.0 as f64 / 1e6, "MB");
        figures.push(Figure::new(format!("CPU of {name}"), per_message(cpu), "µs/message"));
        figures.push(if process.role == "serve" { peak.with(Target::AtMost(300.0)) } else { peak });
    }
    if settings.shape == Shape::Scaled {
        for (program, name) in [("postgres", "PostgreSQL"), ("redis-server", "Redis")] {
            let cpu = run.after.cpu_of_our(&run.before, program);
            figures.push(Figure::new(format!("CPU of {name}"), per_message(cpu), "µs/message"));
        }
    }
    figures.push(Figure::new("memory of all processes together, while it runs", run.memory_peak as f64 / 1e6, "MB"));
    Ok(figures)
}
