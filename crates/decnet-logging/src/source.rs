//! One service of one decky, as the collector hears it.
//!
//! A datagram must not be lost with a collector that is killed between taking it from the socket and writing
//! it to the journal. So it is only looked at (`MSG_PEEK`) until it is written, and taken then. Two marks that
//! outlive the process tell the next collector what the last one had done: the socket's peek offset
//! (`SO_PEEK_OFF`, kept by the kernel as long as the keeper holds the socket) says how much was looked at and
//! not taken, and the journal's file `taken` says up to which event every datagram had been taken. Events
//! behind that mark are in the journal, and their datagrams, the oldest ones, are still in the socket as far as
//! the peek offset reaches: those are thrown away. So every datagram becomes one event, wherever the process
//! was killed. (An empty datagram, which no service sends, moves no offset: it may become two.)
//!
//! Where nobody can switch the peek offset on ([`PeekOffset`]), a socket is read the plain way; what was read
//! and not yet written dies with the process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{RecvFlags, recv};

use crate::event::Speaker;

/// The socket option `SO_PEEK_OFF` (socket(7), Linux 3.4), which no safe crate wraps: whoever runs a collector
/// brings it.
#[derive(Clone, Copy, Debug)]
pub struct PeekOffset {
    /// Its present value; negative where it is off.
    pub get: fn(BorrowedFd<'_>) -> io::Result<i32>,
    /// Sets it.
    pub set: fn(BorrowedFd<'_>, i32) -> io::Result<()>,
}

impl PeekOffset {
    /// Makes a socket ready to be looked into from its oldest datagram on, but for those that are in the
    /// journal: they are thrown away. `keep` says how much of what an earlier collector had looked at is not;
    /// `done` is called when it is thrown away, before anything is looked at anew. False where it cannot be
    /// looked into.
    pub(crate) fn prepare(
        &self,
        socket: &OwnedFd,
        keep: impl FnOnce(u64) -> u64,
        done: impl FnOnce(),
    ) -> bool {
        let seen = (self.get)(socket.as_fd()).ok().and_then(|seen| u64::try_from(seen).ok());
        if let Some(mut seen) = seen {
            let until = keep(seen);
            while seen > until {
                match take(socket) {
                    Ok(length) => seen = seen.saturating_sub(length as u64),
                    Err(Errno::INTR) => {}
                    Err(_) => break,
                }
            }
        }
        done();
        (self.set)(socket.as_fd(), 0).is_ok()
    }
}

/// A source.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) speaker: Speaker,
    socket: OwnedFd,
    /// Its peek offset is on.
    peeks: bool,
    /// Looked at and not yet taken.
    seen: Seen,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    datagrams: usize,
    bytes: u64,
}

/// What there was.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A datagram of that length. The first bytes of it, as many as fit, are in the buffer.
    Datagram(usize),
    /// Nothing at present.
    Nothing,
    /// The service has closed, and all that it said was heard.
    End,
}

impl Source {
    /// `peeks` says that its peek offset is on.
    pub(crate) fn new(speaker: Speaker, socket: OwnedFd, peeks: bool) -> Source {
        Source { speaker, socket, peeks, seen: Seen::default() }
    }

    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Whether something is looked at and not yet taken.
    pub(crate) fn is_open(&self) -> bool {
        self.seen.datagrams > 0
    }

    /// The next datagram.
    pub(crate) fn hear(&mut self, buffer: &mut [u8]) -> Result<Heard, Errno> {
        let how = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let how = if self.peeks { how | RecvFlags::PEEK } else { how };
        // recv takes no ancillary data: descriptors that came along are closed by the kernel.
        match recv(&self.socket, &mut *buffer, how) {
            Ok((_, 0)) if self.is_at_end() => Ok(Heard::End),
            Ok((_, length)) => {
                if self.peeks {
                    self.seen.datagrams += 1;
                    self.seen.bytes += length as u64;
                    self.pass_over(length.saturating_sub(buffer.len()), buffer.len());
                }
                Ok(Heard::Datagram(length))
            }
            Err(Errno::AGAIN) if self.peeks && self.seen.datagrams == 0 => self.take_leftover(buffer),
            Err(Errno::AGAIN) => Ok(Heard::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Moves the peek offset over the rest of a datagram that was longer than the buffer.
    fn pass_over(&self, mut rest: usize, most: usize) {
        let mut scrap = vec![0; rest.min(most)];
        while rest > 0 {
            let how = RecvFlags::DONTWAIT | RecvFlags::TRUNC | RecvFlags::PEEK;
            match recv(&self.socket, &mut scrap[..], how) {
                Ok((_, length)) => rest = rest.min(length).saturating_sub(scrap.len()),
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    /// An empty datagram that was looked at and not taken by a collector that was killed is passed over by
    /// every further look, and keeps the socket readable.
    fn take_leftover(&mut self, buffer: &mut [u8]) -> Result<Heard, Errno> {
        match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
            // That one, or the end; the end comes again.
            Ok((_, 0)) | Err(Errno::AGAIN) => Ok(Heard::Nothing),
            Ok((_, length)) => Ok(Heard::Datagram(length)),
            Err(error) => Err(error),
        }
    }

    /// Takes what was looked at: it is written.
    pub(crate) fn take_seen(&mut self) {
        let mut left = std::mem::take(&mut self.seen);
        while left.datagrams > 0 || left.bytes > 0 {
            match take(&self.socket) {
                Ok(length) => {
                    left.datagrams = left.datagrams.saturating_sub(1);
                    left.bytes = left.bytes.saturating_sub(length as u64);
                }
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(_) => return,
            }
        }
    }

    /// Whether nothing came because the service has closed, and not because it sent an empty datagram: then
    /// its end is still there, or there is more behind.
    fn is_at_end(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::empty())];
        // An error of poll says nothing about the peer: the source stays, and is looked at again.
        let closed = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
            && polled[0].revents().contains(PollFlags::HUP);
        closed && ioctl_fionread(&self.socket).is_ok_and(|waiting| waiting == self.seen.bytes)
    }
}

/// Takes one datagram from a socket, unread; gives its length.
fn take(socket: impl AsFd) -> Result<usize, Errno> {
    recv(socket, &mut [0_u8; 1], RecvFlags::DONTWAIT | RecvFlags::TRUNC).map(|(_, length)| length)
}
