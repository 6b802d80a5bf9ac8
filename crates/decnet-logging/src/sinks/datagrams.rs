//! Syslog over UDP (RFC 5426): one event, one datagram.
//!
//! Nobody answers a datagram. What is lost on the way is lost unseen; but a host on which nobody listens
//! says so by ICMP, a moment later. So what was sent counts as arrived when no refusal came for a moment,
//! and after a refusal one datagram alone goes ahead of the others until it is not refused.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use decnet_core::plan::{LogTarget, SMALLEST_SIZE};
use rustix::event::{PollFd, PollFlags};

use super::delivery::{Delivery, DeliveryError};
use super::flight::Flight;
use super::readiness::wait_for;
use crate::event::Event;
use crate::syslog;
use crate::target::resolve;

/// How long a refusal may be under way.
const HOLD: Duration = Duration::from_millis(500);

/// How long the datagram that goes ahead is waited on.
const TRIAL: Duration = Duration::from_millis(100);

/// Sends each event as a datagram.
pub struct DatagramDelivery {
    name: String,
    target: LogTarget,
    socket: Option<UdpSocket>,
    flight: Flight,
    /// Nothing has been sent since the start or the last refusal without being refused.
    doubtful: bool,
    /// What was found while nothing was delivered.
    failed: Option<io::Error>,
}

impl DatagramDelivery {
    /// A delivery to the target's host and port. The address is looked up when there is something to send,
    /// and again after each failure.
    pub fn new(name: String, target: LogTarget) -> Self {
        DatagramDelivery {
            name,
            target,
            socket: None,
            flight: Flight::new(HOLD),
            doubtful: true,
            failed: None,
        }
    }

    fn send(&mut self, events: &[Event], deadline: Instant) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let size = self.target.size();
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => {
                let address = resolve(&self.target).map_err(io::Error::other)?;
                none.insert(connect(address)?)
            }
        };
        refusal(socket)?;
        let mut sent = 0;
        for event in events {
            if sent > 0 && Instant::now() >= deadline {
                break;
            }
            let datagram = syslog::encode_within(event, size);
            match transmit(socket, datagram.as_bytes(), deadline) {
                Ok(true) => {}
                Ok(false) => break,
                // A route with small packets that may not be cut: what every receiver must take.
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
                    let shorter = syslog::encode_within(event, SMALLEST_SIZE as usize);
                    if !transmit(socket, shorter.as_bytes(), deadline)? {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
            if self.doubtful {
                wait_for(&[PollFd::new(socket, PollFlags::ERR)], TRIAL)?;
                refusal(socket)?;
                self.doubtful = false;
            }
            self.flight.push(event.seq, 0);
            self.flight.acknowledge(0, Instant::now());
            sent += 1;
        }
        Ok(sent)
    }

    fn lose(&mut self) {
        self.flight.lose();
        self.doubtful = true;
        // The next one has the address that the target has then.
        self.socket = None;
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

/// What the network has said about earlier datagrams.
fn refusal(socket: &UdpSocket) -> io::Result<()> {
    socket.take_error()?.map_or(Ok(()), Err)
}

/// Sends one datagram; false where the queue of the interface stays full until the deadline.
fn transmit(socket: &UdpSocket, datagram: &[u8], deadline: Instant) -> io::Result<bool> {
    loop {
        match socket.send(datagram) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    || error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) =>
            {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(false);
                }
                // ENOBUFS shows in no readiness: a short wait bounds it.
                wait_for(&[PollFd::new(socket, PollFlags::OUT)], left.min(Duration::from_millis(10)))?;
                std::thread::sleep(left.min(Duration::from_millis(2)));
            }
            Err(error) => return Err(error),
        }
    }
}

impl Delivery for DatagramDelivery {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&mut self, events: &[Event], patience: Duration) -> Result<usize, DeliveryError> {
        self.send(events, Instant::now() + patience).map_err(|source| {
            self.lose();
            DeliveryError { place: format!("log target {}", self.target), source }
        })
    }

    fn settled(&mut self) -> Option<u64> {
        if let Some(Err(error)) = self.socket.as_ref().map(refusal) {
            self.lose();
            self.failed = Some(error);
        }
        self.flight.settle(Instant::now())
    }

    fn reopen(&mut self) {
        // What the old socket has heard so far still counts; the next one looks the address up again.
        if let Some(Err(error)) = self.socket.as_ref().map(refusal) {
            self.failed = Some(error);
            self.lose();
        }
        self.socket = None;
    }
}
