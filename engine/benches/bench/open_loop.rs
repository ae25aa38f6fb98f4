//! Requests at instants that were fixed beforehand. Latency counts from that instant, so that a server that stalls is
//! charged for all who would have come meanwhile (no coordinated omission).

use crate::wire::{Pool, Request};
use anyhow::{Result, ensure};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::mpsc};

/// Where a stream of requests goes, and what makes the n-th one.
pub struct Stream {
    /// Where.
    pub address: SocketAddr,
    /// The n-th request, from 0.
    pub request: Box<dyn Fn(u64) -> Request + Send>,
}

/// Streams of requests, side by side, until it is stopped.
pub struct OpenLoop {
    stop: Arc<AtomicBool>,
    pacing: thread::JoinHandle<()>,
    done: mpsc::UnboundedReceiver<Done>,
    streams: usize,
}

/// Which stream, how long, and the status or what went wrong.
type Done = (usize, Duration, Result<u16>);

impl OpenLoop {
    /// Starts all streams at this rate each, their instants spread evenly over one period.
    pub fn start(streams: Vec<Stream>, per_second: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (said, done) = mpsc::unbounded_channel();
        let (count, runtime, told) = (streams.len(), Handle::current(), stop.clone());
        // A thread of its own: the runtime's timers are good for a millisecond, a thread's sleep for far less.
        let pacing = thread::spawn(move || pace(&streams, per_second, &runtime, &told, &said));
        Self { stop, pacing, done, streams: count }
    }

    /// Stops, waits for what is under way, and gives each stream's latencies.
    pub async fn stop(mut self) -> Result<Vec<Latencies>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut latencies = vec![Vec::new(); self.streams];
        // It ends once the thread and every request have ended.
        while let Some((stream, took, status)) = self.done.recv().await {
            let status = status?;
            ensure!((200..300).contains(&status), "a request of stream {stream} was answered {status}");
            latencies[stream].push(took);
        }
        ensure!(self.pacing.join().is_ok(), "the pacing thread panicked");
        Ok(latencies.into_iter().map(Latencies::new).collect())
    }
}

fn pace(streams: &[Stream], per_second: u32, runtime: &Handle, stop: &AtomicBool, said: &mpsc::UnboundedSender<Done>) {
    let pools: Vec<Arc<Pool>> = streams.iter().map(|stream| Arc::new(Pool::new(stream.address))).collect();
    let step = Duration::from_secs(1) / (per_second * streams.len() as u32);
    let began = Instant::now();
    for n in 0_u64.. {
        let place = (n % streams.len() as u64) as usize;
        // Made before its instant, so that making it is nobody's latency.
        let request = (streams[place].request)(n / streams.len() as u64);
        let due = began + Duration::from_secs_f64(step.as_secs_f64() * n as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (pool, said) = (pools[place].clone(), said.clone());
        runtime.spawn(async move {
            let status = pool.send(&request).await;
            // Nobody listens once the run has failed.
            let _ = said.send((place, due.elapsed(), status));
        });
    }
}

/// Latencies, in order of length.
#[derive(Debug, Clone)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Of these requests.
    pub fn new(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The latency that this share of all, 0 to 1, did not exceed, in milliseconds (nearest rank); 0 of none.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
    }
}
