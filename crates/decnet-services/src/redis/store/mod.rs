//! The keyspace: what a decky's Redis holds, bounded.

mod dict;
mod listpack;
mod lzf;
pub(crate) mod rdb;
pub(crate) mod stream;
mod value;
mod zset;

pub(crate) use dict::Dict;
pub(crate) use stream::{Stream, StreamId};
pub(crate) use value::{Encoding, Hash, List, Set, Shape, Value};
pub(crate) use zset::{ScoreBound, Zset};

/// Bytes that all keys and values may take; past it writes get the product's out-of-memory error.
pub(crate) const MEMORY_BOUND: usize = 16 * 1024 * 1024;
/// Keys over all databases.
pub(crate) const OBJECT_BOUND: usize = 10_000;
/// What a key costs besides its bytes: table entry, object, allocator's rounding.
const KEY_OVERHEAD: usize = 72;

/// A key's value and what belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The value.
    pub(crate) value: Value,
    /// When it expires, in milliseconds since 1970-01-01 UTC.
    pub(crate) expires: Option<i64>,
    /// When it was last used, in seconds since 1970-01-01 UTC.
    pub(crate) used: i64,
    /// How often it was used, as the logarithmic counter of the LFU policies.
    pub(crate) frequency: u8,
    /// Whether it was planted.
    pub(crate) bait: bool,
    weight: usize,
}

impl Entry {
    /// A fresh entry.
    pub(crate) fn new(value: Value, now_ms: i64) -> Entry {
        Entry { value, expires: None, used: now_ms / 1000, frequency: 5, bait: false, weight: 0 }
    }
}

/// One of the numbered databases.
#[derive(Debug)]
pub(crate) struct Database {
    keys: Dict<Entry>,
    expiring: usize,
    weight: usize,
}

impl Database {
    /// An empty one.
    pub(crate) fn new(seed: u64) -> Database {
        Database { keys: Dict::new(seed), expiring: 0, weight: 0 }
    }

    /// Keys, the expired ones that nobody asked for included.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Keys with a time to live.
    pub(crate) fn expiring(&self) -> usize {
        self.expiring
    }

    /// Bytes taken.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The table, to walk.
    pub(crate) fn keys(&self) -> &Dict<Entry> {
        &self.keys
    }

    /// The entry of a key, expired or not.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.keys.get(key)
    }

    /// The entry of a key, to change; call [`Self::weigh`] after.
    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.keys.get_mut(key)
    }

    /// The entry of a key, made where it is missing; call [`Self::weigh`] after.
    pub(crate) fn entry(&mut self, key: &[u8], make: impl FnOnce() -> Entry) -> &mut Entry {
        self.keys.entry(key, make)
    }

    /// Puts an entry in the place of whatever was there.
    pub(crate) fn put(&mut self, key: &[u8], entry: Entry) {
        self.remove(key);
        self.expiring += usize::from(entry.expires.is_some());
        self.keys.insert(key, Entry { weight: 0, ..entry });
        self.weigh(key);
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.keys.remove(key)?;
        self.expiring -= usize::from(entry.expires.is_some());
        self.weight -= entry.weight;
        Some(entry)
    }

    /// Sets or takes away a time to live.
    pub(crate) fn expire(&mut self, key: &[u8], at: Option<i64>) {
        if let Some(entry) = self.keys.get_mut(key) {
            self.expiring -= usize::from(entry.expires.is_some());
            self.expiring += usize::from(at.is_some());
            entry.expires = at;
        }
    }

    /// Counts anew what a key takes, after its value changed.
    pub(crate) fn weigh(&mut self, key: &[u8]) {
        if let Some(entry) = self.keys.get_mut(key) {
            let weight = key.len() + KEY_OVERHEAD + entry.value.weight();
            self.weight = self.weight - entry.weight + weight;
            entry.weight = weight;
        }
    }

    /// Forgets everything; the table keeps its seed.
    pub(crate) fn clear(&mut self, seed: u64) {
        *self = Database::new(seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_and_counts_return_to_nothing() {
        let mut database = Database::new(1);
        for i in 0..100 {
            let key = format!("k{i}");
            let mut entry = Entry::new(Value::string(vec![b'x'; i]), 0);
            entry.expires = (i % 2 == 0).then_some(1);
            database.put(key.as_bytes(), entry);
            database.put(key.as_bytes(), Entry::new(Value::string(vec![b'y'; 2 * i]), 0));
            database.expire(key.as_bytes(), Some(5));
        }
        assert_eq!((database.len(), database.expiring()), (100, 100));
        assert!(database.weight() > 100 * 99);
        for i in 0..100 {
            database.remove(format!("k{i}").as_bytes());
        }
        assert_eq!((database.len(), database.expiring(), database.weight()), (0, 0, 0));
    }
}
