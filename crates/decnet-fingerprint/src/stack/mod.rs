//! One machine's packets: the persona at work.
//!
//! Towards the kernel go only segments of connections, stripped of what the claimed system does not speak;
//! the kernel's answers are laid out as that system would. What asks for no connection (probes of scanners,
//! pings, datagrams to closed ports) is answered here, and never costs the kernel anything.

mod answers;
mod inbound;
mod outbound;

use crate::clock::{Boots, Clock, Moment};
use crate::facts::{Facts, IpId};
use crate::flow::{Flow, Probe};
use crate::pace::Paces;
use crate::random::Random;
use crate::sequence::Sequences;
use crate::table::Table;
use crate::{Packet, Persona, Verdict, flow};

/// Segments outside a connection of which the kernel's reset is awaited. It comes at once.
const PROBES: usize = 64;

/// Where a machine counts by ones and by steps, the former stay below this and the latter do not. A step
/// over it is still too short to look like chance.
const BELOW_STEPS: u16 = 0x2000;

/// A machine whose packets a [`Stack`] makes.
pub struct Machine {
    /// Its address.
    pub address: std::net::Ipv4Addr,
    /// Its open TCP ports. To all others no connection is let through.
    pub tcp_ports: Vec<u16>,
    /// Its bound UDP ports.
    pub udp_ports: Vec<u16>,
    /// When it was last booted.
    pub boots: Boots,
    /// How far its clock is off, in milliseconds.
    pub clock_offset_ms: i64,
    /// What its "random" numbers are drawn from.
    pub seed: u64,
}

/// The packets of one machine, by the facts of its operating system.
#[derive(Debug)]
pub struct Stack {
    facts: Facts,
    address: u32,
    tcp_ports: Vec<u16>,
    udp_ports: Vec<u16>,
    clock_offset_ms: i64,
    clock: Clock,
    sequences: Sequences,
    flows: Table<Flow>,
    probes: Table<Probe>,
    paces: Paces,
    /// The identification counter that all `counter`s of the machine share.
    id: u16,
    /// The one that random steps move.
    stepped_id: u16,
    random: Random,
}

impl Stack {
    /// A machine that runs that system.
    pub fn new(facts: Facts, machine: Machine) -> Stack {
        let Machine { address, mut tcp_ports, mut udp_ports, boots, clock_offset_ms, seed } = machine;
        tcp_ports.sort_unstable();
        udp_ports.sort_unstable();
        let mut random = Random::new(seed);
        Stack {
            address: address.into(),
            tcp_ports,
            udp_ports,
            clock_offset_ms,
            clock: Clock::new(boots, &mut random),
            sequences: Sequences::new(facts.initial_sequence, &mut random),
            flows: Table::new(flow::MOST, random.next()),
            probes: Table::new(PROBES, random.next()),
            paces: Paces::new(random.next()),
            id: random.next() as u16,
            stepped_id: random.next() as u16,
            random,
            facts,
        }
    }

    fn is_open(&self, tcp_port: u16) -> bool {
        self.tcp_ports.binary_search(&tcp_port).is_ok()
    }

    /// Whether one kind of packet is counted by ones and another by steps. Then the two sequences keep apart,
    /// so that they are seen to be two (nmap's SS=O).
    fn has_two_counters(&self) -> bool {
        let ids = self.facts.ip_id;
        ids.other == IpId::RandomSteps && [ids.open, ids.reset].contains(&IpId::Counter)
    }

    /// The identification of the next packet, which will be cut into so many segments.
    fn next_id(&mut self, policy: IpId, segments: u16) -> u16 {
        match policy {
            IpId::Zero => 0,
            IpId::Counter => {
                let id = if self.has_two_counters() { self.id % BELOW_STEPS } else { self.id };
                self.id = id.wrapping_add(segments.max(1));
                id
            }
            IpId::Random => {
                // Three in a row must look like chance, which of three drawn by chance a tenth do not.
                let step = 20_000 + (self.random.next() % 45_536) as u16;
                self.id = self.id.wrapping_add(step);
                self.id
            }
            IpId::RandomSteps => {
                // Far above what nmap takes for a busy counter, far below what it takes for random.
                let step = 1100 + (self.random.next() % 5000) as u16;
                self.stepped_id = self.stepped_id.wrapping_add(step | 1);
                if self.has_two_counters() && self.stepped_id < BELOW_STEPS {
                    self.stepped_id += BELOW_STEPS;
                }
                self.stepped_id
            }
        }
    }
}

impl Persona for Stack {
    fn inbound(&mut self, packet: &mut Packet<'_>, now: Moment) -> Verdict {
        self.enter(packet, now)
    }

    fn outbound(&mut self, packet: &mut Packet<'_>, now: Moment) -> Verdict {
        self.leave(packet, now)
    }
}
