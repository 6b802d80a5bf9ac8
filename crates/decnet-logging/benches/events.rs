//! What an event costs: writing it as a line, and its whole way from a service's `emit` through the socket
//! and the collector into two files.
#![allow(missing_docs, reason = "criterion's macros make items without documentation")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use decnet_core::plan::LogForm;
use decnet_logging::event::{Body, Credential, Event, Outcome, Report, SCHEMA, Session, Speaker};
use decnet_logging::sinks::DeliveryConfig;
use decnet_logging::{Collector, CollectorConfig, EventSink, SocketSink, json, syslog};

/// Sources that speak at once.
const SOURCES: usize = 16;
/// Reports of each in one round; a socket's buffer holds them all.
const REPORTS: usize = 200;

fn speaker(index: usize) -> Speaker {
    Speaker {
        fleet: "lab".into(),
        decky: format!("decky-{index:02}"),
        hostname: "SRV-DB-02".into(),
        service: "redis".into(),
    }
}

fn report() -> Report {
    let credential = Credential::password("AUTH", b"default", b"hunter2");
    let mut report = Report::without_conversation(Body::AuthAttempt { credential, outcome: Outcome::Failed })
        .with_raw(b"*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n");
    report.session = Session(0x1234_5678_9abc_def0);
    report.src_ip = [198, 51, 100, 7].into();
    report.src_port = 40_000;
    report.dst_ip = [198, 51, 100, 20].into();
    report.dst_port = 6379;
    report.persona = Some("redis/7.0.15".into());
    report
}

fn encode(c: &mut Criterion) {
    let report = report();
    let event = Event {
        schema: SCHEMA,
        ts: 1_795_000_000_123_456,
        seq: 1,
        speaker: speaker(1),
        severity: report.body.severity(),
        report,
    };
    let mut group = c.benchmark_group("event");
    group.throughput(Throughput::Elements(1));
    let mut line = String::new();
    group.bench_function("syslog_encode", |b| {
        b.iter(|| {
            line.clear();
            syslog::encode_into(black_box(&event), &mut line);
        });
    });
    let mut out = Vec::new();
    group.bench_function("json_encode", |b| {
        b.iter(|| {
            out.clear();
            json::encode_into(black_box(&event), &mut out).expect("an event is JSON");
        });
    });
    group.bench_function("syslog_parse", |b| b.iter(|| syslog::parse(black_box(&line))));
    let mut hostile = event.clone();
    hostile.report.raw = Some(decnet_logging::event::Bytes(vec![0; 65_536]));
    group.bench_function("syslog_encode_datagram_64k", |b| {
        b.iter(|| syslog::encode_datagram(black_box(&hostile)))
    });
    group.finish();
}

/// From services' `emit` to the journal, and with `file` to a file of RFC 5424 lines as well; every event must
/// arrive there.
fn collect(c: &mut Criterion, name: &str, file: bool) {
    let directory = tempfile::tempdir().expect("a directory");
    let config = CollectorConfig {
        deliveries: if file {
            vec![DeliveryConfig::file(LogForm::Syslog, directory.path().join("events.log"))]
        } else {
            Vec::new()
        },
        ..CollectorConfig::new("lab", directory.path().join("journal"))
    };
    let mut collector = Collector::new(&config, Arc::new(|notice| panic!("{notice}"))).expect("a collector");
    let services: Vec<SocketSink> = (0..SOURCES)
        .map(|index| {
            let (service, source) = SocketSink::pair().expect("a pair");
            collector.add(speaker(index), source).expect("a source");
            service
        })
        .collect();
    let report = report();
    let mut rounds = 0;
    let mut group = c.benchmark_group("collector");
    group.throughput(Throughput::Elements((SOURCES * REPORTS) as u64));
    group.sample_size(20);
    group.bench_function(name, |b| {
        b.iter(|| {
            rounds += 1;
            for _ in 0..REPORTS {
                for service in &services {
                    service.emit(report.clone());
                }
            }
            collector.drain();
            assert!(collector.settle(std::time::Duration::from_secs(60)), "what was measured has arrived");
        });
    });
    group.finish();
    let dropped: u64 = services.iter().map(SocketSink::dropped).sum();
    let verified = decnet_logging::journal::verify(&config.journal.directory, None).expect("a whole chain");
    // Old segments may have gone; numbers have no gap.
    let last = verified.last.map_or(0, |(seq, _)| seq);
    assert_eq!(
        (last, dropped),
        (rounds * (SOURCES * REPORTS) as u64, 0),
        "the rate is of events that arrived"
    );
}

/// What logging adds to a service's reply: `emit` with room in the socket.
fn emit(c: &mut Criterion) {
    let (service, source) = SocketSink::pair().expect("a pair");
    let report = report();
    let mut buffer = vec![0; 128 * 1024];
    c.bench_function("service/emit", |b| {
        b.iter(|| {
            service.emit(black_box(report.clone()));
            rustix::net::recv(&source, &mut buffer[..], rustix::net::RecvFlags::DONTWAIT).expect("it arrives")
        });
    });
    assert_eq!(service.dropped(), 0);
}

fn journal(c: &mut Criterion) {
    collect(c, "emit_to_journal", false);
}

fn file(c: &mut Criterion) {
    collect(c, "emit_to_journal_and_file", true);
}

criterion_group!(benches, encode, emit, journal, file);
criterion_main!(benches);
