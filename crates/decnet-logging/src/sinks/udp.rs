//! Syslog over UDP (RFC 5426): one event, one datagram of at most 2048 octets.
//!
//! Nobody answers a datagram. What is lost on the way is lost unseen; only what this host refuses to send,
//! or what the other host refuses by ICMP, is known.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use decnet_core::plan::LogTarget;

use super::{Notice, OperatorLog, Sink};
use crate::event::Event;
use crate::syslog;
use crate::target::resolve;

/// How long a target without address or socket is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// Sends each event as a datagram.
pub struct UdpSink {
    target: LogTarget,
    open: Option<(UdpSocket, SocketAddr)>,
    tried: Option<Instant>,
    /// Sends that failed since the target failed; none while it does not.
    failing: Option<u64>,
    log: OperatorLog,
}

impl UdpSink {
    /// A sink that sends to the target's host and port, whatever its transport says. The address is looked
    /// up now and, where it has none yet, again when events come.
    pub fn new(target: LogTarget, log: OperatorLog) -> Self {
        let mut sink = UdpSink { target, open: None, tried: None, failing: None, log };
        sink.open();
        sink
    }

    fn open(&mut self) {
        if self.open.is_some() || self.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
            return;
        }
        self.tried = Some(Instant::now());
        let notice = match resolve(&self.target) {
            Err(error) => Notice::TargetUnresolved(error),
            Ok(address) => match connect(address) {
                Ok(socket) => {
                    self.open = Some((socket, address));
                    return;
                }
                Err(source) => Notice::TargetFailed { address, source },
            },
        };
        if self.failing.is_none() {
            self.failing = Some(0);
            (self.log)(&notice);
        }
    }

    fn lost(&mut self, address: SocketAddr, source: io::Error) {
        match &mut self.failing {
            Some(lost) => *lost += 1,
            None => {
                self.failing = Some(1);
                (self.log)(&Notice::TargetFailed { address, source });
            }
        }
    }
}

/// A socket that knows only this peer, so that the kernel tells of its refusals.
fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Sink for UdpSink {
    fn write(&mut self, event: &Event) {
        self.open();
        let Some((socket, address)) = &self.open else {
            if let Some(lost) = &mut self.failing {
                *lost += 1;
            }
            return;
        };
        let address = *address;
        let datagram = syslog::encode_datagram(event);
        let first = socket.send(datagram.as_bytes());
        let refused = matches!(&first, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        // A refusal belongs to an earlier datagram, and keeps this one from being sent: send it again.
        let second = if refused { socket.send(datagram.as_bytes()) } else { Ok(datagram.len()) };
        for result in [first, second] {
            if let Err(source) = result {
                self.lost(address, source);
            } else if !refused && let Some(lost) = self.failing.take() {
                (self.log)(&Notice::TargetRecovered { address, lost });
            }
        }
    }

    fn flush(&mut self) -> bool {
        true
    }
}
