//! The packet persona: what an operating system looks like on the wire.
//!
//! Pure packet work: no I/O, no clock, no unsafe code. A carrier hands every packet of a decky through
//! its [`Persona`], inbound before the kernel sees it and outbound before the LAN does. [`Plain`] leaves
//! everything as the kernel made it.
#![forbid(unsafe_code)]

/// An IPv4 packet under way.
#[derive(Debug)]
pub struct Packet<'a> {
    /// The packet, with spare room behind it.
    pub buffer: &'a mut [u8],
    /// Bytes of the packet.
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
}

/// How a decky's operating system handles packets.
pub trait Persona: Send {
    /// A packet from the LAN. What is pushed to `replies` (whole IPv4 packets) goes back to its sender.
    fn inbound(&mut self, packet: &mut Packet<'_>, replies: &mut Vec<Vec<u8>>) -> Verdict;

    /// A packet to the LAN.
    fn outbound(&mut self, packet: &mut Packet<'_>) -> Verdict;
}

/// The kernel's own behaviour, unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Persona for Plain {
    fn inbound(&mut self, _: &mut Packet<'_>, _: &mut Vec<Vec<u8>>) -> Verdict {
        Verdict::Pass
    }

    fn outbound(&mut self, _: &mut Packet<'_>) -> Verdict {
        Verdict::Pass
    }
}
