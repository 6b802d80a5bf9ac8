//! What a way out must be able to do.

use std::time::Duration;

use crate::event::Event;

/// Carries events from the journal to one place: a file, a syslog server. Every delivery has its own thread
/// and its own cursor in the journal, so it may block without delaying anybody else.
///
/// The contract between a delivery and the thread that drives it:
/// 1. Events are handed over in the order of their sequence numbers, without gap.
/// 2. [`Delivery::deliver`] says how many of them it took; the rest come again.
/// 3. The cursor that is kept on disk is [`Delivery::settled`], not what was taken: a transport that knows
///    what has arrived (the peer's kernel acknowledged it) settles only that.
/// 4. After an error the thread waits (growing, with jitter) and goes on behind `settled`. So a transport
///    without acknowledgements may give an event twice, never lose one that it has not settled; the sequence
///    number tells a reader.
pub trait Delivery: Send {
    /// A name that stays the same over restarts and differs from every other delivery's: the cursor is kept
    /// under it. Lower-case letters, digits, `.`, `_`, `-`.
    fn name(&self) -> &str;

    /// Hands events over, oldest first, and gives back how many were taken whole. It may block, but not
    /// longer than about `patience`; fewer than all, also none, is no error.
    ///
    /// # Errors
    /// The place cannot be reached or does not take anything now. Everything behind `settled` comes again.
    fn deliver(&mut self, events: &[Event], patience: Duration) -> Result<usize, DeliveryError>;

    /// The sequence number of the last event that has arrived, as far as this transport can know; none while
    /// that is still unknown since the start or the last error. Also called when there is nothing to deliver,
    /// so that a slow acknowledgement settles.
    fn settled(&mut self) -> Option<u64>;

    /// The operator asks to open anew what is open (SIGHUP, after another program has rotated the file).
    fn reopen(&mut self) {}
}

/// Why a place takes nothing.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {source}")]
pub struct DeliveryError {
    /// The place, as the operator wrote it.
    pub place: String,
    /// The cause.
    pub source: std::io::Error,
}
