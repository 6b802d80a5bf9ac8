//! The log socket of one service of one decky.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::sys;

/// A pair of which both ends are kept: neither a new worker nor a new collector loses what is under way.
#[derive(Debug)]
pub struct LogSocket {
    service: OwnedFd,
    collector: OwnedFd,
    peeks: bool,
}

impl LogSocket {
    /// A new pair. Its peek offset (`SO_PEEK_OFF`, Linux 3.4) is switched on where the system has it, so that
    /// a collector can look at datagrams, write them, and take them only then.
    ///
    /// # Errors
    /// Too many open files.
    pub fn pair() -> io::Result<LogSocket> {
        let (service, collector) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let peeks = sys::set_peek_offset(collector.as_fd(), 0).is_ok();
        Ok(LogSocket { service, collector, peeks })
    }

    /// The service's end.
    pub fn service(&self) -> BorrowedFd<'_> {
        self.service.as_fd()
    }

    /// The collector's end.
    pub fn collector(&self) -> BorrowedFd<'_> {
        self.collector.as_fd()
    }

    /// How many bytes the last collector had looked at and not taken; sets it back to 0, for the next one. To be
    /// asked between two collectors. None where the system has no peek offset.
    pub fn take_unread(&self) -> Option<u64> {
        if !self.peeks {
            return None;
        }
        let unread = sys::peek_offset(self.collector.as_fd()).ok()?;
        sys::set_peek_offset(self.collector.as_fd(), 0).ok()?;
        u64::try_from(unread).ok()
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{RecvFlags, SendFlags, recv, send};

    use super::*;

    #[test]
    fn what_was_looked_at_and_not_taken_is_known() {
        let socket = LogSocket::pair().unwrap();
        for datagram in ["one", "three", "four"] {
            send(socket.service(), datagram.as_bytes(), SendFlags::empty()).unwrap();
        }
        assert_eq!(socket.take_unread(), Some(0));
        let look = |flags| {
            let mut buffer = [0; 16];
            let (length, _) = recv(socket.collector(), &mut buffer, flags).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!([look(RecvFlags::PEEK), look(RecvFlags::PEEK)], ["one", "three"]);
        assert_eq!(look(RecvFlags::empty()), "one");
        assert_eq!(socket.take_unread(), Some(5));
        assert_eq!(look(RecvFlags::PEEK), "three", "the next one begins at the front");
    }
}
