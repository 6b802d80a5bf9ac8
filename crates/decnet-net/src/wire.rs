//! The wire: carries frames between a NIC and the fleet.
//!
//! One thread with one packet socket on the NIC and one TUN in the fleet's namespace. It answers ARP for
//! each decky with the decky's own MAC address, hands packets through the decky's packet persona, lets
//! nothing out that is not an answer, and tells what it sees of scans.
//!
//! ```no_run
//! use std::net::Ipv4Addr;
//!
//! use decnet_core::MacAddress;
//! use decnet_core::service::Transport;
//! use decnet_fingerprint::Plain;
//! use decnet_net::observer::{Observer, Probe};
//! use decnet_net::packet::Glance;
//! use decnet_net::wire::{Host, Wire};
//! use decnet_net::{Namespace, NetError, links};
//!
//! struct Quiet;
//!
//! impl Observer for Quiet {
//!     fn probed(&mut self, _: Probe) {}
//!     fn egress_blocked(&mut self, _: &Glance, _: &[u8]) {}
//! }
//!
//! /// Puts one host on the LAN behind `eth0`; bind its sockets in the namespace that comes back.
//! fn join(address: Ipv4Addr, mac: MacAddress) -> Result<(Namespace, Wire), NetError> {
//!     let fleet = Namespace::create()?;
//!     let wire = Wire::start("eth0", &fleet, Box::new(Quiet))?;
//!     fleet.run(|| links::add_local_addresses(&[address]))?;
//!     wire.add(vec![Host { address, mac, open: vec![(Transport::Tcp, 22)], persona: Box::new(Plain) }]);
//!     Ok((fleet, wire))
//! }
//! ```

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use decnet_core::MacAddress;
use decnet_core::service::Transport;
use decnet_fingerprint::{Moment, Packet, Persona, Verdict};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::arp;
use crate::egress::Egress;
use crate::error::NetError;
use crate::links::{self, Link};
use crate::namespace::Namespace;
use crate::neighbours::Recent;
use crate::observer::{Observer, Probes};
use crate::packet::{Glance, Payload, flags};
use crate::sys::{Filter, PacketSocket, Tun, VNET_HEADER};

/// The name of the fleet's interface inside its own namespace, where only we can see it.
pub const FLEET_INTERFACE: &str = "lan0";

/// Room for the largest segment that the kernel leaves uncut, its headers, and what a persona may add.
const BUFFER: usize = 70_000;
/// Packets handled in one direction before the other one gets its turn.
const BATCH: usize = 64;
/// Peers whose MAC address is remembered, per generation.
const PEERS: usize = 32_768;
/// How long a silent peer's MAC address is remembered: longer than any answer takes.
const PEER_LIFETIME: Duration = Duration::from_secs(1200);
/// How long to wait when the NIC is down before trying again.
const NIC_DOWN: Duration = Duration::from_millis(200);

const ETHERNET: usize = arp::ETHERNET;
const IPV4: u16 = 0x0800;

/// A decky as the wire knows it.
pub struct Host {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Its open ports, sorted.
    pub open: Vec<(Transport, u16)>,
    /// How its system handles packets.
    pub persona: Box<dyn Persona>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("address", &self.address).field("mac", &self.mac).finish_non_exhaustive()
    }
}

/// What the wire has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets to deckies.
    pub inbound: u64,
    /// Packets from deckies.
    pub outbound: u64,
    /// ARP questions answered.
    pub arp_answers: u64,
    /// Packets to deckies that their personas answered, and the kernel never saw.
    pub answered: u64,
    /// Packets that a decky may not send.
    pub egress_blocked: u64,
    /// Packets that a device would not take.
    pub lost: u64,
}

enum Command {
    Add(Vec<Host>),
    Remove(Vec<Ipv4Addr>),
    Count(mpsc::Sender<Counters>),
    Settled(mpsc::Sender<()>),
    Stop,
}

/// A running wire. Dropping it stops it: the deckies are off the LAN at once.
pub struct Wire {
    commands: mpsc::Sender<Command>,
    wake: EventFd,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// Joins the interface `nic` of the calling thread's namespace with a new TUN in `fleet`.
    ///
    /// # Errors
    /// Missing rights, no such interface, no TUN.
    pub fn start(nic: &str, fleet: &Namespace, observer: Box<dyn Observer>) -> Result<Wire, NetError> {
        let link = links::find(nic)?;
        let tun = fleet.run(|| prepare_fleet(link.mtu))?;
        Wire::between(&link, tun, observer)
    }

    /// Carries between a NIC of the calling thread's namespace and a TUN, wherever that is.
    pub(crate) fn between(link: &Link, tun: Tun, observer: Box<dyn Observer>) -> Result<Wire, NetError> {
        let socket = PacketSocket::open(link.index)?;
        let wake = EventFd::from_value_and_flags(0, EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .map_err(|error| NetError::system("make an event descriptor", error))?;
        let woken =
            wake.as_fd().try_clone_to_owned().map_err(|error| NetError::system("duplicate it", error))?;
        let (commands, received) = mpsc::channel();
        let now = Instant::now();
        let carrier = Carrier {
            nic: socket,
            tun,
            woken,
            commands: received,
            hosts: HashMap::new(),
            peers: Recent::new(PEERS, PEER_LIFETIME, now),
            egress: Egress::new(now),
            probes: Probes::new(now),
            observer,
            counters: Counters::default(),
            began: now,
            unix: 0,
        };
        let thread = std::thread::Builder::new()
            .name("wire".to_owned())
            .spawn(move || carrier.run())
            .map_err(|error| NetError::system("start the wire's thread", error))?;
        Ok(Wire { commands, wake, thread: Some(thread) })
    }

    /// Puts deckies on the LAN; one that is there already is replaced.
    pub fn add(&self, hosts: Vec<Host>) {
        self.send(Command::Add(hosts));
    }

    /// Takes deckies off the LAN.
    pub fn remove(&self, addresses: Vec<Ipv4Addr>) {
        self.send(Command::Remove(addresses));
    }

    /// What was carried so far; nothing where the wire has ended.
    pub fn counters(&self) -> Option<Counters> {
        let (sender, receiver) = mpsc::channel();
        self.send(Command::Count(sender));
        receiver.recv().ok()
    }

    /// Waits until every earlier command is done.
    pub fn settle(&self) {
        let (sender, receiver) = mpsc::channel();
        self.send(Command::Settled(sender));
        let _ = receiver.recv();
    }

    /// Whether the wire still carries.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    fn send(&self, command: Command) {
        // A wire that has ended takes no commands; `is_running` tells.
        if self.commands.send(command).is_ok() {
            let _ = self.wake.write(1);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes the fleet's side, in the fleet's namespace: a TUN that everything is routed over, no IPv6, no
/// source checks (the LAN's hosts are all behind the TUN) and no bound on ICMP errors.
fn prepare_fleet(mtu: u32) -> Result<Tun, NetError> {
    for (path, value) in [
        ("net/ipv6/conf/all/disable_ipv6", "1"),
        ("net/ipv6/conf/default/disable_ipv6", "1"),
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
        ("net/ipv4/icmp_ratelimit", "0"),
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv4/conf/all/send_redirects", "0"),
    ] {
        match links::sysctl(path, value) {
            // A kernel without IPv6 has nothing to turn off.
            Err(_) if path.starts_with("net/ipv6") => {}
            result => result?,
        }
    }
    let tun = Tun::create(FLEET_INTERFACE)?;
    links::set_up("lo")?;
    links::set_mtu(FLEET_INTERFACE, mtu)?;
    links::set_up(FLEET_INTERFACE)?;
    links::add_default_route(FLEET_INTERFACE)?;
    Ok(tun)
}

/// The thread's own state.
struct Carrier {
    nic: PacketSocket,
    tun: Tun,
    woken: OwnedFd,
    commands: mpsc::Receiver<Command>,
    hosts: HashMap<Ipv4Addr, Host>,
    peers: Recent<Ipv4Addr, MacAddress>,
    egress: Egress,
    probes: Probes,
    observer: Box<dyn Observer>,
    counters: Counters,
    /// When it began, for the personas' clocks.
    began: Instant,
    /// Seconds since 1970-01-01 UTC, as of the last time that something was to be done.
    unix: i64,
}

impl Carrier {
    fn run(mut self) {
        let mut buffer = vec![0u8; BUFFER];
        loop {
            let timeout = match self.probes.next_report() {
                None => PollTimeout::NONE,
                // Rounded up, so that a wake-up is never a moment too early to have something to do.
                Some(due) => {
                    let wait = due.saturating_duration_since(Instant::now()).as_millis() + 1;
                    PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
                }
            };
            let ready = {
                let mut polled = [
                    PollFd::new(self.nic.as_fd(), PollFlags::POLLIN),
                    PollFd::new(self.tun.as_fd(), PollFlags::POLLIN),
                    PollFd::new(self.woken.as_fd(), PollFlags::POLLIN),
                ];
                match poll(&mut polled, timeout) {
                    Ok(_) => polled.map(|one| one.any().unwrap_or(true)),
                    Err(nix::errno::Errno::EINTR) => [false; 3],
                    Err(_) => return,
                }
            };
            let now = Instant::now();
            self.unix = unix_time();
            if ready[2] && !self.obey() {
                self.report_rest();
                return;
            }
            if ready[0] && self.take_from_lan(&mut buffer, now).is_err() {
                // The NIC is down (a cable, a driver): the frames are lost, the fleet stays.
                std::thread::sleep(NIC_DOWN);
            }
            if ready[1] && self.take_from_fleet(&mut buffer, now).is_err() {
                return;
            }
            if self.probes.is_full() || self.probes.next_report().is_some_and(|due| due <= now) {
                self.probes.report(now, self.observer.as_mut());
            }
        }
    }

    fn report_rest(&mut self) {
        self.probes.report(Instant::now() + Duration::from_secs(60), self.observer.as_mut());
    }

    /// Carries out what was asked; `false` to stop.
    fn obey(&mut self) -> bool {
        let mut count = [0u8; 8];
        let _ = nix::unistd::read(&self.woken, &mut count);
        let mut changed = false;
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Add(hosts) => {
                    self.hosts.extend(hosts.into_iter().map(|host| (host.address, host)));
                    changed = true;
                }
                Command::Remove(addresses) => {
                    for address in addresses {
                        self.hosts.remove(&address);
                    }
                    changed = true;
                }
                Command::Count(answer) => {
                    let _ = answer.send(self.counters);
                }
                Command::Settled(answer) => {
                    if changed {
                        self.refilter();
                        changed = false;
                    }
                    let _ = answer.send(());
                }
                Command::Stop => return false,
            }
        }
        if changed {
            self.refilter();
        }
        true
    }

    fn refilter(&self) {
        let lowest = self.hosts.keys().min();
        let highest = self.hosts.keys().max();
        let filter =
            lowest.zip(highest).map(|(lowest, highest)| Filter { lowest: *lowest, highest: *highest });
        // The filter only saves work; where the kernel refuses one, the last one stays.
        let _ = self.nic.filter(filter);
    }

    fn take_from_lan(&mut self, buffer: &mut [u8], now: Instant) -> io::Result<()> {
        for _ in 0..BATCH {
            let Some(length) = self.nic.receive(buffer)? else { return Ok(()) };
            self.frame_from_lan(buffer, length, now);
        }
        Ok(())
    }

    /// `buffer` holds the offload header, the Ethernet header and the packet.
    fn frame_from_lan(&mut self, buffer: &mut [u8], length: usize, now: Instant) {
        const PACKET: usize = VNET_HEADER + ETHERNET;
        if length < PACKET || length > buffer.len() {
            return;
        }
        let ethertype = u16::from_be_bytes([buffer[VNET_HEADER + 12], buffer[VNET_HEADER + 13]]);
        let destination_mac = mac_at(buffer, VNET_HEADER);
        let source_mac = mac_at(buffer, VNET_HEADER + 6);
        if ethertype == arp::ETHERTYPE {
            if let Some(packet) = arp::Packet::parse(&buffer[PACKET..length]) {
                self.arp(packet, destination_mac, now);
            }
            return;
        }
        let (IPV4, Some(glance)) = (ethertype, Glance::of(&buffer[PACKET..length])) else { return };
        let Some(host) = self.hosts.get_mut(&glance.destination) else { return };
        if destination_mac != host.mac {
            return;
        }
        self.counters.inbound += 1;
        self.peers.insert(glance.source, source_mac, now);
        self.egress.inbound(&glance, now);
        let open = &host.open;
        self.probes.packet(
            &glance,
            source_mac,
            |transport, port| open.binary_search(&(transport, port)).is_ok(),
            now,
        );

        let offload = Offload::of(buffer);
        let mut packet = Packet {
            length: glance.length,
            partial_checksum: offload.partial_checksum,
            segments: offload.segments(glance.length),
            buffer: &mut buffer[PACKET..],
        };
        let moment = Moment { micros: micros(self.began, now), unix: self.unix };
        let verdict = host.persona.inbound(&mut packet, moment);
        let (length, partial) = (packet.length, packet.partial_checksum);
        match verdict {
            Verdict::Pass => {}
            Verdict::Drop => return,
            Verdict::Answer => {
                // A whole packet, with nothing left for the kernel to do.
                buffer[..VNET_HEADER].fill(0);
                put_ethernet(&mut buffer[VNET_HEADER..], source_mac, host.mac, IPV4);
                if self.nic.send(&buffer[..PACKET + length]).unwrap_or(false) {
                    self.counters.answered += 1;
                } else {
                    self.counters.lost += 1;
                }
                return;
            }
        }
        // The offload header moves up against the packet, and its offsets lose the Ethernet header.
        let mut header = [0u8; VNET_HEADER];
        header.copy_from_slice(&buffer[..VNET_HEADER]);
        if offload.partial_checksum && !partial {
            header = [0; VNET_HEADER];
        }
        shift(&mut header, -(ETHERNET as i32));
        buffer[ETHERNET..PACKET].copy_from_slice(&header);
        if !self.tun.send(&buffer[ETHERNET..PACKET + length]).unwrap_or(false) {
            self.counters.lost += 1;
        }
    }

    fn arp(&mut self, packet: arp::Packet, destination_mac: MacAddress, now: Instant) {
        if packet.operation != arp::Operation::Request || packet.sender_mac.is_multicast() {
            return;
        }
        let Some(host) = self.hosts.get(&packet.target) else { return };
        if packet.sender == packet.target {
            // An announcement of an address that is ours: answering would be a quarrel; the deckies stay.
            return;
        }
        let answer = packet.answer(host.mac).frame(packet.sender_mac);
        let mut frame = [0u8; VNET_HEADER + ETHERNET + arp::LENGTH];
        frame[VNET_HEADER..].copy_from_slice(&answer);
        if self.nic.send(&frame).unwrap_or(false) {
            self.counters.arp_answers += 1;
        } else {
            self.counters.lost += 1;
        }
        // A question to our own MAC address only refreshes a table; a broadcast one looks for us.
        if destination_mac == arp::BROADCAST {
            self.probes.arp(packet.sender, packet.sender_mac, packet.target, now);
        }
    }

    fn take_from_fleet(&mut self, buffer: &mut [u8], now: Instant) -> io::Result<()> {
        for _ in 0..BATCH {
            // Room for an Ethernet header is kept in front.
            let Some(length) = self.tun.receive(&mut buffer[ETHERNET..])? else { return Ok(()) };
            self.packet_from_fleet(buffer, length, now);
        }
        Ok(())
    }

    /// `buffer` holds room for an Ethernet header, then the offload header and the packet, together
    /// `length` bytes.
    fn packet_from_fleet(&mut self, buffer: &mut [u8], length: usize, now: Instant) {
        const PACKET: usize = VNET_HEADER + ETHERNET;
        let end = ETHERNET + length;
        if length < VNET_HEADER || end > buffer.len() {
            return;
        }
        let Some(glance) = Glance::of(&buffer[PACKET..end]) else { return };
        let Some(host) = self.hosts.get_mut(&glance.source) else { return };
        if !self.egress.allows(&glance) {
            self.counters.egress_blocked += 1;
            self.observer.egress_blocked(&glance, &buffer[PACKET..end]);
            return;
        }
        let Some(peer) = self.peers.get(&glance.destination) else { return };
        let mut header = [0u8; VNET_HEADER];
        header.copy_from_slice(&buffer[ETHERNET..PACKET]);
        let offload = Offload::of(&header);
        let mut packet = Packet {
            length: end - PACKET,
            partial_checksum: offload.partial_checksum,
            segments: offload.segments(end - PACKET),
            buffer: &mut buffer[PACKET..],
        };
        let moment = Moment { micros: micros(self.began, now), unix: self.unix };
        if host.persona.outbound(&mut packet, moment) != Verdict::Pass {
            return;
        }
        let (length, partial) = (packet.length, packet.partial_checksum);
        if offload.partial_checksum && !partial {
            header = [0; VNET_HEADER];
        }
        shift(&mut header, ETHERNET as i32);
        buffer[..VNET_HEADER].copy_from_slice(&header);
        put_ethernet(&mut buffer[VNET_HEADER..], *peer, host.mac, IPV4);
        if self.nic.send(&buffer[..PACKET + length]).unwrap_or(false) {
            self.counters.outbound += 1;
        } else {
            self.counters.lost += 1;
        }
    }
}

/// Seconds since 1970-01-01 UTC.
fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn micros(since: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(since).as_micros()).unwrap_or(u64::MAX)
}

/// What the kernel left undone, from `struct virtio_net_hdr` (in the machine's own byte order).
#[derive(Clone, Copy)]
struct Offload {
    partial_checksum: bool,
    segment_size: u16,
}

impl Offload {
    fn of(header: &[u8]) -> Offload {
        /// `VIRTIO_NET_HDR_F_NEEDS_CSUM`.
        const NEEDS_CHECKSUM: u8 = 1;
        let (flags, gso_type) = (header[0], header[1]);
        let segment_size = u16::from_ne_bytes([header[4], header[5]]);
        Offload {
            partial_checksum: flags & NEEDS_CHECKSUM != 0,
            segment_size: if gso_type == 0 { 0 } else { segment_size },
        }
    }

    /// Into how many segments a packet of `length` bytes will be cut.
    fn segments(self, length: usize) -> u16 {
        /// IPv4 and TCP headers without options.
        const HEADERS: usize = 40;
        match self.segment_size {
            0 => 1,
            size => u16::try_from(length.saturating_sub(HEADERS).div_ceil(usize::from(size)).max(1))
                .unwrap_or(u16::MAX),
        }
    }
}

/// Moves the offsets of an offload header (`hdr_len` and `csum_start`) by `by` bytes.
fn shift(header: &mut [u8; VNET_HEADER], by: i32) {
    let has_checksum = header[0] & 1 != 0;
    for at in [2, 6] {
        let offset = i32::from(u16::from_ne_bytes([header[at], header[at + 1]]));
        if offset != 0 || (has_checksum && at == 6) {
            let moved = u16::try_from((offset + by).max(0)).unwrap_or(u16::MAX);
            header[at..at + 2].copy_from_slice(&moved.to_ne_bytes());
        }
    }
}

fn mac_at(bytes: &[u8], at: usize) -> MacAddress {
    let mut octets = [0; 6];
    octets.copy_from_slice(&bytes[at..at + 6]);
    MacAddress(octets)
}

fn put_ethernet(frame: &mut [u8], destination: MacAddress, source: MacAddress, ethertype: u16) {
    frame[..6].copy_from_slice(&destination.octets());
    frame[6..12].copy_from_slice(&source.octets());
    frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
}

/// The transport and port that a decky's packet came from, for reports.
pub fn ports_of(glance: &Glance) -> (Transport, u16, u16) {
    match glance.payload {
        Payload::Tcp { source, destination, .. } => (Transport::Tcp, source, destination),
        Payload::Udp { source, destination } => (Transport::Udp, source, destination),
        _ => (Transport::Udp, 0, 0),
    }
}

/// The word for what a packet carries, for reports.
pub fn protocol_of(glance: &Glance) -> String {
    match glance.payload {
        Payload::Tcp { flags, .. } if flags & flags::SYN != 0 => "tcp connection".to_owned(),
        Payload::Tcp { .. } => "tcp".to_owned(),
        Payload::Udp { .. } => "udp".to_owned(),
        Payload::Icmp { kind } => format!("icmp type {kind}"),
        Payload::Fragment { protocol } | Payload::Other { protocol } => format!("ip protocol {protocol}"),
    }
}
