//! Syslog over TCP (RFC 6587) and TLS (RFC 5425).
//!
//! An event counts as arrived when the other side's kernel has acknowledged its last byte, and nothing was
//! heard against the connection for a second after. After an error all the others come again: a server may
//! see an event twice, and tells it by its `seq`. What a server's own program loses after that - its queue
//! at a crash - no syslog transport can know.

use std::io;
use std::time::{Duration, Instant};

use decnet_core::plan::{Framing, LogTarget};

use super::delivery::{Delivery, DeliveryError};
use super::flight::Flight;
use super::link::Link;
use crate::event::Event;
use crate::syslog;

/// How long a connection must stay sound after an acknowledgement: a server that throws away what its
/// kernel took says so well within.
const HOLD: Duration = Duration::from_secs(1);

/// Bytes that wait for the kernel; one event more may be in it.
const OUT_LIMIT: usize = 256 * 1024;

/// How often the kernel is asked what was acknowledged.
const ASK: Duration = Duration::from_millis(100);

/// Sends events over a connection that is made when there is something to send.
pub struct StreamDelivery {
    name: String,
    target: LogTarget,
    link: Option<Link>,
    flight: Flight,
    /// When the kernel was last asked.
    asked: Option<Instant>,
    /// What was found while nothing was delivered.
    failed: Option<io::Error>,
}

impl StreamDelivery {
    /// A delivery to the target; TLS where its transport says so.
    pub fn new(name: String, target: LogTarget) -> Self {
        StreamDelivery { name, target, link: None, flight: Flight::new(HOLD), asked: None, failed: None }
    }

    fn work(&mut self, events: &[Event], deadline: Instant) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        // A server that has closed a connection on which nothing was under way is asked again at once.
        if self.flight.is_empty() && self.link.as_mut().is_some_and(|link| !link.is_sound()) {
            self.link = None;
        }
        let link = match &mut self.link {
            Some(link) => link,
            None if events.is_empty() => return Ok(0),
            none => none.insert(Link::begin(&self.target)?),
        };
        if !link.ready(deadline)? {
            return Ok(0);
        }
        let mut taken = 0;
        loop {
            link.listen()?;
            while let Some(event) = events.get(taken)
                && link.pending() < OUT_LIMIT
                && self.flight.has_room()
            {
                let message = syslog::encode_within(event, self.target.size());
                match self.target.options.framing {
                    Framing::Octets => {
                        link.push(format!("{} ", message.len()).as_bytes())?;
                        link.push(message.as_bytes())?;
                    }
                    // No message holds a line feed: `crate::text::is_unsafe`.
                    Framing::Lf => {
                        link.push(message.as_bytes())?;
                        link.push(b"\n")?;
                    }
                }
                self.flight.push(event.seq, link.end());
                taken += 1;
            }
            link.flush()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if (taken == events.len() && link.pending() == 0) || left.is_zero() {
                return Ok(taken);
            }
            if !self.flight.has_room() {
                self.flight.acknowledge(link.acknowledged()?, Instant::now());
            }
            link.wait(left.min(ASK))?;
        }
    }

    /// Learns what has arrived.
    fn ask(&mut self, now: Instant) -> io::Result<()> {
        let Some(link) = &mut self.link else { return Ok(()) };
        if !link.ready(now)? {
            return Ok(());
        }
        link.flush()?;
        link.listen()?;
        if self.flight.is_waiting() && self.asked.is_none_or(|at| now.saturating_duration_since(at) >= ASK) {
            self.asked = Some(now);
            let acknowledged = link.acknowledged()?;
            // A reset between the two would make the number worthless.
            link.listen()?;
            self.flight.acknowledge(acknowledged, now);
        }
        Ok(())
    }

    fn lose(&mut self) {
        self.link = None;
        self.flight.lose();
    }
}

impl Delivery for StreamDelivery {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&mut self, events: &[Event], patience: Duration) -> Result<usize, DeliveryError> {
        self.work(events, Instant::now() + patience).map_err(|source| {
            self.lose();
            DeliveryError { place: format!("log target {}", self.target), source }
        })
    }

    fn settled(&mut self) -> Option<u64> {
        let now = Instant::now();
        if let Err(error) = self.ask(now) {
            // Where nothing was under way there is nothing to tell.
            self.failed = Some(error).filter(|_| !self.flight.is_empty());
            self.lose();
        }
        self.flight.settle(now)
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
