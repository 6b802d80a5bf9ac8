//! Where events go.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use decnet_core::plan::LogTarget;

use crate::event::Event;
use crate::target::ResolveError;

pub mod config;
pub mod datagrams;
pub mod delivery;
mod direct;
pub mod ecs;
pub mod file;
mod flight;
pub mod json;
mod lines;
pub(crate) mod link;
pub mod log_file;
mod readiness;
pub mod stream;
pub mod trust;
pub mod udp;
mod unacknowledged;

pub use config::{DeliveryConfig, OpenError, open};
pub use delivery::{Delivery, DeliveryError};
pub(crate) use direct::Direct;
pub use file::SyslogFile;
pub use json::JsonFile;
pub use udp::UdpSink;

/// Takes events from the collector. Neither method blocks for longer than a write to a local file does, and
/// neither fails: what cannot go out now is kept up to a bound and tried again, and the operator is told.
pub trait Sink: Send {
    /// Takes one event.
    fn write(&mut self, event: &Event);

    /// Puts out what was taken. False if something is left: call again within a second or so.
    fn flush(&mut self) -> bool;

    /// How many events were lost since the last call, where that is known and can be written again. The
    /// collector makes an `events.dropped` of it.
    fn take_dropped(&mut self) -> u64 {
        0
    }
}

/// Where notices for the operator go. Not an event: no intruder did this.
pub type OperatorLog = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Something that the operator must know. Told when it begins and when it ends, not for every event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Notice {
    /// A file cannot be written. Free the disk or repair the path; events wait in memory up to a bound.
    #[error("cannot write events to {path}: {source}; {waiting} bytes wait and are tried again every second")]
    FileFailed {
        /// The file.
        path: PathBuf,
        /// Bytes that wait.
        waiting: usize,
        /// The cause.
        source: io::Error,
    },
    /// A file can be written again.
    #[error("events are written to {path} again; {dropped} were lost")]
    FileRecovered {
        /// The file.
        path: PathBuf,
        /// Events lost because memory was full.
        dropped: u64,
    },
    /// The collector ends while a file cannot be written.
    #[error("{bytes} bytes of events could not be written to {path} and are lost")]
    FileLost {
        /// The file.
        path: PathBuf,
        /// How many bytes.
        bytes: usize,
    },
    /// An artifact cannot be kept. Free the disk or repair the path; hashes and sizes are still told.
    #[error("cannot keep artifacts in {path}: {source}; their hashes and sizes are still told")]
    ArtifactsFailed {
        /// The store.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A way out takes nothing.
    #[error("{0}; events for it wait")]
    DeliveryFailed(DeliveryError),
    /// A way out takes events again.
    #[error("{0} takes events again")]
    DeliveryRecovered(String),
    /// A log file cannot be put aside. Free its name or give the right to rename in its directory; events
    /// go on into it.
    #[error("cannot put {path} aside: {source}; it grows past its limit meanwhile")]
    RotationFailed {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Artifacts are kept again.
    #[error("artifacts are kept in {path} again")]
    ArtifactsRecovered {
        /// The store.
        path: PathBuf,
    },
    /// A log target has no address.
    #[error("no syslog goes to the log target: {0}")]
    TargetUnresolved(#[from] ResolveError),
    /// A log target refuses datagrams, or there is no way to it.
    #[error("log target {address} takes no syslog: {source}; datagrams are lost while this lasts")]
    TargetFailed {
        /// Its address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// Datagrams leave again.
    #[error("syslog to log target {address} leaves again; {lost} events are known to be lost to it")]
    TargetRecovered {
        /// Its address.
        address: SocketAddr,
        /// How many sends failed.
        lost: u64,
    },
    /// A log target of a transport that there is no sink for.
    #[error("log target {0}: syslog is sent over UDP only; write udp://host:port")]
    TransportUnsupported(LogTarget),
    /// The keeper sent something that names no source.
    #[error("control message {0}: that source is not heard")]
    ControlUnreadable(&'static str),
    /// The control socket broke: no source can be added any more.
    #[error("read the control socket: {0}")]
    ControlFailed(io::Error),
    /// A source's socket broke; the source is closed.
    #[error("read the log socket of {decky}/{service}: {source}")]
    SourceFailed {
        /// The decky.
        decky: String,
        /// The service.
        service: String,
        /// The cause.
        source: io::Error,
    },
}
