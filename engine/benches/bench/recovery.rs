//! B11: what is killed in the middle of a campaign comes back: a worker by SIGKILL, PostgreSQL by a crash of one of its
//! processes (which resets all of them, and replays its log), Redis by the loss of all that it holds.

use crate::{
    machine::{Machine, Snapshot},
    report::{Figure, Outcome, Target},
    send::TEXT,
    world::{Shape, World},
};
use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{ids::CampaignId, message::Bucket};
use simulator::{Chaos, LogEntry};
use std::{
    collections::HashMap,
    process::Command,
    time::{Duration, Instant},
};

/// The share of the rate that counts as full again.
const FULL: f64 = 0.9;
/// How long the campaign may take beyond what its rate allows.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long each phase runs before the next thing is killed.
const PHASE: Duration = Duration::from_secs(8);

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Worker,
    Postgres,
    Redis,
}

/// Runs it at this rate.
pub async fn run(machine: &Machine, rate: u32) -> Result<Outcome> {
    let before = Snapshot::take()?;
    let mut world = World::start(Shape::Scaled, rate).await?;
    world.provider.misbehave(&Chaos { callback_dropped: 1.0, ..Chaos::default() }).await?;
    let victims = [Victim::Worker, Victim::Postgres, Victim::Redis];
    let people = (rate * PHASE.as_secs() as u32 * (victims.len() as u32 + 1)).min(crate::people::MAX);
    world.import(people).await?;
    let campaign = world.dashboard.campaign("Survivor", simulator::LONG_CODE, TEXT).await?;
    world.dashboard.launch(campaign).await?;
    let mut killed = Vec::new();
    for victim in victims {
        tokio::time::sleep(PHASE).await;
        killed.push((victim, Utc::now()));
        kill(&mut world, victim).await?;
    }
    let unknown =
        until_nothing_moves(&world, campaign, Duration::from_secs(u64::from(people / rate)) + PATIENCE).await?;
    let log = world.provider.log().await?;
    let mut figures = vec![
        Figure::new("people who got two", duplicates(&log) as f64, "").with(Target::AtMost(0.0)),
        Figure::new("of unknown fate in the end, for a person to decide", unknown as f64, "messages"),
        Figure::new(
            "neither accepted nor unknown",
            (i64::from(people) - log.len() as i64 - unknown).max(0) as f64,
            "messages",
        )
        .with(Target::AtMost(0.0)),
    ];
    for (victim, at) in killed {
        let seconds = back_after(&log, at, rate).context("the rate was never full again")?;
        figures.push(Figure::new(format!("{victim:?} killed: until the rate is full again"), seconds, "s"));
    }
    let after = Snapshot::take()?;
    Ok(Outcome {
        scenario: "b11",
        settings: format!(
            "{people} people at {rate} a second; two workers, PostgreSQL, Redis; something is killed every {PHASE:?}"
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: after.others_since(&before, machine.cores),
        figures,
        // Processes say that what they need is away: that is what was done to them.
        complaints: Vec::new(),
    })
}

async fn kill(world: &mut World, victim: Victim) -> Result<()> {
    match victim {
        Victim::Worker => {
            let place = world.processes.iter().position(|one| one.role == "worker").context("there is a worker")?;
            drop(world.processes.remove(place));
            world.start_worker()
        }
        Victim::Postgres => {
            let pid = world.a_postgres_backend()?;
            let status = Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status()?;
            ensure!(status.success(), "process {pid} could not be killed");
            Ok(())
        }
        Victim::Redis => {
            let client = redis::Client::open(world.redis_url().context("there is a Redis")?)?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            redis::cmd("FLUSHALL").exec_async(&mut connection).await?;
            redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec_async(&mut connection).await?;
            Ok(())
        }
    }
}

/// Waits until nothing of the campaign is under way; how many messages are of unknown fate then.
async fn until_nothing_moves(world: &World, campaign: CampaignId, patience: Duration) -> Result<i64> {
    let until = Instant::now() + patience;
    loop {
        // While the database comes back, the page does not answer; that is no failure of this bench.
        if let Ok(row) = world.dashboard.look(campaign).await {
            let open = row.progress.bucket(Bucket::Pending) + row.progress.bucket(Bucket::Sending);
            if open == 0 {
                return Ok(row.progress.bucket(Bucket::Unknown));
            }
        }
        ensure!(Instant::now() < until, "the campaign does not end: {:?}", world.complaints().last());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn duplicates(log: &[LogEntry]) -> usize {
    let mut got: HashMap<&str, u32> = HashMap::new();
    for entry in log {
        *got.entry(entry.to.as_str()).or_default() += 1;
    }
    got.values().filter(|count| **count > 1).count()
}

/// How many seconds after this instant the first whole second with the full rate ended.
fn back_after(log: &[LogEntry], at: DateTime<Utc>, rate: u32) -> Option<f64> {
    let last = log.iter().map(|entry| entry.created_at).max()?;
    let wanted = (f64::from(rate) * FULL) as usize;
    let mut from = at;
    while from < last {
        let to = from + TimeDelta::seconds(1);
        if log.iter().filter(|entry| (from..to).contains(&entry.created_at)).count() >= wanted {
            return Some((to - at).as_seconds_f64());
        }
        from += TimeDelta::milliseconds(250);
    }
    None
}
