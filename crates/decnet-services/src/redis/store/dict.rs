//! A hash table that can be scanned as the product's is: a power of two of buckets, walked by a cursor
//! whose bits count from the top, so that a scan survives a resize in between.

use std::hash::Hasher;

/// Keys to values. The order of iteration is that of the buckets.
#[derive(Clone, Debug)]
pub(crate) struct Dict<V> {
    buckets: Vec<Vec<(Box<[u8]>, V)>>,
    length: usize,
    seed: u64,
}

const SMALLEST: usize = 4;

impl<V> Dict<V> {
    /// An empty table; `seed` decides the order, as the product's hash seed does.
    pub(crate) fn new(seed: u64) -> Dict<V> {
        Dict { buckets: Vec::new(), length: 0, seed }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// How many buckets there are.
    pub(crate) fn slots(&self) -> usize {
        self.buckets.len()
    }

    fn bucket(&self, key: &[u8]) -> usize {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write(key);
        hasher.finish() as usize & (self.buckets.len().max(1) - 1)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        self.buckets.get(self.bucket(key))?.iter().find(|(name, _)| **name == *key).map(|(_, value)| value)
    }

    /// The value of a key, to change.
    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let bucket = self.bucket(key);
        self.buckets.get_mut(bucket)?.iter_mut().find(|(name, _)| **name == *key).map(|(_, value)| value)
    }

    /// Whether the key is there.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Puts a value; gives the one it replaces.
    pub(crate) fn insert(&mut self, key: &[u8], value: V) -> Option<V> {
        if let Some(old) = self.get_mut(key) {
            return Some(std::mem::replace(old, value));
        }
        if self.length >= self.buckets.len() {
            self.resize((self.length + 1).next_power_of_two().max(SMALLEST));
        }
        let bucket = self.bucket(key);
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.push((key.into(), value));
            self.length += 1;
        }
        None
    }

    /// The value of a key, made where it is missing.
    pub(crate) fn entry(&mut self, key: &[u8], make: impl FnOnce() -> V) -> &mut V {
        if !self.contains(key) {
            self.insert(key, make());
        }
        let bucket = self.bucket(key);
        let chain = &mut self.buckets[bucket];
        // The key is in this chain: it was there or has just been put, so the chain is not empty.
        let place = chain.iter().position(|(name, _)| **name == *key).unwrap_or(0);
        &mut chain[place].1
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<V> {
        let at = self.bucket(key);
        let bucket = self.buckets.get_mut(at)?;
        let place = bucket.iter().position(|(name, _)| **name == *key)?;
        let (_, value) = bucket.swap_remove(place);
        self.length -= 1;
        // The product shrinks a table that is filled to less than a tenth.
        if self.buckets.len() > SMALLEST && self.length * 10 < self.buckets.len() {
            self.resize(self.length.next_power_of_two().max(SMALLEST));
        }
        Some(value)
    }

    fn resize(&mut self, buckets: usize) {
        let old = std::mem::replace(&mut self.buckets, (0..buckets).map(|_| Vec::new()).collect());
        for (key, value) in old.into_iter().flatten() {
            let bucket = self.bucket(&key);
            if let Some(bucket) = self.buckets.get_mut(bucket) {
                bucket.push((key, value));
            }
        }
    }

    /// Every key and value, bucket by bucket.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.buckets.iter().flatten().map(|(key, value)| (&**key, value))
    }

    /// One of them, chosen by two random numbers.
    pub(crate) fn random(&self, mut number: impl FnMut(usize) -> usize) -> Option<(&[u8], &V)> {
        if self.length == 0 {
            return None;
        }
        // As the product: a bucket that is not empty, then one of its chain.
        loop {
            let bucket = self.buckets.get(number(self.buckets.len()))?;
            if !bucket.is_empty() {
                return bucket.get(number(bucket.len())).map(|(key, value)| (&**key, value));
            }
        }
    }

    /// Visits the buckets from `cursor` until `count` entries were seen (or ten times as many buckets);
    /// gives the next cursor, 0 at the end.
    pub(crate) fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], &V)) -> u64 {
        if self.length == 0 {
            return 0;
        }
        let mask = self.buckets.len() as u64 - 1;
        let mut cursor = cursor;
        let (mut seen, mut walked) = (0usize, 0usize);
        loop {
            if let Some(bucket) = self.buckets.get((cursor & mask) as usize) {
                for (key, value) in bucket {
                    visit(key, value);
                    seen += 1;
                }
            }
            walked += 1;
            cursor |= !mask;
            cursor = (cursor.reverse_bits().wrapping_add(1)).reverse_bits();
            if cursor == 0 || seen >= count || walked >= count.saturating_mul(10) {
                return cursor;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_sees_every_key_though_the_table_grows_meanwhile() {
        let mut dict = Dict::new(7);
        for i in 0..100 {
            dict.insert(format!("key:{i}").as_bytes(), i);
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut cursor = 0;
        let mut turn = 0;
        loop {
            cursor = dict.scan(cursor, 10, |key, _| {
                seen.insert(key.to_vec());
            });
            if cursor == 0 {
                break;
            }
            turn += 1;
            for i in 0..40 {
                dict.insert(format!("more:{turn}:{i}").as_bytes(), i);
            }
        }
        assert!((0..100).all(|i| seen.contains(format!("key:{i}").as_bytes())));
    }

    #[test]
    fn it_shrinks_and_forgets() {
        let mut dict = Dict::new(1);
        for i in 0..1000u32 {
            dict.insert(&i.to_be_bytes(), i);
        }
        assert_eq!(dict.slots(), 1024);
        for i in 0..995u32 {
            assert_eq!(dict.remove(&i.to_be_bytes()), Some(i));
        }
        assert_eq!(dict.len(), 5);
        assert!(dict.slots() < 128);
        let mut turn = 0;
        assert!(
            dict.random(|bound| {
                turn += 1;
                turn % bound
            })
            .is_some()
        );
    }
}
