//! An event under the names of the Elastic Common Schema 8.
//!
//! What ECS has a field for stands there ([`FIELDS`], [`KINDS`]); what it has none for stands under
//! `decnet.` and our own name. So no field of an event is lost, and a field that is new is there at once.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::event::{Event, Outcome, Severity};
use crate::json;
use crate::story::headline;

/// The version of ECS that the names are taken from; in every line as `ecs.version`.
pub const ECS_VERSION: &str = "8.17.0";

/// How a value is written for ECS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convert {
    /// As it is.
    Same,
    /// A MAC address as RFC 7042 has it: `00-00-5E-00-53-23`.
    Mac,
    /// Milliseconds to nanoseconds.
    Nanoseconds,
    /// Digits to a number.
    Number,
    /// `failed`, `accepted`, `aborted` to `failure`, `success`, `unknown`.
    Outcome,
    /// A severity's word to its number in RFC 5424.
    Severity,
}

/// Of which events a field is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Of all.
    All,
    /// Of those of one kind.
    Kind(&'static str),
    /// Of requests in HTTP.
    Http,
}

/// Our field, its field in ECS, and how the value is written. A field that is converted loses nothing.
pub const FIELDS: &[(Of, &str, &str, Convert)] = &[
    (Of::All, "ts", "@timestamp", Convert::Same),
    (Of::All, "event", "event.action", Convert::Same),
    (Of::All, "seq", "event.sequence", Convert::Same),
    (Of::All, "severity", "event.severity", Convert::Severity),
    (Of::All, "outcome", "event.outcome", Convert::Outcome),
    (Of::All, "src_ip", "source.ip", Convert::Same),
    (Of::All, "src_port", "source.port", Convert::Same),
    (Of::All, "src_mac", "source.mac", Convert::Mac),
    (Of::All, "dst_ip", "destination.ip", Convert::Same),
    (Of::All, "dst_port", "destination.port", Convert::Same),
    (Of::All, "transport", "network.transport", Convert::Same),
    (Of::All, "hostname", "host.name", Convert::Same),
    (Of::All, "service", "service.type", Convert::Same),
    (Of::All, "username", "user.name", Convert::Same),
    (Of::All, "tags", "tags", Convert::Same),
    (Of::Kind("auth.attempt"), "domain", "user.domain", Convert::Same),
    (Of::Kind("connection.closed"), "bytes_in", "source.bytes", Convert::Same),
    (Of::Kind("connection.closed"), "bytes_out", "destination.bytes", Convert::Same),
    (Of::Kind("connection.closed"), "duration_ms", "event.duration", Convert::Nanoseconds),
    (Of::Kind("connection.closed"), "reason", "event.reason", Convert::Same),
    (Of::Kind("tls.hello"), "sni", "tls.client.server_name", Convert::Same),
    (Of::Kind("tls.hello"), "ja3", "tls.client.ja3", Convert::Same),
    (Of::Kind("tls.hello"), "completed", "tls.established", Convert::Same),
    (Of::Http, "method", "http.request.method", Convert::Same),
    (Of::Http, "target", "url.original", Convert::Same),
    (Of::Http, "status", "http.response.status_code", Convert::Number),
    (Of::Http, "version", "http.version", Convert::Same),
    (Of::Http, "body_len", "http.request.body.bytes", Convert::Same),
    (Of::Kind("file.upload"), "name", "file.name", Convert::Same),
    (Of::Kind("file.upload"), "size", "file.size", Convert::Same),
    (Of::Kind("file.upload"), "sha256", "file.hash.sha256", Convert::Same),
    (Of::Kind("file.download"), "name", "file.name", Convert::Same),
    (Of::Kind("file.download"), "size", "file.size", Convert::Same),
    (Of::Kind("file.download"), "url", "url.original", Convert::Same),
];

/// A kind of event, its `event.category` and its `event.type`, of the values that ECS allows.
pub const KINDS: &[(&str, &[&str], &[&str])] = &[
    ("connection.opened", &["network"], &["connection", "start"]),
    ("connection.closed", &["network"], &["connection", "end"]),
    ("tls.hello", &["network"], &["protocol", "info"]),
    ("client.fingerprint", &["network"], &["info"]),
    ("auth.attempt", &["authentication"], &["start"]),
    ("session.started", &["session", "authentication"], &["start"]),
    ("command", &["intrusion_detection"], &["info"]),
    ("request", &["network"], &["access", "protocol"]),
    ("query", &["database"], &["access"]),
    ("file.upload", &["file"], &["creation"]),
    ("file.download", &["file"], &["access"]),
    ("message", &["network"], &["info"]),
    ("state.changed", &["configuration"], &["change"]),
    ("exploit.attempt", &["intrusion_detection"], &["info"]),
    ("bait.touched", &["intrusion_detection"], &["access"]),
    ("scan.probe", &["network", "intrusion_detection"], &["info"]),
    ("scan.packets", &["network", "intrusion_detection"], &["info"]),
    ("scan.summary", &["network", "intrusion_detection"], &["info"]),
    ("heartbeat", &["host"], &["info"]),
    ("honeypot.test", &["intrusion_detection"], &["info"]),
    ("poisoner.seen", &["network", "intrusion_detection"], &["info"]),
    ("session.recorded", &["session"], &["end"]),
    ("service.printed", &["process"], &["info"]),
    ("limit.reached", &["host"], &["info"]),
    ("egress.blocked", &["network", "intrusion_detection"], &["denied"]),
    ("events.dropped", &["host"], &["error"]),
    ("events.invalid", &["host"], &["error"]),
    ("server.failed", &["host"], &["error"]),
];

/// The sequence number in a line.
pub(super) fn sequence(line: &str) -> Option<u64> {
    serde_json::from_str::<Value>(line).ok()?.get("event")?.get("sequence")?.as_u64()
}

/// Appends an event as one line of JSON, without the line feed.
///
/// # Errors
/// Those of [`json::encode_into`]; no event has one.
pub fn encode_into(event: &Event, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let Value::Object(mut ours) = serde_json::to_value(event)? else { return Ok(()) };
    let kind = event.report.body.kind();
    let http = is_http(&ours, kind);
    let mut line = Map::new();
    for (of, name, field, convert) in FIELDS {
        let ours_too = match of {
            Of::All => true,
            Of::Kind(wanted) => *wanted == kind,
            Of::Http => http,
        };
        if ours_too
            && let Some(value) = ours.get(*name)
            && let Some(value) = converted(value, *convert)
        {
            put(&mut line, field, value);
            ours.remove(*name);
        }
    }
    let (_, category, types) =
        KINDS.iter().find(|(name, _, _)| *name == kind).unwrap_or(&("", &["intrusion_detection"], &["info"]));
    let trouble = matches!(kind, "events.dropped" | "events.invalid" | "server.failed");
    let ecs_kind = match event.severity {
        _ if trouble => "pipeline_error",
        Severity::Critical => "alert",
        _ => "event",
    };
    put(&mut line, "event.kind", ecs_kind.into());
    put(&mut line, "event.category", json!(category));
    put(&mut line, "event.type", json!(types));
    put(&mut line, "event.dataset", "decnet.events".into());
    put(&mut line, "event.module", "decnet".into());
    put(&mut line, "ecs.version", ECS_VERSION.into());
    put(&mut line, "message", headline(&event.report.body).to_string().into());
    if let Some(agent) = user_agent(&ours, kind) {
        put(&mut line, "user_agent.original", agent);
    }
    if let Some(Value::Array(headers)) = ours.get_mut("headers") {
        // Elasticsearch flattens lists in lists: which value belongs to which name would be lost.
        for header in headers {
            let pair = (header[0].as_str(), header[1].as_str());
            if let (Some(name), Some(value)) = pair {
                *header = format!("{name}: {value}").into();
            }
        }
    }
    let known: IpAddr = event.report.src_ip;
    if known.is_unspecified() {
        // No conversation: these addresses are nobody's.
        line.remove("source");
        line.remove("destination");
    } else {
        put(&mut line, "related.ip", json!([known.to_string(), event.report.dst_ip.to_string()]));
    }
    line.insert("decnet".to_owned(), Value::Object(ours));
    json::encode_into(&line, out)
}

/// Whether it is a request in HTTP: other protocols have methods and targets too.
fn is_http(event: &Map<String, Value>, kind: &str) -> bool {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let status = text("status");
    let version = text("version");
    kind == "request"
        && status.len() == 3
        && status.bytes().all(|b| b.is_ascii_digit())
        && (version.starts_with(|c: char| c.is_ascii_digit()) || version.starts_with("HTTP/"))
}

fn user_agent(event: &Map<String, Value>, kind: &str) -> Option<Value> {
    if kind == "client.fingerprint" && event.get("kind")? == "user_agent" {
        return event.get("value").cloned();
    }
    let headers = event.get("headers")?.as_array()?;
    let header = headers
        .iter()
        .find(|header| header[0].as_str().is_some_and(|name| name.eq_ignore_ascii_case("user-agent")))?;
    Some(header[1].clone())
}

/// The value for ECS; none where it is not of the kind that it should be.
fn converted(value: &Value, convert: Convert) -> Option<Value> {
    match convert {
        Convert::Same => Some(value.clone()),
        Convert::Mac => Some(value.as_str()?.replace(':', "-").to_ascii_uppercase().into()),
        Convert::Nanoseconds => Some(value.as_u64()?.checked_mul(1_000_000)?.into()),
        Convert::Number => Some(value.as_str()?.parse::<u64>().ok()?.into()),
        Convert::Outcome => Some(match serde_json::from_value(value.clone()).ok()? {
            Outcome::Failed => "failure".into(),
            Outcome::Accepted => "success".into(),
            Outcome::Aborted => "unknown".into(),
        }),
        Convert::Severity => {
            serde_json::from_value::<Severity>(value.clone()).ok().map(|severity| severity.code().into())
        }
    }
}

/// Puts a value at a dotted name.
fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            map.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = map.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{every_kind, sample};

    fn line(event: &Event) -> Value {
        let mut out = Vec::new();
        encode_into(event, &mut out).unwrap();
        assert!(!out.contains(&b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    /// Names and values of every leaf.
    fn leaves(value: &Value, name: &str, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    leaves(value, &name, found);
                }
            }
            value => found.push((name.to_owned(), value.clone())),
        }
    }

    #[test]
    fn every_kind_has_a_row_and_no_field_is_lost() {
        for event in every_kind() {
            let kind = event.report.body.kind();
            assert_eq!(KINDS.iter().filter(|(name, ..)| *name == kind).count(), 1, "{kind}");
            let ecs = line(&event);
            let mut found = Vec::new();
            leaves(&ecs, "", &mut found);
            let has = |name: &str| found.iter().any(|(field, _)| field == name);
            for (name, _) in serde_json::to_value(&event).unwrap().as_object().unwrap() {
                let mapped = FIELDS.iter().filter(|(_, ours, ..)| ours == name);
                let somewhere = has(&format!("decnet.{name}"))
                    || mapped.clone().any(|(_, _, field, _)| has(field))
                    || event.report.src_ip.is_unspecified();
                assert!(somewhere, "{kind}: {name} is nowhere in {ecs}");
            }
            for (_, types) in [("category", &ecs["event"]["category"]), ("type", &ecs["event"]["type"])] {
                assert!(types.as_array().is_some_and(|all| !all.is_empty()), "{ecs}");
            }
        }
    }

    #[test]
    fn a_request_in_http_is_one_for_elastic() {
        let report = serde_json::json!({
            "event": "request", "method": "GET", "target": "/a?b", "status": "404", "version": "1.1",
            "headers": [["Host", "x"], ["user-agent", "curl/8"]], "src_mac": "02:00:5e:00:53:0a"
        });
        let event = sample(report);
        let ecs = line(&event);
        assert_eq!(ecs["http"]["request"]["method"], "GET");
        assert_eq!(ecs["http"]["response"]["status_code"], 404);
        assert_eq!(ecs["url"]["original"], "/a?b");
        assert_eq!(ecs["user_agent"]["original"], "curl/8");
        assert_eq!(ecs["source"]["mac"], "02-00-5E-00-53-0A");
        assert_eq!(ecs["decnet"]["headers"], json!(["Host: x", "user-agent: curl/8"]));
        assert_eq!(ecs["event"]["severity"], 5);
        assert_eq!(ecs["event"]["kind"], "event");
        let snmp =
            sample(json!({"event": "request", "method": "get", "target": "1.3.6", "status": "noError"}));
        let ecs = line(&snmp);
        assert!(ecs.get("http").is_none());
        assert_eq!(ecs["decnet"]["method"], "get");
    }
}
