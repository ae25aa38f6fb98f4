//! All messages, newest last, with the indexes that lists and phones are read through.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    address::Address,
    message::{Message, Origin},
};

/// What a Messages list asks for. Days are milliseconds since the epoch at their start.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub to: Option<Address>,
    pub from: Option<Address>,
    /// Sent at or after this time.
    pub sent_from_ms: Option<i64>,
    /// Sent before this time.
    pub sent_before_ms: Option<i64>,
    /// Made at or before this time: younger ones are not visible yet.
    pub visible_until_ms: Option<i64>,
}

impl Filter {
    fn matches(&self, message: &Message) -> bool {
        let is = |address: &Option<Address>, number: &Arc<str>| {
            address.as_ref().is_none_or(|a| a.channel == message.channel && a.number == *number)
        };
        let (to, from) =
            if message.is_inbound() { (&message.sender, &message.phone) } else { (&message.phone, &message.sender) };
        let sent_ms = message.date_sent_ms();
        message.origin != Origin::Twilio
            && is(&self.to, to)
            && is(&self.from, from)
            && self.sent_from_ms.is_none_or(|bound| sent_ms >= bound)
            && self.sent_before_ms.is_none_or(|bound| sent_ms < bound)
            && self.visible_until_ms.is_none_or(|bound| message.created_ms <= bound)
    }
}

/// The store. Numbers start at 1 and are never used twice.
#[derive(Debug, Default)]
pub(crate) struct Log {
    messages: BTreeMap<u64, Message>,
    last: u64,
    /// The messages of each person, both directions, oldest first.
    threads: HashMap<Arc<str>, VecDeque<u64>>,
    /// The person behind the last message of each thread: phones by recency.
    recent: BTreeMap<u64, Arc<str>>,
    /// What each of our numbers received.
    inbound: HashMap<Arc<str>, VecDeque<u64>>,
    /// Messages that nothing will change any more, in the order they finished.
    finished: VecDeque<u64>,
    /// Messages forgotten.
    pub evicted: u64,
}

impl Log {
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn unfinished(&self) -> usize {
        self.messages.len() - self.finished.len()
    }

    pub fn phones_len(&self) -> usize {
        self.threads.len()
    }

    pub fn get(&self, number: u64) -> Option<&Message> {
        self.messages.get(&number)
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Message> {
        self.messages.get_mut(&number)
    }

    /// Makes room for one more; `false` if the log is full of messages that have not finished.
    pub fn make_room(&mut self, limit: usize) -> bool {
        while self.messages.len() >= limit {
            let Some(oldest) = self.finished.pop_front() else {
                return false;
            };
            self.forget(oldest);
        }
        true
    }

    /// The key of this person's thread, so that all its messages share one copy.
    pub fn intern(&self, phone: &Arc<str>) -> Arc<str> {
        match self.threads.get_key_value(phone) {
            Some((key, _)) => key.clone(),
            None => phone.clone(),
        }
    }

    /// Numbers the message and stores it.
    pub fn push(&mut self, mut message: Message) -> u64 {
        self.last += 1;
        let number = self.last;
        message.number = number;
        let thread = self.threads.entry(message.phone.clone()).or_default();
        if let Some(before) = thread.back() {
            self.recent.remove(before);
        }
        thread.push_back(number);
        self.recent.insert(number, message.phone.clone());
        if message.is_inbound() {
            let received = self.inbound.entry(message.sender.clone()).or_default();
            received.push_back(number);
        }
        self.messages.insert(number, message);
        number
    }

    /// Says that nothing will change this message any more.
    pub fn finish(&mut self, number: u64) {
        self.finished.push_back(number);
    }

    fn forget(&mut self, number: u64) {
        let Some(message) = self.messages.remove(&number) else {
            return;
        };
        self.evicted += 1;
        if let Some(thread) = self.threads.get_mut(&message.phone) {
            if thread.back() == Some(&number) {
                self.recent.remove(&number);
            }
            take(thread, number);
            match thread.back() {
                Some(last) => {
                    self.recent.insert(*last, message.phone.clone());
                }
                None => {
                    self.threads.remove(&message.phone);
                }
            }
        }
        if message.is_inbound()
            && let Some(received) = self.inbound.get_mut(&message.sender)
        {
            take(received, number);
        }
    }

    /// Up to `limit` messages below `before` that match, newest first.
    pub fn list(&self, filter: &Filter, before: u64, limit: usize) -> Vec<&Message> {
        let Some(to) = &filter.to else {
            return match filter.from.as_ref().and_then(|f| self.threads.get(&f.number)) {
                // From a person: only that thread can match.
                Some(thread) => self.select(thread.iter().rev(), filter, before, limit),
                None => {
                    let numbers = self.messages.range(..before).rev().map(|(number, _)| number);
                    self.select(numbers, filter, before, limit)
                }
            };
        };
        // A number may be both a person's and one of ours: look in both places, newest first.
        let sources = [self.threads.get(&to.number), self.inbound.get(&to.number)];
        let mut found: Vec<&Message> = sources
            .into_iter()
            .flatten()
            .flat_map(|numbers| self.select(numbers.iter().rev(), filter, before, limit))
            .collect();
        found.sort_unstable_by_key(|message| std::cmp::Reverse(message.number));
        found.dedup_by_key(|message| message.number);
        found.truncate(limit);
        found
    }

    fn select<'a, 'b>(
        &'a self,
        numbers: impl Iterator<Item = &'b u64>,
        filter: &Filter,
        before: u64,
        limit: usize,
    ) -> Vec<&'a Message> {
        numbers
            .filter(|number| **number < before)
            .filter_map(|number| self.messages.get(number))
            .filter(|message| filter.matches(message))
            .take(limit)
            .collect()
    }

    /// Up to `limit` messages above `after`, oldest first.
    pub fn since(&self, after: u64, limit: usize) -> impl Iterator<Item = &Message> {
        self.messages.range(after.saturating_add(1)..).map(|(_, message)| message).take(limit)
    }

    /// Up to `limit` messages of one person below `before`, newest first.
    pub fn thread(&self, phone: &str, before: u64, limit: usize) -> Vec<&Message> {
        self.threads
            .get(phone)
            .into_iter()
            .flat_map(|thread| thread.iter().rev())
            .filter(|number| **number < before)
            .filter_map(|number| self.messages.get(number))
            .take(limit)
            .collect()
    }

    /// How many messages one person's phone holds.
    pub fn thread_len(&self, phone: &str) -> usize {
        self.threads.get(phone).map_or(0, VecDeque::len)
    }

    /// Up to `limit` phones whose last message is below `before` and whose number contains
    /// `part`, most recent first.
    pub fn phones(&self, part: &str, before: u64, limit: usize) -> Vec<Arc<str>> {
        self.recent
            .range(..before)
            .rev()
            .map(|(_, phone)| phone)
            .filter(|phone| phone.contains(part))
            .take(limit)
            .cloned()
            .collect()
    }
}

/// Takes `number` out of a sorted queue.
fn take(queue: &mut VecDeque<u64>, number: u64) {
    if let Ok(place) = queue.binary_search(&number) {
        queue.remove(place);
    }
}
