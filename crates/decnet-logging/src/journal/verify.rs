//! Whether a journal is what was written: `decnet events verify`.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cursor::Cursor;
use super::record::Hash;
use super::segment;
use super::walk::{Damage, End, Link, walk};

/// Walks while another process removes segments.
const ATTEMPTS: usize = 8;

/// What a whole journal holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many segments.
    pub segments: u64,
    /// How many events.
    pub records: u64,
    /// The fleet of the last segment.
    pub fleet: String,
    /// Number and time (microseconds since 1970-01-01 UTC) of the first event.
    pub first: Option<(u64, i64)>,
    /// Of the last one.
    pub last: Option<(u64, i64)>,
    /// The hash of the last line. Kept elsewhere, it tells later whether anything up to here was changed.
    pub last_hash: Hash,
    /// The hash that was asked for is that of a line.
    pub contains: Option<bool>,
    /// Bytes of a line without end at the very end: it is being written now, or a crash has torn it. A cut by
    /// hand in the middle of the last line looks the same.
    pub torn: u64,
    /// Events that a delivery has had and that are not there: the end was cut off at a line feed, or the
    /// machine died before the end was on its disk. Number of the last such event.
    pub had: Option<u64>,
}

/// The first place where a journal is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{} is broken at byte {offset}, event {seq}: {damage}", segment.display())]
pub struct Break {
    /// The file.
    pub segment: PathBuf,
    /// Where the first bad line begins.
    pub offset: u64,
    /// The number of the event that belongs there.
    pub seq: u64,
    /// What is wrong.
    #[serde(flatten)]
    pub damage: Damage,
}

/// Why a journal is not verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is not what was written.
    #[error(transparent)]
    Broken(#[from] Break),
    /// It cannot be read.
    #[error("read the journal at {path}: {source}")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Walks the whole chain. `wanted` is a hash from an earlier time: whether it is among those of the journal is
/// told too. A segment that is removed meanwhile, as the oldest ones are, makes it begin again.
///
/// # Errors
/// The first place that is not what was written, or what could not be read.
pub fn verify(directory: &Path, wanted: Option<Hash>) -> Result<Verified, VerifyError> {
    let mut attempts = 0;
    loop {
        match verify_once(directory, wanted) {
            Err(VerifyError::File { source, .. })
                if source.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS && directory.is_dir() =>
            {
                attempts += 1;
            }
            other => return other,
        }
    }
}

fn verify_once(directory: &Path, wanted: Option<Hash>) -> Result<Verified, VerifyError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| VerifyError::File { path, source }
    };
    // The cursors first: what is had by now is written by now.
    let had = Cursor::all(directory).into_iter().map(|(_, seq)| seq).max();
    let segments = segment::list(directory).map_err(failed(directory))?;
    let mut verified = Verified {
        segments: 0,
        records: 0,
        fleet: String::new(),
        first: None,
        last: None,
        last_hash: Hash::ZERO,
        contains: None,
        torn: 0,
        had: None,
    };
    let mut link = None;
    let mut found = false;
    for (index, first_seq) in segments.iter().enumerate() {
        let path = segment::path(directory, *first_seq);
        let walked =
            walk(&path, *first_seq, link, |_, hash| found |= wanted == Some(*hash)).map_err(failed(&path))?;
        let is_last = index + 1 == segments.len();
        let damage = match walked.end {
            End::Broken { seq, damage, .. } => Some((seq, damage)),
            End::Torn(_) if !is_last => Some((walked.next_seq().max(*first_seq), Damage::Torn)),
            // Only the last one may be without any line yet.
            End::Whole if walked.header.is_none() && !is_last => Some((*first_seq, Damage::Torn)),
            End::Torn(bytes) => {
                verified.torn = bytes;
                None
            }
            End::Whole => None,
        };
        if let Some((seq, damage)) = damage {
            return Err(Break { segment: path, offset: walked.good, seq, damage }.into());
        }
        verified.segments += 1;
        verified.records += walked.records;
        verified.first = verified.first.or(walked.first);
        verified.last = walked.last.or(verified.last);
        if let Some(header) = &walked.header {
            link = Some(Link { chain: walked.chain, next_seq: walked.next_seq() });
            verified.last_hash = walked.chain;
            verified.fleet.clone_from(&header.fleet);
        }
    }
    verified.contains = wanted.map(|_| found);
    let next_seq = link.map_or(1, |link: Link| link.next_seq);
    verified.had = had.filter(|had| *had >= next_seq);
    Ok(verified)
}
