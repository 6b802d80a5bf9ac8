//! A connection through a persona is one connection: whatever is lost, repeated or comes in another order,
//! the peer sees one consistent numbering and the kernel sees its own.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use decnet_fingerprint::{BUILTIN, Stack};
use proptest::prelude::*;
use support::*;

const PORT: u16 = 50_000;

/// Both ends of a connection after its handshake.
struct Connection {
    stack: Stack,
    /// The kernel's initial sequence number and what the peer was told.
    kernel: u32,
    shown: u32,
    /// The SYN-ACK as the peer got it.
    syn_ack: Segment,
    /// The kernel's window scale, where it agreed on one.
    kernel_scale: Option<u8>,
    /// The kernel's first timestamp, where both agreed.
    first_timestamp: Option<u32>,
    began: u64,
}

fn syn(options: &[u8]) -> Segment {
    Segment {
        source: PORT,
        destination: OPEN,
        sequence: 77,
        flags: SYN,
        window: 64_240,
        options: options.to_vec(),
        ..Segment::default()
    }
}

/// What Linux, Windows and an old device offer.
const OFFERS: [&[u8]; 3] = [
    &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7],
    &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2],
    &[2, 4, 5, 0xb4],
];

fn open(slug: &str, offer: usize, kernel: u32, began: u64) -> Connection {
    let mut stack = stack(facts(slug), u64::from(kernel));
    let packet = Ip::to_decky(6).with(&syn(OFFERS[offer]).bytes());
    let Fate::Passed(passed) = inbound(&mut stack, &packet, at(began)) else { panic!("{slug}") };
    let asked = Segment::parse(&passed);
    let mut machine = Kernel::new();
    let answer = machine.answer(&passed, at(began)).unwrap();
    let mut segment = Segment::parse(&answer);
    segment.sequence = kernel;
    let answer = Ip::from_decky(6).with(&segment.bytes());
    let Fate::Passed(shown) = outbound(&mut stack, &answer, at(began)) else { panic!("{slug}") };
    assert!(is_sealed(&shown), "{slug}");
    let syn_ack = Segment::parse(&shown);
    // What the kernel believes to be agreed on is what the peer is told.
    assert_eq!(segment.option(3).is_some(), syn_ack.option(3).is_some(), "{slug}: window scale");
    assert_eq!(segment.option(4).is_some(), syn_ack.option(4).is_some(), "{slug}: SACK");
    assert_eq!(segment.option(8).is_some(), syn_ack.option(8).is_some(), "{slug}: timestamps");
    assert_eq!(asked.option(8).is_some(), syn_ack.option(8).is_some(), "{slug}: timestamps");
    assert_eq!(syn_ack.acknowledgement, 78);
    Connection {
        kernel,
        shown: syn_ack.sequence,
        kernel_scale: segment.option(3).map(|value| value[0]),
        first_timestamp: segment.timestamps().map(|(value, _)| value),
        syn_ack,
        stack,
        began,
    }
}

/// What the kernel sends: how far into its data, how much, when, with which window; and, when the peer's
/// answer comes, how much of it the peer says it has.
#[derive(Clone, Debug)]
struct Exchange {
    offset: u32,
    length: u16,
    after: u64,
    window: u16,
    is_repeated: bool,
    acknowledged: u32,
    blocks: Vec<(u32, u32)>,
    echoes_older: usize,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    (
        0..3_000_000u32,
        0..1400u16,
        0..400_000u64,
        any::<u16>(),
        any::<bool>(),
        0..3_000_000u32,
        proptest::collection::vec((0..3_000_000u32, 0..3_000_000u32), 0..3),
        0..4usize,
    )
        .prop_map(|(offset, length, after, window, is_repeated, acknowledged, blocks, echoes_older)| {
            Exchange { offset, length, after, window, is_repeated, acknowledged, blocks, echoes_older }
        })
}

proptest! {
    /// The kernel's numbers go out shifted by one constant and come back as they were; timestamps grow at the
    /// persona's rate, and what comes back is what the kernel sent, never earlier than its first nor later than
    /// its last; no window is larger than the kernel's own; every checksum is right. The sequence space wraps
    /// in many of these connections: on the kernel's side, on the peer's, on both.
    #[test]
    fn both_ends_see_one_connection(
        persona in 0..BUILTIN.len(),
        offer in 0..OFFERS.len(),
        kernel in prop_oneof![any::<u32>(), u32::MAX - 2_000_000..=u32::MAX],
        began in 0..4_000_000_000_000u64,
        exchanges in proptest::collection::vec(exchange(), 1..30),
    ) {
        let slug = BUILTIN[persona].0;
        let mut connection = open(slug, offer, kernel, began);
        let shift = connection.shown.wrapping_sub(connection.kernel);
        let shown_scale = connection.syn_ack.option(3).map_or(0, |value| value[0]);
        let kernel_scale = connection.kernel_scale.unwrap_or(0);
        let mut now = connection.began;
        // (the kernel's, the shown one), in the order sent.
        let mut stamps: Vec<(u32, u32)> = connection
            .first_timestamp
            .zip(connection.syn_ack.timestamps().map(|(value, _)| value))
            .into_iter()
            .collect();
        for one in exchanges {
            now += one.after;
            let kernel_stamp = (now / 1000) as u32;
            let sent = Segment {
                source: OPEN,
                destination: PORT,
                sequence: kernel.wrapping_add(1).wrapping_add(one.offset),
                acknowledgement: 78,
                flags: ACK | PSH,
                window: one.window,
                options: if stamps.is_empty() { vec![] } else { timestamps(kernel_stamp, 5) },
                data: vec![0x5a; usize::from(one.length)],
                ..Segment::default()
            };
            let packet = Ip::from_decky(6).with(&sent.bytes());
            // A retransmission is sent twice; it must look the same but for its identification.
            for _ in 0..=usize::from(one.is_repeated) {
                let Fate::Passed(out) = outbound(&mut connection.stack, &packet, at(now)) else {
                    panic!("{slug}")
                };
                prop_assert!(is_sealed(&out));
                let out = Segment::parse(&out);
                prop_assert_eq!(out.sequence, sent.sequence.wrapping_add(shift));
                prop_assert_eq!(out.acknowledgement, sent.acknowledgement);
                prop_assert_eq!(&out.data, &sent.data);
                let really = u64::from(sent.window) << kernel_scale;
                let said = u64::from(out.window) << shown_scale;
                prop_assert!(said <= really, "a window of {said} where there is {really}");
                if really <= 65_535 << shown_scale {
                    prop_assert!(really - said < 1 << shown_scale, "a window of {said} for {really}");
                }
                if let Some((value, echo)) = out.timestamps() {
                    prop_assert_eq!(echo, 5);
                    let (_, last) = stamps[stamps.len() - 1];
                    prop_assert!(value.wrapping_sub(last) < 1 << 31, "timestamps never go back");
                    stamps.push((kernel_stamp, value));
                }
            }
            // The peer answers to something that it got, perhaps long ago.
            let known = stamps.len().checked_sub(1).map(|last| stamps[last.saturating_sub(one.echoes_older)]);
            let mut options = known.map_or(vec![], |(_, value)| timestamps(3, value));
            if !one.blocks.is_empty() && connection.syn_ack.option(4).is_some() {
                options.extend([5, 2 + 8 * one.blocks.len() as u8]);
                for (left, right) in &one.blocks {
                    options.extend(connection.shown.wrapping_add(*left).to_be_bytes());
                    options.extend(connection.shown.wrapping_add(*right).to_be_bytes());
                }
            }
            let answer = Segment {
                source: PORT,
                destination: OPEN,
                sequence: 78,
                acknowledgement: connection.shown.wrapping_add(1).wrapping_add(one.acknowledged),
                flags: ACK,
                window: 500,
                options,
                ..Segment::default()
            };
            let packet = Ip::to_decky(6).with(&answer.bytes());
            let Fate::Passed(got) = inbound(&mut connection.stack, &packet, at(now)) else { panic!("{slug}") };
            prop_assert!(is_sealed(&got));
            let got = Segment::parse(&got);
            prop_assert_eq!(got.acknowledgement, kernel.wrapping_add(1).wrapping_add(one.acknowledged));
            prop_assert_eq!(got.sequence, 78);
            prop_assert_eq!(got.window, 500);
            if let Some(blocks) = got.option(5) {
                let edges: Vec<u32> = blocks
                    .chunks(4)
                    .map(|edge| u32::from_be_bytes(edge.try_into().unwrap()).wrapping_sub(kernel))
                    .collect();
                let wanted: Vec<u32> = one.blocks.iter().flat_map(|(left, right)| [*left, *right]).collect();
                prop_assert_eq!(edges, wanted);
            }
            if let Some((_, echo)) = got.timestamps() {
                let first = stamps[0].0;
                let last = stamps[stamps.len() - 1].0;
                prop_assert!(echo.wrapping_sub(first) <= last.wrapping_sub(first), "{echo} of {first} to {last}");
                let (_, newest) = stamps[stamps.len() - 1];
                if known.is_some_and(|(_, value)| value == newest) {
                    let exact: Vec<u32> =
                        stamps.iter().filter(|(_, value)| *value == newest).map(|(kernel, _)| *kernel).collect();
                    prop_assert!(exact.contains(&echo), "the newest comes back exactly: {echo} of {exact:?}");
                }
            }
        }
    }

    /// Nothing that can come from either side makes the persona panic, and no packet outgrows its buffer.
    #[test]
    fn any_bytes_are_borne(
        persona in 0..BUILTIN.len(),
        packets in proptest::collection::vec((any::<bool>(), hostile(), any::<u16>()), 1..40),
    ) {
        let mut stack = stack(facts(BUILTIN[persona].0), 1);
        for (is_inbound, bytes, when) in packets {
            let when = at(u64::from(when) * 1000);
            let fate = match is_inbound {
                true => inbound(&mut stack, &bytes, when),
                false => outbound(&mut stack, &bytes, when),
            };
            if let Fate::Passed(out) | Fate::Answered(out) = fate {
                prop_assert!(out.len() <= bytes.len() + 128);
            }
        }
    }
}

/// Bytes that are more or less a packet to or from the decky.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 0..120);
    let almost = (
        proptest::collection::vec(any::<u8>(), 0..100),
        any::<bool>(),
        prop_oneof![Just(6u8), Just(6), Just(17), Just(1), any::<u8>()],
        prop_oneof![Just(0x45u8), Just(0x46), any::<u8>()],
        0..4096u16,
        prop_oneof![Just(0u16), Just(0x4000), any::<u16>()],
    )
        .prop_map(|(payload, to_decky, protocol, first, ports, fragment)| {
            let ip = if to_decky { Ip::to_decky(protocol) } else { Ip::from_decky(protocol) };
            let mut payload = payload;
            if let Some(place) = payload.get_mut(..4) {
                let own = if ports % 2 == 0 { OPEN } else { ports };
                let pair = if to_decky { [ports, own] } else { [own, ports] };
                place[..2].copy_from_slice(&pair[0].to_be_bytes());
                place[2..].copy_from_slice(&pair[1].to_be_bytes());
            }
            let mut packet = ip.with(&payload);
            packet[0] = first;
            packet[6..8].copy_from_slice(&fragment.to_be_bytes());
            packet
        });
    prop_oneof![noise, almost]
}

/// A connection that is there outlives a flood of half-open ones and of everything else.
#[test]
fn a_flood_does_not_break_what_is_open() {
    for (slug, _) in BUILTIN {
        let mut connection = open(slug, 0, 0xffff_ff00, 1_000_000);
        let ack = |sequence: u32, shown: u32| {
            let segment = Segment {
                source: PORT,
                destination: OPEN,
                sequence,
                acknowledgement: shown,
                flags: ACK,
                ..Segment::default()
            };
            Ip::to_decky(6).with(&segment.bytes())
        };
        let stack = &mut connection.stack;
        inbound(stack, &ack(78, connection.shown.wrapping_add(1)), at(1_000_500));
        let mut kernel = Kernel::new();
        for number in 0..6_000u32 {
            let source = std::net::Ipv4Addr::from(0x0a00_0000 + number);
            let flags = [SYN, SYN, SYN | FIN, 0, ACK, FIN, RST, SYN | ACK][number as usize % 8];
            let segment = Segment { source: number as u16, flags, ..syn(OFFERS[0]) };
            let packet = Ip { source, ..Ip::to_decky(6) }.with(&segment.bytes());
            ask(stack, &mut kernel, &packet, at(1_001_000 + u64::from(number)));
        }
        let packet = ack(78, connection.shown.wrapping_add(0x1000));
        let Fate::Passed(got) = inbound(stack, &packet, at(2_000_000)) else { panic!("{slug}") };
        assert_eq!(Segment::parse(&got).acknowledgement, 0xffff_ff00u32.wrapping_add(0x1000), "{slug}");
    }
}

/// In a flood a handshake may be forgotten before it is complete. It goes through all the same: such a
/// connection shows the kernel's own numbers.
#[test]
fn a_handshake_in_a_flood_goes_through() {
    let mut stack = stack(facts("windows-10"), 1);
    let mut kernel = Kernel::new();
    let flood = |stack: &mut Stack, kernel: &mut Kernel, from: u32, count: u32| {
        for number in from..from + count {
            let source = std::net::Ipv4Addr::from(0x0a00_0000 + number);
            let packet = Ip { source, ..Ip::to_decky(6) }.with(&syn(OFFERS[1]).bytes());
            ask(stack, kernel, &packet, at(1_000_000 + u64::from(number)));
        }
    };
    flood(&mut stack, &mut kernel, 0, 10_000);
    let asked = Ip::to_decky(6).with(&syn(OFFERS[1]).bytes());
    let answer = ask(&mut stack, &mut kernel, &asked, at(1_010_000)).unwrap();
    let own = kernel.sequence;
    flood(&mut stack, &mut kernel, 20_000, 10_000);
    let segment = Segment {
        source: PORT,
        destination: OPEN,
        sequence: 78,
        acknowledgement: Segment::parse(&answer).sequence.wrapping_add(1),
        flags: ACK,
        ..Segment::default()
    };
    let packet = Ip::to_decky(6).with(&segment.bytes());
    let Fate::Passed(got) = inbound(&mut stack, &packet, at(1_040_000)) else { panic!() };
    assert_eq!(Segment::parse(&got).acknowledgement, own.wrapping_add(1));
}

#[test]
fn a_syn_ack_is_repeated_as_it_was_and_as_often_as_the_system_does() {
    let mut stack = stack(facts("windows-10"), 1);
    let asked = Ip::to_decky(6).with(&syn(OFFERS[0]).bytes());
    let Fate::Passed(passed) = inbound(&mut stack, &asked, at(0)) else { panic!() };
    let answer = Kernel::new().answer(&passed, at(0)).unwrap();
    let shown = |stack: &mut Stack, micros| match outbound(stack, &answer, at(micros)) {
        Fate::Passed(bytes) => Some(Segment::parse(&bytes)),
        _ => None,
    };
    let first = shown(&mut stack, 0);
    assert!(first.is_some());
    assert_eq!(shown(&mut stack, 1_000_000), first);
    assert_eq!(shown(&mut stack, 3_000_000), first);
    assert_eq!(shown(&mut stack, 7_000_000), None, "Windows gives up after two more");
}

/// Two machines on one kernel: neither uptime nor the frequency of the clock is the same, and the uptime is
/// that of the identity.
#[test]
fn machines_share_no_clock() {
    let mut rates = Vec::new();
    for seed in 0..8 {
        let mut stack = stack(facts("windows-server-2016"), seed);
        let mut kernel = Kernel::new();
        let mut stamp = |port: u16, micros: u64| {
            let segment = Segment { source: port, ..syn(OFFERS[0]) };
            let answer = ask(&mut stack, &mut kernel, &Ip::to_decky(6).with(&segment.bytes()), at(micros));
            Segment::parse(&answer.unwrap()).timestamps().unwrap().0
        };
        let begin = stamp(1, 0);
        let uptime = 100 * 86_400_000u64;
        assert!(u64::from(begin.abs_diff(uptime as u32)) < uptime / 10_000, "{begin} ms of {uptime}");
        rates.push(stamp(2, 1_000_000_000_000).wrapping_sub(begin));
    }
    rates.sort_unstable();
    rates.dedup();
    assert!(rates.len() >= 7, "clocks run alike: {rates:?}");
    assert!(rates.iter().all(|rate| rate.abs_diff(1_000_000_000) <= 60_001), "{rates:?}");
}

#[test]
fn fragments_are_the_kernels_and_what_it_answers_is_dressed() {
    let mut stack = stack(facts("windows-10"), 1);
    let mut packet = Ip::to_decky(6).with(&syn(OFFERS[0]).bytes());
    packet[6] = 0x20;
    assert_eq!(inbound(&mut stack, &packet, at(0)), Fate::Passed(packet));
    // The kernel has put the pieces together. A closed port:
    let ends = Segment { source: CLOSED, destination: PORT, ..Segment::default() };
    let reset = Segment { acknowledgement: 78, flags: RST | ACK, ..ends };
    let bytes = Ip::from_decky(6).with(&reset.bytes());
    let Fate::Passed(out) = outbound(&mut stack, &bytes, at(0)) else { panic!() };
    assert!(is_sealed(&out) && out[8] == 128);
    assert_eq!(Segment::parse(&out), reset);
    // An open one, with timestamps, which this system does not know, but which are agreed on now.
    let answer = Kernel::new().answer(&Ip::to_decky(6).with(&syn(OFFERS[0]).bytes()), at(9000)).unwrap();
    let Fate::Passed(out) = outbound(&mut stack, &answer, at(9000)) else { panic!() };
    let (own, out) = (Segment::parse(&answer), Segment::parse(&out));
    assert_eq!((out.sequence, out.timestamps()), (own.sequence, own.timestamps()));
}

/// A router says that a segment was too long. The kernel takes that only with a sequence number of its own.
#[test]
fn an_error_about_a_segment_quotes_the_kernels_number() {
    for (slug, _) in BUILTIN {
        let mut connection = open(slug, 0, 0xffff_fff0, 1_000_000);
        let sent = Segment {
            source: OPEN,
            destination: PORT,
            sequence: 0xffff_fff1,
            flags: ACK,
            data: vec![1; 900],
            ..Segment::default()
        };
        let packet = Ip::from_decky(6).with(&sent.bytes());
        let Fate::Passed(out) = outbound(&mut connection.stack, &packet, at(1_100_000)) else { panic!() };
        let error = [&[3, 4, 0, 0, 0, 0, 2, 64][..], &out[..28]].concat();
        let packet = Ip::to_decky(1).with(&error);
        let Fate::Passed(got) = inbound(&mut connection.stack, &packet, at(1_200_000)) else { panic!() };
        assert!(is_sealed(&got), "{slug}");
        assert_eq!(got[52..56], 0xffff_fff1u32.to_be_bytes(), "{slug}");
        // Of another connection it is left as it is.
        let other = [&error[..30], &[9, 9], &error[32..]].concat();
        let packet = Ip::to_decky(1).with(&other);
        assert_eq!(inbound(&mut connection.stack, &packet, at(1_200_000)), Fate::Passed(packet), "{slug}");
    }
}

/// A scanner that asks again from the port of a connection that it broke off gets the system's own answers.
#[test]
fn after_a_reset_probes_are_answered_as_ever() {
    let mut connection = open("windows-10", 1, 0x7000_0000, 0);
    let mut kernel = Kernel::new();
    let ends = Segment { source: PORT, destination: OPEN, sequence: 78, ..Segment::default() };
    let reset = Segment { flags: RST, ..ends.clone() };
    let Fate::Passed(_) = inbound(&mut connection.stack, &Ip::to_decky(6).with(&reset.bytes()), at(10))
    else {
        panic!()
    };
    for (flags, acknowledgement, wanted) in
        [(0, 5, (RST | ACK, 0, 78)), (ACK, 0x0102_0304, (RST, 0x0102_0304, 0x0102_0304))]
    {
        let probe = Segment { flags, acknowledgement, ..ends.clone() };
        let packet = Ip::to_decky(6).with(&probe.bytes());
        let answer = ask(&mut connection.stack, &mut kernel, &packet, at(20)).unwrap();
        let answer = Segment::parse(&answer);
        assert_eq!((answer.flags, answer.sequence, answer.acknowledgement), wanted);
    }
}
