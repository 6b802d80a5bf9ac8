//! ARP for IPv4 over Ethernet (RFC 826), and address conflict probes (RFC 5227).

use std::net::Ipv4Addr;

use decnet_core::MacAddress;

/// EtherType of ARP.
pub const ETHERTYPE: u16 = 0x0806;
/// Bytes of an ARP packet for IPv4 over Ethernet.
pub const LENGTH: usize = 28;
/// Bytes of an Ethernet header.
pub const ETHERNET: usize = 14;
/// The Ethernet broadcast address.
pub const BROADCAST: MacAddress = MacAddress([0xff; 6]);

/// What an ARP packet is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Who has this address?
    Request,
    /// I have.
    Reply,
    /// Anything else.
    Unknown(u16),
}

impl From<u16> for Operation {
    fn from(code: u16) -> Self {
        match code {
            1 => Operation::Request,
            2 => Operation::Reply,
            other => Operation::Unknown(other),
        }
    }
}

impl From<Operation> for u16 {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Request => 1,
            Operation::Reply => 2,
            Operation::Unknown(code) => code,
        }
    }
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it is about.
    pub operation: Operation,
    /// Who says it.
    pub sender_mac: MacAddress,
    /// The sender's address; 0.0.0.0 in a probe.
    pub sender: Ipv4Addr,
    /// Who is meant; zeroes in a request.
    pub target_mac: MacAddress,
    /// The address in question.
    pub target: Ipv4Addr,
}

impl Packet {
    /// Reads the payload of an Ethernet frame. Nothing where it is cut or not about IPv4 over Ethernet.
    pub fn parse(bytes: &[u8]) -> Option<Packet> {
        let bytes: &[u8; LENGTH] = bytes.get(..LENGTH)?.try_into().ok()?;
        if bytes[..6] != [0, 1, 8, 0, 6, 4] {
            return None;
        }
        let mac = |at: usize| {
            let mut octets = [0; 6];
            octets.copy_from_slice(&bytes[at..at + 6]);
            MacAddress(octets)
        };
        let address = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
        Some(Packet {
            operation: u16::from_be_bytes([bytes[6], bytes[7]]).into(),
            sender_mac: mac(8),
            sender: address(14),
            target_mac: mac(18),
            target: address(24),
        })
    }

    /// The payload of an Ethernet frame.
    pub fn emit(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..6].copy_from_slice(&[0, 1, 8, 0, 6, 4]);
        bytes[6..8].copy_from_slice(&u16::from(self.operation).to_be_bytes());
        bytes[8..14].copy_from_slice(&self.sender_mac.octets());
        bytes[14..18].copy_from_slice(&self.sender.octets());
        bytes[18..24].copy_from_slice(&self.target_mac.octets());
        bytes[24..28].copy_from_slice(&self.target.octets());
        bytes
    }

    /// A whole frame to `destination`.
    pub fn frame(&self, destination: MacAddress) -> [u8; ETHERNET + LENGTH] {
        let mut frame = [0; ETHERNET + LENGTH];
        frame[..6].copy_from_slice(&destination.octets());
        frame[6..12].copy_from_slice(&self.sender_mac.octets());
        frame[12..14].copy_from_slice(&ETHERTYPE.to_be_bytes());
        frame[14..].copy_from_slice(&self.emit());
        frame
    }

    /// The answer of the host that has the address asked for.
    pub fn answer(&self, mac: MacAddress) -> Packet {
        Packet {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: self.target,
            target_mac: self.sender_mac,
            target: self.sender,
        }
    }

    /// The question whether an address is taken (RFC 5227 section 2.1.1): it names no sender address, so
    /// it changes nobody's table.
    pub fn probe(mac: MacAddress, address: Ipv4Addr) -> Packet {
        Packet {
            operation: Operation::Request,
            sender_mac: mac,
            sender: Ipv4Addr::UNSPECIFIED,
            target_mac: MacAddress([0; 6]),
            target: address,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_captured_request_and_its_answer() {
        // who-has 198.51.100.20 tell 198.51.100.7, captured between two namespaces.
        let bytes = [
            0, 1, 8, 0, 6, 4, 0, 1, 0x3e, 0x11, 0x22, 0x33, 0x44, 0x55, 198, 51, 100, 7, 0, 0, 0, 0, 0, 0,
            198, 51, 100, 20, 0, 0,
        ];
        let request = Packet::parse(&bytes).unwrap();
        assert_eq!(request.target, Ipv4Addr::new(198, 51, 100, 20));
        let answer = request.answer(MacAddress([0, 0x1b, 0x21, 1, 2, 3]));
        assert_eq!(answer.operation, Operation::Reply);
        assert_eq!(answer.target, Ipv4Addr::new(198, 51, 100, 7));
        let frame = answer.frame(request.sender_mac);
        assert_eq!(frame[..6], [0x3e, 0x11, 0x22, 0x33, 0x44, 0x55]);
        assert_eq!(Packet::parse(&frame[ETHERNET..]), Some(answer));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_not_and_survive_emission(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(packet) = Packet::parse(&bytes) {
                prop_assert_eq!(&packet.emit()[..], &bytes[..LENGTH]);
            }
        }
    }
}
