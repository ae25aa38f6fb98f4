//! B12: what jams queues: twenty thousand doorbells at once, ten thousand retries that are due together, and a million
//! messages that may be claimed.

use crate::{
    machine::{Machine, Snapshot},
    report::{Figure, Outcome, Target},
    rounds::Spread,
};
use anyhow::{Result, ensure};
use chrono::Utc;
use domain::{ids::CampaignId, phone::Channel};
use engine::{
    Doorbell, Queue, db, delivery,
    queue::{
        QUEUE_MAX,
        redis::{Redis, RedisRing},
    },
    testing::{START, TestEnv, redis},
    values,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How many doorbells are rung, each for another campaign.
const BELLS: usize = 20_000;
/// How much dearer a message may become when a hundred times as many wait: 100 to the power of 0.1.
const FLAT: f64 = 1.6;
/// How many people messages go to; what waits behind them is never reached.
const REACHED: i64 = 5_000;

/// Runs it.
pub async fn run(machine: &Machine, few: i64, many: i64, rounds: usize) -> Result<Outcome> {
    let before = Snapshot::take()?;
    let mut figures = bells().await?;
    let (mut small, mut large, mut retried) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        small.push(sent(few, false).await?);
        large.push(sent(many, false).await?);
        retried.push(sent(few, true).await?);
    }
    figures.push(
        Figure::of(format!("a message of {many} ÷ one of {few}"), Spread::of_ratios(&large, &small), "×")
            .with(Target::AtMost(FLAT)),
    );
    figures.push(
        Figure::of(
            format!("a retry of {few} that are due at once ÷ a first try"),
            Spread::of_ratios(&retried, &small),
            "×",
        )
        .with(Target::AtMost(FLAT)),
    );
    figures.push(Figure::of(format!("a message of {few}"), Spread::of(small), "µs"));
    figures.push(Figure::of(format!("a message of {many}"), Spread::of(large), "µs"));
    figures.push(Figure::of("a retry", Spread::of(retried), "µs"));
    let after = Snapshot::take()?;
    Ok(Outcome {
        scenario: "b12",
        settings: format!(
            "{BELLS} doorbells on Redis; {few} and {many} messages that may be claimed on PostgreSQL, {rounds} rounds"
        ),
        quick: false,
        at: Utc::now(),
        machine: machine.clone(),
        others: after.others_since(&before, machine.cores),
        figures,
        complaints: Vec::new(),
    })
}

/// Rings for thousands of campaigns: the queue stays where apalis can take from it, and ringing costs the same at its end.
async fn bells() -> Result<Vec<Figure>> {
    let url = tokio::task::spawn_blocking(redis::url).await?;
    let ring = RedisRing::new(Redis::connect(&url, &redis::prefix()).await?);
    let queue = Queue::new(Arc::new(ring.clone()));
    let clock = engine::Clock::system();
    let mut took = Vec::new();
    for _ in 0..BELLS {
        let bell = Doorbell::Deliver(clock.new_id::<CampaignId>());
        let began = Instant::now();
        queue.ring(bell).await;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let deepest = ring.depths().await?.into_iter().map(|(_, depth)| depth).max().unwrap_or_default();
    let of = |part: &[f64]| Spread::of(part.iter().copied()).median;
    let (first, last) = (of(&took[..QUEUE_MAX / 2]), of(&took[BELLS - QUEUE_MAX / 2..]));
    Ok(vec![
        Figure::new(format!("bells that wait after {BELLS} were rung"), deepest as f64, "")
            .with(Target::AtMost(QUEUE_MAX as f64)),
        Figure::new("ringing, the last ÷ the first", last / first, "×").with(Target::AtMost(FLAT)),
        Figure::new("ringing at first", first, "µs"),
    ])
}

/// A campaign with so many messages ready to be claimed, or to be tried again: what one costs, in µs, of the first
/// thousands.
async fn sent(waiting: i64, retries: bool) -> Result<f64> {
    let env = TestEnv::durable_with(|limits| {
        limits.slice = Duration::from_secs(3);
        limits.claim_rows = 400;
        limits.chunk_rows = 1_000;
        limits.in_flight = 256;
    })
    .await;
    let sender =
        engine::senders::ensure(&env.engine, &env.admin, Channel::Sms, simulator::LONG_CODE, "SMS", 100_000).await?;
    for sql in people(waiting) {
        db::exec(env.engine.db.for_migrations(), &sql, values![]).await?;
    }
    let campaign = env.campaign().form(|form| form.sender = Some(sender.id)).launch().await;
    env.leave_jobs();
    let id = campaign.id;
    for sql in waiting_messages(id, waiting, retries) {
        db::exec(env.engine.db.for_migrations(), &sql, values![]).await?;
    }
    let began = Instant::now();
    delivery::run(&env.engine, id).await?;
    let took = began.elapsed();
    let accepted = env.simulator.truth().len();
    ensure!(accepted > 0, "nothing was sent");
    Ok(took.as_secs_f64() * 1e6 / accepted as f64)
}

fn people(waiting: i64) -> [String; 2] {
    let people = waiting.min(REACHED);
    [
        format!(
            "INSERT INTO users (id, phone, attributes, zone, created_at, updated_at)
             SELECT gen_random_uuid(), '+1202555' || lpad(n::text, 4, '0'), '{{}}', 'America/New_York', '{START}', '{START}'
             FROM generate_series(0, {people} - 1) AS n"
        ),
        format!(
            "INSERT INTO consents (user_id, channel, state, stops, updated_at)
             SELECT id, 'sms', 'opted_in', '[]', '{START}' FROM users"
        ),
    ]
}

fn waiting_messages(id: CampaignId, waiting: i64, retries: bool) -> Vec<String> {
    let people = waiting.min(REACHED);
    let mut all = vec![
        format!(
            "INSERT INTO messages (campaign_id, seq, user_id, nth, updated_at)
             SELECT '{id}', n, u.id, (n - 1) / {people}, '{START}' FROM generate_series(1, {waiting}) AS n
             JOIN (SELECT id, row_number() OVER (ORDER BY phone) AS place FROM users) AS u ON u.place = 1 + (n - 1) % {people}"
        ),
        format!(
            "INSERT INTO campaign_chunks (campaign_id, no, lo, hi, next)
             SELECT '{id}', n, (n - 1) * 1000 + 1, n * 1000, (n - 1) * 1000 + 1 FROM generate_series(1, {waiting} / 1000) AS n"
        ),
        format!("INSERT INTO campaign_stats (campaign_id, state, shard, count) VALUES ('{id}', 0, 0, {waiting})"),
        format!("UPDATE campaigns SET expanded = true WHERE id = '{id}'"),
        "ANALYZE".into(),
    ];
    if retries {
        all.push(format!(
            "INSERT INTO waits (campaign_id, seq, due_at, why, tries)
             SELECT '{id}', n, '2026-06-01T00:00:00Z', 'retry', 1 FROM generate_series(1, {waiting}) AS n"
        ));
        all.push(format!("UPDATE campaign_chunks SET done = true WHERE campaign_id = '{id}'"));
    }
    all
}
