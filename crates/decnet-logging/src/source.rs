//! One service of one decky, as the collector hears it.
//!
//! A datagram must not be lost with a collector that is killed between taking it from the socket and writing
//! it to the journal. So it is only looked at (`MSG_PEEK`) until it is written, and taken then. Two marks that
//! outlive the process tell the next collector what the last one had done: the socket's peek offset
//! (`SO_PEEK_OFF`, kept by the kernel as long as the keeper holds the socket) says how much was looked at and
//! not taken, and the journal's file `taken` says up to which event every datagram had been taken. Events
//! behind that mark are in the journal *and*, as far as the peek offset reaches, still in the socket: those
//! datagrams are thrown away. So every datagram becomes one event, wherever the process was killed. (An empty
//! datagram, which no service sends, moves no offset: it may become two.)
//!
//! A socket whose peek offset nobody has switched on is read the plain way; what was read and not yet written
//! dies with the process.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{RecvFlags, recv};

use crate::event::Speaker;

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
    /// `unread` is the peek offset that the socket had with an earlier collector, where it has one;
    /// `journaled` how many of its oldest datagrams that one had written. They are thrown away.
    pub(crate) fn new(speaker: Speaker, socket: OwnedFd, unread: Option<u64>, journaled: u32) -> Source {
        let mut unread_bytes = unread.unwrap_or(0);
        for _ in 0..journaled {
            if unread_bytes == 0 {
                break;
            }
            match take(&socket) {
                Ok(length) => unread_bytes = unread_bytes.saturating_sub(length as u64),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        Source { speaker, socket, peeks: unread.is_some(), seen: Seen::default() }
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
