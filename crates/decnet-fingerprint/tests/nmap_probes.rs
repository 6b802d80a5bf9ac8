//! nmap's sixteen probes, and what nmap makes of the answers, for every persona: the values that it prints
//! as a fingerprint, computed as it computes them (nmap's documentation, "TCP/IP Fingerprinting Methods").
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::fmt::Write;

use decnet_fingerprint::facts::InitialSequence;
use decnet_fingerprint::{BUILTIN, Stack};
use support::*;

/// nmap's pause between the six SYNs, in microseconds.
const PAUSE: u64 = 100_000;

const TIMESTAMP: [u8; 10] = [8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The options and windows of the six SYNs.
fn syns() -> [(Vec<u8>, u16); 6] {
    let t = &TIMESTAMP[..];
    [
        (joined(&[&[3, 3, 10, 1, 2, 4, 0x05, 0xb4], t, &[4, 2]]), 1),
        (joined(&[&[2, 4, 0x05, 0x78, 3, 3, 0, 4, 2], t, &[0]]), 63),
        (joined(&[t, &[1, 1, 3, 3, 5, 1, 2, 4, 0x02, 0x80]]), 4),
        (joined(&[&[4, 2], t, &[3, 3, 10, 0]]), 4),
        (joined(&[&[2, 4, 0x02, 0x18, 4, 2], t, &[3, 3, 10, 0]]), 16),
        (joined(&[&[2, 4, 0x01, 0x09, 4, 2], t]), 512),
    ]
}

/// The options of an answer as nmap writes them.
fn options(segment: &Segment) -> String {
    let mut text = String::new();
    let mut rest = segment.options.as_slice();
    while let [kind, tail @ ..] = rest {
        let length = match kind {
            0 => {
                text.push('L');
                1
            }
            1 => {
                text.push('N');
                1
            }
            _ => usize::from(tail[0]),
        };
        let value = rest.get(2..length).unwrap_or_default();
        match kind {
            2 => write!(text, "M{:X}", u16::from_be_bytes([value[0], value[1]])).unwrap(),
            3 => write!(text, "W{:X}", value[0]).unwrap(),
            4 => text.push('S'),
            8 => {
                let is = |at: usize| u8::from(value[at..at + 4] != [0; 4]);
                write!(text, "T{}{}", is(0), is(4)).unwrap();
            }
            _ => {}
        }
        rest = &rest[length..];
    }
    text
}

struct Scan {
    stack: Stack,
    kernel: Kernel,
    now: u64,
    port: u16,
}

impl Scan {
    fn new(slug: &str, seed: u64) -> Scan {
        Scan { stack: stack(facts(slug), seed), kernel: Kernel::new(), now: 5_000_000, port: 40_000 }
    }

    fn ask(&mut self, dont_fragment: bool, mut segment: Segment) -> Option<Vec<u8>> {
        self.port += 1;
        segment.source = self.port;
        let packet = Ip { dont_fragment, ..Ip::to_decky(6) }.with(&segment.bytes());
        let answer = ask(&mut self.stack, &mut self.kernel, &packet, at(self.now));
        assert!(answer.as_ref().is_none_or(|answer| is_sealed(answer)), "{answer:02x?}");
        answer
    }

    fn six(&mut self) -> Vec<Option<(u64, Vec<u8>)>> {
        let mut answers = Vec::new();
        for (options, window) in syns() {
            let segment = Segment {
                destination: OPEN,
                sequence: 1000,
                acknowledgement: 2000,
                flags: SYN,
                window,
                options,
                ..Segment::default()
            };
            let answer = self.ask(false, segment);
            answers.push(answer.map(|answer| (self.now, answer)));
            self.now += PAUSE;
        }
        answers
    }

    /// One of T1 to T7, as nmap writes it.
    fn test(&self, sent: &Segment, answer: Option<&Vec<u8>>, with_window: bool) -> String {
        let Some(packet) = answer else { return "R=N".to_owned() };
        let got = Segment::parse(packet);
        let relation = |value: u32, own: u32, names: [&str; 2]| match value {
            0 => "Z".to_owned(),
            value if value == own => names[0].to_owned(),
            value if value == own.wrapping_add(1) => names[1].to_owned(),
            _ => "O".to_owned(),
        };
        let mut flags = String::new();
        for (bit, letter) in
            [(ECE, 'E'), (URG, 'U'), (ACK, 'A'), (PSH, 'P'), (RST, 'R'), (SYN, 'S'), (FIN, 'F')]
        {
            if got.flags & bit != 0 {
                flags.push(letter);
            }
        }
        let mut text = format!("R=Y%DF={}%T={:X}", yes(packet[6] & 0x40 != 0), packet[8]);
        if with_window {
            write!(text, "%W={:X}", got.window).unwrap();
        }
        let sequence = relation(got.sequence, sent.acknowledgement, ["A", "A+"]);
        let acknowledgement = relation(got.acknowledgement, sent.sequence, ["S", "S+"]);
        write!(text, "%S={sequence}%A={acknowledgement}%F={flags}").unwrap();
        if with_window {
            write!(text, "%O={}", options(&got)).unwrap();
        }
        assert_eq!((got.reserved, got.urgent), (0, 0), "no quirks");
        text
    }
}

fn yes(is: bool) -> char {
    if is { 'Y' } else { 'N' }
}

/// The class of identifications, as nmap's get_ipid_sequence has it for a host that is not this one.
fn id_class(ids: &[u16]) -> &'static str {
    let steps: Vec<u16> = ids.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    if ids.iter().all(|id| *id == 0) {
        "Z"
    } else if steps.iter().any(|step| *step >= 20_000) {
        "RD"
    } else if steps.iter().any(|step| *step > 1000 && (*step % 256 != 0 || *step >= 25_600)) {
        "RI"
    } else if steps.iter().all(|step| *step < 10) {
        "I"
    } else {
        "?"
    }
}

/// The sequence numbers of six answers, as nmap sees them: greatest common divisor, ISR, SP.
fn sequence_numbers(answers: &[(u64, u32)]) -> (u32, u32, u32) {
    let steps: Vec<(f64, u32)> = answers
        .windows(2)
        .map(|pair| {
            let step = pair[1].1.wrapping_sub(pair[0].1);
            let step = step.min(step.wrapping_neg());
            ((pair[1].0 - pair[0].0) as f64 / 1e6, step)
        })
        .collect();
    let divisor = steps.iter().fold(0, |a, (_, b)| {
        let (mut a, mut b) = (a, *b);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    });
    let rates: Vec<f64> = steps.iter().map(|(seconds, step)| f64::from(*step) / seconds).collect();
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let unit = if divisor > 9 { f64::from(divisor) } else { 1.0 };
    let variance = rates.iter().map(|rate| ((rate - mean) / unit).powi(2)).sum::<f64>();
    let deviation = (variance / (rates.len() - 1) as f64).sqrt();
    let eighths = |value: f64| if value <= 1.0 { 0 } else { (value.log2() * 8.0 + 0.5) as u32 };
    (divisor, eighths(mean), eighths(deviation))
}

/// The rate of timestamps, as nmap classifies it.
fn timestamp_class(answers: &[(u64, Vec<u8>)]) -> String {
    let stamps: Option<Vec<(u64, u32)>> =
        answers.iter().map(|(when, packet)| Some((*when, Segment::parse(packet).timestamps()?.0))).collect();
    let Some(stamps) = stamps else { return "U".to_owned() };
    let rates: Vec<f64> = stamps
        .windows(2)
        .map(|pair| f64::from(pair[1].1.wrapping_sub(pair[0].1)) / ((pair[1].0 - pair[0].0) as f64 / 1e6))
        .collect();
    match rates.iter().sum::<f64>() / rates.len() as f64 {
        rate if rate <= 5.66 => "1".to_owned(),
        rate if (70.0..150.0).contains(&rate) => "7".to_owned(),
        rate if (150.0..350.0).contains(&rate) => "8".to_owned(),
        // More than the clock of any system: begun anew by chance for each.
        rate if rate > 1_000_000.0 => "random".to_owned(),
        rate => format!("{:X}", (rate.log2() + 0.5) as u32),
    }
}

/// The whole fingerprint of a persona but the three numbers that differ from scan to scan.
fn fingerprint(slug: &str) -> String {
    let mut scan = Scan::new(slug, 1);
    let six: Vec<(u64, Vec<u8>)> = scan.six().into_iter().map(Option::unwrap).collect();
    let id = |packet: &[u8]| u16::from_be_bytes([packet[4], packet[5]]);
    let open: Vec<u16> = six.iter().map(|(_, packet)| id(packet)).collect();

    let echo = |dont_fragment, type_of_service, code, length: usize| {
        let mut message = vec![8, code, 0, 0, 0x12, 0x34, 1, 0x27];
        message.resize(8 + length, 0);
        Ip { dont_fragment, type_of_service, ..Ip::to_decky(1) }.with(&message)
    };
    let now = at(scan.now);
    let asked = [echo(true, 0, 9, 120), echo(false, 4, 0, 150)];
    let echoes = asked.map(|probe| ask(&mut scan.stack, &mut scan.kernel, &probe, now).unwrap());

    let mut datagram = Ip { id: 0x1042, ..Ip::to_decky(17) };
    datagram.ttl = 64;
    let body = [&[0x9c, 0x41, 0x7d, 0x01, 0x01, 0x34, 0, 0][..], &[0x43; 300]].concat();
    let asked = datagram.with(&body);
    let unreachable = ask(&mut scan.stack, &mut scan.kernel, &asked, now).unwrap();

    let base = Segment { sequence: 1000, acknowledgement: 2000, ..Segment::default() };
    let ecn = Segment {
        destination: OPEN,
        flags: SYN | ECE | CWR,
        acknowledgement: 0,
        reserved: 1,
        urgent: 0xf7f5,
        window: 3,
        options: vec![3, 3, 10, 1, 2, 4, 0x05, 0xb4, 4, 2, 1, 1],
        ..base.clone()
    };
    let ecn_answer = scan.ask(false, ecn);
    let odd = joined(&[&[3, 3, 10, 1, 2, 4, 0x01, 0x09], &TIMESTAMP, &[4, 2]]);
    let probes = [
        (true, OPEN, 0, 128),
        (false, OPEN, SYN | FIN | URG | PSH, 256),
        (true, OPEN, ACK, 1024),
        (false, CLOSED, SYN, 31_337),
        (true, CLOSED, ACK, 32_768),
        (false, CLOSED, FIN | PSH | URG, 65_535),
    ];
    let mut tests = Vec::new();
    let mut resets = Vec::new();
    for (dont_fragment, destination, flags, window) in probes {
        let sent = Segment { destination, flags, window, options: odd.clone(), ..base.clone() };
        let answer = scan.ask(dont_fragment, sent.clone());
        if let Some(answer) = &answer
            && destination == CLOSED
        {
            resets.push(id(answer));
        }
        tests.push(scan.test(&sent, answer.as_ref(), true));
    }

    let ti = id_class(&open);
    let ci = id_class(&resets);
    let ii = id_class(&[id(&echoes[0]), id(&echoes[1])]);
    let mut text = format!("SEQ(TI={ti}%CI={ci}%II={ii}");
    if ii == "I" && ti == "I" {
        let mean = open[5].wrapping_sub(open[0]) / 5;
        let is_shared = id(&echoes[0]) < open[5].wrapping_add(3 * mean);
        write!(text, "%SS={}", if is_shared { 'S' } else { 'O' }).unwrap();
    }
    writeln!(text, "%TS={})", timestamp_class(&six)).unwrap();
    let parsed: Vec<Segment> = six.iter().map(|(_, packet)| Segment::parse(packet)).collect();
    let numbered = |letter: char, value: &dyn Fn(&Segment) -> String| {
        let all: Vec<String> =
            parsed.iter().enumerate().map(|(at, one)| format!("{letter}{}={}", at + 1, value(one))).collect();
        all.join("%")
    };
    writeln!(text, "OPS({})", numbered('O', &options)).unwrap();
    writeln!(text, "WIN({})", numbered('W', &|one| format!("{:X}", one.window))).unwrap();
    match ecn_answer {
        None => writeln!(text, "ECN(R=N)").unwrap(),
        Some(packet) => {
            let got = Segment::parse(&packet);
            let agreed = match (got.flags & ECE != 0, got.flags & CWR != 0) {
                (true, false) => "Y",
                (false, false) => "N",
                (true, true) => "S",
                (false, true) => "O",
            };
            writeln!(
                text,
                "ECN(R=Y%DF={}%T={:X}%W={:X}%O={}%CC={agreed})",
                yes(packet[6] & 0x40 != 0),
                packet[8],
                got.window,
                options(&got)
            )
            .unwrap();
        }
    }
    let first = Segment { sequence: 1000, acknowledgement: 2000, ..Segment::default() };
    writeln!(text, "T1({})", scan.test(&first, Some(&six[0].1), false)).unwrap();
    for (number, test) in tests.iter().enumerate() {
        writeln!(text, "T{}({test})", number + 2).unwrap();
    }
    writeln!(text, "{}", port_unreachable(&asked, &unreachable)).unwrap();
    writeln!(text, "{}", echo_replies(&echoes)).unwrap();
    text
}

/// The line U1.
fn port_unreachable(asked: &[u8], answer: &[u8]) -> String {
    assert!(is_sealed(answer));
    assert_eq!((answer[20], answer[21]), (3, 3));
    let quoted = &answer[28..];
    let goodness = |is: bool| if is { "G" } else { "?" };
    let ip_sum = match quoted[10..12] {
        [0, 0] => "Z",
        _ => goodness(checksum(&[&quoted[..20]]) == 0),
    };
    let udp_sum = match u16::from_be_bytes([quoted[26], quoted[27]]) {
        sum if sum == u16::from_be_bytes([asked[26], asked[27]]) => "G".to_owned(),
        sum => format!("{sum:X}"),
    };
    assert!(quoted[28..].iter().all(|octet| *octet == 0x43), "the data is as it was");
    format!(
        "U1(DF={}%T={:X}%IPL={:X}%UN={:X}%RIPL={}%RID={}%RIPCK={ip_sum}%RUCK={udp_sum})",
        yes(answer[6] & 0x40 != 0),
        answer[8],
        u16::from_be_bytes([answer[2], answer[3]]),
        u32::from_be_bytes([answer[24], answer[25], answer[26], answer[27]]),
        goodness(quoted[2..4] == asked[2..4]),
        goodness(quoted[4..6] == asked[4..6]),
    )
}

/// The line IE.
fn echo_replies(replies: &[Vec<u8>; 2]) -> String {
    assert!(replies.iter().all(|reply| is_sealed(reply) && reply[20] == 0));
    assert_eq!(replies.each_ref().map(Vec::len), [148, 178], "the data comes back");
    let fragments = match replies.each_ref().map(|reply| reply[6] & 0x40 != 0) {
        [false, false] => "N",
        [true, false] => "S",
        [true, true] => "Y",
        [false, true] => "O",
    };
    let codes = match replies.each_ref().map(|reply| reply[21]) {
        [0, 0] => "Z",
        [9, 0] => "S",
        _ => "O",
    };
    format!("IE(DFI={fragments}%T={:X}%CD={codes})", replies[0][8])
}

#[test]
fn the_fingerprints_are_those_of_the_systems() {
    let all: String = BUILTIN.iter().map(|(slug, _)| format!("{slug}\n{}\n", fingerprint(slug))).collect();
    insta::assert_snapshot!(all);
}

/// nmap's list has narrow ranges for what differs from scan to scan: what comes out must be in one, each time.
#[test]
fn sequence_numbers_stay_in_a_narrow_band() {
    for (slug, _) in BUILTIN {
        let mut bands = [(u32::MAX, 0), (u32::MAX, 0)];
        let mut divisors = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut scan = Scan::new(slug, seed);
            scan.now += seed * 12_345;
            let six: Vec<(u64, u32)> = scan
                .six()
                .into_iter()
                .map(|answer| answer.map(|(when, packet)| (when, Segment::parse(&packet).sequence)).unwrap())
                .collect();
            let (divisor, rate, spread) = sequence_numbers(&six);
            divisors.insert(divisor);
            for (band, value) in bands.iter_mut().zip([rate, spread]) {
                *band = (band.0.min(value), band.1.max(value));
            }
        }
        let [(slowest, fastest), (least, most)] = bands;
        match facts(slug).initial_sequence {
            InitialSequence::Spread { rate, deviation } => {
                let near = |value: u32, wanted: f64| (f64::from(value) - wanted * 8.0).abs() <= 4.0;
                assert!(near(slowest, rate) && near(fastest, rate), "{slug}: ISR {slowest} to {fastest}");
                assert!(near(least, deviation) && near(most, deviation), "{slug}: SP {least} to {most}");
                assert!(divisors.iter().all(|divisor| *divisor <= 6), "{slug}: {divisors:?}");
            }
            InitialSequence::Clock { unit, .. } => {
                assert!(divisors.iter().all(|divisor| divisor % unit == 0), "{slug}: {divisors:?}");
                assert!(fastest - slowest <= 2, "{slug}: ISR {slowest} to {fastest}");
                assert!((14..=20).contains(&least) && most <= 20, "{slug}: SP {least} to {most}");
            }
            InitialSequence::Steady { unit, .. } => {
                assert_eq!((divisors.into_iter().collect::<Vec<_>>(), least, most), (vec![unit], 0, 0));
                assert_eq!(slowest, fastest);
            }
        }
    }
}

#[test]
fn probes_with_a_wrong_checksum_get_no_answer() {
    for (slug, _) in BUILTIN {
        let mut stack = stack(facts(slug), 1);
        let segment = |flags, destination| Segment { source: 4000, destination, flags, ..Segment::default() };
        let mut probes: Vec<Vec<u8>> = [(0, OPEN), (SYN, CLOSED), (ACK, CLOSED), (FIN | PSH, CLOSED)]
            .into_iter()
            .map(|(flags, port)| Ip::to_decky(6).with(&segment(flags, port).bytes()))
            .collect();
        probes.push(Ip::to_decky(1).with(&[8, 0, 0, 0, 1, 2, 3, 4]));
        probes.push(Ip::to_decky(17).with(&[1, 2, 3, 4, 0, 9, 0, 0, 5]));
        for probe in probes {
            for place in [10, probe.len() - 1] {
                let mut bad = probe.clone();
                bad[place] ^= 0x01;
                assert_eq!(inbound(&mut stack, &bad, at(0)), Fate::Dropped, "{slug}: {bad:02x?}");
            }
        }
        // Where the kernel answers, it is the kernel's to judge: our changes must not mend what was wrong.
        let options = vec![2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 3, 3, 7];
        let mut bad = Ip::to_decky(6).with(&Segment { options, ..segment(SYN | ECE | CWR, OPEN) }.bytes());
        bad[36] ^= 0x55;
        let Fate::Passed(passed) = inbound(&mut stack, &bad, at(0)) else { panic!("{slug}") };
        assert!(!is_sealed(&passed), "{slug}");
    }
}

/// A UDP scan of Linux takes long; one of Windows does not.
#[test]
fn errors_are_paced_as_the_system_does() {
    for (slug, wanted) in [("linux-5", 6), ("windows-10", 50)] {
        let mut stack = stack(facts(slug), 1);
        let scan = |stack: &mut Stack, from: u64| {
            let answers = (0..50u16).filter(|port| {
                let body = [&[1, 2, 3][..], &[*port as u8, 0, 8, 0, 0]].concat();
                let answer = inbound(stack, &Ip::to_decky(17).with(&body), at(from + u64::from(*port)));
                matches!(answer, Fate::Answered(_))
            });
            answers.count()
        };
        assert_eq!(scan(&mut stack, 0), wanted, "{slug}");
        assert_eq!(scan(&mut stack, 10_000_000), wanted, "{slug}, after a pause");
    }
}
