//! What a collector says of itself: heartbeats and summaries. One small thing for a loop to ask "when?" and
//! "what now?"; while nobody is about, only the heartbeat is due.

use crate::event::{Event, Report};
use crate::heartbeat::{Heartbeat, Standing};
use crate::summary::Summaries;

/// The duties of one collector.
#[derive(Debug, Default)]
pub struct Duties {
    summaries: Summaries,
    heartbeat: Option<Heartbeat>,
}

impl Duties {
    /// With a heartbeat in every so many seconds, or with none.
    pub fn new(heartbeat_s: Option<u64>) -> Duties {
        Duties { summaries: Summaries::default(), heartbeat: heartbeat_s.map(Heartbeat::every) }
    }

    /// Takes notice of an event that is written.
    pub fn observe(&mut self, event: &Event) {
        self.summaries.observe(event);
    }

    /// When [`Duties::tick`] should be called: microseconds since 1970-01-01 UTC. None: no timer is needed.
    pub fn next_due(&self, now: i64) -> Option<i64> {
        let beat = self.heartbeat.as_ref().map(|heartbeat| heartbeat.next_due(now));
        [beat, self.summaries.next_due()].into_iter().flatten().min()
    }

    /// What is to be said at this moment, in order.
    pub fn tick(&mut self, now: i64, standing: &Standing) -> Vec<Report> {
        let mut reports = self.summaries.due(now);
        let standing = after(standing, reports.len());
        let beat = self.heartbeat.as_mut().and_then(|heartbeat| heartbeat.tick(now, &standing));
        reports.extend(beat.map(Report::without_conversation));
        reports
    }

    /// The last words of a collector that ends in order.
    pub fn finish(&mut self, standing: &Standing) -> Vec<Report> {
        let mut reports = self.summaries.finish();
        let standing = after(standing, reports.len());
        let beat = self.heartbeat.as_mut().map(|heartbeat| heartbeat.finish(&standing));
        reports.extend(beat.map(Report::without_conversation));
        reports
    }
}

/// How things stand once so many more events are written.
fn after(standing: &Standing, more: usize) -> Standing {
    let more = more as u64;
    Standing { events: standing.events + more, next_seq: standing.next_seq + more, ..*standing }
}
