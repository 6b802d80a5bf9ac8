//! What the wire sees of a scan: packets that no service ever gets.
//!
//! A service hears of an intruder when a connection is complete. Before that there are ARP questions,
//! pings, half-open connections and knocks on closed ports; here they are gathered per source and decky
//! for a moment, so that a scan of every port is a few reports and not 65,535.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use decnet_core::MacAddress;
use decnet_core::service::Transport;

use crate::neighbours::Recent;
use crate::packet::{Glance, Payload, flags};

/// How long packets are gathered before they are reported.
const GATHER: Duration = Duration::from_secs(1);
/// Sources and deckies gathered at once; past it what was gathered is reported at once.
const GATHERED: usize = 16_384;
/// Ports named in one report.
const PORTS: usize = 1024;
/// Half-open connections remembered per generation.
const HALF_OPEN: usize = 32_768;
/// How long a connection may stay half open before it is forgotten.
const HALF_OPEN_TIME: Duration = Duration::from_secs(30);

/// What kind of packet it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Somebody asked for the decky's MAC address and then did nothing else.
    Arp,
    /// An ICMP echo request.
    Ping,
    /// Another ICMP question.
    Icmp,
    /// A connection to an open TCP port, reset before it was complete.
    HalfOpen,
    /// A packet to a port that is closed.
    ClosedPort(Transport),
    /// TCP flags that belong to no connection: the NULL, FIN, Xmas and ACK scans.
    OddFlags,
    /// An IP protocol that no decky speaks.
    Protocol,
}

impl Kind {
    /// The word in events.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Arp => "arp",
            Kind::Ping => "ping",
            Kind::Icmp => "icmp",
            Kind::HalfOpen => "half_open",
            Kind::ClosedPort(Transport::Tcp) => "closed_tcp_port",
            Kind::ClosedPort(Transport::Udp) => "closed_udp_port",
            Kind::OddFlags => "odd_flags",
            Kind::Protocol => "protocol",
        }
    }
}

/// Packets of one kind from one source to one decky.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The decky.
    pub decky: Ipv4Addr,
    /// Who sent them.
    pub source: Ipv4Addr,
    /// The MAC address they came from.
    pub source_mac: MacAddress,
    /// Which.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// The ports they went to, ascending, at most 1,024.
    pub ports: Vec<u16>,
    /// The source port of the last one, where there is one.
    pub source_port: u16,
}

/// Takes what the wire sees. Called on the wire's thread: it must not block.
pub trait Observer: Send {
    /// Somebody probed a decky.
    fn probed(&mut self, probe: Probe);
    /// A decky tried to open a conversation; the packet did not leave.
    fn egress_blocked(&mut self, packet: &Glance, bytes: &[u8]);
}

#[derive(Debug)]
struct Seen {
    count: u64,
    ports: BTreeSet<u16>,
    source_port: u16,
}

#[derive(Debug)]
struct Gathering {
    began: Instant,
    source_mac: MacAddress,
    kinds: HashMap<Kind, Seen>,
    /// Whether the source also opened a connection: then its ARP question says nothing more.
    connected: bool,
}

/// Gathers packets into probes.
#[derive(Debug)]
pub struct Probes {
    gathering: HashMap<(Ipv4Addr, Ipv4Addr), Gathering>,
    half_open: Recent<(Ipv4Addr, u16, Ipv4Addr, u16), ()>,
    /// When the oldest of what is gathered is to be reported.
    due: Option<Instant>,
}

impl Probes {
    /// Nothing seen.
    pub fn new(now: Instant) -> Probes {
        Probes {
            gathering: HashMap::new(),
            half_open: Recent::new(HALF_OPEN, HALF_OPEN_TIME, now),
            due: None,
        }
    }

    /// Somebody asked for a decky's MAC address.
    pub fn arp(&mut self, source: Ipv4Addr, source_mac: MacAddress, decky: Ipv4Addr, now: Instant) {
        self.see(source, source_mac, decky, Some((Kind::Arp, None, 0)), now);
    }

    /// A packet came in to a decky; `open` tells which ports are.
    pub fn packet(
        &mut self,
        packet: &Glance,
        source_mac: MacAddress,
        open: impl Fn(Transport, u16) -> bool,
        now: Instant,
    ) {
        let (source, decky) = (packet.source, packet.destination);
        let seen = match packet.payload {
            Payload::Tcp { source: port, destination, flags } => {
                let flow = (source, port, decky, destination);
                let control = flags & (flags::SYN | flags::ACK | flags::RST | flags::FIN);
                if !open(Transport::Tcp, destination) {
                    // A reset answers us (a closed port that we answered); it is no knock.
                    (control & flags::RST == 0).then_some((
                        Kind::ClosedPort(Transport::Tcp),
                        Some(destination),
                        port,
                    ))
                } else if control == flags::SYN {
                    self.half_open.insert(flow, (), now);
                    None
                } else if control & flags::RST != 0 {
                    self.half_open.remove(&flow).map(|()| (Kind::HalfOpen, Some(destination), port))
                } else if control & flags::ACK != 0 {
                    if self.half_open.remove(&flow).is_some() {
                        self.see(source, source_mac, decky, None, now);
                    }
                    return;
                } else {
                    Some((Kind::OddFlags, Some(destination), port))
                }
            }
            Payload::Udp { source: port, destination } => {
                if open(Transport::Udp, destination) {
                    self.see(source, source_mac, decky, None, now);
                    return;
                }
                Some((Kind::ClosedPort(Transport::Udp), Some(destination), port))
            }
            Payload::Icmp { kind: 8 } => Some((Kind::Ping, None, 0)),
            Payload::Icmp { kind: 13 | 15 | 17 } => Some((Kind::Icmp, None, 0)),
            Payload::Icmp { .. } | Payload::Fragment { .. } => None,
            Payload::Other { .. } => Some((Kind::Protocol, None, 0)),
        };
        if seen.is_some() {
            self.see(source, source_mac, decky, seen, now);
        }
    }

    /// Notes a packet of that kind, port and source port; without one, that a conversation began.
    fn see(
        &mut self,
        source: Ipv4Addr,
        source_mac: MacAddress,
        decky: Ipv4Addr,
        what: Option<(Kind, Option<u16>, u16)>,
        now: Instant,
    ) {
        // A conversation alone is the service's to report; it only matters to a question gathered before.
        if what.is_none() && !self.gathering.contains_key(&(source, decky)) {
            return;
        }
        self.due.get_or_insert(now + GATHER);
        let gathering = self.gathering.entry((source, decky)).or_insert_with(|| Gathering {
            began: now,
            source_mac,
            kinds: HashMap::new(),
            connected: false,
        });
        let Some((kind, port, source_port)) = what else {
            gathering.connected = true;
            return;
        };
        let seen =
            gathering.kinds.entry(kind).or_insert(Seen { count: 0, ports: BTreeSet::new(), source_port });
        seen.count += 1;
        seen.source_port = source_port;
        if let Some(port) = port
            && seen.ports.len() < PORTS
        {
            seen.ports.insert(port);
        }
    }

    /// When there will be something to report; `None` while nothing is gathered.
    pub fn next_report(&self) -> Option<Instant> {
        self.due
    }

    /// Reports what was gathered long enough, or everything where too much was.
    pub fn report(&mut self, now: Instant, observer: &mut dyn Observer) {
        let all = self.gathering.len() > GATHERED;
        self.gathering.retain(|(source, decky), gathering| {
            if !all && now.duration_since(gathering.began) < GATHER {
                return true;
            }
            let alone = gathering.kinds.len() == 1 && !gathering.connected;
            let mut kinds: Vec<_> = gathering.kinds.drain().collect();
            kinds.sort_by_key(|(kind, _)| *kind);
            for (kind, seen) in kinds {
                if kind == Kind::Arp && !alone {
                    continue;
                }
                observer.probed(Probe {
                    decky: *decky,
                    source: *source,
                    source_mac: gathering.source_mac,
                    kind,
                    count: seen.count,
                    ports: seen.ports.into_iter().collect(),
                    source_port: seen.source_port,
                });
            }
            false
        });
        self.due = self.gathering.values().map(|gathering| gathering.began + GATHER).min();
    }

    /// Whether so much is gathered that it should be reported now.
    pub fn is_full(&self) -> bool {
        self.gathering.len() > GATHERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::tests::{packet, tcp};

    const DECKY: [u8; 4] = [198, 51, 100, 20];
    const PEER: [u8; 4] = [198, 51, 100, 7];
    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    #[derive(Default)]
    struct Kept(Vec<Probe>);

    impl Observer for Kept {
        fn probed(&mut self, probe: Probe) {
            self.0.push(probe);
        }
        fn egress_blocked(&mut self, _: &Glance, _: &[u8]) {}
    }

    fn seen(packets: &[(u8, Vec<u8>)], arp: bool) -> Vec<(&'static str, u64, Vec<u16>)> {
        let now = Instant::now();
        let mut probes = Probes::new(now);
        if arp {
            probes.arp(PEER.into(), MAC, DECKY.into(), now);
        }
        for (protocol, body) in packets {
            let bytes = packet(*protocol, PEER, DECKY, body);
            let open = |transport, port| transport == Transport::Tcp && port == 80;
            probes.packet(&Glance::of(&bytes).unwrap(), MAC, open, now);
        }
        let mut kept = Kept::default();
        probes.report(now, &mut kept);
        assert!(kept.0.is_empty(), "it is gathered first");
        probes.report(now + GATHER, &mut kept);
        assert!(probes.next_report().is_none());
        kept.0.into_iter().map(|probe| (probe.kind.name(), probe.count, probe.ports)).collect()
    }

    #[test]
    fn a_host_discovery_is_an_arp_question() {
        assert_eq!(seen(&[], true), [("arp", 1, vec![])]);
    }

    #[test]
    fn a_connection_is_the_services_to_report() {
        let packets = [(6, tcp(4000, 80, flags::SYN)), (6, tcp(4000, 80, flags::ACK))];
        assert_eq!(seen(&packets, true), []);
    }

    #[test]
    fn a_syn_scan_is_a_half_open_port_and_closed_ones() {
        let mut packets = vec![(6, tcp(4000, 80, flags::SYN)), (6, tcp(4000, 80, flags::RST))];
        packets.extend((1..=2000).filter(|port| *port != 80).map(|port| (6, tcp(4000, port, flags::SYN))));
        let seen = seen(&packets, true);
        assert_eq!(seen[0], ("half_open", 1, vec![80]));
        assert_eq!(seen[1].0, "closed_tcp_port");
        assert_eq!(seen[1].1, 1999);
        assert_eq!(seen[1].2.len(), PORTS, "the list is bounded, the count is not");
    }

    #[test]
    fn stealth_scans_and_pings_are_told() {
        let packets =
            [(6, tcp(4000, 80, 0)), (6, tcp(4000, 80, 0x29)), (1, vec![8, 0, 0, 0]), (132, vec![0; 12])];
        assert_eq!(
            seen(&packets, false),
            [("ping", 1, vec![]), ("odd_flags", 2, vec![80]), ("protocol", 1, vec![])]
        );
    }
}
