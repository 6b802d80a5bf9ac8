//! Messages with descriptors between our own processes: one SOCK_SEQPACKET datagram, JSON, SCM_RIGHTS.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, sendmsg, socketpair, sockopt,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the longest message: a decky's part of a plan with room to spare.
const MESSAGE_LIMIT: usize = 256 * 1024;
/// Descriptors in one message; the kernel takes no more (`SCM_MAX_FD`).
pub(crate) const DESCRIPTOR_LIMIT: usize = 253;

/// One end of a channel.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// What came.
#[derive(Debug)]
pub(crate) enum Received<T> {
    /// A message and its descriptors.
    Message(T, Vec<OwnedFd>),
    /// Nothing is waiting.
    Empty,
    /// The other end is gone.
    End,
}

impl Channel {
    /// Both ends; both close on exec.
    pub(crate) fn pair() -> io::Result<(Channel, Channel)> {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Channel::new(one), Channel::new(other)))
    }

    /// An end that was inherited.
    pub(crate) fn new(socket: OwnedFd) -> Channel {
        // Room for a burst of messages; less only means that a sender waits.
        let _ = sockopt::set_socket_send_buffer_size(&socket, 2 * MESSAGE_LIMIT);
        Channel(socket)
    }

    /// Sends a message, waiting for room.
    pub(crate) fn send(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        if bytes.len() > MESSAGE_LIMIT || descriptors.len() > DESCRIPTOR_LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too large"));
        }
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        loop {
            match sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes a message, waiting for one.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<Received<T>> {
        self.take(RecvFlags::empty())
    }

    /// Takes a message if one is waiting.
    pub(crate) fn try_receive<T: DeserializeOwned>(&self) -> io::Result<Received<T>> {
        self.take(RecvFlags::DONTWAIT)
    }

    /// The length of the next message; 0 at the end, nothing where none is waiting.
    fn measure(&self, flags: RecvFlags) -> io::Result<Option<usize>> {
        let flags = flags | RecvFlags::PEEK | RecvFlags::TRUNC;
        loop {
            match recv(&self.0, &mut [0u8; 1][..], flags) {
                Ok((_, length)) => return Ok(Some(length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::CONNRESET) => return Ok(Some(0)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take<T: DeserializeOwned>(&self, flags: RecvFlags) -> io::Result<Received<T>> {
        // The message is measured first. A buffer for the longest one would be wiped before every message,
        // and of those pages each worker that the zygote forks would keep a copy.
        let length = match self.measure(flags)? {
            Some(0) => return Ok(Received::End),
            Some(length) => length,
            None => return Ok(Received::Empty),
        };
        let mut buffer = vec![0; length.min(MESSAGE_LIMIT)];
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let flags = flags | RecvFlags::CMSG_CLOEXEC;
            match recvmsg(&self.0, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Received::Empty),
                Err(Errno::CONNRESET) => return Ok(Received::End),
                Err(error) => return Err(error.into()),
            }
        };
        if received.bytes == 0 {
            return Ok(Received::End);
        }
        let descriptors: Vec<OwnedFd> = control
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::Error::other("a message was cut; raise the limit of open files"));
        }
        let message = serde_json::from_slice(&buffer[..received.bytes])?;
        Ok(Received::Message(message, descriptors))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_carry_descriptors_and_ends_are_seen() {
        let (one, other) = Channel::pair().unwrap();
        assert!(matches!(other.try_receive::<String>().unwrap(), Received::Empty));
        let (pipe, _writer) = std::io::pipe().unwrap();
        one.send(&"hello", &[pipe.as_fd(), pipe.as_fd()]).unwrap();
        let Received::Message(text, descriptors) = other.receive::<String>().unwrap() else { panic!() };
        assert_eq!((text.as_str(), descriptors.len()), ("hello", 2));
        assert!(one.send(&"x".repeat(MESSAGE_LIMIT), &[]).is_err());
        drop(one);
        assert!(matches!(other.receive::<String>().unwrap(), Received::End));
    }
}
