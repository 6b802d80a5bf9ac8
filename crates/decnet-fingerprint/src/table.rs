//! A table with a bound, which forgets the least useful entry of a set when it is full.
//!
//! It takes no memory until it is used, doubles as it fills up, and never holds more than it was made for.
//! Keys are placed by a keyed hash, so nobody outside can aim at the set of another's entry.

use std::hash::{DefaultHasher, Hasher};

/// Entries of one set. Sixteen, so that the table is near its bound before a set is full by chance.
const WAYS: usize = 16;

/// A set: keys apart from values, so that a search reads little memory.
#[derive(Debug)]
struct Set<V> {
    keys: [u64; WAYS],
    values: [Option<V>; WAYS],
}

impl<V: Worth + Copy> Set<V> {
    const fn new() -> Set<V> {
        Set { keys: [0; WAYS], values: [const { None }; WAYS] }
    }

    fn entries(&mut self) -> impl Iterator<Item = (&mut u64, &mut Option<V>)> {
        self.keys.iter_mut().zip(&mut self.values)
    }

    fn find(&mut self, key: u64) -> Option<&mut V> {
        self.entries().find(|(its, value)| **its == key && value.is_some())?.1.as_mut()
    }

    fn is_full(&self) -> bool {
        self.values.iter().all(Option::is_some)
    }
}

/// What decides which entry goes first.
pub(crate) trait Worth {
    /// The lowest goes first.
    fn worth(&self) -> (u8, u64);
}

#[derive(Debug)]
pub(crate) struct Table<V> {
    /// A power of two, or empty.
    sets: Vec<Set<V>>,
    most_sets: usize,
    held: usize,
    secret: u64,
}

impl<V: Worth + Copy> Table<V> {
    /// An empty table for at most `most` entries, a power of two from 16.
    pub(crate) fn new(most: usize, secret: u64) -> Table<V> {
        let most_sets = (most / WAYS).max(1).next_power_of_two();
        Table { sets: Vec::new(), most_sets, held: 0, secret }
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.held
    }

    /// How many entries there is memory for.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// The entry of that key.
    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        let place = self.place(key);
        self.sets.get_mut(place)?.find(key)
    }

    /// Sets the entry of that key; returns another that had to go for it.
    pub(crate) fn insert(&mut self, key: u64, value: V) -> Option<V> {
        if let Some(held) = self.get_mut(key) {
            *held = value;
            return None;
        }
        // A table that may still grow never forgets: a set that is full by chance makes it grow.
        while self.sets.len() < self.most_sets {
            let place = self.place(key);
            let is_full = self.sets.get(place).is_none_or(Set::is_full);
            if !is_full && self.held * 2 < self.sets.len() * WAYS {
                break;
            }
            self.grow();
        }
        self.set(key, value)
    }

    /// Puts in an entry that is not there yet.
    fn set(&mut self, key: u64, value: V) -> Option<V> {
        let place = self.place(key);
        let set = self.sets.get_mut(place)?;
        // Nothing is less than something.
        let (its, slot) = set.entries().min_by_key(|(_, slot)| slot.as_ref().map(Worth::worth))?;
        *its = key;
        let gone = slot.replace(value);
        self.held += usize::from(gone.is_none());
        gone
    }

    fn grow(&mut self) {
        let sets = (self.sets.len() * 2).max(1);
        let new = std::iter::repeat_with(Set::new).take(sets).collect();
        let old = std::mem::replace(&mut self.sets, new);
        self.held = 0;
        // Each set is shared out among two: none can overflow.
        for mut set in old {
            for (key, value) in set.entries() {
                if let Some(value) = *value {
                    self.set(*key, value);
                }
            }
        }
    }

    fn place(&self, key: u64) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.secret);
        hasher.write_u64(key);
        hasher.finish() as usize & self.sets.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Entry(u8, u64);

    impl Worth for Entry {
        fn worth(&self) -> (u8, u64) {
            (self.0, self.1)
        }
    }

    #[test]
    fn it_takes_no_memory_until_used_and_never_more_than_its_bound() {
        let mut table = Table::new(64, 7);
        assert_eq!((table.len(), table.room()), (0, 0));
        assert_eq!(table.get_mut(1), None);
        for key in 0..100_000 {
            table.insert(key, Entry(0, key));
            assert!(table.len() <= 64 && table.room() <= 64);
            assert_eq!(table.get_mut(key), Some(&mut Entry(0, key)), "the newest is there");
        }
    }

    #[test]
    fn what_is_worth_less_goes_first() {
        let mut table = Table::new(64, 7);
        for key in 0..4 {
            table.insert(key, Entry(9, key));
        }
        for key in 100..100_000 {
            let gone = table.insert(key, Entry(0, key));
            assert!(gone.is_none_or(|gone| gone.0 == 0), "a flood only pushes out itself");
        }
        for key in 0..4 {
            assert!(table.get_mut(key).is_some());
        }
        assert_eq!(table.insert(2, Entry(9, 1)), None, "setting anew pushes nobody out");
    }

    /// A connection that is there must not be lost because of how keys fall into sets.
    #[test]
    fn a_table_with_room_forgets_nothing() {
        for secret in 0..200 {
            let mut table = Table::new(2048, secret);
            for key in 0..300u64 {
                assert_eq!(table.insert(key.wrapping_mul(0x1_0001), Entry(0, key)), None, "{secret}");
            }
            assert_eq!(table.len(), 300);
        }
    }
}
