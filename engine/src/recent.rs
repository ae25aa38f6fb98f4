//! What was read a moment ago, and need not be read again yet.

use chrono::{DateTime, Duration, Utc};
use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Values that hold for a while after they were read. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Recent<K, V> {
    /// For how long a value holds.
    kept: Duration,
    /// How many there may be: one more, and all are forgotten.
    most: usize,
    values: Arc<Mutex<HashMap<K, Read<V>>>>,
}

struct Read<V> {
    value: V,
    at: DateTime<Utc>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// Nothing yet.
    pub(crate) fn new(kept: Duration, most: usize) -> Self {
        Self { kept, most, values: Arc::default() }
    }

    /// The value, if it was read lately. A clock that was set back makes nothing recent.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: DateTime<Utc>) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let read = values.get(key)?;
        (read.at <= now && now - read.at < self.kept).then(|| read.value.clone())
    }

    /// Remembers a value that was read now.
    pub(crate) fn put(&self, key: K, value: V, now: DateTime<Utc>) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= self.most {
            values.clear();
        }
        values.insert(key, Read { value, at: now });
    }

    /// Forgets everything.
    pub(crate) fn forget(&self) {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_hold_for_a_while_and_there_are_never_too_many() {
        let recent = Recent::new(Duration::seconds(1), 2);
        let now = DateTime::UNIX_EPOCH;
        recent.put("a", 1, now);
        assert_eq!(recent.get("a", now), Some(1));
        assert_eq!(recent.get("a", now + Duration::milliseconds(999)), Some(1));
        for elsewhen in [now + Duration::seconds(1), now - Duration::seconds(1)] {
            assert_eq!(recent.get("a", elsewhen), None);
        }
        recent.put("b", 2, now);
        recent.put("c", 3, now);
        assert_eq!([recent.get("a", now), recent.get("b", now), recent.get("c", now)], [None, None, Some(3)]);
        recent.forget();
        assert_eq!(recent.get("c", now), None);
    }
}
