//! Containment on the wire: a decky can answer, never ask.
//!
//! A worker that is owned holds accepted connections and bound UDP sockets, nothing else. What it could
//! still do with them is send datagrams to anybody; here only those leave that answer somebody. New TCP
//! connections, pings and foreign protocols never leave.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::neighbours::Recent;
use crate::packet::{Glance, Payload, flags};

/// How long after a datagram its sender may be answered. Longer than any retransmission of the protocols
/// served here.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// Peers remembered per generation.
const PEERS: usize = 32_768;

/// ICMP types that only ever answer: echo reply, unreachable, time exceeded, parameter problem, timestamp
/// reply, address mask reply.
const ANSWERS: [u8; 6] = [0, 3, 11, 12, 14, 18];

/// Remembers who spoke to whom by UDP.
#[derive(Debug)]
pub struct Egress {
    /// (decky, peer, peer's port); port 0 stands for the peer as such, for fragments.
    spoke: Recent<(Ipv4Addr, Ipv4Addr, u16), ()>,
}

impl Egress {
    /// Nobody has spoken.
    pub fn new(now: Instant) -> Egress {
        Egress { spoke: Recent::new(PEERS, ANSWER_WITHIN, now) }
    }

    /// A packet came in to a decky.
    pub fn inbound(&mut self, packet: &Glance, now: Instant) {
        if let Payload::Udp { source, .. } = packet.payload {
            self.spoke.insert((packet.destination, packet.source, source), (), now);
            self.spoke.insert((packet.destination, packet.source, 0), (), now);
        }
    }

    /// Whether a packet from a decky may leave.
    pub fn allows(&self, packet: &Glance) -> bool {
        let spoke = |port| self.spoke.get(&(packet.source, packet.destination, port)).is_some();
        match packet.payload {
            Payload::Tcp { flags, .. } => flags & (flags::SYN | flags::ACK) != flags::SYN,
            Payload::Udp { destination, .. } => destination != 0 && spoke(destination),
            Payload::Icmp { kind } => ANSWERS.contains(&kind),
            // TCP is cut into segments, not fragments; of UDP the first fragment was judged.
            Payload::Fragment { protocol } => protocol == 6 || protocol == 1 || (protocol == 17 && spoke(0)),
            Payload::Other { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::tests::{packet, tcp};

    const DECKY: [u8; 4] = [198, 51, 100, 20];
    const PEER: [u8; 4] = [198, 51, 100, 7];

    fn glance(bytes: &[u8]) -> Glance {
        Glance::of(bytes).unwrap()
    }

    #[test]
    fn answers_leave_and_questions_do_not() {
        let now = Instant::now();
        let mut egress = Egress::new(now);
        let out = |protocol, body: &[u8]| glance(&packet(protocol, DECKY, PEER, body));
        assert!(egress.allows(&out(6, &tcp(80, 40_000, flags::SYN | flags::ACK))));
        assert!(egress.allows(&out(6, &tcp(80, 40_000, flags::RST | flags::ACK))));
        assert!(!egress.allows(&out(6, &tcp(40_000, 80, flags::SYN))));
        assert!(egress.allows(&out(1, &[0, 0, 0, 0])), "echo reply");
        assert!(!egress.allows(&out(1, &[8, 0, 0, 0])), "echo request");
        assert!(!egress.allows(&out(47, &[0; 8])), "GRE");

        let datagram = out(17, &[0, 161, 0x9c, 0x40, 0, 8, 0, 0]);
        assert!(!egress.allows(&datagram), "nobody asked");
        egress.inbound(&glance(&packet(17, PEER, DECKY, &[0x9c, 0x40, 0, 161, 0, 8, 0, 0])), now);
        assert!(egress.allows(&datagram));
        assert!(
            egress.allows(&out(17, &[0x80, 0, 0x9c, 0x40, 0, 8, 0, 0])),
            "from a fresh port, as TFTP does"
        );
        assert!(!egress.allows(&out(17, &[0, 161, 0, 53, 0, 8, 0, 0])), "another port of the peer");
        let other = glance(&packet(17, [198, 51, 100, 21], PEER, &[0, 161, 0x9c, 0x40, 0, 8, 0, 0]));
        assert!(!egress.allows(&other), "another decky");
    }
}
