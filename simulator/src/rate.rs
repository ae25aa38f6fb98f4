//! What one sender took in, and how fast it lets go.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// The length of the window that rates are measured over.
const WINDOW: Duration = Duration::from_secs(1);

/// A sender's sliding second and its queue.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    window: VecDeque<(Instant, u16)>,
    in_window: u32,
    /// The most segments taken in any second.
    pub peak_per_second: u32,
    pub accepted: u64,
    pub refused: u64,
    free_at: Option<Instant>,
}

impl Rate {
    /// Whether `segments` more fit under `limit` in the second that ends now. A message larger
    /// than the limit itself fits into an empty second.
    pub fn fits(&mut self, now: Instant, segments: u16, limit: u32) -> bool {
        self.forget_before(now);
        self.window.is_empty() || self.in_window + u32::from(segments) <= limit
    }

    /// Counts an accepted message.
    pub fn count(&mut self, now: Instant, segments: u16) {
        self.forget_before(now);
        self.window.push_back((now, segments));
        self.in_window += u32::from(segments);
        self.peak_per_second = self.peak_per_second.max(self.in_window);
        self.accepted += 1;
    }

    fn forget_before(&mut self, now: Instant) {
        while let Some((at, segments)) = self.window.front()
            && now.duration_since(*at) >= WINDOW
        {
            self.in_window -= u32::from(*segments);
            self.window.pop_front();
        }
    }

    /// How long a message that comes now waits in the queue.
    pub fn wait(&self, now: Instant) -> Duration {
        self.free_at.map_or(Duration::ZERO, |free| free.saturating_duration_since(now))
    }

    /// Takes a place in the queue, and says how long the message waits for its turn.
    pub fn enqueue(&mut self, now: Instant, segments: u16, per_second: u32) -> Duration {
        let wait = self.wait(now);
        let airtime = Duration::from_secs_f64(f64::from(segments) / f64::from(per_second));
        self.free_at = Some(now + wait + airtime);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_second_holds_the_limit() {
        let start = Instant::now();
        let mut rate = Rate::default();
        let mut taken = Vec::new();
        for ms in 0..3_000u64 {
            let now = start + Duration::from_millis(ms);
            if rate.fits(now, 1, 10) {
                rate.count(now, 1);
                taken.push(ms);
            }
        }
        assert_eq!(taken.len(), 30);
        assert!(taken.windows(11).all(|w| w[10] - w[0] >= 1_000));
        assert_eq!(rate.peak_per_second, 10);
        assert!(rate.fits(start + Duration::from_secs(9), 60, 10));
    }

    #[test]
    fn the_queue_leaves_at_its_rate() {
        let now = Instant::now();
        let mut rate = Rate::default();
        let waits: Vec<_> = (0..3).map(|_| rate.enqueue(now, 2, 4).as_millis()).collect();
        assert_eq!(waits, [0, 500, 1_000]);
        assert_eq!(rate.wait(now + Duration::from_secs(1)).as_millis(), 500);
    }
}
