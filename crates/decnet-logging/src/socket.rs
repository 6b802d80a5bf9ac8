//! From a service to the collector: one SOCK_SEQPACKET pair per service of a decky, one datagram per report,
//! each a JSON [`Report`] of at most [`DATAGRAM_LIMIT`] bytes. Between them come the steps of artifacts
//! ([`crate::artifact::frame`]).
//!
//! The pair itself says who speaks. The service's end never blocks: what finds the socket full is dropped
//! and counted, and the count goes out as `events.dropped` as soon as there is room again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair, sockopt};

use crate::artifact::frame::{self, Frame};
use crate::event::{Body, Report};
use crate::json;
use crate::shrink::shrink;
use crate::sink::EventSink;

/// Bytes in one datagram. A report with [`crate::event::RAW_LIMIT`] raw bytes fits with room to spare.
pub const DATAGRAM_LIMIT: usize = 128 * 1024;

/// What the service's end asks the kernel to hold while the collector is busy; capped by
/// `net.core.wmem_max`.
pub(crate) const SEND_BUFFER: usize = 512 * 1024;

/// The mark of a report that was cut to fit.
const TRUNCATED_TAG: &str = "truncated";

/// The service's end.
#[derive(Debug)]
pub struct SocketSink {
    socket: OwnedFd,
    /// Lost and not yet reported.
    waiting: AtomicU64,
    /// Lost since the start.
    dropped: AtomicU64,
}

impl SocketSink {
    /// A new pair: the service's end and the collector's. Both close on exec.
    ///
    /// # Errors
    /// Too many open files.
    pub fn pair() -> io::Result<(SocketSink, OwnedFd)> {
        let (service, collector) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((SocketSink::new(service), collector))
    }

    /// The service's end from a descriptor that was made by [`SocketSink::pair`] and inherited, or that is
    /// connected to a collector's SOCK_SEQPACKET listener.
    pub fn new(socket: OwnedFd) -> Self {
        // A smaller buffer only means that drops begin earlier.
        let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
        SocketSink { socket, waiting: AtomicU64::new(0), dropped: AtomicU64::new(0) }
    }

    /// How many reports were lost since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Sends the count of lost reports if there is one and there is room. True if nothing is left to
    /// report. `emit` does it by itself before the next report; a server with a timer calls it there, so
    /// that a loss is known also when nothing more happens. Never blocks.
    pub fn report_drops(&self) -> bool {
        let count = self.waiting.swap(0, Ordering::Relaxed);
        if count == 0 {
            return true;
        }
        let report = Report::without_conversation(Body::EventsDropped { count, delivery: None });
        let sent = encode(&report).is_some_and(|datagram| self.send(&datagram).is_ok());
        if !sent {
            self.waiting.fetch_add(count, Ordering::Relaxed);
        }
        sent
    }

    fn send(&self, datagram: &[u8]) -> Result<(), Errno> {
        loop {
            match send(&self.socket, datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl EventSink for SocketSink {
    fn emit(&self, report: Report) {
        // While a loss is unreported the socket is full: this one joins it, so that the count stands in the
        // stream where the gap is.
        let sent =
            self.report_drops() && encode(&report).is_some_and(|datagram| self.send(&datagram).is_ok());
        if !sent {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn artifact(&self, frame: &Frame<'_>) -> bool {
        // The little words that end one may take what chunks must leave to the reports.
        let chunk = matches!(frame, Frame::Chunk { .. });
        (!chunk || self.has_room()) && self.send(&frame::encode(frame)).is_ok()
    }

    /// Only while less than a quarter of the buffer is filled (`unix_writable` in the kernel): a file must
    /// not take the room of the reports, or an upload would hide what its source does beside it.
    fn has_room(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::OUT)];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
            && polled[0].revents().contains(PollFlags::OUT)
    }
}

impl AsFd for SocketSink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for SocketSink {
    fn drop(&mut self) {
        self.report_drops();
    }
}

/// The datagram of a report, cut to [`DATAGRAM_LIMIT`] where needed: raw bytes first, then the longest
/// values, with the tag `truncated`. None for a report that cannot be written at all.
pub(crate) fn encode(report: &Report) -> Option<Vec<u8>> {
    let written = |report: &Report, cut: &[String]| {
        let mut datagram = Vec::with_capacity(512);
        if cut.iter().any(|name| name != "raw") {
            json::encode_into(&report.clone().with_tag(TRUNCATED_TAG), &mut datagram).ok()?;
        } else {
            json::encode_into(report, &mut datagram).ok()?;
        }
        Some(datagram)
    };
    let datagram = written(report, &[])?;
    if datagram.len() <= DATAGRAM_LIMIT {
        return Some(datagram);
    }
    let excess = |report: &Report, cut: &[String]| {
        written(report, cut).map_or(0, |datagram| datagram.len().saturating_sub(DATAGRAM_LIMIT))
    };
    let (report, cut) = shrink(report, Vec::new(), excess)?;
    written(&report, &cut).filter(|datagram| datagram.len() <= DATAGRAM_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RAW_LIMIT;

    #[test]
    fn a_report_of_any_size_fits_a_datagram() {
        let body = Body::Command {
            command: "SET".into(),
            line: "\u{1}".repeat(300_000),
            outcome: crate::event::Outcome::Accepted,
        };
        let report = Report::without_conversation(body).with_raw(&vec![7; RAW_LIMIT]);
        let datagram = encode(&report).unwrap();
        assert!(datagram.len() <= DATAGRAM_LIMIT);
        let back: Report = serde_json::from_slice(&datagram).unwrap();
        assert!(back.raw.is_none() && back.raw_truncated);
        assert_eq!(back.raw_len, Some(RAW_LIMIT as u64));
        assert_eq!(back.tags, ["truncated"]);
        let Body::Command { line, .. } = back.body else { panic!() };
        // Escaped it is six times as long, and more than the half of what fits is kept.
        assert!(line.len() > DATAGRAM_LIMIT / 6 / 2, "{}", line.len());
    }

    #[test]
    fn raw_bytes_go_before_anything_else() {
        let body = Body::Command {
            command: "SET".into(),
            line: "x".repeat(60_000),
            outcome: crate::event::Outcome::Accepted,
        };
        let report = Report::without_conversation(body.clone()).with_raw(&vec![7; RAW_LIMIT]);
        let back: Report = serde_json::from_slice(&encode(&report).unwrap()).unwrap();
        assert_eq!(back.body, body);
        assert!(back.raw_truncated && back.tags.is_empty());
        let raw = back.raw.unwrap().0;
        assert!(raw.len() > 40_000 && raw.iter().all(|b| *b == 7), "{}", raw.len());
    }

    #[test]
    fn a_dead_collector_costs_nothing_but_the_reports() {
        let (sink, collector) = SocketSink::pair().unwrap();
        drop(collector);
        for _ in 0..10 {
            sink.emit(Report::without_conversation(Body::ConnectionOpened));
        }
        assert_eq!(sink.dropped(), 10);
        assert!(!sink.report_drops());
    }
}
