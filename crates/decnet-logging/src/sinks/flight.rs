//! What is under way: handed to the transport, and not known to have arrived.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Events under way at once; a slow reader on the other side makes this list grow.
pub(super) const FLIGHT_LIMIT: usize = 8192;

/// Moments at which something was acknowledged and is still held back.
const HELD_LIMIT: usize = 64;

/// Keeps account of events by the offset of their last byte in what was sent.
///
/// An acknowledgement says that the kernel on the other side has the bytes, not that the program there has
/// read them: a server that closes at once, or refuses a certificate after the handshake (TLS 1.3), throws
/// away what its kernel acknowledged. So an event counts as arrived when nothing has been heard against the
/// connection for a while after.
pub(super) struct Flight {
    hold: Duration,
    /// Sequence number and offset behind the last byte.
    sent: VecDeque<(u64, u64)>,
    /// Sequence number and when it was acknowledged.
    held: VecDeque<(u64, Instant)>,
    settled: Option<u64>,
}

impl Flight {
    pub(super) fn new(hold: Duration) -> Self {
        Flight { hold, sent: VecDeque::new(), held: VecDeque::new(), settled: None }
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.sent.len() < FLIGHT_LIMIT
    }

    /// An event was handed to the transport; its last byte stands before `end`.
    pub(super) fn push(&mut self, seq: u64, end: u64) {
        self.sent.push_back((seq, end));
    }

    /// Everything before `offset` has been acknowledged.
    pub(super) fn acknowledge(&mut self, offset: u64, now: Instant) {
        let mut last = None;
        while let Some((seq, _)) = self.sent.pop_front_if(|(_, end)| *end <= offset) {
            last = Some(seq);
        }
        let Some(seq) = last else { return };
        if self.held.len() == HELD_LIMIT {
            // The last one's moment becomes later than true, never earlier.
            self.held.pop_back();
        }
        self.held.push_back((seq, now));
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.held.is_empty()
    }

    /// Whether anything waits for an acknowledgement.
    pub(super) fn is_waiting(&self) -> bool {
        !self.sent.is_empty()
    }

    /// The last event that has arrived.
    pub(super) fn settle(&mut self, now: Instant) -> Option<u64> {
        let hold = self.hold;
        while let Some((seq, _)) =
            self.held.pop_front_if(|(_, at)| now.saturating_duration_since(*at) >= hold)
        {
            self.settled = Some(seq);
        }
        self.settled
    }

    /// The connection broke: what has not arrived comes again.
    pub(super) fn lose(&mut self) {
        self.sent.clear();
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stood_the_test_of_time_has_arrived() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut flight = Flight::new(Duration::from_secs(1));
        flight.push(1, 100);
        flight.push(2, 250);
        flight.acknowledge(249, after(0));
        assert_eq!(flight.settle(after(999)), None);
        flight.acknowledge(250, after(1000));
        assert_eq!(flight.settle(after(1000)), Some(1));
        flight.lose();
        assert_eq!(flight.settle(after(9000)), Some(1), "the second was lost on the way");
    }

    #[test]
    fn both_lists_are_bounded() {
        let start = Instant::now();
        let mut flight = Flight::new(Duration::from_secs(1));
        let mut seq = 0;
        while flight.has_room() {
            seq += 1;
            flight.push(seq, seq);
        }
        assert_eq!(seq, FLIGHT_LIMIT as u64);
        for end in 1..=1000 {
            flight.acknowledge(end, start + Duration::from_millis(end));
        }
        assert_eq!(flight.held.len(), HELD_LIMIT);
        assert_eq!(flight.settle(start + Duration::from_millis(1500)), Some(63));
        assert_eq!(flight.settle(start + Duration::from_millis(2000)), Some(1000));
    }
}
