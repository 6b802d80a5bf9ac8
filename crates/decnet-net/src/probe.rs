//! Finding out which addresses are taken, by asking the LAN.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use decnet_core::MacAddress;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;

use crate::arp;
use crate::error::NetError;
use crate::links;
use crate::sys::{Filter, PacketSocket, VNET_HEADER};

/// Finds out which addresses are in use.
pub trait Prober {
    /// Of `candidates`, those that somebody answers for.
    ///
    /// # Errors
    /// Missing rights, no such interface.
    fn in_use(&self, candidates: &[Ipv4Addr]) -> Result<BTreeSet<Ipv4Addr>, NetError>;
}

/// Asks by ARP probes (RFC 5227 section 2.1.1), twice each.
#[derive(Clone, Debug)]
pub struct ArpProber {
    /// The interface, in the calling thread's namespace.
    pub interface: String,
    /// How long to wait for answers to each round.
    pub wait: Duration,
}

impl ArpProber {
    /// With the usual patience: hosts on a LAN answer within a millisecond or two, sleepy ones within a
    /// few tens.
    pub fn new(interface: impl Into<String>) -> ArpProber {
        ArpProber { interface: interface.into(), wait: Duration::from_millis(120) }
    }
}

impl Prober for ArpProber {
    fn in_use(&self, candidates: &[Ipv4Addr]) -> Result<BTreeSet<Ipv4Addr>, NetError> {
        /// Questions between two looks at the answers, so that neither queue overflows.
        const BURST: usize = 256;
        let mut taken = BTreeSet::new();
        let (Some(lowest), Some(highest)) = (candidates.iter().min(), candidates.iter().max()) else {
            return Ok(taken);
        };
        let link = links::find(&self.interface)?;
        let mac = link.mac.unwrap_or(MacAddress([2, 0, 0, 0, 0, 1]));
        let socket = PacketSocket::open(link.index)?;
        socket.filter(Some(Filter { lowest: *lowest, highest: *highest }))?;
        let wanted: BTreeSet<Ipv4Addr> = candidates.iter().copied().collect();
        for _ in 0..2 {
            let silent: Vec<Ipv4Addr> = wanted.difference(&taken).copied().collect();
            for burst in silent.chunks(BURST) {
                for address in burst {
                    let mut frame = vec![0u8; VNET_HEADER];
                    frame.extend(arp::Packet::probe(mac, *address).frame(arp::BROADCAST));
                    let sent = socket.send(&frame);
                    sent.map_err(|error| {
                        NetError::system(format!("send an ARP probe on {}", self.interface), error)
                    })?;
                }
                listen(&socket, Duration::ZERO, &wanted, mac, &mut taken)?;
            }
            listen(&socket, self.wait, &wanted, mac, &mut taken)?;
        }
        Ok(taken)
    }
}

fn listen(
    socket: &PacketSocket,
    wait: Duration,
    wanted: &BTreeSet<Ipv4Addr>,
    own: MacAddress,
    taken: &mut BTreeSet<Ipv4Addr>,
) -> Result<(), NetError> {
    let until = Instant::now() + wait;
    let mut buffer = vec![0u8; 2048];
    loop {
        while let Some(length) =
            socket.receive(&mut buffer).map_err(|error| NetError::system("receive ARP answers", error))?
        {
            let payload = buffer.get(VNET_HEADER + arp::ETHERNET..length).unwrap_or_default();
            if let Some(packet) = arp::Packet::parse(payload)
                && packet.sender_mac != own
                && wanted.contains(&packet.sender)
            {
                taken.insert(packet.sender);
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(NetError::system("wait for ARP answers", error)),
        }
    }
}

/// A prober that was told what is in use, for tests and dry runs.
#[derive(Clone, Debug, Default)]
pub struct Told(pub BTreeSet<Ipv4Addr>);

impl Prober for Told {
    fn in_use(&self, candidates: &[Ipv4Addr]) -> Result<BTreeSet<Ipv4Addr>, NetError> {
        Ok(candidates.iter().filter(|address| self.0.contains(address)).copied().collect())
    }
}
