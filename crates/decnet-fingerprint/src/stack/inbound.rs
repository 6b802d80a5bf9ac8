//! Packets from the LAN.

use super::Stack;
use super::answers::{ERRORS, Ends};
use crate::bytes::{patch, u8_at, u16_at, u32_at};
use crate::clock::Moment;
use crate::facts::{Answer, Mss};
use crate::flow::{Flow, HANDSHAKE, Probe, State, key};
use crate::header::{IPV4, Ipv4, Tcp, flag, protocol};
use crate::options::Options;
use crate::{Packet, Verdict};

const ECHO_REQUEST: u8 = 8;
const ICMP: usize = 8;
const UDP: usize = 8;
const NOP: u8 = 1;

impl Stack {
    pub(super) fn enter(&mut self, packet: &mut Packet<'_>, now: Moment) -> Verdict {
        let Some(ip) = Ipv4::of(packet.buffer, packet.length) else { return Verdict::Drop };
        if ip.source == self.address || ip.destination != self.address {
            return Verdict::Drop;
        }
        // Fragments are the kernel's: it puts them together, and what it then answers is dressed on its way
        // out.
        if ip.is_fragment {
            return Verdict::Pass;
        }
        match ip.protocol {
            protocol::TCP => self.segment_from_lan(packet, &ip, now),
            protocol::UDP => self.datagram_from_lan(packet, &ip, now),
            protocol::ICMP => self.message_from_lan(packet, &ip),
            _ => Verdict::Pass,
        }
    }

    /// Whether we may answer a packet ourselves: an answer to what the kernel would have dropped gives us
    /// away, and one to a group is a weapon.
    fn is_answerable(packet: &Packet<'_>, ip: &Ipv4) -> bool {
        let first = (ip.source >> 24) as u8;
        first != 0
            && first != 127
            && first < 224
            && ip.is_intact(packet.buffer)
            && (packet.partial_checksum || ip.payload_is_intact(packet.buffer))
    }

    fn message_from_lan(&mut self, packet: &mut Packet<'_>, ip: &Ipv4) -> Verdict {
        if ip.length < ip.header + ICMP {
            return Verdict::Pass;
        }
        match (u8_at(packet.buffer, ip.header), self.facts.echo) {
            (ECHO_REQUEST, Some(echo)) if Self::is_answerable(packet, ip) => self.echo(packet, ip, echo),
            (ECHO_REQUEST, _) => Verdict::Drop,
            (kind, _) => {
                if ERRORS.contains(&kind) {
                    self.error_from_lan(packet, ip);
                }
                Verdict::Pass
            }
        }
    }

    /// An error about a segment of ours, such as a router's that it is too long. The kernel believes it only
    /// if the sequence number in the quotation is one that it sent.
    fn error_from_lan(&mut self, packet: &mut Packet<'_>, ip: &Ipv4) {
        let quoted = ip.header + ICMP;
        let buffer = &mut *packet.buffer;
        let tcp = quoted + usize::from(u8_at(buffer, quoted) & 0x0f) * 4;
        let is_ours = u8_at(buffer, quoted) >> 4 == 4
            && u8_at(buffer, quoted + 9) == protocol::TCP
            && u32_at(buffer, quoted + 12) == self.address
            && tcp >= quoted + IPV4
            && ip.length >= tcp + 8;
        if !is_ours {
            return;
        }
        let peer = u32_at(buffer, quoted + 16);
        if let Some(flow) = self.flows.get_mut(key(peer, u16_at(buffer, tcp + 2), u16_at(buffer, tcp))) {
            let number = u32_at(buffer, tcp + 4).wrapping_sub(flow.delta);
            let checksum = (!packet.partial_checksum).then_some(ip.header + 2);
            patch(buffer, ip.header, tcp + 4, &number.to_be_bytes(), checksum);
        }
    }

    fn datagram_from_lan(&mut self, packet: &mut Packet<'_>, ip: &Ipv4, now: Moment) -> Verdict {
        let length = usize::from(u16_at(packet.buffer, ip.header + 4));
        if ip.length < ip.header + UDP || length < UDP || ip.header + length > ip.length {
            return Verdict::Drop;
        }
        let port = u16_at(packet.buffer, ip.header + 2);
        if self.udp_ports.binary_search(&port).is_ok() {
            return Verdict::Pass;
        }
        let Some(unreachable) = self.facts.unreachable else { return Verdict::Drop };
        if !Self::is_answerable(packet, ip) {
            return Verdict::Drop;
        }
        match unreachable.pace {
            Some(pace) if !self.paces.allows(pace, ip.source, now.micros) => Verdict::Drop,
            _ => self.refuse(packet, ip, unreachable),
        }
    }

    fn segment_from_lan(&mut self, packet: &mut Packet<'_>, ip: &Ipv4, now: Moment) -> Verdict {
        let Some(tcp) = Tcp::of(packet.buffer, ip) else { return Verdict::Drop };
        let key = key(ip.source, tcp.source, tcp.destination);
        let is_opening = tcp.has(flag::SYN) && tcp.flags & (flag::ACK | flag::RST) == 0;
        let Tcp { sequence, acknowledgement, extent, .. } = tcp;
        let probe = Probe { sequence, acknowledgement, extent, seen: now.micros };
        if let Some(flow) = self.flows.get_mut(key)
            && !is_opening
            // After a reset, what has no ACK belongs to no connection.
            && (flow.state != State::Reset || tcp.flags & (flag::ACK | flag::RST) != 0)
        {
            flow.seen = now.micros;
            flow.state = match flow.state {
                _ if tcp.has(flag::RST) => State::Reset,
                State::Reset => State::Reset,
                _ if tcp.has(flag::FIN) => State::Closing,
                State::Opening if tcp.has(flag::ACK) => State::Open,
                state => state,
            };
            let flow = *flow;
            if flow.state == State::Reset && !tcp.has(flag::RST) {
                // The kernel will say that there is no such connection, if the reset was the peer's own.
                self.probes.insert(key, probe);
            }
            translate(packet, &tcp, &flow);
            return Verdict::Pass;
        }
        let is_open = self.is_open(tcp.destination);
        if tcp.has(flag::RST) {
            // Nobody answers a reset. A connection that we forgot may be meant.
            return if is_open { Verdict::Pass } else { Verdict::Drop };
        }
        let probes = self.facts.probes;
        let answer = match (is_open, is_opening, tcp.has(flag::ACK)) {
            (true, true, _) if tcp.has(flag::FIN) => match probes.syn_fin_to_open {
                Answer::SynAck => {
                    let flags = flag::SYN | (tcp.flags & flag::ECN);
                    let checksum = checksum(packet, &tcp);
                    patch(packet.buffer, tcp.at, tcp.at + 13, &[flags], checksum);
                    return self.syn(packet, &tcp, key, now);
                }
                answer => answer,
            },
            (true, true, _) => return self.syn(packet, &tcp, key, now),
            (true, false, true) => {
                // Perhaps of a connection that we forgot: the kernel knows. Its reset is dressed on its way.
                self.probes.insert(key, probe);
                return Verdict::Pass;
            }
            // A system that answers a segment without any flag answers FIN as if the port were closed.
            (true, false, false) if tcp.has(flag::FIN) && probes.null_to_open != Answer::Silence => {
                probes.null_to_closed
            }
            (true, false, false) => probes.null_to_open,
            (false, true, _) => probes.syn_to_closed,
            (false, false, true) => probes.ack_to_closed,
            (false, false, false) => probes.null_to_closed,
        };
        match answer {
            Answer::Reset(reset) if Self::is_answerable(packet, ip) => {
                let ends = Ends { port: tcp.destination, peer: ip.source, peer_port: tcp.source };
                self.reset(packet, &probe, ends, reset)
            }
            _ => Verdict::Drop,
        }
    }

    /// A SYN to an open port: what the persona does not speak is taken out, so that the kernel never agrees
    /// to it.
    fn syn(&mut self, packet: &mut Packet<'_>, tcp: &Tcp, key: u64, now: Moment) -> Verdict {
        let options = Options::of(packet.buffer, tcp);
        let checksum = checksum(packet, tcp);
        let negotiation = &self.facts.tcp;
        let buffer = &mut *packet.buffer;
        let peer_ecn = negotiation.ecn && tcp.has(flag::ECN);
        if !negotiation.ecn && tcp.flags & flag::ECN != 0 {
            let flags = u8_at(buffer, tcp.at + 13) & !flag::ECN;
            patch(buffer, tcp.at, tcp.at + 13, &[flags], checksum);
        }
        if let (None, Some((at, _))) = (negotiation.window_scale, options.window_scale) {
            patch(buffer, tcp.at, at, &[NOP; 3], checksum);
        }
        if let (false, Some(at)) = (negotiation.sack, options.sack_permitted) {
            patch(buffer, tcp.at, at, &[NOP; 2], checksum);
        }
        if let (None, Some(at)) = (negotiation.timestamps, options.timestamps) {
            patch(buffer, tcp.at, at, &[NOP; 10], checksum);
        }
        if let (Mss::Smaller { own, .. }, Some((at, mss))) = (negotiation.mss, options.mss)
            && mss > own
        {
            // Such a system sends no larger segments than it takes.
            patch(buffer, tcp.at, at + 2, &own.to_be_bytes(), checksum);
        }
        if let Some(flow) = self.flows.get_mut(key) {
            // Asked again, or a new connection between the same ports: the SYN-ACK will tell.
            flow.seen = now.micros;
            flow.peer_mss = options.mss.map(|(_, mss)| mss);
            flow.peer_ecn = peer_ecn;
            return Verdict::Pass;
        }
        let flow = Flow::opening(options.mss.map(|(_, mss)| mss), peer_ecn, now.micros);
        let gone = self.flows.insert(key, flow);
        if let Some(gone) = gone
            && gone.state == State::Opening
            && now.micros.saturating_sub(gone.seen) < HANDSHAKE
            && let Some(flow) = self.flows.get_mut(key)
        {
            flow.plain = true;
        }
        Verdict::Pass
    }
}

/// Where the checksum is that has to follow every change; nowhere where the kernel is yet to make it.
fn checksum(packet: &Packet<'_>, tcp: &Tcp) -> Option<usize> {
    (!packet.partial_checksum).then(|| tcp.checksum())
}

/// Turns what the peer says of our numbers into the kernel's.
fn translate(packet: &mut Packet<'_>, tcp: &Tcp, flow: &Flow) {
    let checksum = checksum(packet, tcp);
    let buffer = &mut *packet.buffer;
    if flow.delta != 0 && tcp.has(flag::ACK) {
        let number = tcp.acknowledgement.wrapping_sub(flow.delta);
        patch(buffer, tcp.at, tcp.at + 8, &number.to_be_bytes(), checksum);
    }
    if tcp.data == tcp.options || (flow.delta == 0 && flow.line.is_none()) {
        return;
    }
    let options = Options::of(buffer, tcp);
    if let (Some((first, blocks)), true) = (options.sack_blocks, flow.delta != 0) {
        for edge in 0..blocks * 2 {
            let at = first + edge * 4;
            let number = u32_at(buffer, at).wrapping_sub(flow.delta);
            patch(buffer, tcp.at, at, &number.to_be_bytes(), checksum);
        }
    }
    if let (Some(at), Some(line)) = (options.timestamps, &flow.line)
        && tcp.has(flag::ACK)
    {
        let number = line.recall(u32_at(buffer, at + 6));
        patch(buffer, tcp.at, at + 6, &number.to_be_bytes(), checksum);
    }
}
