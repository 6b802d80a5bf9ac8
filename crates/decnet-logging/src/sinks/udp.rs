//! Syslog over UDP (RFC 5426): one event, one datagram of at most 2048 octets.
//!
//! Nobody answers a datagram. What is lost on the way is lost unseen; only what this host refuses to send,
//! or what the other host refuses by ICMP, is known.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use decnet_core::plan::LogTarget;

use super::{Delivery, DeliveryError};
use crate::event::Event;
use crate::syslog;
use crate::target::resolve;

/// Sends each event as a datagram.
pub struct UdpSink {
    target: LogTarget,
    open: Option<UdpSocket>,
    settled: Option<u64>,
}

impl UdpSink {
    /// A sink that sends to the target's host and port, whatever its transport says.
    pub fn new(target: LogTarget) -> Self {
        UdpSink { target, open: None, settled: None }
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let socket = match &self.open {
            Some(socket) => socket,
            None => self.open.insert(connect(resolve(&self.target).map_err(io::Error::other)?)?),
        };
        socket.send(datagram).map(|_| ())
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
    Ok(socket)
}

impl Delivery for UdpSink {
    fn name(&self) -> &str {
        "udp"
    }

    fn deliver(&mut self, events: &[Event], _patience: Duration) -> Result<usize, DeliveryError> {
        for event in events {
            // A refusal belongs to an earlier datagram, and keeps this one from being sent: it comes again.
            if let Err(source) = self.send(syslog::encode_datagram(event).as_bytes()) {
                self.open = None;
                return Err(DeliveryError { place: self.target.to_string(), source });
            }
            self.settled = Some(event.seq);
        }
        Ok(events.len())
    }

    fn settled(&mut self) -> Option<u64> {
        self.settled
    }
}
