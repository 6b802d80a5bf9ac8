//! The way of an event: service, socket, collector, sinks. Only socket pairs and the loopback.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;
use std::fs;
use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use decnet_core::plan::{LogForm, LogTarget};
use decnet_logging::event::{
    Body, Credential, Event, Outcome, RAW_LIMIT, Report, Session, Severity, Speaker,
};
use decnet_logging::reader::parse_line;
use decnet_logging::sinks::{DeliveryConfig, Notice, OperatorLog};
use decnet_logging::socket::DATAGRAM_LIMIT;
use decnet_logging::{
    Collector, CollectorConfig, ControlSender, EventSink, Filter, Reader, SocketSink, syslog,
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg};

fn speaker(name: &str) -> Speaker {
    Speaker {
        fleet: "lab".into(),
        decky: name.into(),
        hostname: format!("SRV-{name}"),
        service: "redis".into(),
    }
}

fn probe(kind: &str) -> Report {
    let mut report = Report::without_conversation(Body::ScanProbe { kind: kind.into() });
    report.session = Session(7);
    report.src_ip = [198, 51, 100, 7].into();
    report
}

/// A log for the operator that keeps what it was told.
fn notices() -> (OperatorLog, Arc<Mutex<Vec<String>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let told = kept.clone();
    (Arc::new(move |notice: &Notice| told.lock().unwrap().push(notice.to_string())), kept)
}

fn no_notices() -> OperatorLog {
    Arc::new(|notice: &Notice| panic!("{notice}"))
}

struct Place {
    directory: tempfile::TempDir,
    json: PathBuf,
    syslog: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (json, syslog) = (directory.path().join("events.jsonl"), directory.path().join("events.log"));
        Place { directory, json, syslog }
    }

    fn config(&self) -> CollectorConfig {
        CollectorConfig {
            deliveries: vec![
                DeliveryConfig::file(LogForm::Json, &self.json),
                DeliveryConfig::file(LogForm::Syslog, &self.syslog),
            ],
            ..CollectorConfig::new("lab", self.journal())
        }
    }

    fn journal(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    fn collector(&self) -> Collector {
        Collector::new(&self.config(), no_notices()).unwrap()
    }

    /// The events of the journal.
    fn events(&self) -> Vec<Event> {
        let mut reader = Reader::open(&self.journal(), Filter::default()).unwrap();
        let events = std::iter::from_fn(|| reader.next_event().unwrap()).collect();
        assert_eq!(reader.unreadable(), 0);
        events
    }

    /// The events of the collector's journal, of the JSON file and of the syslog file, which are the same.
    fn everywhere(&self, collector: &Collector) -> Vec<Event> {
        assert!(collector.settle(Duration::from_secs(20)));
        let json: Vec<Event> =
            lines(&self.json).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let read: Vec<Event> = lines(&self.syslog).iter().map(|line| syslog::parse(line).unwrap()).collect();
        assert_eq!(json, read);
        assert_eq!(json, self.events());
        json
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// A source of which the test holds the service's end as it is.
fn raw_source(collector: &mut Collector, name: &str) -> OwnedFd {
    let (service, source) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&service, 512 * 1024).unwrap();
    collector.add(speaker(name), source).unwrap();
    service
}

#[test]
fn who_when_and_in_which_order_is_the_collectors() {
    let place = Place::new();
    let mut collector = place.collector().with_clock(|| 1_795_000_000_123_456);
    let service = raw_source(&mut collector, "decky-01");
    let forged = r#"{"schema":9,"ts":"1999-01-01T00:00:00.000000Z","seq":999,"fleet":"x","decky":"other",
        "hostname":"other","service":"ssh","severity":"info","session":"7","src_ip":"198.51.100.7",
        "src_port":1,"dst_ip":"198.51.100.20","dst_port":2,"transport":"tcp","tls":false,
        "event":"honeypot.test","rule":"x","escaped":"rule","truncated":"raw"}"#;
    send(&service, forged.as_bytes(), SendFlags::empty()).unwrap();
    collector.turn(None).unwrap();
    let [event] = place.everywhere(&collector).try_into().unwrap();
    assert_eq!(event.speaker, speaker("decky-01"));
    assert_eq!((event.schema, event.seq, event.ts), (1, 1, 1_795_000_000_123_456));
    assert_eq!(event.severity, Severity::Critical);
    assert_eq!(event.report.body, Body::HoneypotTest { rule: "x".into() });
    let text = fs::read_to_string(&place.json).unwrap() + &fs::read_to_string(&place.syslog).unwrap();
    assert!(!text.contains("other") && !text.contains("999") && !text.contains("truncated"), "{text}");
}

#[test]
fn what_is_no_report_is_an_event_of_its_own() {
    let place = Place::new();
    let mut collector = place.collector();
    let service = raw_source(&mut collector, "decky-01");
    let long = vec![b'x'; DATAGRAM_LIMIT + 1];
    let deep = "[".repeat(100_000);
    let hostile: [&[u8]; 6] = [
        b"\xff\x00\n{",
        b"",
        &long,
        deep.as_bytes(),
        b"{\"event\":\"command\"}",
        b"{\"event\":\"\\n<134>1 \"}",
    ];
    for datagram in hostile {
        send(&service, datagram, SendFlags::empty()).unwrap();
        collector.turn(None).unwrap();
    }
    let honest = serde_json::to_vec(&probe("empty")).unwrap();
    send(&service, &honest, SendFlags::empty()).unwrap();
    collector.turn(None).unwrap();
    let events = place.everywhere(&collector);
    assert_eq!(events.len(), hostile.len() + 1);
    for (event, datagram) in events.iter().zip(hostile) {
        assert_eq!(event.speaker, speaker("decky-01"));
        assert!(matches!(event.report.body, Body::EventsInvalid { .. }), "{event:?}");
        assert_eq!(event.report.raw_len, Some(datagram.len() as u64));
        let raw = &event.report.raw.as_ref().unwrap().0;
        assert_eq!(raw[..], datagram[..datagram.len().min(RAW_LIMIT)]);
        assert_eq!(event.report.raw_truncated, datagram.len() > RAW_LIMIT);
    }
    assert_eq!(events.last().unwrap().report, probe("empty"));
    assert_eq!(collector.sources(), 1);
}

#[test]
fn an_empty_datagram_hides_nothing_and_the_end_is_no_event() {
    let place = Place::new();
    let mut collector = place.collector();
    let service = raw_source(&mut collector, "decky-01");
    send(&service, b"", SendFlags::empty()).unwrap();
    send(&service, &serde_json::to_vec(&probe("empty")).unwrap(), SendFlags::empty()).unwrap();
    drop(service);
    collector.turn(None).unwrap();
    collector.turn(Some(Duration::ZERO)).unwrap();
    let kinds: Vec<&str> = place.events().iter().map(|event| event.report.body.kind()).collect();
    assert_eq!(kinds, ["events.invalid", "scan.probe"]);
    assert_eq!(collector.sources(), 0);
}

#[test]
fn descriptors_that_come_along_are_closed() {
    let place = Place::new();
    let mut collector = place.collector();
    let service = raw_source(&mut collector, "decky-01");
    let (mut reading, writing) = std::io::pipe().unwrap();
    let report = serde_json::to_vec(&probe("empty")).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [writing.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&service, &[IoSlice::new(&report)], &mut control, SendFlags::empty()).unwrap();
    drop(writing);
    collector.turn(None).unwrap();
    // The pipe ends only when nobody holds its other end any more.
    assert_eq!(reading.read(&mut [0]).unwrap(), 0);
    assert_eq!(place.events().len(), 1);
}

#[test]
fn a_stalled_collector_blocks_no_service_and_the_loss_is_told() {
    let place = Place::new();
    let mut collector = place.collector();
    let (service, source) = SocketSink::pair().unwrap();
    collector.add(speaker("decky-01"), source).unwrap();
    let begun = Instant::now();
    for _ in 0..10_000 {
        service.emit(probe("empty"));
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let dropped = service.dropped();
    assert!(dropped > 0 && dropped < 10_000, "{dropped}");
    assert!(!service.report_drops(), "the socket is full");

    collector.drain();
    assert!(service.report_drops(), "there is room now");
    service.emit(probe("after"));
    collector.drain();
    let events = place.events();
    assert_eq!(events.len() as u64, 10_000 - dropped + 2);
    let [.., told, after] = &events[..] else { panic!() };
    assert_eq!(told.report.body, Body::EventsDropped { count: dropped, delivery: None });
    assert_eq!(told.speaker, speaker("decky-01"));
    assert_eq!(after.report, probe("after"));
    assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64));
}

#[test]
fn the_next_report_brings_the_loss_with_it() {
    let place = Place::new();
    let mut collector = place.collector();
    let (service, source) = SocketSink::pair().unwrap();
    collector.add(speaker("decky-01"), source).unwrap();
    while service.dropped() < 3 {
        service.emit(probe("empty"));
    }
    collector.drain();
    service.emit(probe("after"));
    collector.drain();
    let events = place.events();
    assert_eq!(events[events.len() - 2].report.body, Body::EventsDropped { count: 3, delivery: None });
    assert_eq!(events[events.len() - 1].report, probe("after"));
}

#[test]
fn the_largest_report_arrives() {
    let place = Place::new();
    let mut collector = place.collector();
    let (service, source) = SocketSink::pair().unwrap();
    collector.add(speaker("decky-01"), source).unwrap();
    service.emit(probe("malformed").with_raw(&vec![0xff; RAW_LIMIT]));
    collector.turn(None).unwrap();
    assert_eq!(service.dropped(), 0);
    let [event] = place.events().try_into().unwrap();
    assert_eq!(event.report, probe("malformed").with_raw(&vec![0xff; RAW_LIMIT]));
}

#[test]
fn a_loud_source_does_not_silence_a_quiet_one() {
    let place = Place::new();
    let mut collector = place.collector();
    let (loud, source) = SocketSink::pair().unwrap();
    collector.add(speaker("loud"), source).unwrap();
    let (quiet, source) = SocketSink::pair().unwrap();
    collector.add(speaker("quiet"), source).unwrap();
    for _ in 0..100 {
        loud.emit(probe("nmap"));
    }
    quiet.emit(probe("empty"));
    collector.turn(None).unwrap();
    let events = place.events();
    assert!(events.len() < 101, "one batch takes a part of the loud one");
    assert!(events.iter().any(|event| event.speaker.decky == "quiet"));
}

#[test]
fn three_thousand_sources_come_over_the_control_socket() {
    const SOURCES: usize = 3000;
    let place = Place::new();
    let mut collector = place.collector();
    let (keeper, control) = ControlSender::pair().unwrap();
    let thread = std::thread::spawn(move || {
        collector.run(control).unwrap();
        collector.sources()
    });
    let services: Vec<SocketSink> = (0..SOURCES)
        .map(|index| {
            let (service, source) = SocketSink::pair().unwrap();
            keeper.add(&speaker(&format!("decky-{index}")), source).unwrap();
            service
        })
        .collect();
    for (index, service) in services.iter().enumerate() {
        service.emit(probe(&index.to_string()));
        service.emit(probe(&index.to_string()));
    }
    drop(keeper);
    assert_eq!(thread.join().unwrap(), SOURCES);
    let mut events = place.events();
    let summary = events.pop().unwrap().report.body;
    assert!(
        matches!(summary, Body::ScanSummary { count: 6000, .. }),
        "probes everywhere are a sweep: {summary:?}"
    );
    assert_eq!(events.len(), 2 * SOURCES);
    assert!(events.iter().map(|event| event.seq).eq(1..=2 * SOURCES as u64));
    let mut heard: HashMap<&str, usize> = HashMap::new();
    for event in &events {
        let Body::ScanProbe { kind } = &event.report.body else { panic!("{event:?}") };
        assert_eq!(event.speaker, speaker(&format!("decky-{kind}")));
        *heard.entry(&event.speaker.decky).or_default() += 1;
    }
    assert!(heard.len() == SOURCES && heard.values().all(|count| *count == 2));
}

#[test]
fn an_idle_collector_does_not_wake() {
    let place = Place::new();
    let mut collector = place.collector();
    let (keeper, control) = ControlSender::pair().unwrap();
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        tell.send(fs::read_link("/proc/thread-self").unwrap()).unwrap();
        collector.run(control).unwrap();
        collector.sources()
    });
    let status = Path::new("/proc").join(told.recv().unwrap()).join("status");
    let (service, source) = SocketSink::pair().unwrap();
    let (gone, copied) = SocketSink::pair().unwrap();
    keeper.add(&speaker("decky-01"), source).unwrap();
    // The keeper keeps a copy: after the service's end the socket still exists, and always tells its end.
    keeper.add(&speaker("decky-02"), &copied).unwrap();
    gone.emit(probe("empty"));
    drop(gone);
    service.emit(probe("empty"));
    std::thread::sleep(Duration::from_millis(300));
    let switches = || {
        let text = fs::read_to_string(&status).unwrap();
        let counts: Vec<u64> = text
            .lines()
            .filter(|line| line.contains("ctxt_switches"))
            .map(|line| line.split_whitespace().last().unwrap().parse().unwrap())
            .collect();
        assert_eq!(counts.len(), 2);
        counts.iter().sum::<u64>()
    };
    let before = switches();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(switches(), before);
    assert_eq!(place.events().len(), 2, "written at once, not at the end");
    drop(keeper);
    assert_eq!(thread.join().unwrap(), 1);
}

#[test]
fn a_control_message_without_a_source_is_told_and_passed_over() {
    let place = Place::new();
    let (log, kept) = notices();
    let mut collector = Collector::new(&place.config(), log).unwrap();
    let (keeper, control) = ControlSender::pair().unwrap();
    send(&keeper, b"{}", SendFlags::empty()).unwrap();
    let (service, source) = SocketSink::pair().unwrap();
    keeper.add(&speaker("decky-01"), source).unwrap();
    service.emit(probe("empty"));
    drop(keeper);
    collector.run(control).unwrap();
    assert_eq!(place.events().len(), 1);
    assert_eq!(kept.lock().unwrap().len(), 1);
}

#[test]
fn numbers_go_on_after_a_restart_and_the_files_with_them() {
    let place = Place::new();
    let say = |collector: &mut Collector, count: usize| {
        let (service, source) = SocketSink::pair().unwrap();
        collector.add(speaker("decky-01"), source).unwrap();
        (0..count).for_each(|_| service.emit(probe("empty")));
        collector.drain();
        assert!(collector.settle(Duration::from_secs(20)));
    };
    say(&mut place.collector(), 3);
    // The file that the deliveries write may be rotated between two collectors.
    for path in [&place.json, &place.syslog] {
        fs::rename(path, path.with_extension("1")).unwrap();
    }
    say(&mut place.collector(), 1);
    say(&mut place.collector(), 2);
    assert!(place.events().iter().map(|event| event.seq).eq(1..=6));
    for path in [&place.json, &place.syslog] {
        let seqs = lines(path).iter().map(|line| parse_line(line).unwrap().seq).collect::<Vec<u64>>();
        assert_eq!(seqs, [4, 5, 6]);
    }
}

#[test]
fn a_journal_that_cannot_be_written_is_told_and_the_collector_goes_on() {
    let place = Place::new();
    let (log, kept) = notices();
    let mut config = CollectorConfig::new("lab", place.journal());
    // Every event begins a segment.
    config.journal.segment_bytes = 1;
    let mut collector = Collector::new(&config, log).unwrap();
    let (service, source) = SocketSink::pair().unwrap();
    collector.add(speaker("decky-01"), source).unwrap();
    service.emit(probe("one"));
    collector.drain();
    // In the place of the next segment stands something that is none.
    let blocked = place.journal().join("00000000000000000002.journal");
    fs::create_dir(&blocked).unwrap();
    for kind in ["two", "three"] {
        service.emit(probe(kind));
        collector.drain();
    }
    assert_eq!(kept.lock().unwrap().len(), 1, "{kept:?}");
    assert!(kept.lock().unwrap()[0].starts_with("cannot write the journal: "), "{kept:?}");
    fs::remove_dir(&blocked).unwrap();
    collector.turn(None).unwrap();
    assert_eq!(kept.lock().unwrap()[1], "the journal is written again; 0 events were lost");
    let kinds: Vec<Body> = place.events().into_iter().map(|event| event.report.body).collect();
    assert_eq!(kinds, ["one", "two", "three"].map(|kind| Body::ScanProbe { kind: kind.into() }));
    assert!(decnet_logging::journal::verify(&place.journal(), None).is_ok());
}

#[test]
fn an_owned_service_forges_its_own_reports_and_nothing_else() {
    let place = Place::new();
    let mut collector = place.collector().with_clock(|| 1_795_000_000_123_456);
    let owned = raw_source(&mut collector, "owned");
    let honest = raw_source(&mut collector, "honest");
    let line = serde_json::to_string(&probe("empty")).unwrap();
    let with = |more: &str| line.replacen('{', &format!("{{{more},"), 1).into_bytes();
    let kinds: Vec<Vec<u8>> = vec![
        with(r#""decky":"honest","hostname":"SRV-honest","fleet":"other","service":"ssh""#),
        with(r#""seq":18446744073709551615,"ts":"2099-01-01T00:00:00.000000Z","severity":"info","schema":7"#),
        with(r#""seq":-1,"ts":0,"severity":[],"schema":{},"decky":null"#),
        // The end of a line, another line of the chain, the end of an object.
        b"{\n0000000000000000000000000000000000000000000000000000000000000000 1 0 1 {}\n".to_vec(),
        with(r#""kind":"\n{\"seq\":1}""#),
        [line.as_bytes(), b"}\n", line.as_bytes()].concat(),
        vec![b'{'; DATAGRAM_LIMIT],
        vec![0; 300_000],
        vec![b'\n'; 1000],
        b"[]".to_vec(),
        vec![0xff],
    ];
    let mut sent = 0;
    let mut refused = 0;
    for round in 0..400 {
        let datagram = &kinds[round % kinds.len()];
        match send(&owned, datagram, SendFlags::DONTWAIT) {
            Ok(_) => sent += 1,
            Err(_) => refused += 1,
        }
        if round % 50 == 0 {
            send(&honest, line.as_bytes(), SendFlags::empty()).unwrap();
        }
        if refused > 0 && round % 20 == 0 {
            collector.turn(Some(Duration::ZERO)).unwrap();
        }
    }
    collector.drain();
    let events = place.everywhere(&collector);
    assert!(sent > 50 && refused > 0, "{sent} {refused}");
    assert!(events.iter().map(|event| event.seq).eq(1..=sent + 8));
    for event in &events {
        assert_eq!((event.schema, event.ts), (1, 1_795_000_000_123_456));
        assert!([speaker("owned"), speaker("honest")].contains(&event.speaker));
        assert_eq!(event.severity, event.report.body.severity());
    }
    let of = |name: &str| events.iter().filter(|event| event.speaker.decky == name).count() as u64;
    assert_eq!((of("honest"), of("owned")), (8, sent));
    let verified = decnet_logging::journal::verify(&place.journal(), None).unwrap();
    assert_eq!(verified.records, sent + 8);
}

#[test]
fn udp_syslog_arrives_and_another_reader_understands_it() {
    let place = Place::new();
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let target: LogTarget = format!("udp://{}", server.local_addr().unwrap()).parse().unwrap();
    let config = CollectorConfig {
        deliveries: vec![DeliveryConfig::Target { target }],
        ..CollectorConfig::new("lab", place.journal())
    };
    let mut collector = Collector::new(&config, no_notices()).unwrap();
    let (service, source) = SocketSink::pair().unwrap();
    collector.add(speaker("decky-01"), source).unwrap();
    let credential = Credential::password("AUTH", b"default", b"a\n<134>1 \"]\\");
    service.emit(Report::without_conversation(Body::AuthAttempt { credential, outcome: Outcome::Failed }));
    service.emit(probe("malformed").with_raw(&vec![1; RAW_LIMIT]));
    collector.drain();

    let mut buffer = [0; 65_536];
    let length = server.recv(&mut buffer).unwrap();
    let first = syslog_rfc5424::parse_message(std::str::from_utf8(&buffer[..length]).unwrap()).unwrap();
    assert_eq!(first.hostname.as_deref(), Some("decky-01"));
    assert_eq!(first.appname.as_deref(), Some("redis"));
    assert_eq!(first.msgid.as_deref(), Some("auth.attempt"));
    let field = |name| first.sd.find_tuple(syslog::SD_ID, name).unwrap().as_str();
    assert_eq!((field("username"), field("escaped")), ("default", "password"));
    assert_eq!(field("password"), "a\\n<134>1 \\\"]\\\\");

    let length = server.recv(&mut buffer).unwrap();
    assert!(length <= syslog::DATAGRAM_LIMIT, "{length}");
    let second = syslog::parse(std::str::from_utf8(&buffer[..length]).unwrap()).unwrap();
    assert_eq!(second.seq, 2);
    assert!(second.report.raw_truncated && second.report.raw_len == Some(RAW_LIMIT as u64));
}
