//! The life of a message: which status follows which, and when its callbacks are made.
//!
//! One task turns the wheel. It holds a heap of timers, each a few words long, and hands due
//! callbacks to the bounded pool of `webhook`.

use std::{cmp::Ordering, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    address::Channel,
    chaos::Dice,
    config::Pace,
    message::{Message, Status},
    shared::{Shared, State},
    webhook::Callback,
};

/// Timers handled in one hold of the lock.
const BATCH: usize = 1_000;
/// How often the time of day is compared with what is scheduled.
const SCHEDULE_TICK: Duration = Duration::from_secs(1);
/// The window in which a WhatsApp sender may write freely after the person wrote.
const WINDOW_MS: i64 = 24 * 3_600 * 1_000;

/// What a timer does when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Moves the message on to its next status.
    Advance,
    /// Makes the callback of a status.
    Announce(Status),
}

/// An entry of the heap; the earliest, and of equals the first made, is the greatest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    due: Instant,
    order: u64,
    number: u64,
    action: Action,
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Turns the wheel until the simulator goes.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let next = shared.turn();
        let wait = async {
            match next {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.closing.cancelled() => return,
            () = wait => {}
            () = shared.wake.notified() => {}
            () = shared.config.clock.moved.notified() => {}
        }
    }
}

impl Shared {
    /// Does what is due, and says when to come back.
    fn turn(&self) -> Option<Instant> {
        let mut state = self.lock();
        let now_ms = self.config.clock.now_ms();
        while let Some((at_ms, number)) = state.scheduled.first().copied()
            && at_ms <= now_ms
        {
            state.scheduled.pop_first();
            self.advance(&mut state, number);
            self.release(&mut state, number);
        }
        let now = Instant::now();
        for _ in 0..BATCH {
            let due = state.timers.peek().map(|timer| timer.due);
            if due.is_none_or(|due| due > now) {
                break;
            }
            if let Some(timer) = state.timers.pop() {
                match timer.action {
                    Action::Advance => {
                        self.advance(&mut state, timer.number);
                        self.release(&mut state, timer.number);
                    }
                    // The timer's share of `pending` passes to the callback.
                    Action::Announce(status) => self.dispatch(&state, timer.number, status),
                }
            }
        }
        let tick = (!state.scheduled.is_empty()).then(|| now + SCHEDULE_TICK);
        let timer = state.timers.peek().map(|timer| timer.due);
        tick.into_iter().chain(timer).min()
    }

    /// Starts the life of a message that was just stored.
    pub(crate) fn begin(&self, state: &mut State, number: u64) {
        let Some(message) = state.log.get_mut(number) else {
            return;
        };
        if message.muted {
            state.log.finish(number);
        } else if let Some(at_ms) = message.send_at_ms {
            message.pending += 1;
            state.scheduled.insert((at_ms, number));
            self.wake.notify_one();
        } else {
            self.judge(state, number);
            self.plan(state, number);
        }
    }

    /// Decides how the message ends. A reason that is already known stays.
    fn judge(&self, state: &mut State, number: u64) {
        let now_ms = self.config.clock.now_ms();
        let Some(message) = state.log.get(number) else {
            return;
        };
        let outside_window = message.channel == Channel::Whatsapp
            && message.content_sid.is_none()
            && state
                .windows
                .get(&(message.phone.clone(), message.sender.clone()))
                .is_none_or(|last_ms| now_ms - last_ms >= WINDOW_MS);
        let doom = message
            .doom
            .or(outside_window.then_some((Status::Failed, 63016)))
            .or_else(|| self.dice(state).outcome(number));
        if let Some(message) = state.log.get_mut(number) {
            message.doom = doom;
        }
    }

    /// The dial and the seed.
    pub(crate) fn dice<'a>(&self, state: &'a State) -> Dice<'a> {
        Dice { chaos: &state.chaos, seed: self.config.seed }
    }

    /// The status after this one, if there is one.
    fn next_status(&self, state: &State, message: &Message) -> Option<Status> {
        let doomed_to = |end: Status| message.doom.is_some_and(|(status, _)| status == end);
        match message.status {
            Status::Accepted | Status::Scheduled => Some(Status::Queued),
            Status::Queued if doomed_to(Status::Failed) => Some(Status::Failed),
            Status::Queued => Some(Status::Sending),
            Status::Sending => Some(Status::Sent),
            Status::Sent if doomed_to(Status::Undelivered) => Some(Status::Undelivered),
            Status::Sent if self.dice(state).ends_at_sent(message.number) => None,
            Status::Sent => Some(Status::Delivered),
            Status::Delivered if message.channel == Channel::Whatsapp => {
                let set = state.receipts.get(message.phone.as_ref()).copied();
                set.unwrap_or_else(|| self.dice(state).receipts(&message.phone)).then_some(Status::Read)
            }
            _ => None,
        }
    }

    /// Sets the timer for the next status.
    fn plan(&self, state: &mut State, number: u64) {
        let Some(message) = state.log.get(number) else {
            return;
        };
        let Some(next) = self.next_status(state, message) else {
            return;
        };
        let mut delay =
            if message.early { Duration::ZERO } else { Duration::from_millis(self.dice(state).step_ms(number, next)) };
        if message.status == Status::Queued
            && let Pace::Queue { per_second, .. } = self.config.pace
        {
            let (sender, segments) = (message.sender.clone(), message.segments);
            let validity = Duration::from_secs(u64::from(message.validity_s));
            let wait = state.rates.entry(sender).or_default().enqueue(Instant::now(), segments, per_second);
            delay += wait.min(validity);
            if wait > validity
                && let Some(message) = state.log.get_mut(number)
            {
                message.doom = Some((Status::Failed, 30036));
            }
        }
        self.set_timer(state, number, delay, Action::Advance);
    }

    fn set_timer(&self, state: &mut State, number: u64, delay: Duration, action: Action) {
        let Some(message) = state.log.get_mut(number) else {
            return;
        };
        message.pending += 1;
        let due = Instant::now() + delay;
        let first = state.timers.peek().is_none_or(|timer| due < timer.due);
        state.timer_order += 1;
        state.timers.push(Timer { due, order: state.timer_order, number, action });
        if first {
            self.wake.notify_one();
        }
    }

    /// Moves a message on by one status.
    fn advance(&self, state: &mut State, number: u64) {
        let Some(message) = state.log.get(number) else {
            return;
        };
        let released = message.status == Status::Scheduled;
        let Some(next) = self.next_status(state, message) else {
            return;
        };
        if released {
            self.judge(state, number);
        }
        self.set_status(state, number, next);
        self.plan(state, number);
    }

    /// Changes a message's status and makes its callback.
    pub(crate) fn set_status(&self, state: &mut State, number: u64, status: Status) {
        let now_ms = self.config.clock.now_ms();
        let Some(message) = state.log.get_mut(number) else {
            return;
        };
        message.status = status;
        message.updated_ms = now_ms;
        match status {
            Status::Sent => message.sent_ms = Some(now_ms),
            Status::Failed | Status::Undelivered => {
                message.error = message.doom.map(|(_, code)| code);
            }
            _ => {}
        }
        self.announce(state, number, status);
    }

    /// Makes the callback of a status, as the dial wishes.
    fn announce(&self, state: &mut State, number: u64, status: Status) {
        let Some(message) = state.log.get(number) else {
            return;
        };
        if message.status_callback.is_none() {
            return;
        }
        let last = self.next_status(state, message).is_none();
        let (early, held) = (message.early, message.held);
        let dice = self.dice(state);
        if early {
            // Just this one overtakes the answer, and it must arrive.
            self.set_timer(state, number, Duration::ZERO, Action::Announce(status));
            if let Some(message) = state.log.get_mut(number) {
                message.early = false;
            }
            return;
        }
        if dice.dropped(number, status) {
            state.stats.callbacks_dropped += 1;
            if last {
                self.let_go(state, number);
            }
            return;
        }
        if !last && held.is_none() && dice.reordered(number, status) {
            state.stats.callbacks_reordered += 1;
            if let Some(message) = state.log.get_mut(number) {
                message.held = Some(status);
                message.pending += 1;
            }
            return;
        }
        let delay = Duration::from_millis(dice.delay_ms(number, status));
        let twice = dice.duplicated(number, status);
        self.set_timer(state, number, delay, Action::Announce(status));
        if twice {
            state.stats.callbacks_duplicated += 1;
            self.set_timer(state, number, delay, Action::Announce(status));
        }
    }

    /// Makes a callback that was held back.
    fn let_go(&self, state: &mut State, number: u64) {
        if let Some(message) = state.log.get_mut(number)
            && let Some(held) = message.held.take()
        {
            self.dispatch(state, number, held);
        }
    }

    fn dispatch(&self, state: &State, number: u64, status: Status) {
        let callback = Callback { nonce: state.nonce, number, status };
        // The receiver lives until the simulator goes, and then nobody waits for callbacks.
        let _ = self.callbacks.send(callback);
    }

    /// A callback was made, or given up.
    pub(crate) fn announced(&self, callback: &Callback, arrived: bool) {
        let mut state = self.lock();
        if arrived {
            state.stats.callbacks_made += 1;
        } else {
            state.stats.callbacks_failed += 1;
        }
        if state.nonce != callback.nonce {
            return;
        }
        if let Some(waiting) = state.early.remove(&callback.number) {
            // The create may have been given up by its client meanwhile.
            let _ = waiting.send(());
        }
        let held = state.log.get(callback.number).and_then(|m| m.held);
        if held.is_some_and(|held| held < callback.status) {
            self.let_go(&mut state, callback.number);
        }
        self.release(&mut state, callback.number);
    }

    /// Gives up one reference; without any, the message has finished.
    pub(crate) fn release(&self, state: &mut State, number: u64) {
        if let Some(message) = state.log.get_mut(number) {
            message.pending -= 1;
            if message.pending == 0 {
                state.log.finish(number);
                if state.log.unfinished() == 0 {
                    self.quiet.notify_waiters();
                }
            }
        }
    }
}
