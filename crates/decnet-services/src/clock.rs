//! The time as a decky sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A decky's wall clock: the system's plus the decky's own offset, or one that a test moves by hand.
/// Delays inside a conversation use tokio's timer, which tests pause.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { offset_ms: i64 },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock, off by `offset_ms` milliseconds.
    pub fn system(offset_ms: i64) -> Clock {
        Clock(Source::System { offset_ms })
    }

    /// A clock that stands at `micros` microseconds since 1970-01-01 UTC until it is moved.
    pub fn manual(micros: i64) -> (Clock, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(micros));
        (Clock(Source::Manual(Arc::clone(&hand))), hand)
    }

    /// Microseconds since 1970-01-01 UTC.
    pub fn micros(&self) -> i64 {
        match &self.0 {
            Source::System { offset_ms } => {
                let now = match SystemTime::now().duration_since(UNIX_EPOCH) {
                    Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
                    Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
                };
                now.saturating_add(offset_ms.saturating_mul(1000))
            }
            Source::Manual(hand) => hand.load(Ordering::Relaxed),
        }
    }

    /// Seconds since 1970-01-01 UTC, rounded down.
    pub fn seconds(&self) -> i64 {
        self.micros().div_euclid(1_000_000)
    }
}
