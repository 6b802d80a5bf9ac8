//! Where events go.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use decnet_core::plan::LogTarget;

use crate::journal::Repair;
use crate::target::ResolveError;

pub mod config;
pub mod datagrams;
pub mod delivery;
pub mod ecs;
mod flight;
pub(crate) mod link;
pub mod log_file;
mod readiness;
pub mod stream;
pub mod trust;
mod unacknowledged;

pub use config::{DeliveryConfig, OpenError, open};
pub use delivery::{Delivery, DeliveryError};

/// Where notices for the operator go. Not an event: no intruder did this.
pub type OperatorLog = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Something that the operator must know. Told when it begins and when it ends, not for every event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Notice {
    /// The journal was not found as it was left.
    #[error(transparent)]
    JournalRepaired(#[from] Repair),
    /// The journal cannot be written. Free the disk or repair the directory.
    #[error("cannot write the journal: {source}; {waiting} bytes wait and are tried again every second")]
    JournalFailed {
        /// Bytes that wait.
        waiting: usize,
        /// The cause.
        source: io::Error,
    },
    /// The journal can be written again.
    #[error("the journal is written again; {dropped} events were lost")]
    JournalRecovered {
        /// Events lost because memory was full.
        dropped: u64,
    },
    /// The collector ends while the journal cannot be written.
    #[error("{bytes} bytes of events could not be written to the journal and are lost")]
    JournalLost {
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
    /// Artifacts are kept again.
    #[error("artifacts are kept in {path} again")]
    ArtifactsRecovered {
        /// The store.
        path: PathBuf,
    },
    /// A log file cannot be put aside. Free its name or give the right to rename in its directory; events
    /// go on into it.
    #[error("cannot put {path} aside: {source}; it grows past its limit meanwhile")]
    RotationFailed {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A way out takes nothing. Events wait in the journal.
    #[error("delivery `{delivery}` takes nothing: {error}; events wait in the journal")]
    DeliveryFailed {
        /// The delivery.
        delivery: String,
        /// The cause.
        error: DeliveryError,
    },
    /// A way out takes events again.
    #[error("delivery `{delivery}` goes on")]
    DeliveryRecovered {
        /// The delivery.
        delivery: String,
    },
    /// The journal's bound was reached before a way out took these events, or they could not be read.
    #[error("{count} events were removed from the journal before delivery `{delivery}` took them")]
    DeliveryLost {
        /// The delivery.
        delivery: String,
        /// How many events.
        count: u64,
    },
    /// A log target has no address.
    #[error("no syslog goes to the log target: {0}")]
    TargetUnresolved(#[from] ResolveError),
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
