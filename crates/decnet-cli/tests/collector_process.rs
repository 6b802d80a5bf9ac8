//! The collector as the process that it is: killed at any moment, and with every way out stalled.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "the test starts the collector itself, in the keeper's place")]
#![allow(clippy::print_stdout, reason = "a figure that a reader of the run wants")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use decnet_core::plan::LogForm;
use decnet_logging::event::{Body, Event, Outcome, Report, Speaker};
use decnet_logging::reader::parse_line;
use decnet_logging::sinks::DeliveryConfig;
use decnet_logging::{CollectorConfig, ControlSender, Filter, Reader, SocketSink, journal};
use nix::sys::socket::{MsgFlags, send};

/// How many services speak.
const SERVICES: usize = 4;

/// The keeper's part: sockets that outlive every collector.
struct Keeper {
    config: CollectorConfig,
    /// The service's end and the collector's.
    sockets: Arc<Vec<(SocketSink, OwnedFd)>>,
    log: PathBuf,
    running: Option<(Child, ControlSender)>,
}

impl Keeper {
    fn new(config: CollectorConfig, directory: &Path) -> Self {
        let sockets = Arc::new((0..SERVICES).map(|_| SocketSink::pair().unwrap()).collect());
        let mut keeper = Keeper { config, sockets, log: directory.join("operator.log"), running: None };
        keeper.start();
        keeper
    }

    fn speaker(index: usize) -> Speaker {
        Speaker {
            fleet: "lab".into(),
            decky: format!("decky-{index}"),
            hostname: "SRV".into(),
            service: "redis".into(),
        }
    }

    fn start(&mut self) {
        let (control, theirs) = ControlSender::pair().unwrap();
        let log = fs::File::options().create(true).append(true).open(&self.log).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_decnet"))
            .args(["internal", "collector", &serde_json::to_string(&self.config).unwrap()])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut word = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut word).unwrap();
        assert_eq!(word, "ready\n");
        for (index, (_, socket)) in self.sockets.iter().enumerate() {
            control.add(&Self::speaker(index), socket).unwrap();
        }
        self.running = Some((child, control));
    }

    fn kill_and_start(&mut self) {
        let (mut child, control) = self.running.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        drop(control);
        self.start();
    }

    /// Lets it finish.
    fn finish(&mut self) {
        let (mut child, control) = self.running.take().unwrap();
        drop(control);
        assert!(child.wait().unwrap().success(), "{}", self.told());
    }

    fn told(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// A line of `/proc/PID/status`, in KiB.
    fn memory(&self, name: &str) -> u64 {
        let pid = self.running.as_ref().unwrap().0.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn report(index: usize, number: u64) -> Report {
    let line = format!("{index}-{number}-{}", "x".repeat((number as usize * 37) % 700));
    Report::without_conversation(Body::Command { command: "SET".into(), line, outcome: Outcome::Accepted })
}

/// Says it as a service would, but waits where there is no room: so nothing is dropped on this side.
fn say(socket: &SocketSink, report: &Report) {
    let datagram = serde_json::to_vec(report).unwrap();
    let length = send(socket.as_fd().as_raw_fd(), &datagram, MsgFlags::MSG_NOSIGNAL).unwrap();
    assert_eq!(length, datagram.len());
}

fn events(journal: &Path) -> Vec<Event> {
    let mut reader = Reader::open(journal, Filter::default()).unwrap();
    let events = std::iter::from_fn(|| reader.next_event().unwrap()).collect();
    assert_eq!(reader.unreadable(), 0);
    events
}

/// Every number up to `last`, at least once, in a file of lines; gives how many came twice.
fn complete(path: &Path, last: u64) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    // A line that a killed collector left half written is no event.
    let numbers: Vec<u64> = text.lines().filter_map(parse_line).map(|event| event.seq).collect();
    let mut once = numbers.clone();
    once.sort_unstable();
    once.dedup();
    assert!(once.iter().copied().eq(1..=last), "{}: {} of {last}", path.display(), once.len());
    (numbers.len() - once.len()) as u64
}

#[test]
fn a_collector_killed_at_any_moment_loses_and_doubles_nothing() {
    const KILLS: u64 = 30;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let (json, syslog) = (place.join("events.jsonl"), place.join("events.log"));
    let mut config = CollectorConfig {
        deliveries: vec![
            DeliveryConfig::file(LogForm::Json, &json),
            DeliveryConfig::file(LogForm::Syslog, &syslog),
        ],
        ..CollectorConfig::new("lab", place.join("journal"))
    };
    // Rotation under way, too.
    config.journal.segment_bytes = 256 * 1024;
    let names: Vec<String> = config.deliveries.iter().map(DeliveryConfig::name).collect();
    let mut keeper = Keeper::new(config, place);
    let going = AtomicBool::new(true);
    let said: Vec<AtomicU64> = (0..SERVICES).map(|_| AtomicU64::new(0)).collect();
    let sockets = keeper.sockets.clone();
    std::thread::scope(|scope| {
        for (index, ((socket, _), said)) in sockets.iter().zip(&said).enumerate() {
            let going = &going;
            scope.spawn(move || {
                while going.load(Ordering::Relaxed) {
                    say(socket, &report(index, said.load(Ordering::Relaxed)));
                    said.fetch_add(1, Ordering::Relaxed);
                    // About what four busy services say; an unbounded flood would only fill the disk.
                    if said.load(Ordering::Relaxed).is_multiple_of(32) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..KILLS {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Some right after the start, while what the one before left in the sockets is thrown away.
            let most = if round % 3 == 0 { 2_000 } else { 100_000 };
            std::thread::sleep(Duration::from_micros(random % most));
            keeper.kill_and_start();
            // One way out is gone for a while, as on a full disk, and comes back.
            if round == KILLS / 3 {
                fs::rename(&syslog, place.join("aside")).unwrap();
                symlink("/dev/full", &syslog).unwrap();
            }
            if round == 2 * KILLS / 3 {
                fs::remove_file(&syslog).unwrap();
                fs::rename(place.join("aside"), &syslog).unwrap();
            }
        }
        going.store(false, Ordering::Relaxed);
    });
    // The last of them is given the time to bring everything everywhere.
    let total: u64 = said.iter().map(|said| said.load(Ordering::Relaxed)).sum();
    let deadline = Instant::now() + Duration::from_secs(60);
    let cursors = || -> Vec<u64> {
        names
            .iter()
            .map(|name| fs::read_to_string(place.join("journal/cursors").join(name)).unwrap())
            .map(|text| text.trim().parse().unwrap())
            .collect()
    };
    while cursors().iter().any(|cursor| *cursor < total) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    keeper.finish();

    let told = keeper.told();
    let verified = journal::verify(&place.join("journal"), None).unwrap();
    assert_eq!((verified.records, verified.torn, verified.had), (total, 0, None), "{told}");
    assert!(verified.segments > 1 && total > 300, "{verified:?}");
    let mut next = [0_u64; SERVICES];
    for (event, seq) in events(&place.join("journal")).iter().zip(1..) {
        assert_eq!(event.seq, seq);
        let index: usize = event.speaker.decky.trim_start_matches("decky-").parse().unwrap();
        assert_eq!(event.report, report(index, next[index]), "event {seq}: lost or twice; {told}");
        next[index] += 1;
    }
    for (next, said) in next.iter().zip(&said) {
        assert_eq!(*next, said.load(Ordering::Relaxed));
    }
    let twice = [complete(&json, total), complete(&syslog, total)];
    // A file knows its own last line: only what a kill tore in the middle of a write can come again.
    assert!(twice.iter().all(|twice| *twice < total / 10), "{twice:?} of {total}");
}

#[test]
fn memory_stays_small_and_nothing_is_lost_while_every_way_out_is_stalled() {
    /// KiB.
    const MOST: u64 = 20 * 1024;
    const EACH: u64 = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let [json, syslog] = ["events.jsonl", "events.log"].map(|name| place.join(name));
    for path in [&json, &syslog] {
        symlink("/dev/full", path).unwrap();
    }
    let config = CollectorConfig {
        deliveries: vec![
            DeliveryConfig::file(LogForm::Json, json),
            DeliveryConfig::file(LogForm::Syslog, syslog),
            // The discard port of this machine, where nobody listens.
            DeliveryConfig::Target { target: "udp://127.0.0.1:9".parse().unwrap() },
        ],
        ..CollectorConfig::new("lab", place.join("journal"))
    };
    let mut keeper = Keeper::new(config, place);
    std::thread::scope(|scope| {
        for (index, (socket, _)) in keeper.sockets.iter().enumerate() {
            scope.spawn(move || (0..EACH).for_each(|number| say(socket, &report(index, number))));
        }
    });
    // And what is largest: raw bytes up to the limit.
    for number in 0..200 {
        let raw = report(0, EACH + number).with_raw(&vec![0xff; decnet_logging::event::RAW_LIMIT]);
        say(&keeper.sockets[0].0, &raw);
    }
    let total = SERVICES as u64 * EACH + 200;
    let deadline = Instant::now() + Duration::from_secs(120);
    // What the process has of its own. The pages of the program are the file's, shared with the whole fleet,
    // and in this build many.
    let mut most = 0;
    while journal::verify(&place.join("journal"), None).unwrap().records < total {
        assert!(Instant::now() < deadline, "{}", keeper.told());
        most = most.max(keeper.memory("RssAnon"));
        std::thread::sleep(Duration::from_millis(20));
    }
    most = most.max(keeper.memory("RssAnon"));
    println!("{most} KiB of its own; {} KiB with the program's pages", keeper.memory("VmHWM"));
    assert!(most < MOST, "{most} KiB");
    keeper.finish();
    assert_eq!(events(&place.join("journal")).len() as u64, total, "and nothing was lost");
}
