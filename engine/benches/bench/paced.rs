//! B3: rates, to a provider that takes 100 ms for each message: whether as many leave as may, never more, with one, two and
//! four workers; and whether campaigns that share a sender get equal shares of it.

use crate::{
    machine::{Machine, Snapshot},
    report::{Figure, Outcome, Target},
    world::{Shape, World},
};
use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{campaign::CampaignStatus, ids::CampaignId};
use simulator::{Chaos, LogEntry, Span};
use std::time::{Duration, Instant};

/// How many campaigns share the sender.
const CAMPAIGNS: usize = 5;
/// How long the provider takes, in milliseconds.
const LATENCY_MS: u64 = 100;
/// By how much of the rate any second may be ahead, and by one message at least; by how much all of them may be behind.
const OVERSHOOT: f64 = 0.02;
const UNDERSHOOT: f64 = 3.0;
/// How many times as many workers there are, each time anew.
const WORKERS: [usize; 3] = [1, 2, 4];
/// How long the campaigns may take beyond what their rate allows.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs it: one rate after the other, each for so many seconds.
pub async fn run(machine: &Machine, rates: &[u32], seconds: u32) -> Result<Outcome> {
    let before = Snapshot::take()?;
    let (mut figures, mut complaints) = (Vec::new(), Vec::new());
    for rate in rates {
        for workers in WORKERS {
            eprintln!("bench: {rate} a second, {workers} workers");
            let (found, said) = paced(*rate, workers, seconds).await?;
            figures.extend(found);
            complaints.extend(said);
        }
    }
    let after = Snapshot::take()?;
    Ok(Outcome {
        scenario: "b3",
        settings: format!(
            "{CAMPAIGNS} campaigns that share a sender, for {seconds} s; a provider that takes {LATENCY_MS} ms, in a process of its own; \
             PostgreSQL and Redis"
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: after.others_since(&before, machine.cores),
        figures,
        complaints,
    })
}

async fn paced(rate: u32, workers: usize, seconds: u32) -> Result<(Vec<Figure>, Vec<String>)> {
    let world = World::start_with(Shape::Scaled, rate, workers).await?;
    let slow = Chaos { create_latency_ms: Span::fixed(LATENCY_MS), callback_dropped: 1.0, ..Chaos::default() };
    world.provider.misbehave(&slow).await?;
    let people = (rate * seconds).div_ceil(CAMPAIGNS as u32).min(crate::people::MAX);
    world.import(people).await?;
    let mut campaigns = Vec::new();
    for n in 0..CAMPAIGNS {
        let text = format!("{n}: your order is ready for you.");
        campaigns.push(world.dashboard.campaign(&format!("Share {n}"), simulator::LONG_CODE, &text).await?);
    }
    for campaign in &campaigns {
        world.dashboard.launch(*campaign).await?;
    }
    until_all_sent(&world, &campaigns, Duration::from_secs(u64::from(seconds)) + PATIENCE).await?;
    let log = world.provider.log().await?;
    let all = people as usize * CAMPAIGNS;
    ensure!(log.len() == all, "{} messages were accepted, not {all}", log.len());
    let stats = world.provider.stats().await?;
    let ours = stats.senders.iter().find(|sender| sender.number == simulator::LONG_CODE).context("the sender")?;
    let allowed = f64::from(rate) + (f64::from(rate) * OVERSHOOT).max(1.0);
    let name = format!("{rate} a second, {workers} workers");
    let figures = vec![
        Figure::new(format!("{name}: most in any second"), f64::from(ours.peak_per_second), "messages")
            .with(Target::AtMost(allowed)),
        Figure::new(format!("{name}: behind the rate, first to last message"), behind(&log, rate)?, "%")
            .with(Target::AtMost(UNDERSHOOT)),
        Figure::new(format!("{name}: fairness (Jain) when half was sent"), fairness(&log), ""),
    ];
    Ok((figures, world.complaints()))
}

async fn until_all_sent(world: &World, campaigns: &[CampaignId], patience: Duration) -> Result<()> {
    let until = Instant::now() + patience;
    for campaign in campaigns {
        loop {
            let row = world.dashboard.look(*campaign).await?;
            if row.campaign.status == CampaignStatus::Completed {
                break;
            }
            ensure!(Instant::now() < until, "{:?}: {:?}", row.campaign.status, row.progress);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    Ok(())
}

/// By how many percent fewer messages left than the rate allowed, between the first and the last.
fn behind(log: &[LogEntry], rate: u32) -> Result<f64> {
    let at = |entry: &LogEntry| entry.created_at;
    let first: DateTime<Utc> = log.iter().map(at).min().context("there are messages")?;
    let last: DateTime<Utc> = log.iter().map(at).max().context("there are messages")?;
    let took: TimeDelta = last - first;
    let reached = (log.len() - 1) as f64 / took.to_std()?.as_secs_f64();
    Ok(100.0 * (1.0 - reached / f64::from(rate)))
}

/// Jain's index over what each campaign had sent when half of everything was: 1 if all had as much, 1/5 if one had all.
fn fairness(log: &[LogEntry]) -> f64 {
    let mut shares = [0.0_f64; CAMPAIGNS];
    let mut ordered: Vec<&LogEntry> = log.iter().collect();
    ordered.sort_by_key(|entry| entry.number);
    for entry in ordered.iter().take(log.len() / 2) {
        let campaign = entry.body.split(':').next().and_then(|number| number.parse::<usize>().ok());
        if let Some(share) = campaign.and_then(|campaign| shares.get_mut(campaign)) {
            *share += 1.0;
        }
    }
    let (sum, squares) = shares.iter().fold((0.0, 0.0), |(sum, squares), share| (sum + share, squares + share * share));
    sum * sum / (CAMPAIGNS as f64 * squares)
}
