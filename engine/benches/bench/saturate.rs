//! As many webhooks as go through: a closed loop, round by round beside a server that does nothing.

use crate::{
    machine::{Machine, Snapshot},
    open_loop::Latencies,
    peer::Peer,
    people,
    report::{Figure, Outcome},
    rounds::Spread,
    send::TEXT,
    webhooks::Signer,
    wire::{Connection, Request},
    world::{Shape, World},
};
use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use domain::{
    campaign::CampaignStatus,
    ids::CampaignId,
    message::{Bucket, State},
};
use simulator::Chaos;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Requests under way at once.
const AT_ONCE: usize = 64;
/// How long a turn may last; that of webhooks ends earlier when they are used up.
const TURN: Duration = Duration::from_secs(2);
/// The reports that each message gets.
const STATUSES: [&str; 3] = ["sending", "sent", "delivered"];
/// How many inbound messages are made for a turn.
const INBOUND: u64 = 10_000;
/// A rate that the campaign before the measurement does not wait for, in segments a second.
const RATE: u32 = 2_000;
/// How long the campaign before the measurement may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How to run.
    pub shape: Shape,
    /// How many messages there are to report on.
    pub people: u32,
    /// How often each turn is taken.
    pub rounds: usize,
}

/// What one turn came to.
struct Turn {
    per_second: f64,
    latencies: Latencies,
    cpu_us: f64,
}

/// The turns of each kind.
type Turns = BTreeMap<&'static str, Vec<Turn>>;

const STATUS: &str = "status callbacks";
const WRITTEN: &str = "inbound messages";
const NO_OP_STATUS: &str = "axum no-op, after status callbacks";
const NO_OP_WRITTEN: &str = "axum no-op, after inbound messages";

/// Runs it.
pub async fn run(scenario: &'static str, machine: &Machine, settings: Settings) -> Result<Outcome> {
    let world = World::start(settings.shape, RATE).await?;
    let peer = Peer::start().await?;
    world.import(settings.people).await?;
    let campaign = unreported(&world, settings).await?;
    let reports = reports(&world).await?;
    let before = Snapshot::take()?;
    let (turns, reported) = take_turns(&world, &peer, settings, &reports).await?;
    let after = Snapshot::take()?;
    let progress = world.dashboard.look(campaign).await?.progress;
    let delivered = progress.reached(State::Delivered);
    ensure!(delivered == reported, "{reported} messages were reported delivered, and {delivered} are");
    ensure!(progress.bucket(Bucket::Sent) == i64::from(settings.people), "the campaign: {progress:?}");
    Ok(Outcome {
        scenario,
        settings: format!(
            "{AT_ONCE} at once, {} rounds of status callbacks, no-op, inbound messages, no-op; {}",
            settings.rounds,
            match settings.shape {
                Shape::Embedded => "SQLite, one process",
                Shape::Scaled => "PostgreSQL and Redis, one `serve`",
            }
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: after.others_since(&before, machine.cores),
        figures: figures(&turns),
        complaints: world.complaints(),
    })
}

/// A campaign whose every message was accepted, and none reported on: the provider's callbacks are ours to make.
async fn unreported(world: &World, settings: Settings) -> Result<CampaignId> {
    world.provider.misbehave(&Chaos { callback_dropped: 1.0, ..Chaos::default() }).await?;
    let campaign = world.dashboard.campaign("Load", simulator::LONG_CODE, TEXT).await?;
    world.dashboard.launch(campaign).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let row = world.dashboard.look(campaign).await?;
        if row.campaign.status == CampaignStatus::Completed {
            ensure!(row.progress.bucket(Bucket::Sent) == i64::from(settings.people), "{:?}", row.progress);
            return Ok(campaign);
        }
        ensure!(Instant::now() < until, "the campaign does not end: {:?}", row.progress);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// All reports on all messages, signed, and whether each is the last of its message.
async fn reports(world: &World) -> Result<Vec<Request>> {
    let signer = Signer::new(world.address);
    let log = world.provider.log().await?;
    let mut reports = Vec::with_capacity(log.len() * STATUSES.len());
    for message in &log {
        for status in STATUSES {
            reports.push(signer.status(message, status).context("the message has no callback")?);
        }
    }
    Ok(reports)
}

/// Turn by turn, so that what else the machine does falls on all alike. With them, how many messages were reported
/// delivered.
async fn take_turns(world: &World, peer: &Peer, settings: Settings, reports: &[Request]) -> Result<(Turns, i64)> {
    let signer = Signer::new(world.address);
    let server = world.server()?.pid;
    let mut turns = Turns::new();
    let mut reported = 0;
    // Whole messages, so that the last report of each is its third.
    let share = reports.len() / STATUSES.len() / settings.rounds * STATUSES.len();
    for (round, part) in reports.chunks_exact(share).take(settings.rounds).enumerate() {
        let part: Arc<[Request]> = part.into();
        let (turn, count) = turn(world.address, part.clone(), server).await?;
        reported += count / STATUSES.len();
        turns.entry(STATUS).or_default().push(turn);
        turns.entry(NO_OP_STATUS).or_default().push(self::turn(peer.address, part, std::process::id()).await?.0);
        let first = round as u64 * INBOUND;
        let written: Arc<[Request]> = (first..first + INBOUND)
            .map(|n| signer.inbound(n, &people::phone((n % u64::from(settings.people)) as u32)))
            .collect();
        turns.entry(WRITTEN).or_default().push(self::turn(world.address, written.clone(), server).await?.0);
        turns.entry(NO_OP_WRITTEN).or_default().push(self::turn(peer.address, written, std::process::id()).await?.0);
    }
    Ok((turns, reported as i64))
}

/// Sends requests over [`AT_ONCE`] connections, each the next as soon as its last is answered; what came of it, and how many
/// were sent. Those of one message go in order, and a turn ends with a whole message.
async fn turn(address: SocketAddr, requests: Arc<[Request]>, pid: u32) -> Result<(Turn, usize)> {
    // The peer takes the same ones again and again; to the server each must be a new one.
    let most = if pid == std::process::id() { usize::MAX } else { requests.len() };
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..AT_ONCE {
        connections.push(Connection::open(address).await?);
    }
    let before = Snapshot::take()?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let (next, requests) = (next.clone(), requests.clone());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while began.elapsed() < TURN {
                let first = next.fetch_add(STATUSES.len(), Ordering::Relaxed);
                if first >= most {
                    break;
                }
                for n in first..most.min(first.saturating_add(STATUSES.len())) {
                    let request = &requests[n % requests.len()];
                    let sent = Instant::now();
                    let status = connection.send(request).await?;
                    latencies.push(sent.elapsed());
                    ensure!((200..300).contains(&status), "a webhook was answered {status}");
                }
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        latencies.extend(ended??);
    }
    let took = began.elapsed();
    let count = latencies.len();
    let cpu = Snapshot::take()?.cpu_since(&before, pid);
    let per_second = count as f64 / took.as_secs_f64();
    let cpu_us = cpu.as_secs_f64() * 1e6 / count as f64;
    Ok((Turn { per_second, latencies: Latencies::new(latencies), cpu_us }, count))
}

fn figures(turns: &Turns) -> Vec<Figure> {
    let of = |kind: &str, value: fn(&Turn) -> f64| -> Vec<f64> {
        turns.get(kind).into_iter().flatten().map(value).collect()
    };
    let mut figures = Vec::new();
    for (kind, peer) in [(STATUS, NO_OP_STATUS), (WRITTEN, NO_OP_WRITTEN)] {
        let (rates, peers) = (of(kind, |turn| turn.per_second), of(peer, |turn| turn.per_second));
        let [p50, p99] = [0.5, 0.99].map(|share| {
            Spread::of(turns.get(kind).into_iter().flatten().map(|turn| turn.latencies.quantile_ms(share)))
        });
        figures.push(Figure::of(format!("{kind} ÷ axum no-op"), Spread::of_ratios(&rates, &peers), "×"));
        figures.push(Figure::of(kind, Spread::of(rates), "per s"));
        figures.push(Figure::of(peer, Spread::of(peers), "per s"));
        figures.push(Figure::of(format!("{kind}, p50"), p50, "ms"));
        figures.push(Figure::of(format!("{kind}, p99"), p99, "ms"));
        figures.push(Figure::of(
            format!("{kind}, CPU of `serve`"),
            Spread::of(of(kind, |turn| turn.cpu_us)),
            "µs each",
        ));
    }
    figures
}
