//! An event in words, for a person at a terminal. Pieces, not print: whoever shows them chooses colours and
//! columns. Every piece is safe on a terminal: intruder text is escaped ([`crate::text::shown`]).

use std::fmt;

use crate::event::{Body, CloseReason, Credential, Direction, Event, Life, Outcome, Severity, timestamp};
use crate::text::shown;

/// Characters of one intruder text that are shown.
const LIMIT: usize = 120;

/// The pieces of an event's line. `Display` joins them:
/// `12:03:44 198.51.100.7 → SRV-DB-02 redis  login failed: default / hunter2 (AUTH)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// `2026-11-22`, UTC.
    pub date: String,
    /// `12:03:44`, UTC.
    pub time: String,
    /// The other side's address, or its MAC where it gave none; empty where the event belongs to no conversation.
    pub source: String,
    /// The decky's name to the operator.
    pub decky: String,
    /// Its host name on the wire.
    pub hostname: String,
    /// The service.
    pub service: String,
    /// How bad.
    pub severity: Severity,
    /// What happened, in fixed words: `login failed`.
    pub headline: &'static str,
    /// With what: `default / hunter2`. May be empty.
    pub detail: String,
    /// How, or what came of it: `AUTH`. May be empty.
    pub aside: String,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.time)?;
        if !self.source.is_empty() {
            write!(f, "{} → ", self.source)?;
        }
        write!(f, "{}", self.hostname)?;
        if !self.service.is_empty() {
            write!(f, " {}", self.service)?;
        }
        write!(f, "  {}", self.headline)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if !self.aside.is_empty() {
            write!(f, " ({})", self.aside)?;
        }
        Ok(())
    }
}

/// Tells an event.
pub fn story(event: &Event) -> Story {
    let report = &event.report;
    let clock = timestamp::format(event.ts);
    let (date, time) = clock.split_once('T').unwrap_or((&clock, ""));
    let (detail, aside) = words(&report.body);
    let of_fleet = matches!(report.body, Body::ScanSummary { .. } | Body::Heartbeat { .. });
    let source = match &report.src_mac {
        // A prober that gives no address of its own (RFC 5227) is known by its NIC alone.
        Some(mac) if report.src_ip.is_unspecified() => show(mac),
        None if report.src_ip.is_unspecified() => String::new(),
        _ => report.src_ip.to_string(),
    };
    Story {
        date: date.to_owned(),
        time: time.split('.').next().unwrap_or_default().to_owned(),
        source,
        decky: show(&event.speaker.decky),
        // The collector is no machine: it speaks of all of them.
        hostname: if of_fleet { "fleet".to_owned() } else { show(&event.speaker.hostname) },
        service: if of_fleet { String::new() } else { show(&event.speaker.service) },
        severity: event.severity,
        headline: headline(&report.body),
        detail,
        aside,
    }
}

/// What happened, in fixed words: nothing of it comes from an intruder.
pub const fn headline(body: &Body) -> &'static str {
    match body {
        Body::ConnectionOpened => "connected",
        Body::ConnectionClosed { .. } => "disconnected",
        Body::TlsHello { completed: true, .. } => "TLS established",
        Body::TlsHello { completed: false, .. } => "TLS attempted",
        Body::ClientFingerprint { .. } => "client identified",
        Body::AuthAttempt { outcome: Outcome::Accepted, .. } => "login accepted",
        Body::AuthAttempt { outcome: Outcome::Failed, .. } => "login failed",
        Body::AuthAttempt { outcome: Outcome::Aborted, .. } => "login broken off",
        Body::SessionStarted { .. } => "session started",
        Body::Command { .. } => "command",
        Body::Request { .. } => "request",
        Body::Query { .. } => "query",
        Body::FileUpload { .. } => "file uploaded",
        Body::FileDownload { direction: Direction::Served, .. } => "file downloaded",
        Body::FileDownload { direction: Direction::Requested, .. } => "download ordered",
        Body::Message { .. } => "message sent",
        Body::StateChanged { .. } => "state changed",
        Body::ExploitAttempt { .. } => "exploit attempted",
        Body::BaitTouched { .. } => "bait touched",
        Body::ScanProbe { .. } => "probe",
        Body::ScanPackets { .. } => "scan",
        Body::HoneypotTest { .. } => "tested for a decoy",
        Body::PoisonerSeen { .. } => "name poisoning",
        Body::SessionRecorded { .. } => "session recorded",
        Body::Printed { .. } => "printed",
        Body::LimitReached { .. } => "limit reached",
        Body::EgressBlocked { .. } => "outgoing connection blocked",
        Body::EventsDropped { .. } => "events lost",
        Body::EventsInvalid { .. } => "unreadable event",
        Body::ServerFailed { .. } => "server failed",
        Body::ScanSummary { .. } => "scan summed up",
        Body::Heartbeat { .. } => "heartbeat",
    }
}

/// `112 bytes, kept as 3fa9…`.
fn kept(size: u64, stored: bool, sha256: &str) -> String {
    let how = if stored { "kept as" } else { "not kept, sha256" };
    format!("{}, {how} {}", counted(size, "byte"), show(sha256))
}

pub(crate) fn show(text: &str) -> String {
    shown(text, LIMIT).to_string()
}

/// Joins what is not empty.
fn join(parts: &[&str], between: &str) -> String {
    let parts: Vec<String> = parts.iter().filter(|part| !part.is_empty()).map(|part| show(part)).collect();
    parts.join(between)
}

/// Detail and aside.
fn words(body: &Body) -> (String, String) {
    let none = String::new;
    match body {
        Body::ConnectionOpened => (none(), none()),
        Body::ConnectionClosed { reason, duration_ms, bytes_in, bytes_out } => (
            format!(
                "{} after {}.{:03} s",
                match reason {
                    CloseReason::Client => "by the client",
                    CloseReason::Server => "by the server",
                    CloseReason::Idle => "idle",
                    CloseReason::Limit => "limit",
                    CloseReason::Error => "broken",
                },
                duration_ms / 1000,
                duration_ms % 1000
            ),
            format!("{bytes_in} bytes in, {bytes_out} out"),
        ),
        Body::TlsHello { sni, alpn, ja4, .. } => (
            if sni.is_empty() { "no server name".to_owned() } else { show(sni) },
            join(&[&alpn.join(","), ja4], " "),
        ),
        Body::ClientFingerprint { kind, value } => (show(value), show(kind)),
        Body::AuthAttempt { credential, .. } => (login(credential), show(&credential.method)),
        Body::SessionStarted { username, privilege } => (show(username), show(privilege)),
        Body::Command { line, outcome, .. } => (show(line), outcome_words(*outcome).to_owned()),
        // What is written matters more than where: SNMP's SET carries its values beside the names.
        Body::Request { method, status, headers, .. } if method == "set" && !headers.is_empty() => {
            let written: Vec<String> =
                headers.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            (join(&[method, &written.join(", ")], " "), show(status))
        }
        Body::Request { method, target, status, .. } => (join(&[method, target], " "), show(status)),
        Body::Query { statement, database, outcome, rows } => (
            show(statement),
            match (database, outcome) {
                (Some(database), Outcome::Accepted) => format!("{}, {rows} rows", show(database)),
                (None, Outcome::Accepted) => format!("{rows} rows"),
                (_, outcome) => outcome_words(*outcome).to_owned(),
            },
        ),
        Body::FileUpload { name, size, sha256, stored, .. } => (show(name), kept(*size, *stored, sha256)),
        Body::FileDownload { name, url, size, bait, .. } => (
            show(name.as_deref().or(url.as_deref()).unwrap_or_default()),
            join(
                &[
                    &size.map(|size| format!("{size} bytes")).unwrap_or_default(),
                    &bait.as_ref().map(|bait| format!("bait {bait}")).unwrap_or_default(),
                ],
                ", ",
            ),
        ),
        Body::Message { from, to, subject, size, artifact } => (
            format!("{} → {}", show(from), show(&to.join(", "))),
            join(
                &[
                    subject.as_deref().unwrap_or_default(),
                    &counted(*size, "byte"),
                    &artifact.as_ref().map(|sha256| format!("kept as {sha256}")).unwrap_or_default(),
                ],
                ", ",
            ),
        ),
        Body::StateChanged { object, old, new } => (
            format!("{} = {}", show(object), show(new)),
            old.as_ref().map(|old| format!("was {}", show(old))).unwrap_or_default(),
        ),
        Body::ExploitAttempt { name, confidence } => (show(name), format!("{confidence} %")),
        Body::BaitTouched { bait, planted_on } => (
            show(bait),
            planted_on.as_ref().map(|place| format!("planted on {}", show(place))).unwrap_or_default(),
        ),
        Body::ScanProbe { kind } => (show(kind), none()),
        Body::ScanPackets { kind, count, ports } => (
            scan_words(kind, ports),
            if *count == 1 { "1 packet".to_owned() } else { format!("{count} packets") },
        ),
        Body::HoneypotTest { rule } => (show(rule), none()),
        Body::PoisonerSeen { name, answer, responder_mac } => {
            (format!("{} = {}", show(name), show(answer)), show(responder_mac.as_deref().unwrap_or_default()))
        }
        Body::SessionRecorded { artifact, format, duration_ms } => {
            (lasting(*duration_ms), format!("{}, kept as {}", show(format), show(artifact)))
        }
        Body::Printed { stream, line } => (show(line), show(stream)),
        Body::LimitReached { limit, count } => (show(limit), count.to_string()),
        Body::EgressBlocked { protocol, count } => (show(protocol), format!("{count} packets")),
        Body::EventsDropped { count, delivery } => (
            count.to_string(),
            delivery.as_ref().map(|name| format!("to {}", show(name))).unwrap_or_default(),
        ),
        Body::EventsInvalid { message } | Body::ServerFailed { message } => (show(message), none()),
        Body::ScanSummary { tool, duration_ms, count, deckies_count, ports_count, .. } => (
            sweep(tool.as_deref(), *deckies_count, *ports_count),
            format!("{} within {}", counted(*count, "event"), lasting(*duration_ms)),
        ),
        Body::Heartbeat { state, deckies_up, services_up, dropped, .. } => (
            match state {
                Life::Starting => "the collector begins",
                Life::Running => "the collector goes on",
                Life::Stopping => "the collector ends in order",
            }
            .to_owned(),
            format!(
                "{}, {}, {} lost",
                counted(*deckies_up, "decky"),
                counted(*services_up, "service"),
                counted(*dropped, "event")
            ),
        ),
    }
}

/// `nmap-like sweep: 20 deckies, 143 ports`.
pub(crate) fn sweep(tool: Option<&str>, deckies: u64, ports: u64) -> String {
    let tool = tool.map(|tool| format!("{}-like ", show(tool))).unwrap_or_default();
    let kind = if deckies > 1 { "sweep" } else { "scan" };
    let ports = if ports > 0 { format!(", {}", counted(ports, "port")) } else { String::new() };
    format!("{tool}{kind}: {}{ports}", counted(deckies, "decky"))
}

/// `1 port`, `20 deckies`.
pub fn counted(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// `0.412 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 7 h`.
pub fn lasting(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..10 => format!("{seconds}.{:03} s", milliseconds % 1000),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `closed TCP ports 1-7, 9, 13 and 400 more`.
fn scan_words(kind: &str, ports: &[u16]) -> String {
    /// Ranges that are written out.
    const RANGES: usize = 8;
    let what = match kind {
        "arp" => "looked for by ARP",
        "ping" => "pinged",
        "icmp" => "other ICMP question",
        "half_open" => "half-open connection to port",
        "closed_tcp_port" => "closed TCP port",
        "closed_udp_port" => "closed UDP port",
        "odd_flags" => "odd TCP flags to port",
        "protocol" => "unknown IP protocol",
        other => return show(other),
    };
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*port) => *last = *port,
            _ => ranges.push((*port, *port)),
        }
    }
    let named = ranges.len().min(RANGES);
    let mut words: Vec<String> = ranges[..named]
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    let rest: usize = ranges[named..].iter().map(|(first, last)| usize::from(last - first) + 1).sum();
    if rest > 0 {
        words.push(format!("and {rest} more"));
    }
    if words.is_empty() { what.to_owned() } else { format!("{what} {}", words.join(", ")) }
}

/// `CORP\\admin / hunter2`.
pub(crate) fn login(credential: &Credential) -> String {
    let mut name = show(&credential.username);
    if let Some(domain) = &credential.domain {
        name = format!("{}\\{name}", show(domain));
    }
    match (&credential.password, &credential.hash, &credential.token, &credential.public_key) {
        // A community, a database's password: there is no name to go with it.
        (Some(password), ..) if name.is_empty() && !password.is_empty() => show(password),
        (Some(password), ..) if password.is_empty() => format!("{name} / no password"),
        (Some(password), ..) => format!("{name} / {}", show(password)),
        (_, Some(hash), ..) => {
            format!("{name} / {} {}", show(credential.hash_format.as_deref().unwrap_or("hash")), show(hash))
        }
        (_, _, Some(token), _) => format!("{name} / token {}", show(token)),
        (_, _, _, Some(key)) => format!("{name} / key {}", show(key)),
        _ => name,
    }
}

const fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Failed => "failed",
        Outcome::Accepted => "",
        Outcome::Aborted => "broken off",
    }
}
