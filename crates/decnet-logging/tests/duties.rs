//! What a collector says of itself: heartbeats from its first moment to its last, and summaries of scans.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use decnet_logging::event::{Body, Event, Life, Report, Speaker};
use decnet_logging::heartbeat::Gaps;
use decnet_logging::{Collector, CollectorConfig, ControlSender, EventSink, Filter, Reader, SocketSink};

const SECOND: i64 = 1_000_000;
const BEGIN: i64 = 1_795_000_000 * SECOND;

struct Place {
    directory: tempfile::TempDir,
    clock: Arc<AtomicI64>,
}

impl Place {
    fn new() -> Place {
        Place { directory: tempfile::tempdir().unwrap(), clock: Arc::new(AtomicI64::new(BEGIN)) }
    }

    fn collector(&self) -> Collector {
        let config = CollectorConfig {
            heartbeat_s: Some(60),
            ..CollectorConfig::new("lab", self.directory.path().join("journal"))
        };
        let clock = self.clock.clone();
        Collector::new(&config, Arc::new(|notice| panic!("{notice}")))
            .unwrap()
            .with_clock(move || clock.load(Ordering::Relaxed))
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * SECOND, Ordering::Relaxed);
    }

    fn events(&self) -> Vec<Event> {
        let mut reader = Reader::open(&self.directory.path().join("journal"), Filter::default()).unwrap();
        std::iter::from_fn(|| reader.next_event().unwrap()).collect()
    }
}

fn source(collector: &mut Collector, decky: &str, service: &str) -> SocketSink {
    let (sink, theirs) = SocketSink::pair().unwrap();
    let (fleet, decky, service) = ("lab".into(), decky.into(), service.into());
    collector.add(Speaker { fleet, decky, hostname: "SRV".into(), service }, theirs).unwrap();
    sink
}

fn turn(collector: &mut Collector) {
    collector.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_heartbeat_counts_and_a_missing_one_is_found() {
    let place = Place::new();
    let mut collector = place.collector();
    let redis = source(&mut collector, "decky-01", "redis");
    let _others = ["wire", "http"].map(|service| source(&mut collector, "decky-01", service));
    let _second = source(&mut collector, "decky-02", "redis");
    turn(&mut collector);
    for _ in 0..3 {
        redis.emit(Report::without_conversation(Body::EventsDropped { count: 7, delivery: None }));
        place.pass(30);
        turn(&mut collector);
    }
    let beats: Vec<Event> =
        place.events().into_iter().filter(|event| event.report.body.kind() == "heartbeat").collect();
    assert_eq!(beats.len(), 2);
    assert_eq!((beats[1].ts - beats[0].ts, beats[1].speaker.service.as_str()), (60 * SECOND, "collector"));
    let expected = Body::Heartbeat {
        state: Life::Running,
        interval_s: 60,
        deckies_up: 2,
        services_up: 3,
        events: 3,
        dropped: 14,
        next_seq: 5,
    };
    assert_eq!((&beats[1].report.body, beats[1].seq), (&expected, 4));

    // Killed, and started again eleven minutes later.
    drop(collector);
    place.pass(630);
    turn(&mut place.collector());
    let mut gaps = Gaps::default();
    place.events().iter().for_each(|event| gaps.observe(event));
    let found = serde_json::to_value(gaps.finish(None)).unwrap();
    let silence = &found["gaps"][3];
    assert_eq!((&silence["gap"], &silence["missed"]), (&"silence".into(), &10.into()), "{found:#}");
    assert_eq!(found["events"], 0, "the numbers go on");
}

#[test]
fn who_ends_in_order_says_so() {
    let place = Place::new();
    let mut collector = place.collector();
    let (keeper, control) = ControlSender::pair().unwrap();
    drop(keeper);
    collector.run(control).unwrap();
    let states: Vec<Life> = place
        .events()
        .iter()
        .map(|event| match event.report.body {
            Body::Heartbeat { state, .. } => state,
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(states, [Life::Starting, Life::Stopping]);
}

#[test]
fn a_scan_is_summed_up_when_its_source_is_quiet() {
    let place = Place::new();
    let mut collector = place.collector();
    for number in 0..5 {
        let wire = source(&mut collector, &format!("decky-{number:02}"), "wire");
        let ports = (1..=20).collect();
        let mut report =
            Report::without_conversation(Body::ScanPackets { kind: "half_open".into(), count: 40, ports });
        report.src_ip = [198, 51, 100, 7].into();
        wire.emit(report);
        turn(&mut collector);
    }
    place.pass(59);
    turn(&mut collector);
    let summaries = || place.events().into_iter().filter(|event| event.report.body.kind() == "scan.summary");
    assert_eq!(summaries().count(), 0);
    place.pass(1);
    turn(&mut collector);
    let summary = summaries().next().unwrap();
    assert_eq!(summary.speaker.decky, "collector");
    assert_eq!(
        decnet_logging::story::story(&summary).to_string(),
        "11:07:40 198.51.100.7 → fleet  scan summed up: sweep: 5 deckies, 20 ports (5 events within 0.000 s)"
    );
}
