//! The packet persona: what an operating system looks like on the wire.
//!
//! A scanner such as nmap tells systems apart by how they answer: the order of TCP options, windows, how
//! sequence numbers and identifications follow one another, what a reset acknowledges, how much of a datagram
//! an ICMP error quotes. A [`Stack`] makes a machine answer by the [`Facts`] of the system that it claims,
//! while the kernel underneath goes on carrying its connections.
//!
//! Pure packet work: no I/O, no clock, no unsafe code, and nothing is allocated for a packet. A carrier hands
//! every packet of a decky through its [`Persona`], inbound before the kernel sees it and outbound before the
//! LAN does. [`Plain`] leaves everything as the kernel made it.
//!
//! ```
//! use decnet_fingerprint::{Facts, Machine, Moment, Packet, Persona, Stack, Verdict};
//!
//! let facts = decnet_fingerprint::builtin("windows-10").and_then(|text| Facts::parse(text).ok()).unwrap();
//! let machine = Machine {
//!     address: [198, 51, 100, 20].into(),
//!     tcp_ports: vec![445],
//!     udp_ports: vec![],
//!     boots: Box::new(|now| now - 3600),
//!     clock_offset_ms: 0,
//!     seed: 1,
//! };
//! let mut stack = Stack::new(facts, machine);
//! let mut buffer = vec![0; 2048];
//! // A segment without any flag to the closed port 1: Windows answers with a reset.
//! let probe = "450000280001000040062652c6336402c63364149c400001000000070000000050000000bf1e0000";
//! let probe: Vec<u8> =
//!     (0..probe.len()).step_by(2).map(|at| u8::from_str_radix(&probe[at..at + 2], 16).unwrap()).collect();
//! buffer[..probe.len()].copy_from_slice(&probe);
//! let mut packet = Packet { length: probe.len(), buffer: &mut buffer, partial_checksum: false, segments: 1 };
//! let verdict = stack.inbound(&mut packet, Moment { micros: 0, unix: 1_700_000_000 });
//! assert_eq!(verdict, Verdict::Answer);
//! assert_eq!((packet.buffer[8], packet.buffer[33]), (128, 0x14), "its time to live; a reset");
//! ```
#![forbid(unsafe_code)]

mod builtin;
mod bytes;
mod clock;
pub mod facts;
mod flow;
mod header;
mod options;
mod pace;
mod random;
mod sequence;
mod stack;
mod table;

pub use builtin::{BUILTIN, builtin};
pub use clock::{Boots, Moment};
pub use facts::{Facts, FactsError};
pub use stack::{Machine, Stack};

/// An IPv4 packet under way.
#[derive(Debug)]
pub struct Packet<'a> {
    /// The packet, with spare room behind it: what is laid out anew may be up to 60 octets longer.
    pub buffer: &'a mut [u8],
    /// Octets of the packet.
    pub length: usize,
    /// Whether the transport checksum is yet to be completed by the kernel.
    pub partial_checksum: bool,
    /// Into how many segments the kernel will cut it; 1 for an ordinary packet.
    pub segments: u16,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It ends here.
    Drop,
    /// Only of an inbound packet: the answer to it now stands in its place, and goes back to its sender.
    Answer,
}

/// How a decky's operating system handles packets.
pub trait Persona: Send {
    /// A packet from the LAN.
    fn inbound(&mut self, packet: &mut Packet<'_>, now: Moment) -> Verdict;

    /// A packet to the LAN.
    fn outbound(&mut self, packet: &mut Packet<'_>, now: Moment) -> Verdict;
}

/// The kernel's own behaviour, unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Persona for Plain {
    fn inbound(&mut self, _: &mut Packet<'_>, _: Moment) -> Verdict {
        Verdict::Pass
    }

    fn outbound(&mut self, _: &mut Packet<'_>, _: Moment) -> Verdict {
        Verdict::Pass
    }
}
