//! `decnet events` on files: both forms, every filter, and text that intruders chose.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::sync::Arc;

use decnet_core::service::Transport;
use decnet_logging::event::{Body, Credential, Event, Life, Outcome, Report, SCHEMA, Session, Speaker};
use decnet_logging::{Collector, CollectorConfig, EventSink, SocketSink, json, syslog};
use serde_json::Value;
use support::Place;

/// 2026-11-18T11:06:40Z and so many seconds.
fn event(seconds: i64, decky: &str, service: &str, source: [u8; 4], body: Body) -> Event {
    let report = Report {
        session: Session(0x100 + seconds as u128),
        src_ip: source.into(),
        src_port: 40_000,
        dst_ip: [10, 0, 0, 5].into(),
        dst_port: 22,
        transport: Transport::Tcp,
        tls: false,
        ..Report::without_conversation(body)
    };
    Event {
        schema: SCHEMA,
        ts: 1_795_000_000_000_000 + seconds * 1_000_000,
        seq: seconds as u64 + 1,
        speaker: Speaker {
            fleet: "fleet-1".into(),
            decky: decky.into(),
            hostname: "SRV-WEB-01".into(),
            service: service.into(),
        },
        severity: report.body.severity(),
        report,
    }
}

/// An intruder who thinks of the person at the terminal.
const HOSTILE: &str = "root\u{1b}]0;owned\u{7}\u{1b}[2J\r\nerror: \u{202e}gpj\u{85}\u{9b}31m";

fn sample() -> Vec<Event> {
    let login = |user: &str, password: &str, outcome| Body::AuthAttempt {
        credential: Credential::password("plain", user.as_bytes(), password.as_bytes()),
        outcome,
    };
    let command = Body::Command {
        command: "id".into(),
        line: format!("id; echo {HOSTILE}"),
        outcome: Outcome::Accepted,
    };
    vec![
        event(0, "web-01", "ssh", [198, 51, 100, 7], Body::ConnectionOpened),
        event(1, "web-01", "ssh", [198, 51, 100, 7], login(HOSTILE, "hunter2", Outcome::Failed)),
        event(2, "web-01", "ssh", [198, 51, 100, 7], login("root", "toor", Outcome::Accepted)),
        event(3, "web-01", "ssh", [198, 51, 100, 7], command),
        event(4, "db-01", "redis", [203, 0, 113, 9], Body::ScanProbe { kind: "empty".into() }),
        event(
            5,
            "db-01",
            "redis",
            [203, 0, 113, 9],
            Body::EgressBlocked { protocol: "tcp".into(), count: 2 },
        ),
    ]
}

fn as_json(events: &[Event]) -> String {
    let mut text = Vec::new();
    for event in events {
        json::encode_into(event, &mut text).unwrap();
        text.push(b'\n');
    }
    String::from_utf8(text).unwrap()
}

fn as_syslog(events: &[Event]) -> String {
    events.iter().map(|event| syslog::encode(event) + "\n").collect()
}

/// The numbers of the events that are shown with these flags.
#[track_caller]
fn shown(place: &Place, file: &str, flags: &[&str]) -> Vec<u64> {
    let done = place.run(&[&["events", "--file", file, "--output", "json"], flags].concat());
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{flags:?}");
    // Each line is a JSON value of its own.
    let lines = done.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[test]
fn both_forms_tell_the_same_story() {
    let place = Place::new();
    place.write("events.jsonl", as_json(&sample()));
    place.write("events.log", as_syslog(&sample()));
    let [json, syslog] = ["events.jsonl", "events.log"].map(|file| place.run(&["events", "--file", file]));
    assert_eq!((json.code, json.err.as_str()), (0, ""));
    assert_eq!(json.out, syslog.out);
    insta::assert_snapshot!(json.out);
    let again = ["events.jsonl", "events.log"]
        .map(|file| place.run(&["events", "--file", file, "--output", "json"]).out);
    assert_eq!(again[0], again[1]);
    assert_eq!(again[0], as_json(&sample()), "JSON comes out as it went in");
}

#[test]
fn what_intruders_write_cannot_reach_the_terminal() {
    let place = Place::new();
    place.write("events.jsonl", as_json(&sample()));
    for format in ["human", "json", "syslog"] {
        let out = place.run(&["events", "--raw", "--file", "events.jsonl", "--output", format]).out;
        assert_eq!(out.lines().count(), 6, "{format}: nobody can make lines of their own: {out}");
        let unsafe_ones: Vec<char> =
            out.chars().filter(|c| *c != '\n' && decnet_logging::text::is_unsafe(*c)).collect();
        assert!(unsafe_ones.is_empty(), "{format}: {unsafe_ones:?}");
    }
}

#[test]
fn filters_choose() {
    let place = Place::new();
    place.write("e", as_json(&sample()));
    for (flags, expected) in [
        (&[][..], &[1, 2, 3, 4, 5, 6][..]),
        (&["--decky", "db-01"], &[5, 6]),
        (&["--decky", "db-01,web-01", "--service", "redis"], &[5, 6]),
        (&["--service", "ssh"], &[1, 2, 3, 4]),
        (&["--src", "198.51.100.0/24"], &[1, 2, 3, 4]),
        (&["--src", "203.0.113.9", "--src", "198.51.100.7", "--kind", "auth"], &[2, 3]),
        (&["--kind", "auth.attempt,scan"], &[2, 3, 5]),
        (&["--since", "2026-11-18T11:06:44Z"], &[5, 6]),
        (&["--since", "2026-11-18"], &[1, 2, 3, 4, 5, 6]),
        (&["--until", "2026-11-18T11:06:42Z"], &[1, 2]),
        (&["--severity", "error"], &[3, 6]),
        (&["--severity", "critical", "--service", "ssh"], &[]),
        (&["--session", "0000"], &[1, 2, 3, 4, 5, 6]),
        (&["--session", "00000000000000000000000000000103"], &[4]),
        (&["--decky", "nobody"], &[]),
    ] {
        assert_eq!(shown(&place, "e", flags), expected, "{flags:?}");
    }
}

#[test]
fn wrong_filters_are_told() {
    let place = Place::new();
    place.write("e", as_json(&sample()));
    for (flag, value, says) in [
        ("--since", "yesterday", "`yesterday` is no time; write an age such as 90s, 10m, 2h, 3d"),
        ("--src", "gateway", "`gateway`"),
        (
            "--session",
            "zz",
            "`zz` is no session id; write its 32 hexadecimal digits, or at least the first four",
        ),
    ] {
        let done = place.run(&["events", "--file", "e", flag, value]);
        assert_eq!((done.code, done.out.as_str()), (2, ""));
        assert!(done.err.contains(says), "{}", done.err);
    }
}

#[test]
fn lines_that_are_no_events_are_counted() {
    let place = Place::new();
    for (junk, says) in [
        ("<13>1 - host app - - - hello\n", "warning: e: 1 line is no event\n"),
        ("{\"a\":1}\n\u{1b}[2J\n", "warning: e: 2 lines are no events\n"),
    ] {
        place.write("e", format!("{junk}{}", as_json(&sample()[..1])));
        let done = place.run(&["events", "--file", "e"]);
        assert_eq!((done.code, done.out.lines().count(), done.err.as_str()), (0, 1, says));
    }
    // The last line may still be under way.
    place.write("e", as_json(&sample()[..2]).trim_end());
    assert_eq!(shown(&place, "e", &[]), [1, 2]);
}

/// A sweep, a break-in, the fleet's health and a hole, as one file.
fn story() -> Vec<Event> {
    let mut events = Vec::new();
    for number in 1..=20 {
        let ports = (1..=143).collect();
        let packets = Body::ScanPackets { kind: "half_open".into(), count: 143, ports };
        let mut one = event(0, &format!("web-{number:02}"), "wire", [198, 51, 100, 7], packets);
        one.report.session = Session(0);
        one.report.dst_port = 0;
        events.push(one);
    }
    let own = |state, seconds| {
        let (interval_s, deckies_up, services_up, dropped) = (60, 20, 20, 0);
        let body =
            Body::Heartbeat { state, interval_s, deckies_up, services_up, events: 0, dropped, next_seq: 0 };
        let mut one = event(seconds, "collector", "collector", [0; 4], body);
        one.report.session = Session(0);
        one
    };
    events.push(own(Life::Running, 1));
    let bodies = [
        Body::ConnectionOpened,
        Body::Request {
            method: "POST".into(),
            target: "/up.php".into(),
            status: "404".into(),
            version: None,
            headers: vec![],
            body_len: Some(14),
        },
        Body::AuthAttempt {
            credential: Credential::password("basic", b"admin", b"admin"),
            outcome: Outcome::Failed,
        },
        Body::FileUpload {
            name: "shell.php".into(),
            size: 14,
            sha256: "ab".repeat(32),
            stored: true,
            artifact: Some("ab".repeat(32)),
        },
        Body::ExploitAttempt { name: "CVE-2021-44228".into(), confidence: 100 },
    ];
    for (seconds, body) in (2..).zip(bodies) {
        let mut one = event(seconds, "web-03", "http", [198, 51, 100, 7], body);
        one.report.session = Session(0xabcd << 112);
        one.report = one.report.with_raw(b"POST /up.php HTTP/1.1\r\n\r\n<?php \x1b[2J\xff");
        events.push(one);
    }
    events.push(own(Life::Running, 601));
    events.push(event(602, "web-03", "http", [203, 0, 113, 9], Body::ScanProbe { kind: "empty".into() }));
    for (seq, event) in (1..).zip(&mut events) {
        event.seq = if seq > 25 { seq + 4 } else { seq };
    }
    events
}

#[test]
fn a_story_is_short_and_each_view_tells_it() {
    let place = Place::new();
    place.write("e", as_json(&story()));
    let mut all = String::new();
    for flags in [
        &[][..],
        &["--by", "src"],
        &["--by", "decky", "--decky", "web-03"],
        &["--session", "abcd"],
        &["gaps"],
    ] {
        let done = place.run(&[&["events"], flags, &["--file", "e"]].concat());
        assert_eq!(done.code, 0, "{done:?}");
        all += &format!("$ decnet events {}\n{}{}\n", flags.join(" "), done.out, done.err);
    }
    insta::assert_snapshot!(all);
    let beats = ["events", "--file", "e", "--output", "json", "--kind", "heartbeat"];
    assert_eq!(place.run(&beats).out.lines().count(), 2, "health is there for those who ask");
}

/// A journal of so many events in the state directory, as a collector writes it.
fn journal(place: &Place, count: u64) -> std::path::PathBuf {
    let directory = place.path("state/journal");
    let mut config = CollectorConfig::new("fleet-1", &directory);
    config.journal.segment_bytes = 1500;
    let mut collector = Collector::new(&config, Arc::new(|notice| panic!("{notice}")))
        .unwrap()
        .with_clock(|| 1_795_000_000_000_000);
    let (service, source) = SocketSink::pair().unwrap();
    collector
        .add(event(0, "web-01", "ssh", [198, 51, 100, 7], Body::ConnectionOpened).speaker, source)
        .unwrap();
    for number in 0..count {
        service.emit(Report::without_conversation(Body::ScanProbe { kind: format!("kind-{number}") }));
        collector.drain();
    }
    directory
}

#[test]
fn the_journal_is_read_where_no_file_is_named() {
    let place = Place::new();
    assert!(place.run(&["events"]).err.contains("nothing was trapped yet"));
    journal(&place, 20);
    let done = place.run(&["events", "--output", "json"]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let numbers: Vec<u64> = done
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert!(numbers.iter().copied().eq(1..=20), "{numbers:?}");
    assert_eq!(place.run(&["events", "--kind", "auth"]).out, "");
    assert!(place.run(&["events"]).out.contains("kind-19"));
}

#[test]
fn verifying_tells_what_was_checked_and_where_it_breaks() {
    let place = Place::new();
    let missing = place.run(&["events", "verify"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("read the journal at"), "{}", missing.err);

    let directory = journal(&place, 20);
    let whole = place.run(&["events", "verify"]);
    assert_eq!((whole.code, whole.err.as_str()), (0, ""));
    for part in ["the chain is whole", "20 events", "first      1, 2026-11-18T11:06:40", "last       20, "] {
        assert!(whole.out.contains(part), "{part}: {}", whole.out);
    }
    let done = place.run(&["events", "verify", "--output", "json"]);
    let answer: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((answer["chain"].as_str(), answer["records"].as_u64()), (Some("whole"), Some(20)));
    let hash = answer["last_hash"].as_str().unwrap();
    assert_eq!(place.run(&["events", "verify", "--contains", hash]).code, 0);
    let other = hash.replace(&hash[..1], if hash.starts_with('0') { "1" } else { "0" });
    assert_eq!(place.run(&["events", "verify", "--contains", &other]).code, 1);
    assert_eq!(place.run(&["events", "verify", "--contains", "abc"]).code, 2);

    // What the module's documentation tells to check with agrees, for every segment.
    let mut segments: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "journal"))
        .collect();
    segments.sort();
    assert!(segments.len() > 2);
    let script = r#"
        segment=$1
        previous=$(head -n 1 "$segment" | sed 's/.*"previous":"\([0-9a-f]*\)".*/\1/')
        while IFS= read -r line; do
            hash=$(printf '%s %s' "$previous" "${line#* }" | sha256sum)
            [ "${hash%% *}" = "${line%% *}" ] || { echo "broken after $previous"; break; }
            previous=${line%% *}
        done < "$segment"
        echo "$previous""#;
    #[allow(clippy::disallowed_methods, reason = "a shell in the place of the operator's")]
    let shell = |segment: &std::path::Path| {
        let done = std::process::Command::new("sh").args(["-c", script, "sh"]).arg(segment).output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    for segment in &segments {
        assert!(!shell(segment).contains("broken"), "{}", shell(segment));
    }
    assert_eq!(shell(segments.last().unwrap()).trim(), hash);

    let text = std::fs::read_to_string(&segments[1]).unwrap();
    std::fs::write(&segments[1], text.replacen("kind-", "sort-", 1)).unwrap();
    assert!(shell(&segments[1]).starts_with("broken after"));
    let broken = place.run(&["events", "verify", "--journal", directory.to_str().unwrap()]);
    assert_eq!(broken.code, 1);
    let name = segments[1].to_str().unwrap();
    assert!(broken.out.contains("the journal is broken") && broken.out.contains(name), "{}", broken.out);
    let done = place.run(&["events", "verify", "--output", "json"]);
    let answer: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((answer["chain"].as_str(), answer["damage"].as_str()), (Some("broken"), Some("hash")));
    assert!(answer["offset"].as_u64().unwrap() > 0 && answer["seq"].as_u64().unwrap() > 1);
}
