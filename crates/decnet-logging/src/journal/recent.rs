//! The events that were written last. A way out that keeps pace takes them from here, and need not read from
//! the journal what this process has just had in its hands; one that lags reads the journal.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::Event;

/// Events that are kept; more than come in while a way out writes a batch.
const EVENTS: usize = 4096;

/// Bytes of their lines in the journal, as a measure of what they take in memory.
const BYTES: usize = 1024 * 1024;

/// A queue of the newest events, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<(Arc<Event>, usize)>,
    bytes: usize,
}

impl Recent {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an event whose line has so many bytes, and lets the oldest go.
    pub(crate) fn push(&self, event: Event, bytes: usize) {
        let mut kept = self.kept();
        kept.bytes += bytes;
        kept.events.push_back((Arc::new(event), bytes));
        while kept.events.len() > EVENTS || kept.bytes > BYTES {
            let Some((_, bytes)) = kept.events.pop_front() else { break };
            kept.bytes -= bytes;
        }
    }

    /// The event of a number, if it is still kept.
    pub(crate) fn get(&self, seq: u64) -> Option<Arc<Event>> {
        let kept = self.kept();
        let first = kept.events.front()?.0.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        kept.events.get(index).map(|(event, _)| event.clone()).filter(|event| event.seq == seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Report, SCHEMA, Speaker};

    fn event(seq: u64) -> Event {
        let report = Report::without_conversation(Body::ConnectionOpened);
        let severity = report.body.severity();
        Event { schema: SCHEMA, ts: 0, seq, speaker: Speaker::default(), severity, report }
    }

    #[test]
    fn the_newest_are_kept_up_to_both_bounds() {
        let recent = Recent::default();
        assert!(recent.get(1).is_none());
        for seq in 1..=EVENTS as u64 + 10 {
            recent.push(event(seq), 1);
        }
        assert!(recent.get(10).is_none() && recent.get(0).is_none());
        assert_eq!(recent.get(11).unwrap().seq, 11);
        assert_eq!(recent.get(EVENTS as u64 + 10).unwrap().seq, EVENTS as u64 + 10);
        assert!(recent.get(EVENTS as u64 + 11).is_none());
        recent.push(event(EVENTS as u64 + 11), BYTES);
        assert!(recent.get(EVENTS as u64 + 10).is_none(), "a large one leaves room for no other");
        assert!(recent.get(EVENTS as u64 + 11).is_some());
        recent.push(event(EVENTS as u64 + 12), BYTES + 1);
        assert!(recent.get(EVENTS as u64 + 12).is_none());
        assert_eq!(recent.kept().bytes, 0);
    }

    #[test]
    fn a_hole_in_the_numbers_gives_nothing_wrong() {
        let recent = Recent::default();
        recent.push(event(3), 1);
        recent.push(event(5), 1);
        assert!(recent.get(4).is_none() && recent.get(5).is_none());
        assert_eq!(recent.get(3).unwrap().seq, 3);
    }
}
