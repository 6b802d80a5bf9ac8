//! What the persona costs for one packet: of a connection, of a scan.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use decnet_fingerprint::{Packet, Persona, Stack};
use support::*;

fn carry(stack: &mut Stack, buffer: &mut [u8], bytes: &[u8], is_inbound: bool) {
    buffer[..bytes.len()].copy_from_slice(bytes);
    // As the carrier has it: the kernel leaves the checksum to be made.
    let mut packet = Packet { buffer, length: bytes.len(), partial_checksum: false, segments: 1 };
    black_box(match is_inbound {
        true => stack.inbound(&mut packet, at(1_000_000)),
        false => stack.outbound(&mut packet, at(1_000_000)),
    });
}

fn packets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packet");
    group.throughput(Throughput::Elements(1));
    for slug in ["linux-5", "windows-10", "windows-server-2016", "hp-laserjet"] {
        let mut stack = stack(facts(slug), 1);
        let mut buffer = vec![0; 4096];
        let syn = Segment {
            source: 50_000,
            destination: OPEN,
            flags: SYN,
            options: vec![2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7],
            ..Segment::default()
        };
        let syn = Ip::to_decky(6).with(&syn.bytes());
        let Fate::Passed(passed) = inbound(&mut stack, &syn, at(0)) else { panic!("{slug}") };
        let syn_ack = Kernel::new().answer(&passed, at(0)).unwrap();
        let Fate::Passed(shown) = outbound(&mut stack, &syn_ack, at(0)) else { panic!("{slug}") };
        let (own, shown) = (Segment::parse(&syn_ack), Segment::parse(&shown));
        let options = |echo| if shown.timestamps().is_some() { timestamps(7, echo) } else { vec![] };
        let data = Segment {
            source: OPEN,
            destination: 50_000,
            sequence: own.sequence.wrapping_add(1),
            flags: ACK,
            options: options(9),
            data: vec![0; 1400],
            ..Segment::default()
        };
        let data = Ip::from_decky(6).with(&data.bytes());
        let ack = Segment {
            source: 50_000,
            destination: OPEN,
            acknowledgement: shown.sequence.wrapping_add(1400),
            flags: ACK,
            options: options(shown.timestamps().map_or(0, |(value, _)| value)),
            ..Segment::default()
        };
        let ack = Ip::to_decky(6).with(&ack.bytes());
        let knock = Segment { source: 1, destination: CLOSED, flags: SYN, ..Segment::default() };
        let knock = Ip::to_decky(6).with(&knock.bytes());
        for (name, bytes, is_inbound) in [
            ("data out", &data, false),
            ("acknowledgement in", &ack, true),
            ("syn to a closed port", &knock, true),
            ("syn in", &syn, true),
            ("syn-ack out", &syn_ack, false),
        ] {
            group.bench_function(format!("{slug}/{name}"), |bencher| {
                bencher.iter(|| carry(&mut stack, &mut buffer, bytes, is_inbound));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, packets);
criterion_main!(benches);
