//! What a machine costs in memory: nothing for a packet, and never more than its tables hold.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use allocation_counter::measure;
use decnet_fingerprint::{BUILTIN, Packet, Persona, Stack};
use support::*;

/// The most that one machine's tables may take, in octets.
const MOST: i64 = 512 * 1024;

fn syn(number: u32) -> Vec<u8> {
    let segment = Segment {
        source: number as u16,
        destination: OPEN,
        flags: SYN,
        options: vec![2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7],
        ..Segment::default()
    };
    let source = std::net::Ipv4Addr::from(0x0a00_0000 + number);
    Ip { source, ..Ip::to_decky(6) }.with(&segment.bytes())
}

/// Carries a packet in a buffer that is there already.
fn carry(stack: &mut Stack, buffer: &mut [u8], bytes: &[u8], is_inbound: bool, micros: u64) {
    buffer[..bytes.len()].copy_from_slice(bytes);
    let mut packet = Packet { buffer, length: bytes.len(), partial_checksum: false, segments: 1 };
    match is_inbound {
        true => stack.inbound(&mut packet, at(micros)),
        false => stack.outbound(&mut packet, at(micros)),
    };
}

/// Everything that a flood may consist of: half-open connections and their answers, odd flags, pings,
/// datagrams, fragments.
fn flood() -> Vec<(bool, Vec<u8>)> {
    let mut kernel = Kernel::new();
    let mut packets = Vec::new();
    for number in 0..4_000 {
        let asked = syn(number);
        let answer = kernel.answer(&asked, at(0)).unwrap();
        packets.push((true, asked));
        packets.push((false, answer));
        let flags = [0, ACK, FIN, ACK | SYN][number as usize % 4];
        let source = std::net::Ipv4Addr::from(0x0b00_0000 + number);
        let odd = Segment { destination: OPEN, flags, ..Segment::default() };
        packets.push((true, Ip { source, ..Ip::to_decky(6) }.with(&odd.bytes())));
        packets.push((true, Ip { source, ..Ip::to_decky(1) }.with(&[8, 0, 0, 0, 1, 2, 3, 4])));
        packets.push((true, Ip { source, ..Ip::to_decky(17) }.with(&[1, 2, 3, 4, 0, 9, 0, 0, 5])));
        let mut piece = syn(number);
        piece[6] = 0x20;
        packets.push((true, piece));
    }
    packets
}

#[test]
fn a_machine_that_nobody_talks_to_takes_next_to_nothing() {
    for (slug, _) in BUILTIN {
        let facts = facts(slug);
        let mut made = None;
        let cost = measure(|| made = Some(stack(facts, 1)));
        assert!(cost.bytes_current < 1024, "{slug}: {cost:?}");
    }
}

#[test]
fn a_flood_is_bounded_and_packets_cost_no_allocation() {
    let packets = flood();
    let mut buffer = vec![0; 4096];
    for (slug, _) in BUILTIN {
        let mut stack = stack(facts(slug), 1);
        let mut now = 0;
        let mut pour = |stack: &mut Stack| {
            for (is_inbound, bytes) in &packets {
                now += 10;
                carry(stack, &mut buffer, bytes, *is_inbound, now);
            }
        };
        let first = measure(|| pour(&mut stack));
        assert!(first.bytes_max < 2 * MOST as u64 && first.bytes_current <= MOST, "{slug}: {first:?}");
        let second = measure(|| pour(&mut stack));
        assert_eq!((second.count_total, second.bytes_current), (0, 0), "{slug}");
    }
}
