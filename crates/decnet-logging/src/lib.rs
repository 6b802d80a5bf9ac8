//! What happened on a decoy, and how it leaves.
//!
//! A service describes what an intruder did as a [`Report`] and hands it to an [`EventSink`], which never
//! blocks. The collector, on the other side of a socket that belongs to exactly one service of one decky,
//! adds who, when and in which order ([`Event`]) and writes it to the journal, from which every sink takes it
//! at its own pace. Nothing in a report is trusted for identity, time or sequence number. Attacker text is
//! encoded once, at this boundary.
//!
//! | module | what it does |
//! |---|---|
//! | [`mod@artifact`], [`asciicast`] | files and recorded terminals, kept once by their hash |
//! | [`event`], [`sink`] | the vocabulary, and where a service puts it |
//! | [`socket`], [`control`] | from a service to the collector; from the keeper to the collector |
//! | [`collector`] | who, when, in which order |
//! | [`journal`] | every event on disk, chained |
//! | [`sinks`] | and out |
//! | [`duties`], [`heartbeat`], [`mod@summary`], [`activity`] | what the collector says of itself, and of whole scans |
//! | [`syslog`], [`json`], [`text`] | the two forms of a line, and what must never stand in one |
//! | [`reader`], [`mod@story`], [`coalesce`], [`groups`] | events read again, and told to a person |
//! | [`schema`] | the event contract as a JSON Schema |
//! | [`target`] | whether a syslog server is there |
//!
//! ```
//! use decnet_logging::event::{Body, Event, Report, SCHEMA, Speaker};
//! use decnet_logging::syslog;
//!
//! let body = Body::ScanProbe { kind: "empty".into() };
//! let event = Event {
//!     schema: SCHEMA,
//!     ts: 1_795_000_000_123_456,
//!     seq: 1,
//!     speaker: Speaker {
//!         fleet: "lab".into(),
//!         decky: "decky-01".into(),
//!         hostname: "SRV-DB-02".into(),
//!         service: "redis".into(),
//!     },
//!     severity: body.severity(),
//!     report: Report::without_conversation(body),
//! };
//! let line = syslog::encode(&event);
//! assert!(line.starts_with("<134>1 2026-11-18T11:06:40.123456Z decky-01 redis - scan.probe [decnet@32473 "));
//! assert_eq!(syslog::parse(&line).unwrap(), event);
//! ```
#![forbid(unsafe_code)]

pub mod activity;
pub mod artifact;
pub mod asciicast;
pub mod coalesce;
pub mod collector;
pub mod control;
mod driver;
pub mod duties;
pub mod event;
mod fields;
pub mod groups;
pub mod heartbeat;
pub mod journal;
pub mod json;
pub mod reader;
pub mod reconnect;
#[cfg(test)]
mod samples;
pub mod schema;
mod shrink;
pub mod sink;
pub mod sinks;
pub mod socket;
mod source;
pub mod story;
pub mod summary;
pub mod syslog;
pub mod target;
pub mod text;

pub use artifact::{ArtifactStore, ArtifactWriter, Stored};
pub use collector::{Collector, CollectorConfig};
pub use control::ControlSender;
pub use event::{Body, Event, Report, Session, Severity, Speaker};
pub use journal::JournalConfig;
pub use reader::{Filter, Reader};
pub use reconnect::ReconnectingSink;
pub use sink::{EventSink, MemorySink};
pub use socket::SocketSink;
pub use source::PeekOffset;
pub use story::{Story, story};
