//! Packets, and a kernel that answers them as Linux 6 does: what stands around a persona in the tests.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use std::net::Ipv4Addr;

use decnet_fingerprint::{Facts, Machine, Moment, Packet, Persona, Stack, Verdict, builtin};

pub const DECKY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
pub const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub const OPEN: u16 = 80;
pub const CLOSED: u16 = 1;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;
pub const URG: u8 = 0x20;
pub const ECE: u8 = 0x40;
pub const CWR: u8 = 0x80;

pub fn facts(slug: &str) -> Facts {
    Facts::parse(builtin(slug).unwrap()).unwrap()
}

/// A machine that was booted a hundred days before 2025-01-01, with port 80 open.
pub fn stack(facts: Facts, seed: u64) -> Stack {
    let machine = Machine {
        address: DECKY,
        tcp_ports: vec![OPEN],
        udp_ports: vec![161],
        boots: Box::new(|_| BOOTED),
        clock_offset_ms: 0,
        seed,
    };
    Stack::new(facts, machine)
}

pub const BOOTED: i64 = 1_735_689_600 - 100 * 86_400;

/// So many microseconds after the beginning of 2025.
pub fn at(micros: u64) -> Moment {
    Moment { micros, unix: 1_735_689_600 + (micros / 1_000_000) as i64 }
}

/// The Internet checksum, by the book.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let all: Vec<u8> = parts.concat();
    let mut sum: u64 = 0;
    for pair in all.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An IPv4 packet.
#[derive(Clone, Debug)]
pub struct Ip {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: u8,
    pub ttl: u8,
    pub id: u16,
    pub dont_fragment: bool,
    pub type_of_service: u8,
}

impl Ip {
    pub fn to_decky(protocol: u8) -> Ip {
        let (source, destination) = (PEER, DECKY);
        Ip { source, destination, protocol, ttl: 64, id: 7, dont_fragment: false, type_of_service: 0 }
    }

    pub fn from_decky(protocol: u8) -> Ip {
        Ip { source: DECKY, destination: PEER, dont_fragment: true, id: 0, ..Ip::to_decky(protocol) }
    }

    pub fn with(&self, payload: &[u8]) -> Vec<u8> {
        let mut header = vec![0x45, self.type_of_service];
        header.extend((20 + payload.len() as u16).to_be_bytes());
        header.extend(self.id.to_be_bytes());
        header.extend(if self.dont_fragment { [0x40, 0] } else { [0, 0] });
        header.extend([self.ttl, self.protocol, 0, 0]);
        header.extend(self.source.octets());
        header.extend(self.destination.octets());
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        let mut packet = header;
        packet.extend(payload);
        seal(&mut packet);
        packet
    }
}

fn pseudo(packet: &[u8]) -> Vec<u8> {
    let mut pseudo = packet[12..20].to_vec();
    pseudo.extend([0, packet[9]]);
    pseudo.extend((packet.len() as u16 - 20).to_be_bytes());
    pseudo
}

/// Writes the transport checksum of a packet with a header of 20 octets.
pub fn seal(packet: &mut [u8]) {
    let (place, pseudo) = match packet[9] {
        6 => (36, pseudo(packet)),
        17 => (26, pseudo(packet)),
        1 => (22, Vec::new()),
        _ => return,
    };
    if packet.len() < place + 2 {
        return;
    }
    packet[place..place + 2].fill(0);
    let sum = checksum(&[&pseudo, &packet[20..]]);
    packet[place..place + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Whether all checksums of a packet are right.
pub fn is_sealed(packet: &[u8]) -> bool {
    let mut again = packet.to_vec();
    seal(&mut again);
    checksum(&[&packet[..20]]) == 0 && again == packet
}

/// A TCP segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    pub source: u16,
    pub destination: u16,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub reserved: u8,
    pub flags: u8,
    pub window: u16,
    pub urgent: u16,
    pub options: Vec<u8>,
    pub data: Vec<u8>,
}

impl Segment {
    pub fn bytes(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 0);
        let mut bytes = Vec::new();
        bytes.extend(self.source.to_be_bytes());
        bytes.extend(self.destination.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledgement.to_be_bytes());
        bytes.extend([((20 + options.len()) as u8 / 4) << 4 | self.reserved, self.flags]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(self.urgent.to_be_bytes());
        bytes.extend(options);
        bytes.extend(&self.data);
        bytes
    }

    pub fn parse(packet: &[u8]) -> Segment {
        let tcp = &packet[20..];
        let word = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
        let number = |at: usize| u32::from_be_bytes([tcp[at], tcp[at + 1], tcp[at + 2], tcp[at + 3]]);
        let header = usize::from(tcp[12] >> 4) * 4;
        Segment {
            source: word(0),
            destination: word(2),
            sequence: number(4),
            acknowledgement: number(8),
            reserved: tcp[12] & 0x0f,
            flags: tcp[13],
            window: word(14),
            urgent: word(18),
            options: tcp[20..header].to_vec(),
            data: tcp[header..].to_vec(),
        }
    }

    /// The value of an option, without kind and length.
    pub fn option(&self, kind: u8) -> Option<&[u8]> {
        let mut rest = self.options.as_slice();
        while let [first, tail @ ..] = rest {
            match first {
                0 => return None,
                1 => rest = tail,
                _ => {
                    let length = usize::from(*tail.first()?);
                    let option = rest.get(..length)?;
                    if *first == kind {
                        return option.get(2..);
                    }
                    rest = &rest[length..];
                }
            }
        }
        None
    }

    pub fn timestamps(&self) -> Option<(u32, u32)> {
        let value = self.option(8)?;
        let number = |at: usize| u32::from_be_bytes([value[at], value[at + 1], value[at + 2], value[at + 3]]);
        Some((number(0), number(4)))
    }
}

/// The option of timestamps, padded as everybody does.
pub fn timestamps(value: u32, echo: u32) -> Vec<u8> {
    [&[1, 1, 8, 10][..], &value.to_be_bytes(), &echo.to_be_bytes()].concat()
}

/// What became of a packet.
#[derive(Debug, PartialEq)]
pub enum Fate {
    Passed(Vec<u8>),
    Answered(Vec<u8>),
    Dropped,
}

fn fate(packet: &Packet<'_>, verdict: Verdict) -> Fate {
    let bytes = packet.buffer[..packet.length].to_vec();
    match verdict {
        Verdict::Pass => Fate::Passed(bytes),
        Verdict::Answer => Fate::Answered(bytes),
        Verdict::Drop => Fate::Dropped,
    }
}

pub fn inbound(stack: &mut Stack, bytes: &[u8], now: Moment) -> Fate {
    let mut buffer = bytes.to_vec();
    buffer.resize(bytes.len() + 128, 0xee);
    let mut packet =
        Packet { buffer: &mut buffer, length: bytes.len(), partial_checksum: false, segments: 1 };
    let verdict = stack.inbound(&mut packet, now);
    fate(&packet, verdict)
}

pub fn outbound(stack: &mut Stack, bytes: &[u8], now: Moment) -> Fate {
    let mut buffer = bytes.to_vec();
    buffer.resize(bytes.len() + 128, 0xee);
    let mut packet =
        Packet { buffer: &mut buffer, length: bytes.len(), partial_checksum: false, segments: 1 };
    let verdict = stack.outbound(&mut packet, now);
    fate(&packet, verdict)
}

/// A kernel: one open TCP port, nothing remembered. Its clock of timestamps is that of [`Moment`], in
/// milliseconds.
pub struct Kernel {
    pub sequence: u32,
    pub scale: u8,
}

impl Kernel {
    pub fn new() -> Kernel {
        Kernel { sequence: 0x1234_5678, scale: 10 }
    }

    /// What it sends for a packet, if anything.
    pub fn answer(&mut self, packet: &[u8], now: Moment) -> Option<Vec<u8>> {
        if packet[9] != 6 {
            return None;
        }
        let probe = Segment::parse(packet);
        let ends = Segment { source: probe.destination, destination: probe.source, ..Segment::default() };
        let answer = match probe.flags & (SYN | ACK | RST) {
            SYN => {
                self.sequence = self.sequence.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let mut options = vec![2, 4, 0x05, 0xb4];
                match (probe.option(4).is_some(), probe.timestamps()) {
                    (true, Some((theirs, _))) => {
                        options.extend([4, 2, 8, 10]);
                        options.extend(((now.micros / 1000) as u32).to_be_bytes());
                        options.extend(theirs.to_be_bytes());
                    }
                    (false, Some((theirs, _))) => {
                        options.extend(timestamps((now.micros / 1000) as u32, theirs))
                    }
                    (true, None) => options.extend([1, 1, 4, 2]),
                    (false, None) => {}
                }
                if probe.option(3).is_some() {
                    options.extend([1, 3, 3, self.scale]);
                }
                let has_timestamps = probe.timestamps().is_some();
                let wants_ecn = probe.flags & (ECE | CWR) == ECE | CWR;
                Segment {
                    sequence: self.sequence,
                    acknowledgement: probe.sequence.wrapping_add(1),
                    flags: SYN | ACK | if wants_ecn { ECE } else { 0 },
                    window: if has_timestamps { 65160 } else { 64240 },
                    options,
                    ..ends
                }
            }
            ACK => Segment { sequence: probe.acknowledgement, flags: RST, ..ends },
            _ => return None,
        };
        let to = Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15]);
        Some(Ip { destination: to, ..Ip::from_decky(6) }.with(&answer.bytes()))
    }
}

/// What a peer gets for a packet: from the persona, or from the kernel through the persona.
pub fn ask(stack: &mut Stack, kernel: &mut Kernel, packet: &[u8], now: Moment) -> Option<Vec<u8>> {
    match inbound(stack, packet, now) {
        Fate::Answered(answer) => Some(answer),
        Fate::Dropped => None,
        Fate::Passed(passed) => {
            assert!(is_sealed(&passed), "what passes is sound");
            let answer = kernel.answer(&passed, now)?;
            match outbound(stack, &answer, now) {
                Fate::Passed(answer) => Some(answer),
                _ => None,
            }
        }
    }
}
