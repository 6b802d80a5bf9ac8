//! Events for tests.

use serde_json::{Value, json};

use crate::event::Event;

/// An event of a report's own fields: those of the kind, and what differs from a usual conversation.
pub(crate) fn sample(report: Value) -> Event {
    let mut event = json!({
        "schema": 1, "ts": "2026-11-18T11:06:40.123456Z", "seq": 7, "fleet": "lab", "decky": "decky-01",
        "hostname": "SRV-DB-02", "service": "http", "severity": "info",
        "session": "0123456789abcdef0123456789abcdef", "src_ip": "198.51.100.7", "src_port": 40000,
        "dst_ip": "198.51.100.20", "dst_port": 80, "transport": "tcp", "tls": false,
    });
    if let (Some(event), Value::Object(report)) = (event.as_object_mut(), report) {
        event.extend(report);
    }
    let mut event: Event = serde_json::from_value(event).unwrap();
    event.severity = event.report.body.severity();
    event
}

/// One event of every kind, with every field that it may have.
pub(crate) fn every_kind() -> Vec<Event> {
    let b64 = "/wB0b29y";
    [
        json!({"event": "connection.opened", "src_mac": "02:00:5e:00:53:0a"}),
        json!({"event": "connection.closed", "reason": "idle", "duration_ms": 3, "bytes_in": 1, "bytes_out": 2}),
        json!({"event": "tls.hello", "sni": "x", "alpn": ["h2"], "ja3": "j", "ja4": "k", "versions": ["1.3"],
            "completed": true}),
        json!({"event": "client.fingerprint", "kind": "user_agent", "value": "curl/8"}),
        json!({"event": "auth.attempt", "username": "root", "username_b64": b64, "domain": "CORP",
            "method": "plain", "password": "a\u{0}b\n", "password_b64": b64, "outcome": "accepted"}),
        json!({"event": "auth.attempt", "username": "root", "method": "ntlmv2", "hash": "h",
            "hash_format": "hashcat-5600", "token": "t", "public_key": "k", "outcome": "failed"}),
        json!({"event": "session.started", "username": "root", "privilege": "admin"}),
        json!({"event": "command", "command": "CONFIG", "line": "CONFIG SET dir /x", "outcome": "aborted"}),
        json!({"event": "request", "method": "GET", "target": "/", "status": "200", "version": "1.1",
            "headers": [["Host", "x"]], "body_len": 3}),
        json!({"event": "query", "statement": "select 1", "database": "d", "outcome": "accepted", "rows": 1}),
        json!({"event": "file.upload", "name": "f", "size": 3, "sha256": "00", "stored": true, "artifact": "a"}),
        json!({"event": "file.download", "name": "f", "direction": "served", "size": 3, "bait": "b"}),
        json!({"event": "file.download", "url": "http://x/", "direction": "requested"}),
        json!({"event": "message", "from": "a", "to": ["b"], "subject": "s", "size": 1, "artifact": "a"}),
        json!({"event": "state.changed", "object": "o", "old": "x", "new": "y"}),
        json!({"event": "exploit.attempt", "name": "n", "confidence": 90}),
        json!({"event": "bait.touched", "bait": "b", "planted_on": "decky-02"}),
        json!({"event": "scan.probe", "kind": "empty", "tags": ["recon.ad"], "persona": "redis/7.0.15"}),
        json!({"event": "scan.packets", "kind": "closed_tcp_port", "count": 3, "ports": [22, 23]}),
        json!({"event": "scan.summary", "tool": "nmap", "began": "2026-11-18T11:06:40.123456Z", "duration_ms": 5,
            "count": 9, "kinds": [["scan.probe", 9]], "deckies": ["decky-01"], "deckies_count": 1,
            "services": ["redis"], "ports": [22, 6379], "ports_count": 2}),
        json!({"event": "heartbeat", "state": "running", "interval_s": 60, "deckies_up": 2, "services_up": 3,
            "events": 9, "dropped": 1, "next_seq": 11, "src_ip": "0.0.0.0", "dst_ip": "0.0.0.0"}),
        json!({"event": "honeypot.test", "rule": "r"}),
        json!({"event": "poisoner.seen", "name": "n", "answer": "a", "responder_mac": "02:00:5e:00:53:0b"}),
        json!({"event": "session.recorded", "artifact": "a", "format": "asciicast-v2", "duration_ms": 1}),
        json!({"event": "service.printed", "stream": "stdout", "line": "l"}),
        json!({"event": "limit.reached", "limit": "l", "count": 1}),
        json!({"event": "egress.blocked", "protocol": "tcp", "count": 1}),
        json!({"event": "events.dropped", "count": 1, "delivery": "file-x", "delivery": "file-x", "src_ip": "0.0.0.0", "dst_ip": "0.0.0.0"}),
        json!({"event": "events.invalid", "message": "m", "raw": b64, "raw_len": 90, "raw_truncated": true}),
        json!({"event": "server.failed", "message": "m"}),
    ]
    .map(sample)
    .to_vec()
}
