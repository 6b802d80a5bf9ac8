//! A bounded memory of what was seen lately.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Remembers entries for one to two `lifetime`s, and never more than `2 * bound` of them.
///
/// There are two generations. New and refreshed entries go into the young one; when it is full or old, it
/// becomes the old one and the old one is forgotten. So a flood of forged sources costs a bounded amount of
/// memory and no work but the flood's own.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    bound: usize,
    lifetime: Duration,
    began: Instant,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Empty.
    pub fn new(bound: usize, lifetime: Duration, now: Instant) -> Self {
        Recent { young: HashMap::new(), old: HashMap::new(), bound, lifetime, began: now }
    }

    /// Remembers `value` for `key`.
    pub fn insert(&mut self, key: K, value: V, now: Instant) {
        if self.young.len() >= self.bound || now.duration_since(self.began) >= self.lifetime {
            if now.duration_since(self.began) >= 2 * self.lifetime {
                self.young.clear();
            }
            self.old = std::mem::take(&mut self.young);
            self.began = now;
        }
        self.young.insert(key, value);
    }

    /// What is remembered for `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Forgets `key`; returns what was remembered.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let young = self.young.remove(key);
        let old = self.old.remove(key);
        young.or(old)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_bounded_and_old_entries_go() {
        let start = Instant::now();
        let mut recent = Recent::new(100, Duration::from_secs(60), start);
        recent.insert(0u32, "kept", start);
        for key in 1..100_000u32 {
            recent.insert(key, "flood", start);
            assert!(recent.len() <= 200);
        }
        assert_eq!(recent.get(&0), None);
        recent.insert(7, "seven", start + Duration::from_secs(61));
        assert_eq!(recent.get(&99_999), Some(&"flood"));
        recent.insert(8, "eight", start + Duration::from_secs(300));
        assert_eq!(recent.get(&99_999), None);
        assert_eq!(recent.get(&7), None, "two lifetimes without a word");
        assert_eq!(recent.remove(&8), Some("eight"));
    }
}
