//! B2 and B4: a campaign on PostgreSQL and Redis with two workers, to a provider that answers at once from a process of its
//! own. First without reports, beside the bare client that posts as many messages and keeps nothing; then with the three
//! reports that each message gets.

use crate::{
    dashboard::Dashboard,
    machine::{Machine, Snapshot, memory},
    report::{Figure, Outcome, Target},
    rounds::Spread,
    send::TEXT,
    world::{Shape, World},
};
use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use domain::{
    campaign::{CampaignStatus, Progress},
    ids::CampaignId,
    message::{Bucket, State},
};
use engine::{
    Clock, db,
    provider::{Outbound, OutboundContent, Provider as _, SenderAddress},
    twilio::{
        Secret,
        client::{Auth, TwilioClient, TwilioConfig},
    },
    values,
};
use futures::{StreamExt as _, stream};
use simulator::{Chaos, LogEntry};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;

/// A rate that nobody waits for, in segments a second.
const UNHINDERED: u32 = 100_000;
/// How many requests of the bare client are under way at once: as many as a worker's.
const BARE_AT_ONCE: usize = 256;
/// How long a campaign may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often a campaign is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The reports that the simulator makes of one message.
const REPORTS: f64 = 3.0;

/// Messages a second.
const SEND_GATE: f64 = 8_000.0;
/// By the bare client's messages a second.
const BARE_GATE: f64 = 0.5;
/// CPU of workers and PostgreSQL for a message, in µs.
const CPU_GATE_US: f64 = 80.0;
/// Memory of a worker, in MB.
const MEMORY_GATE_MB: f64 = 64.0;
/// Reports a second, and messages a second with all their reports.
const REPORT_GATES: [f64; 2] = [8_000.0, 2_000.0];
/// The share of updates of messages that stay on their page, in percent, and bytes for a message with its indexes.
const TABLE_GATES: [f64; 2] = [90.0, 320.0];

/// What one campaign came to.
struct Campaign {
    /// From its launch to the last message that the provider accepted.
    sending: Duration,
    /// From its launch until it was through, with every report that there is.
    all: Duration,
    /// From its launch to the first message.
    first: Duration,
    before: Snapshot,
    after: Snapshot,
}

/// Runs B2.
pub async fn send(machine: &Machine, people: u32, rounds: usize) -> Result<Outcome> {
    let world = World::start(Shape::Scaled, UNHINDERED).await?;
    world.import(people).await?;
    world.provider.misbehave(&Chaos { callback_dropped: 1.0, ..Chaos::default() }).await?;
    let client = bare(&world)?;
    let start = Snapshot::take()?;
    let (mut rates, mut bare_rates, mut firsts) = (Vec::new(), Vec::new(), Vec::new());
    let mut cpu = [const { Vec::new() }; 4];
    for round in 0..rounds {
        let ran = campaign(&world, people, round, false).await?;
        rates.push(f64::from(people) / ran.sending.as_secs_f64());
        firsts.push(ran.first.as_secs_f64() * 1_000.0);
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / f64::from(people);
        let of_role = |role: &str| -> Duration {
            let pids = world.processes.iter().filter(|one| one.role == role).map(|one| one.pid);
            pids.map(|pid| ran.after.cpu_since(&ran.before, pid)).sum()
        };
        let postgres = ran.after.cpu_of_our(&ran.before, "postgres");
        cpu[0].push(each(of_role("worker") + postgres));
        cpu[1].push(each(of_role("worker")));
        cpu[2].push(each(postgres));
        cpu[3].push(each(ran.after.cpu_of_our(&ran.before, "redis-server")));
        bare_rates.push(post(&client, people).await?);
    }
    let end = Snapshot::take()?;
    let [both, workers, postgres, redis] = cpu;
    let mut figures = vec![
        Figure::of("sent", Spread::of(rates.iter().copied()), "messages/s").with(Target::AtLeast(SEND_GATE)),
        Figure::of("sent ÷ the bare client", Spread::of_ratios(&rates, &bare_rates), "×")
            .with(Target::AtLeast(BARE_GATE)),
        Figure::of("the bare client", Spread::of(bare_rates), "messages/s"),
        Figure::of("CPU of workers and PostgreSQL", Spread::of(both), "µs/message").with(Target::AtMost(CPU_GATE_US)),
        Figure::of("CPU of workers", Spread::of(workers), "µs/message"),
        Figure::of("CPU of PostgreSQL", Spread::of(postgres), "µs/message"),
        Figure::of("CPU of Redis", Spread::of(redis), "µs/message"),
        Figure::of("launch to the first message", Spread::of(firsts), "ms"),
    ];
    for worker in world.processes.iter().filter(|one| one.role == "worker") {
        let most = memory(worker.pid)?.0 as f64 / 1e6;
        figures.push(Figure::new("memory of a worker, most ever", most, "MB").with(Target::AtMost(MEMORY_GATE_MB)));
    }
    Ok(Outcome {
        scenario: "b2",
        settings: format!(
            "{people} people, no reports; {rounds} rounds of a campaign (PostgreSQL, Redis, one `serve`, two `worker`) and of the bare \
             client with {BARE_AT_ONCE} requests at once; the simulator apart, without latency"
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: end.others_since(&start, machine.cores),
        figures,
        complaints: world.complaints(),
    })
}

/// Runs B4.
pub async fn reports(machine: &Machine, people: u32, rounds: usize) -> Result<Outcome> {
    let world = World::start(Shape::Scaled, UNHINDERED).await?;
    world.import(people).await?;
    let start = Snapshot::take()?;
    let (mut taken, mut whole) = (Vec::new(), Vec::new());
    let (mut web, mut postgres) = (Vec::new(), Vec::new());
    let server = world.server()?.pid;
    for round in 0..rounds {
        let made = world.provider.stats().await?.callbacks_made;
        let ran = campaign(&world, people, round, true).await?;
        let made = (world.provider.stats().await?.callbacks_made - made) as f64;
        ensure!(made >= REPORTS * f64::from(people), "{made} reports of {people} messages");
        taken.push(made / ran.all.as_secs_f64());
        whole.push(f64::from(people) / ran.all.as_secs_f64());
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / f64::from(people);
        web.push(each(ran.after.cpu_since(&ran.before, server)));
        postgres.push(each(ran.after.cpu_of_our(&ran.before, "postgres")));
    }
    let (hot, bytes) = table(&world).await?;
    let end = Snapshot::take()?;
    let figures = vec![
        Figure::of("reports, durable, with state and totals", Spread::of(taken), "per s")
            .with(Target::AtLeast(REPORT_GATES[0])),
        Figure::of("messages with all their reports", Spread::of(whole), "per s")
            .with(Target::AtLeast(REPORT_GATES[1])),
        Figure::new("updates of messages that stay on their page", hot, "%").with(Target::AtLeast(TABLE_GATES[0])),
        Figure::new("a finished message with its indexes", bytes, "bytes").with(Target::AtMost(TABLE_GATES[1])),
        Figure::of("CPU of `serve`", Spread::of(web), "µs/message"),
        Figure::of("CPU of PostgreSQL", Spread::of(postgres), "µs/message"),
    ];
    Ok(Outcome {
        scenario: "b4",
        settings: format!(
            "{people} people, three reports each; {rounds} campaigns; PostgreSQL, Redis, one `serve`, two `worker`, the simulator apart"
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: end.others_since(&start, machine.cores),
        figures,
        complaints: world.complaints(),
    })
}

/// A campaign to everyone, from its launch until all is known of it. By the provider's own log everyone got exactly one.
async fn campaign(world: &World, people: u32, round: usize, reported: bool) -> Result<Campaign> {
    let known: HashSet<String> = world.provider.log().await?.into_iter().map(|entry| entry.sid).collect();
    let id = world.dashboard.campaign(&format!("Round {round}"), simulator::LONG_CODE, TEXT).await?;
    let before = Snapshot::take()?;
    let (launched_at, began) = (Utc::now(), Instant::now());
    world.dashboard.launch(id).await?;
    let progress = until_through(&world.dashboard, id, people, reported).await?;
    let all = began.elapsed();
    let after = Snapshot::take()?;
    ensure!(progress.bucket(Bucket::Sent) == i64::from(people), "not all were sent: {progress:?}");
    let log = world.provider.log().await?;
    let fresh: Vec<&LogEntry> = log.iter().filter(|entry| !known.contains(&entry.sid)).collect();
    let reached: HashSet<&str> = fresh.iter().map(|entry| entry.to.as_str()).collect();
    ensure!(fresh.len() == reached.len(), "{} messages to {} people", fresh.len(), reached.len());
    ensure!(fresh.len() == people as usize, "{} messages, not {people}", fresh.len());
    let at = |pick: fn(&mut dyn Iterator<Item = DateTime<Utc>>) -> Option<DateTime<Utc>>| -> Result<Duration> {
        let found = pick(&mut fresh.iter().map(|entry| entry.created_at)).context("there are messages")?;
        Ok(found.signed_duration_since(launched_at).to_std()?)
    };
    let (first, sending) = (at(|all| all.min())?, at(|all| all.max())?);
    Ok(Campaign { sending, all, first, before, after })
}

async fn until_through(dashboard: &Dashboard, id: CampaignId, people: u32, reported: bool) -> Result<Progress> {
    let until = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let row = dashboard.look(id).await?;
        let is_reported = !reported || row.progress.reached(State::Delivered) == i64::from(people);
        if row.campaign.status == CampaignStatus::Completed && is_reported {
            return Ok(row.progress);
        }
        ensure!(Instant::now() < until, "{:?}: {:?}", row.campaign.status, row.progress);
    }
}

/// The very client that campaigns send with, and nothing else of them.
fn bare(world: &World) -> Result<Arc<TwilioClient>> {
    let config = TwilioConfig {
        base_url: Url::parse(&format!("http://{}", world.provider.address))?,
        account_sid: simulator::ACCOUNT_SID.to_owned(),
        auth: Auth::Token(Secret::new(simulator::AUTH_TOKEN)),
        connect_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(30),
    };
    Ok(Arc::new(TwilioClient::new(config, Clock::system())?))
}

/// As many messages by the bare client; messages a second.
async fn post(client: &Arc<TwilioClient>, people: u32) -> Result<f64> {
    let callback = Url::parse("http://127.0.0.1:9/none")?;
    let began = Instant::now();
    let sent = stream::iter(0..people).map(|n| {
        let (client, status_callback) = (client.clone(), callback.clone());
        let message = Outbound {
            to: crate::people::phone(n),
            from: SenderAddress::Number(simulator::LONG_CODE.to_owned()),
            content: OutboundContent::Text(format!("Hi Person {n}, your order is ready for you.")),
            status_callback,
            validity_period_s: Some(36_000),
        };
        tokio::spawn(async move { client.create(&message).await })
    });
    let mut sent = sent.buffer_unordered(BARE_AT_ONCE);
    while let Some(answer) = sent.next().await {
        answer?.ok().context("the bare client's message was refused")?;
    }
    Ok(f64::from(people) / began.elapsed().as_secs_f64())
}

/// Of the table of messages: the share of updates that stay on their page, in percent, and bytes for each row with all indexes.
async fn table(world: &World) -> Result<(f64, f64)> {
    let db = world.database().await?;
    // Statistics come a moment late by themselves.
    db::exec(db.read(), "SELECT pg_stat_force_next_flush()", values![]).await?;
    let hot = "SELECT 100.0::float8 * n_tup_hot_upd / greatest(n_tup_upd, 1) AS value FROM pg_stat_user_tables WHERE relname = 'messages'";
    let bytes = "SELECT pg_total_relation_size('messages')::float8 / count(*) AS value FROM messages";
    let read = async |sql: &str| -> Result<f64> {
        db::scalar(db.read(), sql, values![]).await?.context("the table has statistics")
    };
    let found = (read(hot).await?, read(bytes).await?);
    db.close().await;
    Ok(found)
}
