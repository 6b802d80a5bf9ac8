//! What happened on a decoy, and how it leaves.
//!
//! A service describes what an intruder did as a [`Report`] and hands it to an [`EventSink`], which never
//! blocks. The collector, on the other side of a socket that belongs to exactly one service of one decky,
//! adds who, when and in which order ([`Event`]) and writes it to the sinks. Nothing in a report is
//! trusted for identity, time or sequence number. Attacker text is encoded once, at this boundary.
//!
//! | module | what it does |
//! |---|---|
//! | [`event`], [`sink`] | the vocabulary, and where a service puts it |
//! | [`socket`], [`control`] | from a service to the collector; from the keeper to the collector |
//! | [`collector`], [`sinks`] | who, when, in which order; and out |
//! | [`syslog`], [`json`], [`text`] | the two forms of a line, and what must never stand in one |
//! | [`reader`], [`mod@story`] | files of events read again, and told to a person |
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

pub mod collector;
pub mod control;
pub mod event;
mod fields;
pub mod json;
pub mod reader;
pub mod reconnect;
mod shrink;
pub mod sink;
pub mod sinks;
pub mod socket;
pub mod story;
pub mod syslog;
pub mod target;
pub mod text;

pub use collector::{Collector, CollectorConfig};
pub use control::ControlSender;
pub use event::{Body, Event, Report, Session, Severity, Speaker};
pub use reader::{Filter, Reader};
pub use reconnect::ReconnectingSink;
pub use sink::{EventSink, MemorySink};
pub use socket::SocketSink;
pub use story::{Story, story};
