//! The native engine: no Docker, one namespace for the whole fleet.
//!
//! A privileged *keeper* holds everything that must survive: the wire, the listening sockets, the log
//! sockets. It starts a *zygote*, alone in empty namespaces of every kind, which forks one *worker* per
//! decky; a worker gets its sockets, drops every right, and serves. A *collector* writes events. When the
//! keeper ends, for whatever reason, the kernel takes everything away: the namespaces, the wire, the
//! zygote (its channel ends) and with it, as it is the first process of its PID namespace, every worker.

mod channel;
mod client;
mod control;
pub mod internal;
pub(crate) mod keeper;
mod run_directory;
mod sandbox;
mod worker;
mod zygote;

pub use client::NativeEngine;
pub use run_directory::{JOURNAL, RunDirectory};
