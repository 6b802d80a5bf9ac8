//! Streams, with consumer groups.

use std::collections::BTreeMap;
use std::fmt;

/// The id of an entry: milliseconds and a number within them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId {
    /// Milliseconds since 1970-01-01 UTC, unless the client chose them.
    pub(crate) ms: u64,
    /// The number within the millisecond.
    pub(crate) number: u64,
}

impl StreamId {
    /// `0-0`
    pub(crate) const MIN: StreamId = StreamId { ms: 0, number: 0 };
    /// The largest.
    pub(crate) const MAX: StreamId = StreamId { ms: u64::MAX, number: u64::MAX };

    /// The next id; `None` past the largest.
    pub(crate) fn next(self) -> Option<StreamId> {
        match (self.number.checked_add(1), self.ms.checked_add(1)) {
            (Some(number), _) => Some(StreamId { ms: self.ms, number }),
            (None, Some(ms)) => Some(StreamId { ms, number: 0 }),
            (None, None) => None,
        }
    }

    /// The id before; `None` before the smallest.
    pub(crate) fn previous(self) -> Option<StreamId> {
        match (self.number.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(number), _) => Some(StreamId { ms: self.ms, number }),
            (None, Some(ms)) => Some(StreamId { ms, number: u64::MAX }),
            (None, None) => None,
        }
    }

    /// Reads `ms` or `ms-number`; `missing` stands for a number that is not written.
    pub(crate) fn parse(text: &[u8], missing: u64) -> Option<StreamId> {
        let text = std::str::from_utf8(text).ok()?;
        let digits = |text: &str| {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            text.parse::<u64>().ok()
        };
        match text.split_once('-') {
            Some((ms, number)) => Some(StreamId { ms: digits(ms)?, number: digits(number)? }),
            None => Some(StreamId { ms: digits(text)?, number: missing }),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}

/// What is pending in a group.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Who was given it.
    pub(crate) consumer: Vec<u8>,
    /// When it was last given, in milliseconds since 1970-01-01 UTC.
    pub(crate) delivered: i64,
    /// How often.
    pub(crate) count: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consumer {
    /// When it last asked, in milliseconds since 1970-01-01 UTC.
    pub(crate) seen: i64,
    /// When it last got something; -1 before.
    pub(crate) active: i64,
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// The last entry that was given to anybody.
    pub(crate) last: StreamId,
    /// How many entries were read, where that is known.
    pub(crate) read: Option<u64>,
    /// Given and not acknowledged.
    pub(crate) pending: BTreeMap<StreamId, Pending>,
    /// Who reads.
    pub(crate) consumers: BTreeMap<Vec<u8>, Consumer>,
}

/// Fields and values of an entry, one after the other.
pub(crate) type Fields = Vec<Vec<u8>>;

/// A stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    entries: BTreeMap<StreamId, Fields>,
    /// The last id that was given.
    pub(crate) last: StreamId,
    /// The largest id that was deleted.
    pub(crate) max_deleted: StreamId,
    /// How many entries were ever added.
    pub(crate) added: u64,
    /// The groups by name.
    pub(crate) groups: BTreeMap<Vec<u8>, Group>,
    bytes: usize,
}

impl Stream {
    /// Entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that it takes.
    pub(crate) fn weight(&self) -> usize {
        let groups: usize = self
            .groups
            .iter()
            .map(|(name, group)| {
                let consumers: usize = group.consumers.keys().map(|name| name.len() + 96).sum();
                name.len() + 128 + group.pending.len() * 96 + consumers
            })
            .sum();
        self.bytes + self.entries.len() * 48 + groups
    }

    /// The entries.
    pub(crate) fn entries(&self) -> &BTreeMap<StreamId, Fields> {
        &self.entries
    }

    /// Adds an entry behind all others.
    pub(crate) fn add(&mut self, id: StreamId, fields: Fields) {
        self.bytes += fields.iter().map(|field| field.len() + 8).sum::<usize>();
        self.entries.insert(id, fields);
        self.last = id;
        self.added += 1;
    }

    /// Takes an entry out; whether it was there.
    pub(crate) fn delete(&mut self, id: StreamId) -> bool {
        match self.entries.remove(&id) {
            Some(fields) => {
                self.bytes -= fields.iter().map(|field| field.len() + 8).sum::<usize>();
                self.max_deleted = self.max_deleted.max(id);
                true
            }
            None => false,
        }
    }

    /// Drops the oldest entries while `more` says so, at most `limit`; gives how many.
    pub(crate) fn trim(&mut self, limit: usize, more: impl Fn(usize, StreamId) -> bool) -> usize {
        let mut dropped = 0;
        while dropped < limit {
            match self.entries.first_key_value().map(|(id, _)| *id) {
                Some(id) if more(self.entries.len(), id) => {
                    // Trimming is no deletion: the largest deleted id stays.
                    let deleted = self.max_deleted;
                    self.delete(id);
                    self.max_deleted = deleted;
                    dropped += 1;
                }
                _ => break,
            }
        }
        dropped
    }

    /// How many entries were added up to an id, where that can be told: `streamEstimateDistanceFromFirstEverEntry`
    /// of the product.
    pub(crate) fn distance(&self, id: StreamId) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if (self.entries.is_empty() && id <= self.last) || id == self.last {
            return Some(self.added);
        }
        if id > self.last {
            return None;
        }
        let first = self.entries.first_key_value().map_or(StreamId::MIN, |(id, _)| *id);
        if self.max_deleted != StreamId::MIN && self.max_deleted >= first {
            return None;
        }
        let gone = self.added.saturating_sub(self.entries.len() as u64);
        match id.cmp(&first) {
            std::cmp::Ordering::Less => Some(gone),
            std::cmp::Ordering::Equal => Some(gone + 1),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Whether entries behind an id were deleted.
    pub(crate) fn gaps_behind(&self, id: StreamId) -> bool {
        !self.entries.is_empty() && self.max_deleted != StreamId::MIN && id <= self.max_deleted
    }

    /// Entries between two ids, both included, ascending.
    pub(crate) fn range(
        &self,
        from: StreamId,
        to: StreamId,
    ) -> Box<dyn DoubleEndedIterator<Item = (StreamId, &Fields)> + '_> {
        if from > to {
            return Box::new(std::iter::empty());
        }
        Box::new(self.entries.range(from..=to).map(|(id, fields)| (*id, fields)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_and_step() {
        assert_eq!(StreamId::parse(b"5", 7), Some(StreamId { ms: 5, number: 7 }));
        assert_eq!(StreamId::parse(b"5-3", 7).unwrap().to_string(), "5-3");
        for bad in ["", "-", "5-", "-5", "a", "5-3-1", "18446744073709551616", "+5"] {
            assert_eq!(StreamId::parse(bad.as_bytes(), 0), None, "{bad}");
        }
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
        assert_eq!(StreamId { ms: 1, number: u64::MAX }.next(), Some(StreamId { ms: 2, number: 0 }));
        assert_eq!(StreamId { ms: 2, number: 0 }.previous(), Some(StreamId { ms: 1, number: u64::MAX }));
    }

    #[test]
    fn bytes_return_to_nothing() {
        let mut stream = Stream::default();
        for ms in 1..100 {
            stream.add(StreamId { ms, number: 0 }, vec![b"field".to_vec(), vec![0; ms as usize]]);
        }
        assert_eq!(stream.trim(usize::MAX, |length, _| length > 10), 89);
        assert_eq!(stream.range(StreamId::MIN, StreamId::MAX).count(), 10);
        assert_eq!(stream.trim(usize::MAX, |_, _| true), 10);
        assert_eq!((stream.weight(), stream.added), (0, 99));
    }
}
