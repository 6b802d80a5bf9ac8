//! What an event costs: writing it as a line, and its whole way from a service's `emit` through the socket
//! and the collector into two files.
#![allow(missing_docs, reason = "criterion's macros make items without documentation")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use decnet_logging::event::{Body, Credential, Event, Outcome, Report, SCHEMA, Session, Speaker};
use decnet_logging::{Collector, CollectorConfig, EventSink, SocketSink, json, syslog};

/// Sources that speak at once.
const SOURCES: usize = 16;
/// Reports of each in one round; a socket's buffer holds them all.
const REPORTS: usize = 100;

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

fn collect(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let config = CollectorConfig {
        fleet: "lab".into(),
        json_file: Some(directory.path().join("events.jsonl")),
        syslog_file: Some(directory.path().join("events.log")),
        target: None,
        ..CollectorConfig::default()
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
    let mut group = c.benchmark_group("collector");
    group.throughput(Throughput::Elements((SOURCES * REPORTS) as u64));
    group.sample_size(20);
    group.bench_function("emit_to_two_files", |b| {
        b.iter(|| {
            for _ in 0..REPORTS {
                for service in &services {
                    service.emit(report.clone());
                }
            }
            collector.drain();
        });
    });
    group.finish();
    assert!(services.iter().all(|service| service.dropped() == 0), "the rate is of events that arrived");
}

criterion_group!(benches, encode, collect);
criterion_main!(benches);
