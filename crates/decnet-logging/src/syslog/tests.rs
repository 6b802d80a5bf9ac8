use std::collections::BTreeMap;

use decnet_core::service::Transport;
use proptest::prelude::*;

use super::*;
use crate::event::{
    Body, Bytes, CloseReason, Credential, Direction, Event, Life, Outcome, Report, SCHEMA, Session, Severity,
    Speaker,
};
use crate::fields::{Visit, visit};
use crate::text::{is_line_safe, is_unsafe, write_json_escaped};

/// Text as an intruder would choose it.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\x00-\\x7f]{0,30}",
        "[\"\\\\\\]\\[ =\n\r\\x00\u{7f}\u{85}\u{2028}\u{2029}\u{202e}\u{feff}\u{e0001}é]{0,30}",
        Just("\n<134>1 2026-01-01T00:00:00Z other ssh - auth.attempt [decnet@32473 seq=\"1\"] x".to_owned()),
        Just("\"] x\r\n<134>1 - - - - - -".to_owned()),
        Just("a\\\\\"]".to_owned()),
        Just("-".to_owned()),
        Just(String::new()),
    ]
}

fn some(strategy: impl Strategy<Value = String>) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(strategy)
}

fn bytes() -> impl Strategy<Value = Option<Bytes>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..60).prop_map(Bytes))
}

fn list() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(hostile(), 0..4)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Failed), Just(Outcome::Accepted), Just(Outcome::Aborted)]
}

fn credential() -> impl Strategy<Value = Credential> {
    (
        (hostile(), bytes(), some(hostile()), hostile(), some(hostile())),
        (bytes(), some(hostile()), some(hostile()), some(hostile()), some(hostile())),
    )
        .prop_map(
            |(
                (username, username_b64, domain, method, password),
                (password_b64, hash, hash_format, token, public_key),
            )| {
                Credential {
                    username,
                    username_b64,
                    domain,
                    method,
                    password,
                    password_b64,
                    hash,
                    hash_format,
                    token,
                    public_key,
                }
            },
        )
}

/// Every kind of body. A new one that is forgotten here fails `every_kind_is_made`.
fn body() -> impl Strategy<Value = Body> {
    let reason = prop_oneof![
        Just(CloseReason::Client),
        Just(CloseReason::Server),
        Just(CloseReason::Idle),
        Just(CloseReason::Limit),
        Just(CloseReason::Error)
    ];
    let direction = prop_oneof![Just(Direction::Served), Just(Direction::Requested)];
    let pairs = proptest::collection::vec((hostile(), hostile()), 0..4);
    prop_oneof![
        Just(Body::ConnectionOpened),
        (reason, any::<(u64, u64, u64)>()).prop_map(|(reason, (duration_ms, bytes_in, bytes_out))| {
            Body::ConnectionClosed { reason, duration_ms, bytes_in, bytes_out }
        }),
        (hostile(), list(), hostile(), hostile(), list(), any::<bool>()).prop_map(
            |(sni, alpn, ja3, ja4, versions, completed)| Body::TlsHello {
                sni,
                alpn,
                ja3,
                ja4,
                versions,
                completed
            }
        ),
        (hostile(), hostile()).prop_map(|(kind, value)| Body::ClientFingerprint { kind, value }),
        (credential(), outcome()).prop_map(|(credential, outcome)| Body::AuthAttempt { credential, outcome }),
        (hostile(), hostile()).prop_map(|(username, privilege)| Body::SessionStarted { username, privilege }),
        (hostile(), hostile(), outcome()).prop_map(|(command, line, outcome)| Body::Command {
            command,
            line,
            outcome
        }),
        (hostile(), hostile(), hostile(), some(hostile()), pairs, any::<Option<u64>>()).prop_map(
            |(method, target, status, version, headers, body_len)| Body::Request {
                method,
                target,
                status,
                version,
                headers,
                body_len
            }
        ),
        (hostile(), some(hostile()), outcome(), any::<u64>()).prop_map(
            |(statement, database, outcome, rows)| Body::Query { statement, database, outcome, rows }
        ),
        (hostile(), any::<u64>(), hostile(), any::<bool>(), some(hostile())).prop_map(
            |(name, size, sha256, stored, artifact)| Body::FileUpload {
                name,
                size,
                sha256,
                stored,
                artifact
            }
        ),
        (some(hostile()), some(hostile()), direction, any::<Option<u64>>(), some(hostile())).prop_map(
            |(name, url, direction, size, bait)| Body::FileDownload { name, url, direction, size, bait }
        ),
        (hostile(), list(), some(hostile()), any::<u64>(), some(hostile())).prop_map(
            |(from, to, subject, size, artifact)| Body::Message { from, to, subject, size, artifact }
        ),
        (hostile(), some(hostile()), hostile()).prop_map(|(object, old, new)| Body::StateChanged {
            object,
            old,
            new
        }),
        (hostile(), any::<u8>()).prop_map(|(name, confidence)| Body::ExploitAttempt { name, confidence }),
        (hostile(), some(hostile())).prop_map(|(bait, planted_on)| Body::BaitTouched { bait, planted_on }),
        hostile().prop_map(|kind| Body::ScanProbe { kind }),
        (hostile(), any::<u64>(), proptest::collection::vec(any::<u16>(), 0..6))
            .prop_map(|(kind, count, ports)| Body::ScanPackets { kind, count, ports }),
        hostile().prop_map(|rule| Body::HoneypotTest { rule }),
        (hostile(), hostile(), some(hostile()))
            .prop_map(|(name, answer, responder_mac)| { Body::PoisonerSeen { name, answer, responder_mac } }),
        (hostile(), hostile(), any::<u64>()).prop_map(|(artifact, format, duration_ms)| {
            Body::SessionRecorded { artifact, format, duration_ms }
        }),
        (hostile(), hostile()).prop_map(|(stream, line)| Body::Printed { stream, line }),
        (hostile(), any::<u64>()).prop_map(|(limit, count)| Body::LimitReached { limit, count }),
        (hostile(), any::<u64>()).prop_map(|(protocol, count)| Body::EgressBlocked { protocol, count }),
        (any::<u64>(), some(hostile())).prop_map(|(count, delivery)| Body::EventsDropped { count, delivery }),
        hostile().prop_map(|message| Body::EventsInvalid { message }),
        hostile().prop_map(|message| Body::ServerFailed { message }),
        summary(),
        (prop_oneof![Just(Life::Starting), Just(Life::Running), Just(Life::Stopping)], any::<[u64; 6]>())
            .prop_map(|(state, [interval_s, deckies_up, services_up, events, dropped, next_seq])| {
                Body::Heartbeat { state, interval_s, deckies_up, services_up, events, dropped, next_seq }
            }),
    ]
}

fn summary() -> impl Strategy<Value = Body> {
    let kinds = proptest::collection::vec((hostile(), any::<u64>()), 0..4);
    let ports = proptest::collection::vec(any::<u16>(), 0..6);
    ((some(hostile()), hostile(), kinds), (list(), list(), ports), any::<[u64; 4]>()).prop_map(
        |(
            (tool, began, kinds),
            (deckies, services, ports),
            [duration_ms, count, deckies_count, ports_count],
        )| {
            Body::ScanSummary {
                tool,
                began,
                duration_ms,
                count,
                kinds,
                deckies,
                deckies_count,
                services,
                ports,
                ports_count,
            }
        },
    )
}

fn speaker() -> impl Strategy<Value = Speaker> {
    let name = || prop_oneof![4 => "[a-z0-9-]{1,20}", 1 => hostile(), 1 => "[a-z]{250,300}"];
    (name(), name(), name(), name()).prop_map(|(fleet, decky, hostname, service)| Speaker {
        fleet,
        decky,
        hostname,
        service,
    })
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let severity = prop_oneof![
        Just(Severity::Critical),
        Just(Severity::Error),
        Just(Severity::Warning),
        Just(Severity::Notice),
        Just(Severity::Info)
    ];
    let ends = any::<(u128, std::net::IpAddr, u16, std::net::IpAddr, u16, bool, bool)>();
    let rest = (some(hostile()), some(hostile()), bytes(), any::<Option<u64>>(), any::<bool>(), list());
    let times = 0..=253_402_300_799_999_999i64;
    (times, any::<u64>(), speaker(), severity, ends, body(), rest).prop_map(
        |(ts, seq, speaker, severity, ends, body, (persona, src_mac, raw, raw_len, raw_truncated, tags))| {
            Event {
                schema: SCHEMA,
                ts,
                seq,
                speaker,
                severity,
                report: Report {
                    session: Session(ends.0),
                    src_ip: ends.1,
                    src_port: ends.2,
                    dst_ip: ends.3,
                    dst_port: ends.4,
                    transport: if ends.5 { Transport::Tcp } else { Transport::Udp },
                    tls: ends.6,
                    src_mac,
                    body,
                    persona,
                    raw,
                    raw_len,
                    raw_truncated,
                    tags,
                },
            }
        },
    )
}

/// The fields of an event with their exact texts.
#[derive(Default)]
struct Exact(BTreeMap<String, String>);

impl Exact {
    fn insert(&mut self, name: &str, value: String) {
        assert!(self.0.insert(name.to_owned(), value).is_none(), "`{name}` stands twice");
        assert!(
            name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b))
        );
    }
}

impl Visit for Exact {
    fn text(&mut self, name: &str, value: &str) {
        self.insert(name, value.to_owned());
    }

    fn plain(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        self.insert(name, value.to_string());
    }

    fn json(&mut self, name: &str, value: &str) {
        self.insert(name, value.to_owned());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn an_independent_reader_gets_every_field_exactly(event in event()) {
        let line = encode(&event);
        prop_assert!(is_line_safe(&line), "{line:?}");
        let read = syslog_rfc5424::parse_message(&line).unwrap();
        prop_assert_eq!(read.facility, syslog_rfc5424::SyslogFacility::LOG_LOCAL0);
        prop_assert_eq!(read.severity as u8, event.severity.code());
        prop_assert_eq!(read.timestamp, Some(event.ts / 1_000_000));
        prop_assert_eq!(read.timestamp_nanos, Some((event.ts % 1_000_000 * 1000) as u32));
        prop_assert_eq!(read.msgid.as_deref(), Some(event.report.body.kind()));
        prop_assert!(read.procid.is_none());
        prop_assert_eq!(read.sd.len(), 1);
        let element = read.sd.find_sdid(SD_ID).unwrap();
        let escaped = element.get(ESCAPED).map_or("", String::as_str);

        let mut exact = Exact::default();
        visit(&event, &mut exact).unwrap();
        for (name, value) in &exact.0 {
            let written = match (name.as_str(), element.get(name)) {
                ("ts" | "severity" | "event", written) => {
                    prop_assert!(written.is_none());
                    continue;
                }
                ("decky", None) => read.hostname.clone().unwrap_or_default(),
                ("service", None) => read.appname.clone().unwrap_or_default(),
                (_, written) => written.unwrap().clone(),
            };
            let written = if escaped.split(' ').any(|marked| marked == name) {
                serde_json::from_str::<String>(&format!("\"{written}\"")).unwrap()
            } else {
                written
            };
            prop_assert_eq!(&written, value, "{}", name);
        }
        for name in element.keys() {
            prop_assert!(exact.0.contains_key(name) || name == ESCAPED, "{name}");
        }
        // MSG is our own words and an address.
        prop_assert!(read.msg.is_ascii() && !read.msg.contains(['[', '"', '<']), "{}", read.msg);
    }

    #[test]
    fn our_reader_gets_the_event_back(event in event()) {
        prop_assert_eq!(parse(&encode(&event)).unwrap(), event);
    }

    #[test]
    fn json_gives_the_event_back_and_stays_on_its_line(event in event()) {
        let mut line = Vec::new();
        crate::json::encode_into(&event, &mut line).unwrap();
        prop_assert!(is_line_safe(std::str::from_utf8(&line).unwrap()));
        prop_assert_eq!(serde_json::from_slice::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn a_story_is_safe_on_a_terminal(event in event()) {
        let story = crate::story::story(&event).to_string();
        prop_assert!(is_line_safe(&story), "{story:?}");
        prop_assert!(story.chars().count() < 2000);
    }

    #[test]
    fn a_datagram_is_short_and_whole(event in event(), factor in 1usize..2000, raw in 0usize..70_000) {
        let mut event = event;
        event.report.raw = (raw > 30_000).then(|| Bytes(vec![0x5c; raw]));
        if let Body::Command { line, .. } | Body::ScanProbe { kind: line } = &mut event.report.body {
            *line = line.repeat(factor);
        }
        if let Body::Request { headers, .. } = &mut event.report.body {
            headers.extend((0..factor).map(|n| (format!("H{n}"), "\u{1}".into())));
        }
        if let Body::AuthAttempt { credential, .. } = &mut event.report.body {
            credential.hash = Some("\u{2028}\\\"".repeat(factor));
            credential.password_b64 = Some(Bytes(vec![1; factor]));
        }
        let line = encode_datagram(&event);
        prop_assert!(line.len() <= DATAGRAM_LIMIT, "{}", line.len());
        let read = parse(&line).unwrap();
        prop_assert_eq!(read.seq, event.seq);
        prop_assert_eq!(read.report.session, event.report.session);
        prop_assert_eq!(read.report.src_ip, event.report.src_ip);
        prop_assert_eq!(read.report.body.kind(), event.report.body.kind());
        let read = syslog_rfc5424::parse_message(&line).unwrap();
        let marked = read.sd.find_tuple(SD_ID, TRUNCATED).is_some();
        prop_assert_eq!(marked, encode(&event).len() > DATAGRAM_LIMIT);
    }

    #[test]
    fn no_line_makes_the_reader_panic(line in hostile(), cut in 0usize..400, event in event()) {
        let _ = parse(&line);
        let whole = encode(&event);
        let torn: String = whole.chars().take(cut).collect();
        if torn.len() < whole.len() {
            // What is torn before the end of the structured data is no event.
            if !torn.contains("\"] ") {
                prop_assert!(parse(&torn).is_err() || torn.ends_with("\"]"), "{torn}");
            }
        }
    }
}

#[test]
fn every_kind_is_made() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let kinds: std::collections::BTreeSet<&str> =
        (0..4000).map(|_| body().new_tree(&mut runner).unwrap().current().kind()).collect();
    // `kind` matches every variant, so its number of arms is the number of kinds.
    let source = include_str!("../event.rs");
    let named = source.matches("#[serde(rename = \"").count();
    assert_eq!(kinds.len(), named, "{kinds:?}");
}

fn sample(body: Body) -> Event {
    let mut report = Report::without_conversation(body);
    report.session = Session(0xabc);
    report.src_ip = [198, 51, 100, 7].into();
    report.src_port = 40_000;
    report.dst_ip = [198, 51, 100, 20].into();
    report.dst_port = 6379;
    Event {
        schema: SCHEMA,
        ts: 1_795_000_000_123_456,
        seq: 42,
        speaker: Speaker {
            fleet: "lab".into(),
            decky: "decky-01".into(),
            hostname: "SRV-DB-02".into(),
            service: "redis".into(),
        },
        severity: report.body.severity(),
        report,
    }
}

#[test]
fn lines_look_like_this() {
    let credential = Credential::password("AUTH", b"CORP\\admin", b"\"x]\\ y");
    let login = sample(Body::AuthAttempt { credential, outcome: Outcome::Failed });
    insta::assert_snapshot!("login", encode(&login));

    let line = "set x 1\r\n<134>1 - evil ssh - auth.attempt [decnet@32473 seq=\"1\"] \u{202e}";
    let forged = Body::Command { command: "set".into(), line: line.into(), outcome: Outcome::Accepted };
    insta::assert_snapshot!("forged_record", encode(&sample(forged)));

    let mut request = sample(Body::Request {
        method: "GET".into(),
        target: "/a?b=\"c\"".into(),
        status: "404".into(),
        version: Some("HTTP/1.1".into()),
        headers: vec![("Host".into(), "a\u{85}b".into()), ("X-Y".into(), "\\[]".into())],
        body_len: None,
    });
    request.speaker.decky = "decky 01 é".into();
    request.report.tags = vec!["recon".into()];
    insta::assert_snapshot!("request", encode(&request));

    let mut dropped = sample(Body::EventsDropped { count: 7, delivery: None });
    dropped.report = Report::without_conversation(dropped.report.body);
    insta::assert_snapshot!("dropped", encode(&dropped));
}

#[test]
fn stories_read_like_this() {
    let told = |body| crate::story::story(&sample(body)).to_string();
    let credential = Credential::password("AUTH", b"default", b"hunter2");
    assert_eq!(
        told(Body::AuthAttempt { credential, outcome: Outcome::Failed }),
        "11:06:40 198.51.100.7 → SRV-DB-02 redis  login failed: default / hunter2 (AUTH)"
    );
    assert_eq!(
        told(Body::Command {
            command: "SET".into(),
            line: "SET a \x1b]0;x\x07\n".into(),
            outcome: Outcome::Accepted
        }),
        "11:06:40 198.51.100.7 → SRV-DB-02 redis  command: SET a \\x1b]0;x\\x07\\n"
    );
    assert_eq!(
        told(Body::FileDownload {
            name: None,
            url: Some("http://192.0.2.1/x".into()),
            direction: Direction::Requested,
            size: None,
            bait: None
        }),
        "11:06:40 198.51.100.7 → SRV-DB-02 redis  download ordered: http://192.0.2.1/x"
    );
    let mut dropped = sample(Body::EventsDropped { count: 7, delivery: None });
    dropped.report = Report::without_conversation(dropped.report.body);
    assert_eq!(crate::story::story(&dropped).to_string(), "11:06:40 SRV-DB-02 redis  events lost: 7");
}

#[test]
fn header_fields_are_clean_and_bounded() {
    assert_eq!(super::encode::header("", 48), "-");
    assert_eq!(super::encode::header("a b\n\u{e9}\x7f", 48), "a_b___");
    assert_eq!(super::encode::header(&"x".repeat(300), 255).len(), 255);
    assert_eq!(super::encode::header(&"é".repeat(300), 48), "_".repeat(48));
    let mut event = sample(Body::ConnectionOpened);
    event.speaker.decky = "x".repeat(300);
    event.speaker.service = "-".into();
    let line = encode(&event);
    assert!(line.contains(&format!(" decky=\"{}\"", "x".repeat(300))) && line.contains(" service=\"-\""));
    event.ts = i64::MIN;
    assert!(encode(&event).starts_with("<134>1 - "));
}

#[test]
fn raw_bytes_are_cut_before_what_was_said() {
    let mut event =
        sample(Body::Command { command: "SET".into(), line: "y".repeat(900), outcome: Outcome::Accepted });
    event.report = event.report.with_raw(&vec![0xff; 60_000]);
    let line = encode_datagram(&event);
    assert!(line.len() > DATAGRAM_LIMIT - 64 && line.len() <= DATAGRAM_LIMIT, "{}", line.len());
    assert!(line.contains(" truncated=\"raw\"]"));
    let read = parse(&line).unwrap().report;
    assert_eq!(read.body, event.report.body);
    assert!(read.raw_truncated && read.raw_len == Some(60_000));
    let raw = read.raw.unwrap().0;
    assert!(raw.len() > 300 && raw.iter().all(|b| *b == 0xff));
}

#[test]
fn what_is_not_ours_is_an_error_that_says_why() {
    let line = encode(&sample(Body::ConnectionOpened));
    assert_eq!(parse(""), Err(ParseError::Header("priority")));
    assert_eq!(parse(&line.replacen("<134>", "<13>", 1)), Err(ParseError::Priority(13)));
    assert_eq!(parse(&line.replacen(">1 ", ">2 ", 1)), Err(ParseError::Header("version")));
    assert_eq!(parse(&line.replacen("06:40", "66:40", 1)), Err(ParseError::Header("timestamp")));
    assert_eq!(parse(&line.replacen("decnet@", "other@", 1)), Err(ParseError::StructuredData));
    assert_eq!(parse(&line.replacen("seq=\"42\"", "seq=\"x\"", 1)), Err(ParseError::Value("seq".into())));
    assert!(matches!(
        parse(&line.replacen("connection.opened", "connection.unknown", 1)),
        Err(ParseError::Event(_))
    ));
    // A relay's own element before ours, and a field that a later version added.
    let relayed = line.replacen(" [decnet", " [origin ip=\"192.0.2.1\"][decnet", 1);
    let newer = relayed.replacen("seq=", "src_mac=\"x\" seq=", 1);
    assert_eq!(parse(&newer).unwrap().seq, 42);
    assert!(is_unsafe('\n') && !is_unsafe(' '));
    let mut out = String::new();
    write_json_escaped(&mut out, "\n");
    assert_eq!(out, "\\n");
}
