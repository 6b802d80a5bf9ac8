//! The journal: every event on disk, in order, before it goes anywhere else.
//!
//! A directory of *segments*, text files named after the number of their first event
//! (`00000000000000000001.journal`). The first line of a segment is its header, every other line one event:
//!
//! ```text
//! HASH {"journal":1,"fleet":"lab","first_seq":1,"previous":"0000…"}
//! HASH SEQ TIME BYTES {"schema":1,"ts":"2026-11-22T12:00:00.000000Z","seq":1,…}
//! ```
//!
//! `SEQ` is the event's number, `TIME` its time in microseconds since 1970-01-01 UTC, `BYTES` the length of
//! the datagram that it was made of (0 for the collector's own), and then comes the event as it is everywhere
//! else: JSON without a line feed.
//!
//! # The chain
//!
//! `HASH` is the SHA-256, in 64 lower-case hexadecimal digits, of: the hash of the line before, one space,
//! and all of this line after its own hash and the one space behind that, without the line feed. The chain
//! runs through headers and events alike. What stands before a header's line is the header's own `previous`:
//! the last hash of the segment before, and 64 zeros in a journal's first. So a segment can be checked with
//! nothing but a shell:
//!
//! ```sh
//! previous=$(head -n 1 "$segment" | sed 's/.*"previous":"\([0-9a-f]*\)".*/\1/')
//! while IFS= read -r line; do
//!     hash=$(printf '%s %s' "$previous" "${line#* }" | sha256sum)
//!     [ "${hash%% *}" = "${line%% *}" ] || { echo "broken after $previous"; break; }
//!     previous=${line%% *}
//! done < "$segment"
//! ```
//!
//! A chain without a key tells of every change that was not made consistently up to its end. Whoever may
//! write the directory can compute the whole rest anew: then only a hash that was kept elsewhere tells
//! ([`verify()`] prints the last one).
//!
//! # What survives what
//!
//! Every batch is one `write`. A process that is killed loses nothing that was written; `fdatasync` follows
//! within [`JournalConfig::sync_after`] from a thread of its own, and at the end of every segment, so that a
//! machine that dies loses at most that long. What such an end leaves torn is cut off at the next start, and
//! told. Rotation is by size and once a day; the oldest segment goes, whole, when the journal is larger or
//! older than it may be. The segment that is being written never goes, nor the one before it.

mod cursor;
mod open;
mod recent;
mod record;
mod segment;
mod sync;
mod tail;
mod taken;
#[cfg(test)]
mod tests;
pub mod verify;
mod walk;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use cursor::Cursor;
pub use open::Repair;
pub use record::{Hash, InvalidHash};
pub(crate) use tail::Tail;
pub use verify::{Break, Verified, VerifyError, verify};
pub use walk::Damage;
pub(crate) use writer::{Journal, Progress};

/// Bytes in one line, line feed included; a longer one is none of ours. A report is at most 128 KiB of
/// JSON, and every escape makes it at most six times as long.
pub(crate) const LINE_LIMIT: usize = 2 * 1024 * 1024;

/// A journal's place and bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalConfig {
    /// Its directory; made if it is not there.
    pub directory: PathBuf,
    /// Bytes of all segments together; the oldest goes first.
    #[serde(default = "JournalConfig::default_bytes")]
    pub bytes: u64,
    /// Seconds after which a segment goes that nothing was added to.
    #[serde(default = "JournalConfig::default_seconds")]
    pub seconds: u64,
    /// Bytes of one segment, after which the next one begins.
    #[serde(default = "JournalConfig::default_segment_bytes")]
    pub segment_bytes: u64,
    /// How long an event may stand in memory alone before it is forced to the disk.
    #[serde(default = "JournalConfig::default_sync_after")]
    pub sync_after: Duration,
}

impl JournalConfig {
    /// A journal with the usual bounds: 1 GiB, 90 days, segments of 4 MiB (a start checks the last one: what
    /// services say meanwhile waits in their sockets), half a second.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        JournalConfig {
            directory: directory.into(),
            bytes: Self::default_bytes(),
            seconds: Self::default_seconds(),
            segment_bytes: Self::default_segment_bytes(),
            sync_after: Self::default_sync_after(),
        }
    }

    const fn default_bytes() -> u64 {
        1024 * 1024 * 1024
    }

    const fn default_seconds() -> u64 {
        90 * 86_400
    }

    const fn default_segment_bytes() -> u64 {
        4 * 1024 * 1024
    }

    const fn default_sync_after() -> Duration {
        Duration::from_millis(500)
    }
}

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A file or the directory cannot be used: free the disk, or give this user the right.
    #[error("{action} the journal at {path}: {source}")]
    File {
        /// What was tried: `open`, `read`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
