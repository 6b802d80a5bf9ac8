//! The ways out: each at its own pace, from its own place in the journal.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use decnet_logging::event::{Body, Event, Report, Speaker};
use decnet_logging::sinks::{Delivery, DeliveryError, Notice, OperatorLog};
use decnet_logging::{Collector, CollectorConfig, EventSink, Filter, Reader, SocketSink};

/// A place that the test can close, slow down and look into.
#[derive(Default)]
struct Place {
    /// Numbers as they came.
    had: Mutex<Vec<u64>>,
    /// Takes nothing: an error, or a long wait.
    down: AtomicBool,
    stalled: AtomicBool,
    /// At most so many of a batch, where it is not 0.
    most: AtomicU64,
    reopened: AtomicU64,
    /// What it settles lags so many events behind.
    lag: AtomicU64,
}

struct To {
    name: String,
    place: Arc<Place>,
    settled: Option<u64>,
}

impl Delivery for To {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&mut self, events: &[Event], patience: Duration) -> Result<usize, DeliveryError> {
        if self.place.stalled.load(Ordering::Relaxed) {
            std::thread::sleep(patience.min(Duration::from_millis(100)));
            return Ok(0);
        }
        if self.place.down.load(Ordering::Relaxed) {
            self.settled = None;
            let source = io::ErrorKind::ConnectionRefused.into();
            return Err(DeliveryError { place: "there".into(), source });
        }
        let most = self.place.most.load(Ordering::Relaxed) as usize;
        let taken = if most == 0 { events } else { &events[..events.len().min(most)] };
        self.place.had.lock().unwrap().extend(taken.iter().map(|event| event.seq));
        self.settled = taken.last().map(|event| event.seq).or(self.settled);
        Ok(taken.len())
    }

    fn settled(&mut self) -> Option<u64> {
        self.settled?.checked_sub(self.place.lag.load(Ordering::Relaxed))
    }

    fn reopen(&mut self) {
        self.place.reopened.fetch_add(1, Ordering::Relaxed);
    }
}

struct Bench {
    directory: tempfile::TempDir,
    config: CollectorConfig,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = CollectorConfig::new("lab", directory.path().join("journal"));
        Bench { directory, config, notices: Arc::default() }
    }

    fn log(&self) -> OperatorLog {
        let notices = self.notices.clone();
        Arc::new(move |notice: &Notice| notices.lock().unwrap().push(notice.to_string()))
    }

    fn collector(&self, places: &[(&str, &Arc<Place>)]) -> (Collector, SocketSink) {
        let deliveries = places
            .iter()
            .map(|(name, place)| {
                let to = To { name: (*name).to_owned(), place: (*place).clone(), settled: None };
                Box::new(to) as Box<dyn Delivery>
            })
            .collect();
        let mut collector = Collector::with_deliveries(&self.config, deliveries, self.log()).unwrap();
        let (service, source) = SocketSink::pair().unwrap();
        let speaker = Speaker {
            fleet: "lab".into(),
            decky: "decky-01".into(),
            hostname: "SRV".into(),
            service: "redis".into(),
        };
        collector.add(speaker, source).unwrap();
        (collector, service)
    }

    fn cursor(&self, name: &str) -> u64 {
        let path = self.directory.path().join("journal/cursors").join(name);
        std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
    }

    fn events(&self) -> Vec<Event> {
        let mut reader = Reader::open(&self.config.journal.directory, Filter::default()).unwrap();
        std::iter::from_fn(|| reader.next_event().unwrap()).collect()
    }
}

fn say(collector: &mut Collector, service: &SocketSink, count: usize) {
    for _ in 0..count {
        service.emit(Report::without_conversation(Body::ScanProbe { kind: "empty".into() }));
        collector.drain();
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn one_that_is_down_delays_nobody_and_gets_everything_later() {
    let bench = Bench::new();
    let (up, down) = (Arc::new(Place::default()), Arc::new(Place::default()));
    down.down.store(true, Ordering::Relaxed);
    let (mut collector, service) = bench.collector(&[("up", &up), ("down", &down)]);
    say(&mut collector, &service, 2000);
    until("the other one has it all", || up.had.lock().unwrap().len() == 2000);
    assert!(!collector.settle(Duration::ZERO));
    assert_eq!(*down.had.lock().unwrap(), [0; 0]);
    down.down.store(false, Ordering::Relaxed);
    assert!(collector.settle(Duration::from_secs(30)));
    assert!(down.had.lock().unwrap().iter().copied().eq(1..=2000));
    assert!(up.had.lock().unwrap().iter().copied().eq(1..=2000));
    let notices = bench.notices.lock().unwrap();
    assert_eq!(notices.len(), 2, "told when it begins and when it ends: {notices:?}");
    assert!(notices[0].starts_with("delivery `down` takes nothing: there: connection refused"));
    assert_eq!(notices[1], "delivery `down` goes on");
}

#[test]
fn every_delivery_goes_on_where_it_was() {
    let bench = Bench::new();
    let (fast, slow) = (Arc::new(Place::default()), Arc::new(Place::default()));
    slow.stalled.store(true, Ordering::Relaxed);
    let (mut collector, service) = bench.collector(&[("fast", &fast), ("slow", &slow)]);
    say(&mut collector, &service, 100);
    until("the fast one has it", || fast.had.lock().unwrap().len() == 100);
    drop((collector, service));
    assert_eq!((bench.cursor("fast"), bench.cursor("slow")), (100, 0));
    slow.stalled.store(false, Ordering::Relaxed);
    slow.most.store(3, Ordering::Relaxed);
    let new = Arc::new(Place::default());
    let (mut collector, service) = bench.collector(&[("fast", &fast), ("slow", &slow), ("new", &new)]);
    say(&mut collector, &service, 100);
    assert!(collector.settle(Duration::from_secs(30)));
    assert!(fast.had.lock().unwrap().iter().copied().eq(1..=200));
    assert!(slow.had.lock().unwrap().iter().copied().eq(1..=200));
    assert!(new.had.lock().unwrap().iter().copied().eq(101..=200), "what was before is not its own");
}

#[test]
fn what_is_not_settled_comes_again() {
    let bench = Bench::new();
    let place = Arc::new(Place::default());
    place.lag.store(10, Ordering::Relaxed);
    let (mut collector, service) = bench.collector(&[("acknowledged", &place)]);
    say(&mut collector, &service, 50);
    until("all were handed over", || place.had.lock().unwrap().len() == 50);
    until("40 are settled", || bench.cursor("acknowledged") == 40);
    place.down.store(true, Ordering::Relaxed);
    say(&mut collector, &service, 1);
    until("told", || !bench.notices.lock().unwrap().is_empty());
    place.down.store(false, Ordering::Relaxed);
    place.lag.store(0, Ordering::Relaxed);
    assert!(collector.settle(Duration::from_secs(30)));
    assert!(place.had.lock().unwrap().iter().copied().eq((1..=50).chain(41..=51)));
}

#[test]
fn what_the_bound_took_away_is_counted_for_whom_it_was_lost() {
    let mut bench = Bench::new();
    bench.config.journal.segment_bytes = 20_000;
    bench.config.journal.bytes = 100_000;
    let (up, down) = (Arc::new(Place::default()), Arc::new(Place::default()));
    let (mut collector, service) = bench.collector(&[("up", &up), ("down", &down)]);
    say(&mut collector, &service, 10);
    assert!(collector.settle(Duration::from_secs(30)));
    down.down.store(true, Ordering::Relaxed);
    // The fast one keeps pace; the other one is overtaken by the bound, also over a restart.
    for _ in 0..20 {
        say(&mut collector, &service, 50);
        let last = bench.events().last().unwrap().seq;
        until("it keeps pace", || up.had.lock().unwrap().last() >= Some(&last));
    }
    drop((collector, service));
    let (mut collector, service) = bench.collector(&[("up", &up), ("down", &down)]);
    say(&mut collector, &service, 1);
    down.down.store(false, Ordering::Relaxed);
    until("the one that was down has the last", || {
        collector.turn(Some(Duration::from_millis(20))).unwrap();
        down.had.lock().unwrap().last() >= Some(&1011)
    });
    // The loss was known before that; telling it is the collector's next turn.
    collector.turn(Some(Duration::from_millis(20))).unwrap();
    assert!(collector.settle(Duration::from_secs(30)));
    let lost: u64 = bench
        .notices
        .lock()
        .unwrap()
        .iter()
        .filter(|notice| notice.contains("before delivery `down` took them"))
        .map(|notice| notice.split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    let had = down.had.lock().unwrap().clone();
    let last = *had.last().unwrap();
    assert!(lost > 100, "{lost}");
    assert_eq!(had.len() as u64 + lost, last, "every event was had or counted");
    let mut once = had.clone();
    once.dedup();
    assert_eq!(once, had);
    // What was counted is an event that names whom it was lost for.
    let told: u64 = up_to(&bench, |body| match body {
        Body::EventsDropped { count, delivery } if delivery.as_deref() == Some("down") => *count,
        _ => 0,
    });
    assert!(told > 0 && told <= lost, "{told} of {lost}: what was told long ago is gone itself");
    assert_eq!(up.had.lock().unwrap().len() as u64, last, "the other one has all");
}

fn up_to(bench: &Bench, count: impl Fn(&Body) -> u64) -> u64 {
    bench.events().iter().map(|event| count(&event.report.body)).sum()
}

#[test]
fn a_wish_to_open_anew_reaches_every_delivery_at_rest() {
    let bench = Bench::new();
    let place = Arc::new(Place::default());
    let (mut collector, service) = bench.collector(&[("one", &place)]);
    say(&mut collector, &service, 1);
    assert!(collector.settle(Duration::from_secs(30)));
    collector.reopen().reopen();
    until("reopened", || place.reopened.load(Ordering::Relaxed) == 1);
}

#[test]
fn the_end_waits_for_what_can_go_and_for_no_more() {
    let bench = Bench::new();
    let (up, stalled) = (Arc::new(Place::default()), Arc::new(Place::default()));
    up.most.store(7, Ordering::Relaxed);
    stalled.stalled.store(true, Ordering::Relaxed);
    let (mut collector, service) = bench.collector(&[("up", &up), ("stalled", &stalled)]);
    for _ in 0..300 {
        service.emit(Report::without_conversation(Body::ConnectionOpened));
        collector.turn(Some(Duration::ZERO)).unwrap();
    }
    let (keeper, control) = decnet_logging::ControlSender::pair().unwrap();
    drop(keeper);
    let begun = Instant::now();
    collector.run(control).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(up.had.lock().unwrap().iter().copied().eq(1..=300));
    assert_eq!((bench.cursor("up"), bench.cursor("stalled")), (300, 0));
}
