//! A table with a bound, which forgets the least useful entry of a set when it is full.
//!
//! It takes no memory until it is used, doubles as it fills up, and never holds more than it was made for.
//! Keys are placed by a keyed hash, so nobody outside can aim at the set of another's entry.

use std::hash::{DefaultHasher, Hasher};

/// Entries of one set.
const WAYS: usize = 8;

type Set<V> = [Option<(u64, V)>; WAYS];

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
    /// An empty table for at most `most` entries, a power of two from 8.
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
        let set = self.sets.get_mut(place)?;
        set.iter_mut().flatten().find(|(its, _)| *its == key).map(|(_, value)| value)
    }

    /// Sets the entry of that key; returns another that had to go for it.
    pub(crate) fn insert(&mut self, key: u64, value: V) -> Option<V> {
        if self.sets.len() < self.most_sets && self.held * 2 >= self.sets.len() * WAYS {
            self.grow();
        }
        self.set(key, value)
    }

    fn set(&mut self, key: u64, value: V) -> Option<V> {
        let place = self.place(key);
        let set = self.sets.get_mut(place)?;
        let worth = |slot: &Option<(u64, V)>| match slot {
            Some((its, _)) if *its == key => (0, 0, 0),
            None => (1, 0, 0),
            Some((_, held)) => {
                let (rank, seen) = held.worth();
                (2 + u16::from(rank), seen, 0)
            }
        };
        let slot = set.iter_mut().min_by_key(|slot| worth(slot))?;
        match slot.replace((key, value)) {
            None => {
                self.held += 1;
                None
            }
            Some((its, _)) if its == key => None,
            Some((_, gone)) => Some(gone),
        }
    }

    fn grow(&mut self) {
        let sets = (self.sets.len() * 2).max(1);
        let old = std::mem::replace(&mut self.sets, vec![[const { None }; WAYS]; sets]);
        self.held = 0;
        for (key, value) in old.into_iter().flatten().flatten() {
            self.set(key, value);
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
}
