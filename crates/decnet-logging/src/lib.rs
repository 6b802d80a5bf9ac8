//! What happened on a decoy, and how it leaves.
//!
//! A service describes what an intruder did as a [`Report`] and hands it to an [`EventSink`], which never
//! blocks. The collector, on the other side of a socket that belongs to exactly one service of one decky,
//! adds who, when and in which order ([`Event`]) and writes it to the sinks. Nothing in a report is
//! trusted for identity, time or sequence number. Attacker text is encoded once, at this boundary.
#![forbid(unsafe_code)]

pub mod event;
pub mod sink;

pub use event::{Body, Event, Report, Session, Severity};
pub use sink::{EventSink, MemorySink};
