//! A service's end of a log socket that has a name: it connects to the collector's listener, and connects
//! again when that was started anew.
//!
//! What cannot be said meanwhile waits, up to [`WAITING_LIMIT`]; past it the newest are dropped and counted,
//! and the count goes out as `events.dropped` where the gap is. Nothing here blocks.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with, sockopt,
};

use crate::event::{Body, Report};
use crate::sink::EventSink;
use crate::socket::{SEND_BUFFER, encode};

/// Bytes of reports that wait for a collector.
pub const WAITING_LIMIT: usize = 4 << 20;

/// How soon a connection that failed is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// The service's end.
#[derive(Debug)]
pub struct ReconnectingSink {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    socket: Option<OwnedFd>,
    waiting: VecDeque<Vec<u8>>,
    /// Bytes in `waiting`.
    bytes: usize,
    /// Lost after the last of `waiting`.
    dropped: u64,
    next_try: Option<Instant>,
}

impl ReconnectingSink {
    /// Speaks to whoever listens at `path` (SOCK_SEQPACKET). Nobody needs to listen yet.
    pub fn new(path: &Path) -> ReconnectingSink {
        ReconnectingSink { path: path.to_owned(), state: Mutex::default() }
    }

    /// Says what waits, as far as there is somebody to hear it. `emit` does it too; a server with a timer
    /// calls it there, so that what waits goes out also when nothing more happens. True if nothing is left.
    pub fn flush(&self) -> bool {
        let mut state = self.state();
        state.flush(&self.path);
        state.waiting.is_empty() && state.dropped == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for ReconnectingSink {
    fn emit(&self, report: Report) {
        let mut state = self.state();
        match encode(&report) {
            Some(datagram) => state.push(datagram),
            None => state.dropped += 1,
        }
        state.flush(&self.path);
    }
}

impl State {
    /// Puts a report behind the others; false where there is no room.
    fn push(&mut self, datagram: Vec<u8>) {
        // While a loss is unreported, what follows joins it: the count stands where the gap is.
        if self.dropped > 0 || self.bytes + datagram.len() > WAITING_LIMIT {
            self.dropped += 1;
        } else {
            self.bytes += datagram.len();
            self.waiting.push_back(datagram);
        }
    }

    fn flush(&mut self, path: &Path) {
        loop {
            let Some(datagram) = self.waiting.front() else {
                if self.dropped == 0 {
                    return;
                }
                let report =
                    Report::without_conversation(Body::EventsDropped { count: self.dropped, delivery: None });
                let Some(datagram) = encode(&report) else { return };
                self.dropped = 0;
                self.push(datagram);
                continue;
            };
            let Some(socket) = connected(&mut self.socket, &mut self.next_try, path) else { return };
            match send(socket, datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(_) => {
                    self.bytes -= datagram.len();
                    self.waiting.pop_front();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOBUFS) => return,
                // A datagram of a length that this kernel never takes must not hold up the others.
                Err(Errno::MSGSIZE) => {
                    self.bytes -= datagram.len();
                    self.waiting.pop_front();
                    self.dropped += 1;
                }
                // The collector has gone.
                Err(_) => self.socket = None,
            }
        }
    }
}

fn connected<'s>(
    socket: &'s mut Option<OwnedFd>,
    next_try: &mut Option<Instant>,
    path: &Path,
) -> Option<&'s OwnedFd> {
    if socket.is_none() {
        let now = Instant::now();
        if next_try.is_some_and(|due| now < due) {
            return None;
        }
        *next_try = Some(now + AGAIN);
        *socket = open(path).ok();
    }
    socket.as_ref()
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    // Not blocking: a listener whose queue is full is tried again later.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // A smaller buffer only means that reports wait here and not there.
    let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use rustix::net::{RecvFlags, accept, bind, listen, recv};

    use super::*;

    fn listener(path: &Path) -> OwnedFd {
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        listen(&socket, 8).unwrap();
        socket
    }

    fn hear(socket: &OwnedFd) -> Report {
        let mut buffer = vec![0; 1 << 18];
        let (length, _) = recv(socket, &mut buffer[..], RecvFlags::empty()).unwrap();
        serde_json::from_slice(&buffer[..length]).unwrap()
    }

    fn probe(kind: &str) -> Report {
        Report::without_conversation(Body::ScanProbe { kind: kind.to_owned() })
    }

    #[test]
    fn what_was_said_before_and_between_collectors_arrives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.sock");
        let sink = ReconnectingSink::new(&path);
        sink.emit(probe("before"));
        assert!(!sink.flush());
        let first = listener(&path);
        std::thread::sleep(AGAIN);
        sink.emit(probe("first"));
        let connection = accept(&first).unwrap();
        assert_eq!(hear(&connection), probe("before"));
        assert_eq!(hear(&connection), probe("first"));
        drop((connection, first));
        std::fs::remove_file(&path).unwrap();
        sink.emit(probe("between"));
        let second = listener(&path);
        std::thread::sleep(AGAIN);
        assert!(sink.flush());
        assert_eq!(hear(&accept(&second).unwrap()), probe("between"));
    }

    #[test]
    fn what_waits_is_bounded_and_the_gap_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.sock");
        let sink = ReconnectingSink::new(&path);
        let large = "x".repeat(60_000);
        for _ in 0..100 {
            sink.emit(probe(&large));
        }
        let kept = {
            let state = sink.state();
            assert!(state.bytes <= WAITING_LIMIT);
            assert_eq!(state.dropped as usize + state.waiting.len(), 100);
            state.waiting.len()
        };
        let listener = listener(&path);
        std::thread::sleep(AGAIN);
        sink.flush();
        let connection = accept(&listener).unwrap();
        for _ in 0..kept {
            assert_eq!(hear(&connection), probe(&large));
            sink.flush();
        }
        let Body::EventsDropped { count, .. } = hear(&connection).body else { panic!("the gap") };
        assert_eq!(count as usize, 100 - kept);
    }
}
