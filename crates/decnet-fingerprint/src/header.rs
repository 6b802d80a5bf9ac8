//! Views of the headers that the persona touches: IPv4 (RFC 791) and TCP (RFC 9293).

use crate::bytes::{add, finish, put, u8_at, u16_at, u32_at};

/// IP protocol numbers.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
}

/// TCP flag bits.
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const ACK: u8 = 0x10;
    /// Of explicit congestion notification (RFC 3168): ECE and CWR.
    pub(crate) const ECE: u8 = 0x40;
    pub(crate) const ECN: u8 = 0xc0;
}

/// Octets of an IPv4 header without options, and of a TCP header without options.
pub(crate) const IPV4: usize = 20;
pub(crate) const TCP: usize = 20;

/// The fragment field's flags: "don't fragment", and all that makes a packet a fragment.
const DONT_FRAGMENT: u16 = 0x4000;
const FRAGMENT: u16 = 0x3fff;

/// An IPv4 header that is whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv4 {
    /// Octets of the header: where the payload begins.
    pub(crate) header: usize,
    /// Octets of the packet.
    pub(crate) length: usize,
    pub(crate) protocol: u8,
    pub(crate) source: u32,
    pub(crate) destination: u32,
    pub(crate) is_fragment: bool,
    pub(crate) dont_fragment: bool,
}

impl Ipv4 {
    /// Looks at a packet of `length` octets; nothing where there is no whole IPv4 header.
    pub(crate) fn of(buffer: &[u8], length: usize) -> Option<Ipv4> {
        let packet = buffer.get(..length)?;
        let first = *packet.first()?;
        let header = usize::from(first & 0x0f) * 4;
        if first >> 4 != 4 || header < IPV4 || length < header {
            return None;
        }
        let fragment = u16_at(packet, 6);
        Some(Ipv4 {
            header,
            length,
            protocol: u8_at(packet, 9),
            source: u32_at(packet, 12),
            destination: u32_at(packet, 16),
            is_fragment: fragment & FRAGMENT != 0,
            dont_fragment: fragment & DONT_FRAGMENT != 0,
        })
    }

    /// Whether the header's own checksum is right.
    pub(crate) fn is_intact(&self, buffer: &[u8]) -> bool {
        finish(add(buffer.get(..self.header).unwrap_or_default(), 0)) == 0
    }

    /// The pseudo header's sum (RFC 9293 section 3.1) for the payload.
    fn pseudo_sum(&self, buffer: &[u8]) -> u32 {
        let addresses = buffer.get(12..IPV4).unwrap_or_default();
        add(addresses, u32::from(self.protocol)) + (self.length - self.header) as u32
    }

    /// Whether the payload's checksum is right. TCP and UDP have a pseudo header, ICMP has none.
    pub(crate) fn payload_is_intact(&self, buffer: &[u8]) -> bool {
        let payload = buffer.get(self.header..self.length).unwrap_or_default();
        let pseudo = match self.protocol {
            protocol::ICMP => 0,
            // A datagram without a checksum (RFC 768).
            protocol::UDP if u16_at(payload, 6) == 0 => return true,
            _ => self.pseudo_sum(buffer),
        };
        finish(add(payload, pseudo)) == 0
    }

    /// Writes the TCP checksum anew.
    pub(crate) fn seal_tcp(&self, buffer: &mut [u8]) {
        put(buffer, self.header + 16, &[0, 0]);
        let payload = buffer.get(self.header..self.length).unwrap_or_default();
        let sum = finish(add(payload, self.pseudo_sum(buffer)));
        put(buffer, self.header + 16, &sum.to_be_bytes());
    }

    /// Writes the ICMP checksum anew.
    pub(crate) fn seal_icmp(&self, buffer: &mut [u8]) {
        put(buffer, self.header + 2, &[0, 0]);
        let sum = finish(add(buffer.get(self.header..self.length).unwrap_or_default(), 0));
        put(buffer, self.header + 2, &sum.to_be_bytes());
    }
}

/// Writes the total length of the packet.
pub(crate) fn set_length(buffer: &mut [u8], length: usize) {
    put(buffer, 2, &u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
}

/// Writes the identification.
pub(crate) fn set_id(buffer: &mut [u8], id: u16) {
    put(buffer, 4, &id.to_be_bytes());
}

/// Writes the fragment field of a packet that is whole.
pub(crate) fn set_dont_fragment(buffer: &mut [u8], on: bool) {
    put(buffer, 6, &if on { DONT_FRAGMENT } else { 0 }.to_be_bytes());
}

/// Writes the IPv4 header's checksum anew.
pub(crate) fn seal_ipv4(buffer: &mut [u8]) {
    put(buffer, 10, &[0, 0]);
    let header = usize::from(u8_at(buffer, 0) & 0x0f) * 4;
    let sum = finish(add(buffer.get(..header).unwrap_or_default(), 0));
    put(buffer, 10, &sum.to_be_bytes());
}

/// A TCP header that is whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp {
    /// Where it begins.
    pub(crate) at: usize,
    /// Where its options begin.
    pub(crate) options: usize,
    /// Where the data begins.
    pub(crate) data: usize,
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    /// Octets that the segment takes of the sequence space: its data, SYN and FIN.
    pub(crate) extent: u32,
}

impl Tcp {
    /// Looks at the segment in a packet; nothing where its header is cut.
    pub(crate) fn of(buffer: &[u8], ip: &Ipv4) -> Option<Tcp> {
        let at = ip.header;
        if ip.length < at + TCP {
            return None;
        }
        let data = at + usize::from(u8_at(buffer, at + 12) >> 4) * 4;
        if data < at + TCP || data > ip.length {
            return None;
        }
        let flags = u8_at(buffer, at + 13);
        let extent =
            (ip.length - data) as u32 + u32::from(flags & flag::SYN != 0) + u32::from(flags & flag::FIN != 0);
        Some(Tcp {
            at,
            options: at + TCP,
            data,
            source: u16_at(buffer, at),
            destination: u16_at(buffer, at + 2),
            sequence: u32_at(buffer, at + 4),
            acknowledgement: u32_at(buffer, at + 8),
            flags,
            extent,
        })
    }

    pub(crate) fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Where its checksum stands.
    pub(crate) fn checksum(&self) -> usize {
        self.at + 16
    }
}
