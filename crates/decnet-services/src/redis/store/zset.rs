//! Sorted sets.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// A score with the order of numbers; a sorted set never holds NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Score(pub(crate) f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> Ordering {
        // Zero and minus zero are the same score.
        self.0.partial_cmp(&other.0).unwrap_or_else(|| self.0.total_cmp(&other.0))
    }
}

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ScoreBound {
    /// The score.
    pub(crate) score: f64,
    /// Whether it is left out itself.
    pub(crate) open: bool,
}

/// A sorted set: members by score, then by bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zset {
    scores: BTreeMap<Vec<u8>, f64>,
    order: BTreeSet<(Score, Vec<u8>)>,
    bytes: usize,
    longest: usize,
}

impl Zset {
    /// Members.
    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    /// The longest member it ever had.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Bytes that it takes.
    pub(crate) fn weight(&self) -> usize {
        2 * self.bytes + self.len() * 80
    }

    /// The score of a member.
    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// Sets a score; whether the member is new.
    pub(crate) fn set(&mut self, member: &[u8], score: f64) -> bool {
        match self.scores.insert(member.to_vec(), score) {
            Some(old) => {
                self.order.remove(&(Score(old), member.to_vec()));
                self.order.insert((Score(score), member.to_vec()));
                false
            }
            None => {
                self.bytes += member.len();
                self.longest = self.longest.max(member.len());
                self.order.insert((Score(score), member.to_vec()));
                true
            }
        }
    }

    /// Takes a member out.
    pub(crate) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.remove(member)?;
        self.order.remove(&(Score(score), member.to_vec()));
        self.bytes -= member.len();
        Some(score)
    }

    /// Members and scores in ascending order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], f64)> {
        self.order.iter().map(|(score, member)| (member.as_slice(), score.0))
    }

    /// The place of a member from the front.
    pub(crate) fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.order.range(..(Score(score), member.to_vec())).count())
    }

    /// Members within two scores, ascending.
    pub(crate) fn by_score(&self, low: ScoreBound, high: ScoreBound) -> Vec<(Vec<u8>, f64)> {
        self.order
            .range((Score(low.score), Vec::new())..)
            .skip_while(|(score, _)| low.open && score.0 <= low.score)
            .take_while(|(score, _)| if high.open { score.0 < high.score } else { score.0 <= high.score })
            .map(|(score, member)| (member.clone(), score.0))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_rank_and_range() {
        let mut zset = Zset::default();
        for (member, score) in [("b", 1.0), ("a", 1.0), ("c", -3.0), ("d", 7.5)] {
            assert!(zset.set(member.as_bytes(), score));
        }
        assert!(!zset.set(b"d", 0.0));
        let members: Vec<&[u8]> = zset.iter().map(|(member, _)| member).collect();
        assert_eq!(members, [b"c", b"d", b"a", b"b"]);
        assert_eq!(zset.rank(b"a"), Some(2));
        let open = |score| ScoreBound { score, open: true };
        let closed = |score| ScoreBound { score, open: false };
        assert_eq!(zset.by_score(open(-3.0), closed(1.0)).len(), 3);
        assert_eq!(zset.by_score(closed(f64::NEG_INFINITY), open(1.0)).len(), 2);
        for member in [b"a", b"b", b"c", b"d"] {
            zset.remove(member);
        }
        assert_eq!((zset.weight(), zset.order.len()), (0, 0));
    }
}
