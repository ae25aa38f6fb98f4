//! Background work: an apalis worker for each queue of [`engine::queue::QUEUES`], all with the same one handler, and the
//! ticker that rings the sweep.
//!
//! A bell is a hint and its work is in the database, so a job never fails in apalis' eyes: what went wrong is logged, and
//! the sweep rings again. In one process bells come from the engine's own ring, between processes through Redis.

use crate::problem;
use anyhow::{Context as _, Result, bail};
use apalis::prelude::{Data, WorkerBuilder, WorkerBuilderExt as _};
use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{
        Task,
        builder::TaskBuilder,
        task_id::{RandomId, TaskId},
    },
    worker::context::WorkerContext,
};
use engine::{
    Doorbell, Engine, jobs,
    queue::{LocalRing, QUEUES, redis::RedisRing},
    workers,
};
use futures::{FutureExt as _, future::BoxFuture};
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::interval};
use tokio_util::sync::CancellationToken;
use tower::layer::util::Identity;

/// How often everything that is due is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often messages of unknown fate are looked for, in sweeps.
const RECONCILE_EVERY: u64 = 5;
/// How many sweeps lie between two looks for what people wrote and that never came; the first is at the start.
const BACKFILL_EVERY: u64 = 180;
/// After how many sweeps the days are looked at that are to be compared with the provider's list.
const COMPARE_EVERY: u64 = 60;
/// How often a process says that it is alive.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// How often Redis is rid of what finished tasks left there.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// How often in a row a queue's worker may fail before the process gives up, and whoever runs it starts it anew.
const FAILURES_MAX: u32 = 10;
/// A worker that lived so long has recovered: its earlier failures count no more.
const RECOVERED: Duration = Duration::from_secs(60);
/// The longest pause after a failure.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Where bells come from.
#[derive(Clone)]
pub enum Bells {
    /// This process.
    Local(Arc<LocalRing>),
    /// All processes.
    Shared(RedisRing),
}

/// Answers bells until `shutdown`; then takes no more, and lets those under way come to their end.
///
/// # Errors
/// When a queue's worker failed too often in a row: the process is to end, and to be started anew.
pub async fn run(engine: Engine, kind: workers::Kind, bells: Bells, shutdown: CancellationToken) -> Result<()> {
    let mut tasks = JoinSet::new();
    for (queue, at_once) in QUEUES {
        tasks.spawn(supervise(engine.clone(), bells.clone(), queue, at_once, shutdown.clone()));
    }
    tasks.spawn(until(shutdown.clone(), tick(engine.clone())));
    tasks.spawn(until(shutdown.clone(), beat(engine.clone(), kind)));
    if let Bells::Shared(ring) = &bells {
        tasks.spawn(until(shutdown.clone(), tidy(ring.clone())));
    }
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended.context("a task of the worker panicked").flatten()
            && outcome.is_ok()
        {
            outcome = Err(error);
            shutdown.cancel();
        }
    }
    if let Err(error) = workers::leave(&engine).await {
        tracing::debug!(error = %problem::chain(&error), "this process could not sign off");
    }
    outcome
}

async fn until(shutdown: CancellationToken, work: impl Future<Output = ()>) -> Result<()> {
    shutdown.run_until_cancelled(work).await;
    Ok(())
}

/// Keeps one queue's worker going. A worker that lost Redis is made anew, under a new name: the old one stays registered
/// for a while.
async fn supervise(
    engine: Engine,
    bells: Bells,
    queue: &'static str,
    at_once: usize,
    shutdown: CancellationToken,
) -> Result<()> {
    let mut failures = 0;
    for start in 0_u64.. {
        let began = Instant::now();
        let name = format!("{queue}-{}-{start}", engine.limits.worker);
        let signal = shutdown.clone();
        let stop = async move {
            signal.cancelled().await;
            Ok::<(), apalis_core::error::WorkerError>(())
        };
        let ended = match &bells {
            Bells::Local(ring) => {
                let backend = LocalBells::new(ring.clone(), queue);
                let builder = WorkerBuilder::new(name.as_str()).backend(backend);
                builder
                    .data(Jobs { engine: engine.clone(), ring: None })
                    .concurrency(at_once)
                    .build(answer)
                    .run_until(stop)
                    .await
            }
            Bells::Shared(ring) => {
                let builder = WorkerBuilder::new(name.as_str()).backend(ring.storage(queue, at_once));
                let jobs = Jobs { engine: engine.clone(), ring: Some(ring.clone()) };
                builder.data(jobs).concurrency(at_once).build(answer).run_until(stop).await
            }
        };
        if shutdown.is_cancelled() {
            return Ok(());
        }
        failures = if began.elapsed() >= RECOVERED { 1 } else { failures + 1 };
        let why = ended.err().map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string());
        if failures > FAILURES_MAX {
            bail!("the worker of the queue {queue} failed {failures} times in a row: {why}");
        }
        tracing::warn!(queue.name = queue, error = %why, failures, "a worker ended; it is made anew");
        let pause = Duration::from_millis(250 << failures.min(6)).min(PAUSE_MAX);
        shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

/// What the handler needs.
#[derive(Clone)]
struct Jobs {
    engine: Engine,
    ring: Option<RedisRing>,
}

/// Answers one bell. It runs as a task of its own, so that queues share the machine and a panic ends nothing else.
async fn answer(bell: Doorbell, jobs: Data<Jobs>) -> Result<(), Infallible> {
    let Jobs { engine, ring } = (*jobs).clone();
    if let Some(ring) = ring
        && let Err(error) = ring.heard(bell).await
    {
        tracing::warn!(error = %problem::chain(&error), "a bell still counts as ringing");
    }
    let job = tokio::spawn(async move { jobs::run(&engine, bell).await });
    match job.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(queue.name = bell.queue(), error.chain = %problem::chain(&error), "a job failed")
        }
        Err(error) => tracing::error!(queue.name = bell.queue(), error = %error, "a job panicked"),
    }
    Ok(())
}

async fn tick(engine: Engine) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for count in 0_u64.. {
        ticks.tick().await;
        engine.queue.ring(Doorbell::Sweep).await;
        if count % RECONCILE_EVERY == 0 {
            engine.queue.ring(Doorbell::Reconcile).await;
        }
        if count % COMPARE_EVERY == 0 {
            engine.queue.ring(Doorbell::Compare).await;
        }
        if count % BACKFILL_EVERY == 0 {
            engine.queue.ring(Doorbell::Backfill).await;
        }
    }
}

async fn beat(engine: Engine, kind: workers::Kind) {
    let mut beats = interval(BEAT_EVERY);
    loop {
        beats.tick().await;
        if let Err(error) = workers::beat(&engine, kind).await {
            tracing::warn!(error = %problem::chain(&error), "this process could not say that it is alive");
        }
    }
}

async fn tidy(ring: RedisRing) {
    let mut rounds = interval(TIDY_EVERY);
    loop {
        rounds.tick().await;
        if let Err(error) = ring.tidy().await {
            tracing::warn!(error = %problem::chain(&error), "Redis could not be tidied");
        }
    }
}

/// One queue of this process as an apalis backend. apalis' own `MemoryStorage` is unbounded, and two who push at once can
/// panic (1.0.0).
struct LocalBells {
    ring: Arc<LocalRing>,
    queue: &'static str,
    next: BoxFuture<'static, Doorbell>,
}

impl LocalBells {
    fn new(ring: Arc<LocalRing>, queue: &'static str) -> Self {
        Self { next: next(ring.clone(), queue), ring, queue }
    }
}

fn next(ring: Arc<LocalRing>, queue: &'static str) -> BoxFuture<'static, Doorbell> {
    async move { ring.next(queue).await }.boxed()
}

impl Backend for LocalBells {
    type Task = Task<Doorbell>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        // A bell leaves the ring in the very poll that hands it over: none is lost when a worker stops.
        self.next.poll_unpin(cx).map(|bell| {
            self.next = next(self.ring.clone(), self.queue);
            let id = TaskId::from_string(RandomId::default());
            Some(Ok(TaskBuilder::new(bell).task_id(id).build()))
        })
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for LocalBells {
    type Args = Doorbell;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
