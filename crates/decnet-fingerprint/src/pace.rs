//! How many ICMP errors a peer gets: a token bucket for each, as Linux has it (`icmp_ratelimit`).

use crate::facts::Pace;
use crate::table::{Table, Worth};

/// Peers whose bucket is remembered. One that is forgotten gets a full one.
const PEERS: usize = 256;

/// A peer's bucket.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Microseconds of errors that are saved up.
    saved: u64,
    seen: u64,
}

impl Worth for Bucket {
    fn worth(&self) -> (u8, u64) {
        (0, self.seen)
    }
}

#[derive(Debug)]
pub(crate) struct Paces {
    peers: Table<Bucket>,
}

impl Paces {
    pub(crate) fn new(secret: u64) -> Paces {
        Paces { peers: Table::new(PEERS, secret) }
    }

    /// Whether the peer gets an error now.
    pub(crate) fn allows(&mut self, pace: Pace, peer: u32, micros: u64) -> bool {
        let one = u64::from(pace.every_ms) * 1000;
        let full = one * u64::from(pace.burst);
        let key = u64::from(peer);
        let bucket = self.peers.get_mut(key).copied().unwrap_or(Bucket { saved: full, seen: micros });
        let saved = bucket.saved.saturating_add(micros.saturating_sub(bucket.seen)).min(full);
        let is_allowed = saved >= one;
        let saved = if is_allowed { saved - one } else { saved };
        self.peers.insert(key, Bucket { saved, seen: micros });
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_in_a_while() {
        let mut paces = Paces::new(1);
        let pace = Pace { burst: 6, every_ms: 1000 };
        let mut got = |peer, at| paces.allows(pace, peer, at);
        assert_eq!((0..100).filter(|at| got(1, at * 1000)).count(), 6);
        assert!(got(2, 100_000), "another peer has a bucket of its own");
        assert_eq!((0..100).filter(|at| got(1, 100_000 + at * 100_000)).count(), 10);
        assert_eq!((0..100).filter(|at| got(1, 60_000_000 + at)).count(), 6);
        for peer in 0..10_000 {
            got(peer, 70_000_000);
        }
        assert!(paces.peers.room() <= PEERS);
    }
}
