//! Packets to the LAN.

use super::Stack;
use super::answers::{ERRORS, Ends};
use crate::bytes::{patch, put, u8_at, u16_at, u32_at};
use crate::clock::Moment;
use crate::facts::{Answer, IpId, Mss, Window};
use crate::flow::{Flow, Probe, State, key};
use crate::header::{Ipv4, TCP, Tcp, flag, protocol, seal_ipv4, set_dont_fragment, set_id, set_length};
use crate::options::{Offer, Options, lay_out};
use crate::{Packet, Verdict};

/// The time to live that kernels give by default. A service that sets another one means it.
const DEFAULT_TTLS: [u8; 3] = [64, 128, 255];
/// Octets of timestamps in a segment, with what pads them.
const TIMESTAMPS: u16 = 12;
/// The segment size where none is announced (RFC 9293 section 3.7.1).
const DEFAULT_MSS: u16 = 536;
/// The smallest segment that windows are counted in.
const SMALLEST_SEGMENT: u16 = 40;
/// The largest segment of an Ethernet, which the kernel's own announcement tells where it names one.
const ETHERNET_MSS: u16 = 1460;

const TIMESTAMP_REPLY: u8 = 14;
const MILLISECONDS_PER_DAY: i64 = 86_400_000;

impl Stack {
    pub(super) fn leave(&mut self, packet: &mut Packet<'_>, now: Moment) -> Verdict {
        let Some(ip) = Ipv4::of(packet.buffer, packet.length) else { return Verdict::Drop };
        let ttl = u8_at(packet.buffer, 8);
        if DEFAULT_TTLS.contains(&ttl) {
            put(packet.buffer, 8, &[self.facts.ttl]);
        }
        if ip.is_fragment {
            seal_ipv4(packet.buffer);
            return Verdict::Pass;
        }
        match ip.protocol {
            protocol::TCP => self.segment_to_lan(packet, &ip, now),
            protocol::ICMP => self.message_to_lan(packet, &ip),
            _ => {
                if self.facts.ip_id.other != IpId::Zero {
                    let id = self.next_id(self.facts.ip_id.other, packet.segments);
                    set_id(packet.buffer, id);
                }
                set_dont_fragment(packet.buffer, ip.dont_fragment && self.facts.udp_dont_fragment);
                seal_ipv4(packet.buffer);
                Verdict::Pass
            }
        }
    }

    fn message_to_lan(&mut self, packet: &mut Packet<'_>, ip: &Ipv4) -> Verdict {
        let id = self.next_id(self.facts.ip_id.other, 1);
        set_id(packet.buffer, id);
        let kind = u8_at(packet.buffer, ip.header);
        if ERRORS.contains(&kind) {
            let Some(unreachable) = self.facts.unreachable else { return Verdict::Drop };
            let length = ip.length.min(usize::from(unreachable.longest));
            self.dress_error(packet.buffer, length, unreachable);
            packet.length = length;
            packet.partial_checksum = false;
            return Verdict::Pass;
        }
        if kind == TIMESTAMP_REPLY && ip.length >= ip.header + 20 {
            // RFC 792: milliseconds since midnight, when it came and when it left.
            for at in [ip.header + 12, ip.header + 16] {
                let time = i64::from(u32_at(packet.buffer, at)) + self.clock_offset_ms;
                let time = time.rem_euclid(MILLISECONDS_PER_DAY) as u32;
                put(packet.buffer, at, &time.to_be_bytes());
            }
            ip.seal_icmp(packet.buffer);
            packet.partial_checksum = false;
        }
        seal_ipv4(packet.buffer);
        Verdict::Pass
    }

    fn segment_to_lan(&mut self, packet: &mut Packet<'_>, ip: &Ipv4, now: Moment) -> Verdict {
        let Some(tcp) = Tcp::of(packet.buffer, ip) else { return Verdict::Drop };
        let key = key(ip.destination, tcp.destination, tcp.source);
        if tcp.has(flag::SYN) {
            return self.syn_ack(packet, ip, &tcp, key, now);
        }
        let is_reset = tcp.has(flag::RST);
        let Some(flow) = self.flows.get_mut(key).filter(|flow| !is_reset || flow.state != State::Reset)
        else {
            return match is_reset {
                true => self.stray_reset(packet, ip, &tcp, key),
                // Of a connection that we forgot.
                false => self.finish_segment(packet, ip, &tcp),
            };
        };
        flow.seen = now.micros;
        if tcp.flags & (flag::RST | flag::FIN) != 0 {
            flow.state = State::Closing;
        }
        let checksum = (!packet.partial_checksum).then(|| tcp.checksum());
        let buffer = &mut *packet.buffer;
        if flow.delta != 0 {
            let number = tcp.sequence.wrapping_add(flow.delta);
            patch(buffer, tcp.at, tcp.at + 4, &number.to_be_bytes(), checksum);
        }
        let (kernel, shown) = flow.scales;
        if kernel != shown {
            // Never more than there is, so the peer never sends what has no room.
            let window = u32::from(u16_at(buffer, tcp.at + 14)) << kernel >> shown;
            let window = u16::try_from(window).unwrap_or(u16::MAX);
            patch(buffer, tcp.at, tcp.at + 14, &window.to_be_bytes(), checksum);
        }
        if let Some(line) = &mut flow.line
            && tcp.data > tcp.options
            && let Some(at) = Options::of(buffer, &tcp).timestamps
        {
            let shown = line.show(u32_at(buffer, at + 2));
            patch(buffer, tcp.at, at + 2, &shown.to_be_bytes(), checksum);
        }
        self.finish_segment(packet, ip, &tcp)
    }

    /// What every segment of a connection gets.
    fn finish_segment(&mut self, packet: &mut Packet<'_>, ip: &Ipv4, tcp: &Tcp) -> Verdict {
        let ids = self.facts.ip_id;
        let policy = if tcp.has(flag::RST) { ids.reset } else { ids.open };
        // A kernel whose SYN-ACKs say zero counts in each connection; so does ours.
        if policy != IpId::Zero {
            let id = self.next_id(policy, packet.segments);
            set_id(packet.buffer, id);
        }
        set_dont_fragment(packet.buffer, ip.dont_fragment && self.facts.tcp_dont_fragment);
        seal_ipv4(packet.buffer);
        Verdict::Pass
    }

    /// A reset of the kernel's for a segment outside a connection.
    fn stray_reset(&mut self, packet: &mut Packet<'_>, ip: &Ipv4, tcp: &Tcp, key: u64) -> Verdict {
        let probes = self.facts.probes;
        let is_open = self.is_open(tcp.source);
        let (probe, answer) = match self.probes.get_mut(key) {
            Some(probe) => (*probe, if is_open { probes.ack_to_open } else { probes.ack_to_closed }),
            // Of a probe in fragments only the reset is known, and it repeats what matters of the probe.
            None if tcp.has(flag::ACK) => {
                let sequence = tcp.acknowledgement.wrapping_sub(1);
                let probe = Probe { sequence, acknowledgement: 0, extent: 1, seen: 0 };
                (probe, probes.syn_to_closed)
            }
            None => {
                let probe = Probe { sequence: 0, acknowledgement: tcp.sequence, extent: 0, seen: 0 };
                (probe, if is_open { probes.ack_to_open } else { probes.ack_to_closed })
            }
        };
        let Answer::Reset(reset) = answer else { return Verdict::Drop };
        let ends = Ends { port: tcp.source, peer: ip.destination, peer_port: tcp.destination };
        match self.reset(packet, &probe, ends, reset) {
            Verdict::Answer => Verdict::Pass,
            verdict => verdict,
        }
    }

    /// The kernel's SYN-ACK, laid out anew.
    fn syn_ack(&mut self, packet: &mut Packet<'_>, ip: &Ipv4, tcp: &Tcp, key: u64, now: Moment) -> Verdict {
        let options = Options::of(packet.buffer, tcp);
        let mut flow = match self.flows.get_mut(key) {
            Some(flow) => *flow,
            // Its SYN came in fragments, or a flood has pushed it out.
            None => Flow { plain: true, ..Flow::opening(None, false, now.micros) },
        };
        let is_again = flow.syn_acks > 0 && flow.kernel_sequence == tcp.sequence;
        if is_again && flow.syn_acks > self.facts.tcp.syn_ack_retries {
            return Verdict::Drop;
        }
        let timestamps = options.timestamps.map(|at| {
            let value = u32_at(packet.buffer, at + 2);
            (value, u32_at(packet.buffer, at + 6))
        });
        if is_again {
            flow.syn_acks = flow.syn_acks.saturating_add(1);
        } else {
            let number = match flow.plain {
                true => tcp.sequence,
                false => self.sequences.next(ip.destination, now.micros, &mut self.random),
            };
            flow = Flow { state: State::Opening, syn_acks: 1, kernel_sequence: tcp.sequence, ..flow };
            flow.delta = number.wrapping_sub(tcp.sequence);
            flow.line = match (timestamps, self.facts.tcp.timestamps, flow.plain) {
                (Some((kernel, _)), Some(facts), false) => {
                    Some(self.clock.line(facts, ip.destination, kernel, now, &mut self.random))
                }
                _ => None,
            };
        }
        flow.seen = now.micros;

        let negotiation = &self.facts.tcp;
        let kernel_mss = options.mss.map_or(ETHERNET_MSS, |(_, mss)| mss);
        let mss = match negotiation.mss {
            Mss::Own(own) => own,
            Mss::Smaller { own, default } => own.min(flow.peer_mss.unwrap_or(default)),
        }
        .min(kernel_mss);
        // The kernel agreed to a scale; which one is announced is the persona's affair.
        let kernel_scale = options.window_scale.map(|(_, scale)| scale);
        let scale = kernel_scale.map(|kernel| negotiation.window_scale.unwrap_or(kernel));
        flow.scales = (kernel_scale.unwrap_or(0), scale.unwrap_or(0));
        let shown = timestamps.map(|(value, echo)| match &mut flow.line {
            Some(line) => (line.show(value), echo),
            None => (value, echo),
        });
        let offer =
            Offer { mss, window_scale: scale, sack: options.sack_permitted.is_some(), timestamps: shown };
        let window = window(negotiation.window, &offer, flow.peer_mss);
        let layouts = &negotiation.layout;
        let layout = match (offer.timestamps.is_some(), offer.sack) {
            (true, true) => &layouts.timestamps_and_sack,
            (true, false) => &layouts.timestamps,
            (false, true) => &layouts.sack,
            (false, false) => &layouts.neither,
        };
        let (octets, length) = lay_out(&layout.0, &offer);

        let buffer = &mut *packet.buffer;
        let data = ip.length.saturating_sub(tcp.data);
        let end = tcp.at + TCP + length;
        if buffer.len() < end + data {
            return Verdict::Drop;
        }
        buffer.copy_within(tcp.data..ip.length, end);
        put(buffer, tcp.options, octets.get(..length).unwrap_or_default());
        let number = tcp.sequence.wrapping_add(flow.delta);
        put(buffer, tcp.at + 4, &number.to_be_bytes());
        let words = ((TCP + length) / 4) as u8;
        let flags = match flow.peer_ecn {
            true => tcp.flags & !flag::ECN | flag::ECE,
            false => tcp.flags & !flag::ECN,
        };
        put(buffer, tcp.at + 12, &[words << 4, flags]);
        put(buffer, tcp.at + 14, &window.to_be_bytes());
        set_length(buffer, end + data);
        set_dont_fragment(buffer, self.facts.tcp_dont_fragment);
        self.flows.insert(key, flow);
        let id = self.next_id(self.facts.ip_id.open, 1);
        set_id(packet.buffer, id);
        packet.length = end + data;
        packet.partial_checksum = false;
        Ipv4 { length: end + data, ..*ip }.seal_tcp(packet.buffer);
        seal_ipv4(packet.buffer);
        Verdict::Pass
    }
}

/// The window of a SYN-ACK with these options.
fn window(window: Window, offer: &Offer, peer_mss: Option<u16>) -> u16 {
    let segment = match offer.timestamps {
        Some(_) => offer.mss.saturating_sub(TIMESTAMPS),
        None => offer.mss,
    }
    .max(SMALLEST_SEGMENT);
    match window {
        Window::Fixed(window) => window,
        Window::ByTimestamps { with, without } => match offer.timestamps {
            Some(_) => with,
            None => without,
        },
        Window::Segments(count) => count.saturating_mul(segment),
        Window::RoundedUp(window) => window.div_ceil(segment).saturating_mul(segment),
        Window::RoundedDownUnscaled { window, .. } if offer.window_scale.is_some() => window,
        Window::RoundedDownUnscaled { window, smallest } => {
            let segment = peer_mss.unwrap_or(DEFAULT_MSS).min(offer.mss).max(smallest).max(1);
            window / segment * segment
        }
    }
}
