//! A delivery driven by the collector's own thread, without journal: what cannot be delivered waits in
//! memory.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Delivery, Notice, OperatorLog, Sink};
use crate::event::Event;

/// Events that wait.
const WAITING_LIMIT: usize = 4096;

/// How long a delivery may hold the collector up.
const PATIENCE: Duration = Duration::from_millis(20);

/// How long a place that takes nothing is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// Drives a delivery.
pub(crate) struct Direct {
    delivery: Box<dyn Delivery>,
    /// Oldest first; the first `taken` are under way.
    waiting: VecDeque<Event>,
    taken: usize,
    dropped: u64,
    due: Option<Instant>,
    failing: bool,
    log: OperatorLog,
}

impl Direct {
    pub(crate) fn new(delivery: Box<dyn Delivery>, log: OperatorLog) -> Self {
        Direct { delivery, waiting: VecDeque::new(), taken: 0, dropped: 0, due: None, failing: false, log }
    }
}

impl Sink for Direct {
    fn write(&mut self, event: &Event) {
        if self.waiting.len() == WAITING_LIMIT {
            self.dropped += 1;
        } else {
            self.waiting.push_back(event.clone());
        }
    }

    fn flush(&mut self) -> bool {
        if self.due.take_if(|due| Instant::now() >= *due).is_none() && self.due.is_some() {
            return false;
        }
        let events = self.waiting.make_contiguous();
        match self.delivery.deliver(&events[self.taken..], PATIENCE) {
            Ok(count) => {
                self.taken += count;
                if count > 0 && std::mem::take(&mut self.failing) {
                    (self.log)(&Notice::DeliveryRecovered(self.delivery.name().to_owned()));
                }
            }
            Err(error) => {
                self.taken = 0;
                self.due = Some(Instant::now() + RETRY);
                if !std::mem::replace(&mut self.failing, true) {
                    (self.log)(&Notice::DeliveryFailed(error));
                }
            }
        }
        if let Some(settled) = self.delivery.settled() {
            while self.waiting.pop_front_if(|event| event.seq <= settled).is_some() {
                self.taken = self.taken.saturating_sub(1);
            }
        }
        self.waiting.is_empty()
    }

    fn take_dropped(&mut self) -> u64 {
        if self.failing { 0 } else { std::mem::take(&mut self.dropped) }
    }
}
