//! The way of an artifact: service, socket, collector, store; and every bound of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use decnet_logging::artifact::frame::{Frame, encode};
use decnet_logging::artifact::{CHUNK_LIMIT, Digest, FILE_LIMIT, StoreLimits, find};
use decnet_logging::event::{Body, Event, Report, Speaker};
use decnet_logging::sinks::{Notice, OperatorLog};
use decnet_logging::{
    ArtifactStore, ArtifactWriter, Collector, CollectorConfig, EventSink, Filter, Reader, SocketSink, Stored,
};
use rustix::net::{SendFlags, send};
use sha2::{Digest as _, Sha256};

const INTRUDER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn upload(stored: Stored) -> Report {
    Report::without_conversation(Body::FileUpload {
        name: "x.sh".into(),
        size: stored.size,
        sha256: stored.sha256.to_string(),
        stored: stored.stored,
        artifact: None,
    })
}

fn quiet() -> OperatorLog {
    Arc::new(|notice: &Notice| panic!("{notice}"))
}

/// A collector with a store, and the service's end of one socket.
struct Way {
    directory: tempfile::TempDir,
    collector: Collector,
    sink: Arc<SocketSink>,
}

impl Way {
    fn new() -> Way {
        let directory = tempfile::tempdir().unwrap();
        let config = CollectorConfig {
            artifacts: Some(directory.path().join("artifacts")),
            ..CollectorConfig::new("lab", directory.path().join("journal"))
        };
        let mut collector = Collector::new(&config, quiet()).unwrap();
        let (sink, theirs) = SocketSink::pair().unwrap();
        let speaker = Speaker {
            fleet: "lab".into(),
            decky: "decky-01".into(),
            hostname: "SRV-1".into(),
            service: "http".into(),
        };
        collector.add(speaker, theirs).unwrap();
        Way { directory, collector, sink: Arc::new(sink) }
    }

    fn writer(&self) -> ArtifactWriter {
        ArtifactWriter::new(Arc::clone(&self.sink) as Arc<dyn EventSink>, INTRUDER)
    }

    /// Writes with a collector that reads between the chunks.
    fn give(&mut self, bytes: &[u8]) -> Stored {
        let mut writer = self.writer();
        for chunk in bytes.chunks(5000) {
            writer.write(chunk);
            if !writer.has_room() {
                self.collector.drain();
            }
        }
        writer.finish()
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("artifacts")
    }

    fn events(&mut self) -> Vec<Event> {
        self.collector.drain();
        let mut reader = Reader::open(&self.directory.path().join("journal"), Filter::default()).unwrap();
        std::iter::from_fn(|| reader.next_event().unwrap()).collect()
    }
}

/// Every file below a directory, with its size.
fn files(directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push((entry.path(), entry.metadata().unwrap().len())),
        }
    }
    found.sort();
    found
}

#[test]
fn an_upload_is_kept_once_and_its_event_says_where() {
    let mut way = Way::new();
    let bytes: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
    for _ in 0..2 {
        let stored = way.give(&bytes);
        assert_eq!(stored, Stored { sha256: digest(&bytes), size: 2_800_000, stored: true });
        way.sink.emit(upload(stored));
    }
    let events = way.events();
    assert_eq!(events.len(), 2);
    for event in &events {
        let Body::FileUpload { stored, artifact, .. } = &event.report.body else { panic!("{event:?}") };
        assert_eq!((*stored, artifact.clone()), (true, Some(digest(&bytes).to_string())));
    }
    let name = digest(&bytes).to_string();
    let expected = way.store().join(&name[..2]).join(&name[2..]);
    assert_eq!(files(&way.store()), [(expected.clone(), 2_800_000)]);
    assert_eq!(fs::read(&expected).unwrap(), bytes);
    for wanted in [name.as_str(), &name[..1], &name[..9]] {
        assert_eq!(find(&way.store(), wanted, 9).unwrap(), [(digest(&bytes), expected.clone())]);
    }
    assert!(find(&way.store(), "../../etc/passwd", 9).unwrap().is_empty());
}

#[test]
fn an_empty_file_is_a_file() {
    let mut way = Way::new();
    let stored = way.writer().finish();
    way.sink.emit(upload(stored));
    let Body::FileUpload { stored, size, .. } = way.events().remove(0).report.body else { panic!() };
    assert_eq!((stored, size), (true, 0));
}

#[test]
fn a_full_socket_costs_the_artifact_and_no_report() {
    let mut way = Way::new();
    let bytes = vec![7; 4 * 1024 * 1024];
    let mut writer = way.writer();
    // Nobody reads: the artifact stops at a quarter of the buffer, and reports still find room.
    writer.write(&bytes);
    let stored = writer.finish();
    assert_eq!(stored, Stored { sha256: digest(&bytes), size: bytes.len() as u64, stored: false });
    for _ in 0..50 {
        way.sink.emit(upload(stored));
    }
    assert_eq!(way.sink.dropped(), 0);
    let events = way.events();
    assert_eq!(events.len(), 50);
    assert!(events.iter().all(|event| matches!(event.report.body, Body::FileUpload { stored: false, .. })));
    assert!(files(&way.store()).is_empty(), "{:?}", files(&way.store()));
    // Once it was given whole, the same upload is held.
    assert!(way.give(&bytes).stored);
    let mut writer = way.writer();
    writer.write(&bytes);
    way.sink.emit(upload(writer.finish()));
    let last = way.events().pop().unwrap();
    assert!(matches!(last.report.body, Body::FileUpload { stored: true, .. }), "{last:?}");
}

#[test]
fn what_is_too_long_is_hashed_and_counted() {
    let mut way = Way::new();
    let bytes = vec![1; FILE_LIMIT as usize + 1];
    let stored = way.give(&bytes);
    assert_eq!(stored, Stored { sha256: digest(&bytes), size: FILE_LIMIT + 1, stored: false });
    way.collector.drain();
    assert!(files(&way.store()).is_empty());
    let whole = &bytes[1..];
    assert!(way.give(whole).stored);
    way.collector.drain();
    assert_eq!(files(&way.store())[0].1, FILE_LIMIT);
}

#[test]
fn a_writer_that_is_dropped_keeps_nothing() {
    let mut way = Way::new();
    let mut writer = way.writer();
    writer.write(&[1; 100_000]);
    way.collector.drain();
    assert_eq!(files(&way.store()).len(), 1, "under way");
    drop(writer);
    way.collector.drain();
    assert!(files(&way.store()).is_empty());
}

/// Somebody has taken a worker over: all they have is the socket.
#[test]
fn an_owned_worker_cannot_read_overwrite_or_lie() {
    let mut way = Way::new();
    let theirs = b"what another one gave";
    assert!(way.give(theirs).stored);
    way.collector.drain();
    let before = files(&way.store());
    let frame = |frame: &Frame<'_>| send(&*way.sink, &encode(frame), SendFlags::DONTWAIT).unwrap();

    // Other bytes under a size that fits, chunks of nothing, an end without begin, ids of others.
    frame(&Frame::Begin { id: 1, source: INTRUDER });
    frame(&Frame::Chunk { id: 1, bytes: b"not what another one gave" });
    frame(&Frame::End { id: 1, size: theirs.len() as u64 });
    frame(&Frame::Chunk { id: 77, bytes: b"x" });
    frame(&Frame::End { id: 78, size: 0 });
    frame(&Frame::Abort { id: 79 });
    way.collector.drain();
    assert_eq!(files(&way.store()), before, "a size that is not that of the bytes keeps nothing");

    // A hash of its own making names nothing.
    for sha256 in [digest(b"never given").to_string(), "../../../etc/passwd".into(), "A".repeat(64)] {
        way.sink.emit(Report::without_conversation(Body::FileUpload {
            name: "x".into(),
            size: 1,
            sha256: sha256.clone(),
            stored: true,
            artifact: Some(sha256),
        }));
    }
    way.sink.emit(Report::without_conversation(Body::SessionRecorded {
        artifact: digest(b"never given").to_string(),
        format: "asciicast-v2".into(),
        duration_ms: 1,
    }));
    let events = way.events();
    for event in &events[..3] {
        let Body::FileUpload { stored, artifact, .. } = &event.report.body else { panic!("{event:?}") };
        assert_eq!((*stored, artifact.as_deref()), (false, None));
    }
    assert_eq!(events[3].report.tags, ["artifact_not_stored"]);

    // Nothing ever comes back on its socket, and broken frames are told, not obeyed.
    for broken in [&b"\x01"[..], b"\x02\0\0\0\0\0\0\0\x01", b"\x03short", b"\x04\0\0\0\0\0\0\0\x01more"] {
        send(&*way.sink, broken, SendFlags::DONTWAIT).unwrap();
    }
    let invalid = way.events().split_off(4);
    assert_eq!(invalid.len(), 4);
    assert!(invalid.iter().all(|event| matches!(event.report.body, Body::EventsInvalid { .. })));
    let answer = rustix::net::recv(&*way.sink, &mut [0u8; 16][..], rustix::net::RecvFlags::DONTWAIT);
    assert_eq!(answer.unwrap_err(), rustix::io::Errno::AGAIN);
}

fn store(directory: &Path, limits: StoreLimits) -> ArtifactStore {
    ArtifactStore::open(directory, limits, quiet()).unwrap()
}

/// Gives a whole artifact past the socket.
fn put(store: &mut ArtifactStore, socket: usize, source: IpAddr, bytes: &[u8], now: i64) {
    let id = 5;
    assert!(store.take(socket, &encode(&Frame::Begin { id, source }), now));
    for bytes in bytes.chunks(CHUNK_LIMIT) {
        assert!(store.take(socket, &encode(&Frame::Chunk { id, bytes }), now));
    }
    assert!(store.take(socket, &encode(&Frame::End { id, size: bytes.len() as u64 }), now));
}

fn holds(store: &ArtifactStore, bytes: &[u8]) -> bool {
    let mut report = upload(Stored { sha256: digest(bytes), size: 0, stored: false });
    store.settle(&mut report);
    matches!(report.body, Body::FileUpload { stored: true, .. })
}

#[test]
fn the_oldest_makes_room_by_number_and_by_bytes_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let limits = StoreLimits { files: 3, bytes: 1000, ..StoreLimits::default() };
    let mut kept = store(directory.path(), limits);
    for (now, bytes) in [(1, b"one"), (2, b"two"), (3, b"3rd"), (4, b"one")] {
        put(&mut kept, 0, INTRUDER, bytes, now * 1_000_000);
    }
    assert_eq!(kept.held(), (3, 9));
    put(&mut kept, 0, INTRUDER, b"4th", 5_000_000);
    assert!(!holds(&kept, b"two") && holds(&kept, b"one") && holds(&kept, b"4th"));
    put(&mut kept, 0, INTRUDER, &[1; 994], 6_000_000);
    assert_eq!(kept.held(), (3, 1000), "3rd went for its number, the others fit");
    put(&mut kept, 0, INTRUDER, &[2; 994], 7_000_000);
    assert_eq!(kept.held().1, 994, "all went for its bytes");
    drop(kept);
    put(&mut store(directory.path(), limits), 0, INTRUDER, b"5th", 8_000_000);
    let again = store(directory.path(), limits);
    assert_eq!(again.held(), (2, 997));
    let smaller = store(directory.path(), StoreLimits { files: 1, ..limits });
    assert!(holds(&smaller, b"5th") && smaller.held().0 == 1, "the newest is left");
}

#[test]
fn nobody_keeps_more_than_a_share() {
    let directory = tempfile::tempdir().unwrap();
    let limits = StoreLimits { source_day: 100, socket_day: 250, ..StoreLimits::default() };
    let mut kept = store(directory.path(), limits);
    let other = |last: u8| IpAddr::from([203, 0, 113, last]);
    put(&mut kept, 0, INTRUDER, &[1; 100], 0);
    put(&mut kept, 0, INTRUDER, &[2; 1], 0);
    assert!(holds(&kept, &[1; 100]) && !holds(&kept, &[2; 1]), "of a source");
    put(&mut kept, 0, INTRUDER, &[1; 100], 0);
    assert!(holds(&kept, &[1; 100]), "what is there stays told as kept");
    // An owned worker that makes up its sources is held by its socket's share.
    for last in 0..50 {
        put(&mut kept, 0, other(last), &[last; 50], 0);
    }
    assert_eq!(kept.held(), (4, 250));
    put(&mut kept, 1, other(99), &[99; 50], 0);
    assert!(holds(&kept, &[99; 50]), "another decky's service has its own");
    put(&mut kept, 0, INTRUDER, &[2; 1], 86_400_000_000);
    assert!(holds(&kept, &[2; 1]), "the next day");
}

#[test]
fn what_is_under_way_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let limits = StoreLimits { under_way: 100, open_of_socket: 4, open: 6, ..StoreLimits::default() };
    let mut kept = store(directory.path(), limits);
    let under_way = || files(directory.path());
    let begin = |kept: &mut ArtifactStore, socket, id| {
        kept.take(socket, &encode(&Frame::Begin { id, source: INTRUDER }), id as i64);
        kept.take(socket, &encode(&Frame::Chunk { id, bytes: &[1; 20] }), id as i64);
    };
    for id in 1..50 {
        begin(&mut kept, 0, id);
    }
    assert_eq!(under_way().len(), 4, "of one socket");
    for id in 50..60 {
        begin(&mut kept, id as usize, id);
    }
    assert_eq!(under_way().len(), 5, "of all, by number and by bytes");
    assert!(under_way().iter().map(|(_, size)| size).sum::<u64>() <= 100);
    for socket in 0..60 {
        kept.closed(socket);
    }
    assert!(under_way().is_empty(), "{:?}", under_way());
    begin(&mut kept, 0, 1);
    drop(kept);
    fs::write(directory.path().join(".under-way/99"), "left by a crash").unwrap();
    drop(store(directory.path(), limits));
    assert!(under_way().is_empty());
}

#[test]
fn a_disk_that_fails_is_told_once_and_costs_only_the_artifacts() {
    let directory = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let log: OperatorLog = {
        let told = told.clone();
        Arc::new(move |notice: &Notice| told.lock().unwrap().push(notice.to_string()))
    };
    let path = directory.path().join("artifacts");
    let mut kept = ArtifactStore::open(&path, StoreLimits::default(), log).unwrap();
    fs::write(&path, "in the way").unwrap();
    put(&mut kept, 0, INTRUDER, b"one", 0);
    put(&mut kept, 0, INTRUDER, b"two", 0);
    assert!(!holds(&kept, b"one"));
    fs::remove_file(&path).unwrap();
    put(&mut kept, 0, INTRUDER, b"one", 0);
    assert!(holds(&kept, b"one"));
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("cannot keep artifacts in ") && told[1].ends_with(" again"), "{told:?}");
}

/// Embedded without a store: frames are let go, and nothing is said to be kept.
#[test]
fn without_a_store_nothing_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("journal");
    let mut collector = Collector::new(&CollectorConfig::new("lab", &journal), quiet()).unwrap();
    let (sink, theirs) = SocketSink::pair().unwrap();
    let (fleet, decky, hostname, service) = ("lab".into(), "d".into(), "h".into(), "http".into());
    collector.add(Speaker { fleet, decky, hostname, service }, theirs).unwrap();
    let sink = Arc::new(sink);
    let mut writer = ArtifactWriter::new(Arc::clone(&sink) as Arc<dyn EventSink>, INTRUDER);
    writer.write(b"x");
    sink.emit(upload(writer.finish()));
    collector.turn(Some(Duration::from_secs(5))).unwrap();
    let mut reader = Reader::open(&journal, Filter::default()).unwrap();
    let events: Vec<Event> = std::iter::from_fn(|| reader.next_event().unwrap()).collect();
    assert!(matches!(
        events[..],
        [Event { report: Report { body: Body::FileUpload { stored: false, .. }, .. }, .. }]
    ));
}
