//! From the keeper to the collector: which sockets there are. One SOCK_SEQPACKET datagram per source: the
//! [`Speaker`] as JSON, and the collector's end of its pair by SCM_RIGHTS. The end of the stream tells the
//! collector to finish.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair, sockopt,
};

use crate::event::Speaker;

/// Bytes in one control message: four names of which none is near as long.
const MESSAGE_LIMIT: usize = 16 * 1024;

/// How long the keeper waits for a collector that does not read.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The keeper's end.
#[derive(Debug)]
pub struct ControlSender {
    socket: OwnedFd,
}

/// Why a source could not be handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The collector has gone, or reads nothing for five seconds: start it again and add every source anew.
    #[error("hand the log socket of {decky}/{service} to the collector: {source}")]
    Send {
        /// The decky.
        decky: String,
        /// The service.
        service: String,
        /// The cause.
        source: io::Error,
    },
    /// Names of more than 16 KiB.
    #[error("the names of {decky} are too long for a control message: {length} bytes, at most 16384")]
    TooLong {
        /// The decky.
        decky: String,
        /// The message's length.
        length: usize,
    },
}

impl ControlSender {
    /// A new pair: the keeper's end and the collector's. Both close on exec.
    ///
    /// # Errors
    /// Too many open files.
    pub fn pair() -> io::Result<(ControlSender, OwnedFd)> {
        let (keeper, collector) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((ControlSender::new(keeper), collector))
    }

    /// The keeper's end from a descriptor that was made by [`ControlSender::pair`].
    pub fn new(socket: OwnedFd) -> Self {
        // Without the timeout a collector that hangs would hang its keeper too; the option exists on every
        // Linux socket.
        let _ = sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(SEND_TIMEOUT));
        ControlSender { socket }
    }

    /// Hands a source over: the collector's end of a [`crate::socket::SocketSink`]. The caller may close its
    /// copy at once, and should: the collector sees the end of a service only when no copy is left.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn add(&self, speaker: &Speaker, source: impl AsFd) -> Result<(), ControlError> {
        let failed = |source: io::Error| ControlError::Send {
            decky: speaker.decky.clone(),
            service: speaker.service.clone(),
            source,
        };
        let message = serde_json::to_vec(speaker).map_err(|error| failed(error.into()))?;
        if message.len() > MESSAGE_LIMIT {
            return Err(ControlError::TooLong { decky: speaker.decky.clone(), length: message.len() });
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [source.as_fd()];
        let pushed = control.push(SendAncillaryMessage::ScmRights(&descriptors));
        debug_assert!(pushed, "the space is made for one descriptor");
        loop {
            match sendmsg(&self.socket, &[IoSlice::new(&message)], &mut control, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed(error.into())),
            }
        }
    }
}

impl AsFd for ControlSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<ControlSender> for OwnedFd {
    fn from(sender: ControlSender) -> Self {
        sender.socket
    }
}

/// What the collector's end gave.
#[derive(Debug)]
pub(crate) enum Message {
    /// A new source.
    Add(Speaker, OwnedFd),
    /// Nothing more at present.
    Empty,
    /// The keeper has closed its end.
    End,
    /// A message without speaker or without descriptor. Also what comes when this process has no free
    /// descriptor: the kernel then drops the one that was sent.
    Unreadable(&'static str),
}

/// Takes one message; never blocks.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Message> {
    let mut buffer = vec![0; MESSAGE_LIMIT];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        match recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags) {
            Ok(received) => break received,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Message::Empty),
            // The keeper died with messages of ours unread; we never send any, but the kernel may say so.
            Err(Errno::CONNRESET) => return Ok(Message::End),
            Err(error) => return Err(error.into()),
        }
    };
    let descriptor = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .next();
    if received.bytes == 0 && descriptor.is_none() {
        return Ok(Message::End);
    }
    if received.flags.contains(ReturnFlags::CTRUNC) || descriptor.is_none() {
        return Ok(Message::Unreadable("without descriptor; raise the limit of open files"));
    }
    let speaker = serde_json::from_slice(&buffer[..received.bytes.min(buffer.len())]);
    match (speaker, descriptor) {
        (Ok(speaker), Some(descriptor)) => Ok(Message::Add(speaker, descriptor)),
        _ => Ok(Message::Unreadable("without a speaker")),
    }
}
