//! The event contract: one vocabulary, one name per thing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use decnet_core::service::Transport;
use serde::{Deserialize, Serialize};

/// The version of the contract; in every event as `schema`.
pub const SCHEMA: u16 = 1;

/// Raw bytes kept in one event; what is longer is cut and marked.
pub const RAW_LIMIT: usize = 64 * 1024;

/// One conversation: a TCP connection, or the datagrams between two endpoints within a minute.
/// Text form: 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(pub u128);

#[cfg(test)]
impl schemars::JsonSchema for Session {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Session".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Session {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Session).map_err(serde::de::Error::custom)
    }
}

/// RFC 5424 severities that events use, by how deep the intruder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 2: an exploit, a planted bait, a test for a decoy, an attempt to get out.
    Critical,
    /// 3: a login that was let in, a change of state.
    Error,
    /// 4: a credential.
    Warning,
    /// 5: a request, a command.
    Notice,
    /// 6: a probe, a connection.
    Info,
}

impl Severity {
    /// The severity of a number in the PRI part; none for those that events never use.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            2 => Some(Severity::Critical),
            3 => Some(Severity::Error),
            4 => Some(Severity::Warning),
            5 => Some(Severity::Notice),
            6 => Some(Severity::Info),
            _ => None,
        }
    }

    /// The number in the PRI part (RFC 5424 section 6.2.1).
    pub const fn code(self) -> u8 {
        match self {
            Severity::Critical => 2,
            Severity::Error => 3,
            Severity::Warning => 4,
            Severity::Notice => 5,
            Severity::Info => 6,
        }
    }
}

/// Bytes as the intruder sent them. In JSON: base64.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

#[cfg(test)]
impl schemars::JsonSchema for Bytes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "contentEncoding": "base64" })
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Bytes).map_err(serde::de::Error::custom)
    }
}

/// Reads attacker bytes as text: UTF-8 as it is, anything else with replacement characters. The second
/// value is the exact bytes where the text does not hold them.
pub fn text(bytes: &[u8]) -> (String, Option<Bytes>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), Some(Bytes(bytes.to_vec()))),
    }
}

/// What came of a login, a command, a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Refused, or answered with an error.
    Failed,
    /// Let in, or carried out as far as the intruder can tell.
    Accepted,
    /// The client went away before an answer.
    Aborted,
}

/// A credential, normalised. Exactly one of password, hash, token and public key is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Credential {
    /// The user name; empty where the protocol has none.
    pub username: String,
    /// Its bytes where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_b64: Option<Bytes>,
    /// The domain or realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// How it was sent: `plain`, `basic`, `digest-md5`, `ntlmv2`, `community`, `mysql-native`, …
    pub method: String,
    /// The secret in clear. Empty and missing differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Its bytes where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_b64: Option<Bytes>,
    /// One line that hashcat or john reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Which: `hashcat-5600`, `hashcat-11400`, `john-vnc`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_format: Option<String>,
    /// A bearer token, cookie or API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A public key in the form of `authorized_keys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

impl Credential {
    /// A user name and a password in clear.
    pub fn password(method: &str, username: &[u8], password: &[u8]) -> Self {
        let (username, username_b64) = text(username);
        let (password, password_b64) = text(password);
        Credential {
            username,
            username_b64,
            method: method.to_owned(),
            password: Some(password),
            password_b64,
            ..Credential::default()
        }
    }

    /// A user name and a line for a cracker.
    pub fn hash(method: &str, username: &[u8], hash: String, hash_format: &str) -> Self {
        let (username, username_b64) = text(username);
        Credential {
            username,
            username_b64,
            method: method.to_owned(),
            hash: Some(hash),
            hash_format: Some(hash_format.to_owned()),
            ..Credential::default()
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CloseReason {
    /// The client closed.
    Client,
    /// We closed, as the product would.
    Server,
    /// Nothing came for too long.
    Idle,
    /// One of our bounds.
    Limit,
    /// The connection broke, or a bug of ours.
    Error,
}

/// Which way a file went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// We gave it.
    Served,
    /// The intruder ordered us to fetch it; nothing was fetched.
    Requested,
}

/// What happened: the kind of the event (`event` in JSON, MSGID in syslog) and what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event")]
#[allow(missing_docs, reason = "the fields are the vocabulary itself; each variant says what it is for")]
pub enum Body {
    /// TCP accepted, or the first datagram of a session.
    #[serde(rename = "connection.opened")]
    ConnectionOpened,
    /// A session ended.
    #[serde(rename = "connection.closed")]
    ConnectionClosed { reason: CloseReason, duration_ms: u64, bytes_in: u64, bytes_out: u64 },
    /// A ClientHello, also when the handshake fails.
    #[serde(rename = "tls.hello")]
    TlsHello {
        sni: String,
        alpn: Vec<String>,
        ja3: String,
        ja4: String,
        versions: Vec<String>,
        completed: bool,
    },
    /// The protocol tells which client it is. `kind`: `hassh`, `user_agent`, `ntlm_version`, …
    #[serde(rename = "client.fingerprint")]
    ClientFingerprint { kind: String, value: String },
    /// Any credential, also a partial one.
    #[serde(rename = "auth.attempt")]
    AuthAttempt {
        #[serde(flatten)]
        credential: Credential,
        outcome: Outcome,
    },
    /// A login was let in, or anonymous work begins.
    #[serde(rename = "session.started")]
    SessionStarted { username: String, privilege: String },
    /// One line or verb of an interactive or line protocol.
    #[serde(rename = "command")]
    Command { command: String, line: String, outcome: Outcome },
    /// One request of an HTTP-like or request-response protocol.
    #[serde(rename = "request")]
    Request {
        method: String,
        target: String,
        status: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body_len: Option<u64>,
    },
    /// SQL, document searches, directory filters, name lookups.
    #[serde(rename = "query")]
    Query {
        statement: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        database: Option<String>,
        outcome: Outcome,
        rows: u64,
    },
    /// Bytes given to us.
    #[serde(rename = "file.upload")]
    FileUpload {
        name: String,
        size: u64,
        sha256: String,
        stored: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        artifact: Option<String>,
    },
    /// Bytes taken from us, or a fetch that the intruder ordered. Exactly one of `name` and `url` is set.
    #[serde(rename = "file.download")]
    FileDownload {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        direction: Direction,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bait: Option<String>,
    },
    /// Mail, SIP MESSAGE, MQTT publish, print job.
    #[serde(rename = "message")]
    Message {
        from: String,
        to: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        size: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        artifact: Option<String>,
    },
    /// The intruder altered the decoy.
    #[serde(rename = "state.changed")]
    StateChanged {
        object: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        new: String,
    },
    /// A known form of exploit. `confidence` in percent.
    #[serde(rename = "exploit.attempt")]
    ExploitAttempt { name: String, confidence: u8 },
    /// A planted credential, file, record or account was read or used.
    #[serde(rename = "bait.touched")]
    BaitTouched {
        bait: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        planted_on: Option<String>,
    },
    /// Malformed, handshake-only, version-detection traffic. `kind`: `empty`, `handshake_only`, `malformed`,
    /// `wrong_protocol`, `nmap`, `masscan`, …
    #[serde(rename = "scan.probe")]
    ScanProbe { kind: String },
    /// Packets that no service hears of, gathered for a moment per source: ARP and ping sweeps, half-open
    /// connections, closed ports. `kind`: `arp`, `ping`, `icmp`, `half_open`, `closed_tcp_port`,
    /// `closed_udp_port`, `odd_flags`, `protocol`. Made by the wire.
    #[serde(rename = "scan.packets")]
    ScanPackets {
        kind: String,
        count: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ports: Vec<u16>,
    },
    /// The behaviour of a known decoy detector.
    #[serde(rename = "honeypot.test")]
    HoneypotTest { rule: String },
    /// Somebody answered a name that does not exist.
    #[serde(rename = "poisoner.seen")]
    PoisonerSeen {
        name: String,
        answer: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        responder_mac: Option<String>,
    },
    /// A terminal or desktop transcript was closed.
    #[serde(rename = "session.recorded")]
    SessionRecorded { artifact: String, format: String, duration_ms: u64 },
    /// A line that a service of the user's own printed. Nothing about it is known but where it was read:
    /// an intruder may have had it printed. `stream`: `stdout`, `stderr`.
    #[serde(rename = "service.printed")]
    Printed { stream: String, line: String },
    /// One of our own bounds was hit.
    #[serde(rename = "limit.reached")]
    LimitReached { limit: String, count: u64 },
    /// A decoy tried to open a conversation: the loudest event there is. Made by the wire, not by a service.
    #[serde(rename = "egress.blocked")]
    EgressBlocked { protocol: String, count: u64 },
    /// Events that were dropped because a queue was full; with `delivery`, that the journal's bound took away
    /// before this way out had them.
    #[serde(rename = "events.dropped")]
    EventsDropped {
        count: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivery: Option<String>,
    },
    /// The collector could not read what came in on a speaker's socket: a bug of ours, or a service that
    /// somebody has taken over. Made by the collector; `raw` holds the bytes.
    #[serde(rename = "events.invalid")]
    EventsInvalid { message: String },
    /// A server panicked; the connection was closed. A bug of ours.
    #[serde(rename = "server.failed")]
    ServerFailed { message: String },
    /// What one source did within a window, over all deckies: the scans, probes and connections of an hour in
    /// a few lines. The events it sums up stand before it. Made by the collector. `kinds` pairs a kind with
    /// its count; the lists are cut, the counts beside them are not. `began` is RFC 3339.
    #[serde(rename = "scan.summary")]
    ScanSummary {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        began: String,
        duration_ms: u64,
        count: u64,
        kinds: Vec<(String, u64)>,
        deckies: Vec<String>,
        deckies_count: u64,
        services: Vec<String>,
        ports: Vec<u16>,
        ports_count: u64,
    },
    /// The fleet is alive; one in every `interval_s` seconds, so that silence and death differ. Made by the
    /// collector. `events` and `dropped` count since the collector began; `next_seq` is the number of the
    /// event after this one.
    #[serde(rename = "heartbeat")]
    Heartbeat {
        state: Life,
        interval_s: u64,
        deckies_up: u64,
        services_up: u64,
        events: u64,
        dropped: u64,
        next_seq: u64,
    },
}

/// Where a fleet's collector stands in its life.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// It has just begun.
    Starting,
    /// It goes on.
    Running,
    /// It ends in order: no heartbeat follows, and none is missed.
    Stopping,
}

impl Body {
    /// The kind: `event` in JSON, MSGID in syslog.
    pub const fn kind(&self) -> &'static str {
        match self {
            Body::ConnectionOpened => "connection.opened",
            Body::ConnectionClosed { .. } => "connection.closed",
            Body::TlsHello { .. } => "tls.hello",
            Body::ClientFingerprint { .. } => "client.fingerprint",
            Body::AuthAttempt { .. } => "auth.attempt",
            Body::SessionStarted { .. } => "session.started",
            Body::Command { .. } => "command",
            Body::Request { .. } => "request",
            Body::Query { .. } => "query",
            Body::FileUpload { .. } => "file.upload",
            Body::FileDownload { .. } => "file.download",
            Body::Message { .. } => "message",
            Body::StateChanged { .. } => "state.changed",
            Body::ExploitAttempt { .. } => "exploit.attempt",
            Body::BaitTouched { .. } => "bait.touched",
            Body::ScanProbe { .. } => "scan.probe",
            Body::ScanPackets { .. } => "scan.packets",
            Body::HoneypotTest { .. } => "honeypot.test",
            Body::PoisonerSeen { .. } => "poisoner.seen",
            Body::SessionRecorded { .. } => "session.recorded",
            Body::Printed { .. } => "service.printed",
            Body::LimitReached { .. } => "limit.reached",
            Body::EgressBlocked { .. } => "egress.blocked",
            Body::EventsDropped { .. } => "events.dropped",
            Body::EventsInvalid { .. } => "events.invalid",
            Body::ServerFailed { .. } => "server.failed",
            Body::ScanSummary { .. } => "scan.summary",
            Body::Heartbeat { .. } => "heartbeat",
        }
    }

    /// How deep the intruder is.
    pub const fn severity(&self) -> Severity {
        match self {
            Body::ConnectionOpened
            | Body::ConnectionClosed { .. }
            | Body::TlsHello { .. }
            | Body::ClientFingerprint { .. }
            | Body::ScanProbe { .. }
            | Body::ScanPackets { .. }
            | Body::ScanSummary { .. }
            | Body::Heartbeat { .. } => Severity::Info,
            Body::Command { .. }
            | Body::Request { .. }
            | Body::Query { .. }
            | Body::FileDownload { .. }
            | Body::SessionRecorded { .. }
            | Body::Printed { .. }
            | Body::LimitReached { .. } => Severity::Notice,
            Body::AuthAttempt { outcome: Outcome::Accepted, .. } => Severity::Error,
            Body::AuthAttempt { .. } | Body::Message { .. } | Body::EventsDropped { .. } => Severity::Warning,
            Body::SessionStarted { .. }
            | Body::StateChanged { .. }
            | Body::FileUpload { .. }
            | Body::EventsInvalid { .. }
            | Body::ServerFailed { .. } => Severity::Error,
            Body::ExploitAttempt { .. }
            | Body::BaitTouched { .. }
            | Body::HoneypotTest { .. }
            | Body::PoisonerSeen { .. }
            | Body::EgressBlocked { .. } => Severity::Critical,
        }
    }
}

#[cfg(test)]
use crate::schema::{TimestampText, TransportWord};

/// What a service says: everything about an event but who, when and in which order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The conversation.
    pub session: Session,
    /// The other side.
    pub src_ip: IpAddr,
    /// Its port.
    pub src_port: u16,
    /// Our side.
    pub dst_ip: IpAddr,
    /// Our port.
    pub dst_port: u16,
    /// TCP or UDP.
    #[cfg_attr(test, schemars(with = "TransportWord"))]
    pub transport: Transport,
    /// Whether it came through TLS.
    pub tls: bool,
    /// The MAC address that it came from, where the wire knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_mac: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
    /// The product that was shown: `redis/7.0.15`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// The bytes behind it, at most [`RAW_LIMIT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Bytes>,
    /// How many bytes there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_len: Option<u64>,
    /// Whether `raw` is cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw_truncated: bool,
    /// Free marks: `recon.ad`, `toll_fraud`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Report {
    /// A report that belongs to no conversation, such as a count of lost events: session 0, unspecified
    /// addresses, port 0.
    pub fn without_conversation(body: Body) -> Self {
        Report {
            session: Session(0),
            src_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            src_port: 0,
            dst_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            dst_port: 0,
            transport: Transport::Tcp,
            tls: false,
            src_mac: None,
            body,
            persona: None,
            raw: None,
            raw_len: None,
            raw_truncated: false,
            tags: Vec::new(),
        }
    }

    /// Adds the bytes behind it, cut at [`RAW_LIMIT`].
    #[must_use]
    pub fn with_raw(mut self, bytes: &[u8]) -> Self {
        self.raw_len = Some(bytes.len() as u64);
        self.raw_truncated = bytes.len() > RAW_LIMIT;
        self.raw = Some(Bytes(bytes[..bytes.len().min(RAW_LIMIT)].to_vec()));
        self
    }

    /// Adds a mark.
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// Who speaks on a socket to the collector. Told by the engine, never by the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Speaker {
    /// The fleet.
    pub fleet: String,
    /// The decky's name to the operator.
    pub decky: String,
    /// Its host name on the wire.
    pub hostname: String,
    /// The service's slug; `wire` for the packet carrier itself.
    pub service: String,
}

/// An event as it is kept and sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: u16,
    /// Microseconds since 1970-01-01 UTC in memory; RFC 3339 with six fractional digits in JSON.
    #[serde(with = "timestamp")]
    #[cfg_attr(test, schemars(with = "TimestampText"))]
    pub ts: i64,
    /// Counts every event of this collector, from 1, without gaps.
    pub seq: u64,
    /// Who.
    #[serde(flatten)]
    pub speaker: Speaker,
    /// How bad.
    pub severity: Severity,
    /// What.
    #[serde(flatten)]
    pub report: Report,
}

/// `2026-11-22T12:00:00.000000Z`.
pub mod timestamp {
    use serde::{Deserialize, Deserializer, Serializer};
    use time::OffsetDateTime;
    use time::format_description::BorrowedFormatItem;
    use time::format_description::well_known::Rfc3339;
    use time::macros::format_description;

    const FORMAT: &[BorrowedFormatItem<'static>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

    /// The text of a time; the epoch for a time that no calendar holds.
    pub fn format(micros: i64) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(FORMAT)
            .unwrap_or_else(|_| "1970-01-01T00:00:00.000000Z".to_owned())
    }

    /// For serde.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*micros))
    }

    /// Microseconds since 1970-01-01 UTC of an RFC 3339 text; digits past the sixth are dropped.
    ///
    /// # Errors
    /// Text that is not RFC 3339.
    pub fn parse(text: &str) -> Result<i64, time::error::Parse> {
        let time = OffsetDateTime::parse(text, &Rfc3339)?;
        // RFC 3339 years are 0 to 9999: that many microseconds fit.
        Ok(time.unix_timestamp_nanos().div_euclid(1000) as i64)
    }

    /// For serde.
    ///
    /// # Errors
    /// Text that is not RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(body: Body) -> Report {
        Report {
            session: Session(7),
            src_ip: [198, 51, 100, 7].into(),
            src_port: 40000,
            dst_ip: [198, 51, 100, 20].into(),
            dst_port: 6379,
            transport: Transport::Tcp,
            tls: false,
            src_mac: None,
            body,
            persona: None,
            raw: None,
            raw_len: None,
            raw_truncated: false,
            tags: vec![],
        }
    }

    #[test]
    fn an_event_survives_json() {
        let credential = Credential::password("plain", b"root", b"\xff\x00toor");
        let event = Event {
            schema: SCHEMA,
            ts: 1_795_000_000_123_456,
            seq: 3,
            speaker: Speaker {
                fleet: "fleet-1".into(),
                decky: "decky-01".into(),
                hostname: "SRV-1".into(),
                service: "redis".into(),
            },
            severity: Severity::Warning,
            report: report(Body::AuthAttempt { credential, outcome: Outcome::Failed })
                .with_raw(b"AUTH x\r\n"),
        };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["event"], "auth.attempt");
        assert_eq!(json["session"], "00000000000000000000000000000007");
        assert_eq!(json["password_b64"], "/wB0b29y");
        assert_eq!(json["ts"], "2026-11-18T11:06:40.123456Z");
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }

    #[test]
    fn the_kind_is_the_tag() {
        let body = Body::ScanProbe { kind: "empty".into() };
        assert_eq!(serde_json::to_value(&body).unwrap()["event"], body.kind());
    }

    #[test]
    fn raw_bytes_are_bounded_and_say_so() {
        let report = report(Body::ConnectionOpened).with_raw(&vec![0; RAW_LIMIT + 1]);
        assert_eq!(report.raw.as_ref().unwrap().0.len(), RAW_LIMIT);
        assert_eq!(report.raw_len, Some(RAW_LIMIT as u64 + 1));
        assert!(report.raw_truncated);
    }
}
