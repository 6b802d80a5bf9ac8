//! What the wire needs to know of an IPv4 packet. Total on any bytes.

use std::net::Ipv4Addr;

/// TCP flag bits.
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// The acknowledgement field counts.
    pub const ACK: u8 = 0x10;
}

/// The transport of a packet, as far as the wire looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A TCP segment.
    Tcp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
        /// Flag bits.
        flags: u8,
    },
    /// A UDP datagram.
    Udp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// An ICMP message.
    Icmp {
        /// Its type.
        kind: u8,
    },
    /// A later fragment: its ports are in the first one.
    Fragment {
        /// The IP protocol number.
        protocol: u8,
    },
    /// Anything else, or a header that is cut.
    Other {
        /// The IP protocol number.
        protocol: u8,
    },
}

/// An IPv4 packet at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Bytes of the packet by its own header, never more than were given.
    pub length: usize,
    /// What it carries.
    pub payload: Payload,
}

impl Glance {
    /// Looks at a packet; nothing where it is no IPv4 packet with a whole header.
    pub fn of(packet: &[u8]) -> Option<Glance> {
        let header: &[u8; 20] = packet.get(..20)?.try_into().ok()?;
        let header_length = usize::from(header[0] & 0x0f) * 4;
        if header[0] >> 4 != 4 || header_length < 20 || packet.len() < header_length {
            return None;
        }
        let stated = usize::from(u16::from_be_bytes([header[2], header[3]]));
        // A large segment that the kernel has yet to cut may state a length of zero.
        let length = if stated >= header_length { stated.min(packet.len()) } else { packet.len() };
        let protocol = header[9];
        let fragment_offset = u16::from_be_bytes([header[6], header[7]]) & 0x1fff;
        let body = packet.get(header_length..length).unwrap_or_default();
        let port = |at: usize| body.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        let payload = if fragment_offset != 0 {
            Payload::Fragment { protocol }
        } else {
            match (protocol, port(0), port(2), body.get(13)) {
                (6, Some(source), Some(destination), Some(flags)) => {
                    Payload::Tcp { source, destination, flags: *flags }
                }
                (17, Some(source), Some(destination), _) => Payload::Udp { source, destination },
                (1, Some(kind_and_code), _, _) => Payload::Icmp { kind: (kind_and_code >> 8) as u8 },
                _ => Payload::Other { protocol },
            }
        };
        Some(Glance {
            source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
            destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
            length,
            payload,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A packet without payload, checksums left zero.
    pub(crate) fn packet(protocol: u8, source: [u8; 4], destination: [u8; 4], body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend(source);
        packet.extend(destination);
        packet.extend(body);
        let length = packet.len() as u16;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        packet
    }

    /// A TCP header with these ports and flags.
    pub(crate) fn tcp(source: u16, destination: u16, flags: u8) -> Vec<u8> {
        let mut header = vec![0; 20];
        header[..2].copy_from_slice(&source.to_be_bytes());
        header[2..4].copy_from_slice(&destination.to_be_bytes());
        header[12] = 0x50;
        header[13] = flags;
        header
    }

    #[test]
    fn a_syn_at_a_glance() {
        let bytes = packet(6, [198, 51, 100, 7], [198, 51, 100, 20], &tcp(40_000, 80, flags::SYN));
        let glance = Glance::of(&bytes).unwrap();
        assert_eq!(glance.payload, Payload::Tcp { source: 40_000, destination: 80, flags: flags::SYN });
        assert_eq!(glance.length, 40);
        assert_eq!(Glance::of(&bytes[..19]), None);
        assert_eq!(Glance::of(&bytes[..21]).unwrap().payload, Payload::Other { protocol: 6 });
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            if let Some(glance) = Glance::of(&bytes) {
                prop_assert!(glance.length <= bytes.len());
            }
        }
    }
}
