//! Answers that the persona makes itself, in the place of what they answer.

use super::Stack;
use crate::bytes::{put, u8_at, u16_at};
use crate::facts::{Acknowledgement, Echo, EchoFragment, Quoted, Reset, Sequence, Unreachable};
use crate::flow::Probe;
use crate::header::{IPV4, Ipv4, TCP, flag, protocol, seal_ipv4, set_dont_fragment, set_id, set_length};
use crate::{Packet, Verdict};

const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const PORT_UNREACHABLE: u8 = 3;
/// ICMP messages that quote what they are about.
pub(super) const ERRORS: [u8; 3] = [3, 11, 12];
/// Octets of an ICMP error before what it quotes.
const ERROR: usize = 8;

/// The two ends of a reset: ours and the peer's.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) port: u16,
    pub(super) peer: u32,
    pub(super) peer_port: u16,
}

impl Stack {
    /// Replaces the packet by a reset.
    pub(super) fn reset(
        &mut self,
        packet: &mut Packet<'_>,
        probe: &Probe,
        ends: Ends,
        reset: Reset,
    ) -> Verdict {
        const LENGTH: usize = IPV4 + TCP;
        let id = self.next_id(self.facts.ip_id.reset, 1);
        let Some(buffer) = packet.buffer.get_mut(..LENGTH) else { return Verdict::Drop };
        buffer.fill(0);
        put(buffer, 0, &[0x45]);
        set_length(buffer, LENGTH);
        set_id(buffer, id);
        set_dont_fragment(buffer, reset.dont_fragment);
        put(buffer, 8, &[self.facts.ttl, protocol::TCP]);
        put(buffer, 12, &self.address.to_be_bytes());
        put(buffer, 16, &ends.peer.to_be_bytes());
        put(buffer, IPV4, &ends.port.to_be_bytes());
        put(buffer, IPV4 + 2, &ends.peer_port.to_be_bytes());
        let sequence = match reset.sequence {
            Sequence::Zero => 0,
            Sequence::ProbeAcknowledgement => probe.acknowledgement,
            Sequence::AfterProbeAcknowledgement => probe.acknowledgement.wrapping_add(1),
        };
        let acknowledgement = match reset.acknowledgement {
            Acknowledgement::Zero => 0,
            Acknowledgement::ProbeAcknowledgement => probe.acknowledgement,
            Acknowledgement::ProbeSequence => probe.sequence,
            Acknowledgement::ProbeEnd => probe.sequence.wrapping_add(probe.extent),
        };
        put(buffer, IPV4 + 4, &sequence.to_be_bytes());
        put(buffer, IPV4 + 8, &acknowledgement.to_be_bytes());
        put(buffer, IPV4 + 12, &[0x50, flag::RST | if reset.ack { flag::ACK } else { 0 }]);
        put(buffer, IPV4 + 14, &reset.window.to_be_bytes());
        if let Some(ip) = Ipv4::of(buffer, LENGTH) {
            ip.seal_tcp(buffer);
        }
        seal_ipv4(buffer);
        finished(packet, LENGTH)
    }

    /// Replaces an echo request by its reply.
    pub(super) fn echo(&mut self, packet: &mut Packet<'_>, ip: &Ipv4, echo: Echo) -> Verdict {
        let id = self.next_id(self.facts.ip_id.other, 1);
        let buffer = &mut *packet.buffer;
        put(buffer, 12, &ip.destination.to_be_bytes());
        put(buffer, 16, &ip.source.to_be_bytes());
        put(buffer, 8, &[echo.ttl]);
        if !echo.keeps_type_of_service {
            put(buffer, 1, &[0]);
        }
        set_id(buffer, id);
        set_dont_fragment(
            buffer,
            match echo.dont_fragment {
                EchoFragment::Never => false,
                EchoFragment::AsAsked => ip.dont_fragment,
                EchoFragment::Always => true,
            },
        );
        put(buffer, ip.header, &[ECHO_REPLY]);
        if !echo.keeps_code {
            put(buffer, ip.header + 1, &[0]);
        }
        ip.seal_icmp(buffer);
        seal_ipv4(buffer);
        finished(packet, ip.length)
    }

    /// Replaces a datagram to a closed port by the error for it.
    pub(super) fn refuse(&mut self, packet: &mut Packet<'_>, ip: &Ipv4, unreachable: Unreachable) -> Verdict {
        const BEFORE: usize = IPV4 + ERROR;
        let id = self.next_id(self.facts.ip_id.other, 1);
        let length = (BEFORE + ip.length).min(usize::from(unreachable.longest));
        let buffer = &mut *packet.buffer;
        if buffer.len() < length {
            return Verdict::Drop;
        }
        buffer.copy_within(..length - BEFORE, BEFORE);
        if let Some(before) = buffer.get_mut(..BEFORE) {
            before.fill(0);
        }
        put(buffer, 0, &[0x45]);
        set_id(buffer, id);
        put(buffer, 9, &[protocol::ICMP]);
        put(buffer, 12, &ip.destination.to_be_bytes());
        put(buffer, 16, &ip.source.to_be_bytes());
        put(buffer, IPV4, &[UNREACHABLE, PORT_UNREACHABLE]);
        self.dress_error(buffer, length, unreachable);
        finished(packet, length)
    }

    /// Makes an ICMP error, its quotation in place, look like the persona's; `length` octets of it count.
    pub(super) fn dress_error(&self, buffer: &mut [u8], length: usize, unreachable: Unreachable) {
        put(buffer, 1, &[unreachable.type_of_service]);
        set_length(buffer, length);
        set_dont_fragment(buffer, unreachable.dont_fragment);
        put(buffer, 8, &[unreachable.ttl]);
        let Some(ip) = Ipv4::of(buffer, length) else { return };
        let quoted = ip.header + ERROR;
        put(buffer, ip.header + 4, &unreachable.unused.to_be_bytes());
        let quote = |buffer: &mut [u8], at: usize, how: Quoted| {
            // What the bound cut off is not there to be changed.
            if at + 2 > length {
                return;
            }
            match how {
                Quoted::Good => {}
                Quoted::Zero => put(buffer, at, &[0, 0]),
                Quoted::Bad => put(buffer, at, &(!u16_at(buffer, at) ^ 0x55).to_be_bytes()),
            }
        };
        if u8_at(buffer, quoted + 9) == protocol::UDP {
            let header = usize::from(u8_at(buffer, quoted) & 0x0f) * 4;
            quote(buffer, quoted + header + 6, unreachable.quoted_udp_checksum);
        }
        quote(buffer, quoted + 10, unreachable.quoted_ip_checksum);
        ip.seal_icmp(buffer);
        seal_ipv4(buffer);
    }
}

/// The buffer holds a whole answer, with all its checksums.
fn finished(packet: &mut Packet<'_>, length: usize) -> Verdict {
    packet.length = length;
    packet.partial_checksum = false;
    packet.segments = 1;
    Verdict::Answer
}
