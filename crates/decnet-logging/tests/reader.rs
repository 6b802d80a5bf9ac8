//! What `decnet events` reads.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write;
use std::path::Path;

use decnet_logging::event::{Body, Event, Report, SCHEMA, Session, Speaker};
use decnet_logging::reader::{SessionPrefix, last_seq, parse_line, parse_since, parse_source};
use decnet_logging::{Filter, Reader, json, syslog};

fn event(seq: u64) -> Event {
    let body = Body::ScanProbe { kind: "empty".into() };
    let mut report = Report::without_conversation(body);
    report.src_ip = [198, 51, 100, seq as u8].into();
    report.session = Session(seq.into());
    Event {
        schema: SCHEMA,
        ts: 1_795_000_000_000_000 + seq as i64,
        seq,
        speaker: Speaker {
            fleet: "lab".into(),
            decky: format!("decky-{seq}"),
            hostname: "SRV".into(),
            service: if seq.is_multiple_of(2) { "ssh" } else { "redis" }.into(),
        },
        severity: report.body.severity(),
        report,
    }
}

fn json_line(seq: u64) -> String {
    let mut out = Vec::new();
    json::encode_into(&event(seq), &mut out).unwrap();
    String::from_utf8(out).unwrap() + "\n"
}

fn syslog_line(seq: u64) -> String {
    syslog::encode(&event(seq)) + "\n"
}

fn append(path: &Path, text: &str) {
    fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn rest(reader: &mut Reader) -> Vec<u64> {
    std::iter::from_fn(|| reader.next_event().unwrap()).map(|event| event.seq).collect()
}

fn last_number(path: &std::path::Path) -> std::io::Result<Option<u64>> {
    last_seq(path, |line| parse_line(line).map(|event| event.seq))
}

#[test]
fn both_forms_are_read_and_what_is_none_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let foreign = "<13>1 - host app - - - hello\n{\"a\":1}\n\nplain \u{e9}\n";
    append(&path, &[json_line(1), foreign.into(), syslog_line(2)].concat());
    append(&path, &"x".repeat(3 * 1024 * 1024));
    append(&path, &format!("\n{}", json_line(3)));
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\xff\xfe\n").unwrap();
    append(&path, json_line(4).trim_end());
    let mut reader = Reader::open(&path, Filter::default()).unwrap();
    assert_eq!(rest(&mut reader), [1, 2, 3]);
    assert_eq!(reader.unreadable(), 5);
    assert_eq!(reader.finish().unwrap().seq, 4);
    assert_eq!(reader.finish(), None);
}

#[test]
fn a_growing_file_is_followed_line_by_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    append(&path, &json_line(1));
    let mut reader = Reader::open(&path, Filter::default()).unwrap();
    assert_eq!(rest(&mut reader), [1]);
    let line = json_line(2);
    let (head, tail) = line.split_at(40);
    append(&path, head);
    assert_eq!(rest(&mut reader), [0; 0]);
    append(&path, tail);
    append(&path, &syslog_line(3));
    assert_eq!(rest(&mut reader), [2, 3]);
    assert_eq!(reader.unreadable(), 0);
}

#[test]
fn rotation_and_truncation_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (directory.path().join("events"), directory.path().join("events.1"));
    append(&path, &json_line(1));
    let mut reader = Reader::open(&path, Filter::default()).unwrap();
    assert_eq!(rest(&mut reader), [1]);
    fs::rename(&path, &old).unwrap();
    append(&old, &json_line(2));
    assert_eq!(rest(&mut reader), [2]);
    append(&old, &json_line(3));
    append(&path, &json_line(4));
    assert_eq!(rest(&mut reader), [3, 4]);
    // copytruncate, and what comes then is shorter than what was.
    append(&path, &json_line(5));
    assert_eq!(rest(&mut reader), [5]);
    fs::write(&path, json_line(6)).unwrap();
    assert_eq!(rest(&mut reader), [6]);
    assert_eq!(reader.unreadable(), 0);
}

#[test]
fn filters_want_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    (1..=6).for_each(|seq| append(&path, &json_line(seq)));
    let read = |filter: Filter| rest(&mut Reader::open(&path, filter).unwrap());
    let all = Filter::default;
    assert_eq!(read(Filter { deckies: vec!["decky-2".into(), "decky-5".into()], ..all() }), [2, 5]);
    assert_eq!(read(Filter { services: vec!["ssh".into()], ..all() }), [2, 4, 6]);
    assert_eq!(read(Filter { sources: vec![parse_source("198.51.100.4/31").unwrap()], ..all() }), [4, 5]);
    assert_eq!(read(Filter { sources: vec![parse_source("198.51.100.4").unwrap()], ..all() }), [4]);
    assert_eq!(read(Filter { kinds: vec!["scan".into()], ..all() }).len(), 6);
    assert_eq!(read(Filter { kinds: vec!["scan.probe".into()], ..all() }).len(), 6);
    assert_eq!(read(Filter { kinds: vec!["sca".into()], ..all() }), [0; 0]);
    assert_eq!(read(Filter { since: Some(1_795_000_000_000_005), ..all() }), [5, 6]);
    let session = |digits: &str| Some(digits.parse().unwrap());
    assert_eq!(read(Filter { session: session(&format!("{:032x}", 3)), ..all() }), [3]);
    assert_eq!(read(Filter { session: session("0000"), ..all() }), read(all()));
    assert!(read(Filter { session: session("0001"), ..all() }).is_empty());
    for wrong in ["", "abc", "+bcd", "wxyz", &"0".repeat(33)] {
        assert!(wrong.parse::<SessionPrefix>().is_err(), "{wrong}");
    }
    assert_eq!(
        read(Filter { services: vec!["ssh".into()], since: Some(1_795_000_000_000_003), ..all() }),
        [4, 6]
    );
}

#[test]
fn times_and_sources_are_typed_in_many_ways() {
    let now = 1_795_000_000_123_456;
    assert_eq!(parse_since("90s", now).unwrap(), now - 90_000_000);
    assert_eq!(parse_since("10m", now).unwrap(), now - 600_000_000);
    assert_eq!(parse_since("2w", now).unwrap(), now - 14 * 86_400_000_000);
    assert_eq!(parse_since("2026-11-18T11:06:40.123456Z", 0).unwrap(), now);
    assert_eq!(parse_since("2026-11-18", 0).unwrap(), 1_794_960_000_000_000);
    for bad in ["", "h", "-1h", "yesterday", "1é", "99999999999d", "é"] {
        assert_eq!(parse_since(bad, now).unwrap_err().0, bad);
    }
    assert!(parse_source("10.0.0.0/33").is_err() && parse_source("srv").is_err());
    assert!(parse_source("2001:db8::1").is_ok());
}

#[test]
fn the_last_number_is_that_of_the_last_whole_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    assert_eq!(last_number(&path).unwrap(), None);
    append(&path, "");
    assert_eq!(last_number(&path).unwrap(), None);
    append(&path, &(json_line(7) + "torn {\"seq\":9"));
    assert_eq!(last_number(&path).unwrap(), Some(7));
    // Only the line feed is missing: the event is there.
    append(&path, &("\n".to_owned() + json_line(8).trim_end()));
    assert_eq!(last_number(&path).unwrap(), Some(8));
    fs::rename(&path, directory.path().join("events.1")).unwrap();
    append(&path, &syslog_line(9)[..30]);
    assert_eq!(last_number(&path).unwrap(), Some(8));
}
