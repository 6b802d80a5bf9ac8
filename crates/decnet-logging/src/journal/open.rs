//! Opening a journal again, whatever its last collector left.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::record::{Hash, Record};
use super::sync::Syncer;
use super::taken::{Left, Taken};
use super::walk::{Damage, End, walk};
use super::writer::{Journal, Progress, Segment};
use super::{JournalConfig, JournalError, segment};
use crate::event::Speaker;

/// What was found that should not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Repair {
    /// The last write was not finished: a crash. The rest of it was cut off.
    #[error("the journal's last write was not finished: {bytes} bytes were cut off {segment} at {offset}")]
    Cut {
        /// The file.
        segment: PathBuf,
        /// Where it ends now.
        offset: u64,
        /// How much was cut off.
        bytes: u64,
    },
    /// A segment is not what was written. It stays as it is, and a new one goes on behind it.
    #[error("the journal is damaged in {segment} at {offset}, event {seq}: {damage}; it is left as it is")]
    Damaged {
        /// The file.
        segment: PathBuf,
        /// The first bad line.
        offset: u64,
        /// The number that belongs there.
        seq: u64,
        /// What is wrong.
        damage: Damage,
    },
}

/// Where the last segment ended.
struct Last {
    next_seq: u64,
    chain: Hash,
    /// Its file, if it can be gone on with.
    file: Option<File>,
    begun: i64,
}

impl Journal {
    /// Opens the journal of a fleet, or begins one. The chain of its last segment is checked.
    ///
    /// # Errors
    /// The directory cannot be made, read or written.
    pub(crate) fn open(
        config: &JournalConfig,
        fleet: &str,
        now: i64,
    ) -> Result<(Journal, Vec<Repair>), JournalError> {
        let directory = &config.directory;
        let failed = |source| JournalError::File { action: "open", path: directory.clone(), source };
        DirBuilder::new().recursive(true).mode(0o750).create(directory).map_err(failed)?;
        let marked = segment::taken(directory);
        let (before, left) = Taken::read(&marked);
        let mut repairs = Vec::new();
        let mut in_flight: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut names = segment::list(directory).map_err(failed)?;
        let mut last = None;
        while let Some(first_seq) = names.last().copied() {
            // Without a mark nothing is known to be left in the sockets.
            let note = |record: Option<&Record<'_>>, _: &Hash| {
                let behind =
                    |record: &&Record<'_>| record.bytes > 0 && before.is_some_and(|taken| record.seq > taken);
                let Some(record) = record.filter(behind) else { return };
                if let Ok(speaker) = serde_json::from_slice::<Speaker>(record.json) {
                    *in_flight.entry((speaker.decky, speaker.service)).or_default() += record.bytes;
                }
            };
            let path = segment::path(directory, first_seq);
            last = end_of(path, fleet, first_seq, now, note, &mut repairs).map_err(failed)?;
            if last.is_some() {
                break;
            }
            names.pop();
        }
        let last = last.unwrap_or(Last { next_seq: 1, chain: Hash::ZERO, file: None, begun: now });
        // A source that an even earlier collector left something of has said nothing to the one before.
        let in_flight = in_flight.into_iter().map(|(name, bytes)| (name, Left::Journaled(bytes)));
        let left = left.into_iter().chain(in_flight).collect();
        let taken = Taken::create(marked.clone(), last.next_seq - 1, left)
            .map_err(|source| JournalError::File { action: "open", path: marked, source })?;
        let segments: VecDeque<Segment> = names
            .into_iter()
            .map(|first_seq| {
                let meta = fs::metadata(segment::path(directory, first_seq));
                Segment { first_seq, bytes: meta.map_or(0, |meta| meta.len()) }
            })
            .collect();
        let progress = Arc::new(Progress::starting_at(last.next_seq - 1));
        let journal = Journal {
            config: config.clone(),
            fleet: fleet.to_owned(),
            file: last.file.map(Arc::new),
            segments,
            begun: last.begun,
            chain: last.chain,
            next_seq: last.next_seq,
            waiting: Vec::new(),
            written: 0,
            dropped: 0,
            failing: false,
            taken,
            syncer: Syncer::start(config.sync_after).map_err(failed)?,
            progress,
        };
        Ok((journal, repairs))
    }
}

/// Checks the last segment and mends it. None if it was begun and nothing came of it: it is removed, and the
/// one before it is the last.
fn end_of(
    path: PathBuf,
    fleet: &str,
    first_seq: u64,
    now: i64,
    note: impl FnMut(Option<&Record<'_>>, &Hash),
    repairs: &mut Vec<Repair>,
) -> io::Result<Option<Last>> {
    let found = walk(&path, first_seq, None, note)?;
    let begun = found.first.map_or(now, |(_, time)| time);
    // Another fleet's events begin a segment that says so.
    let same = found.header.as_ref().is_some_and(|header| header.fleet == fleet);
    match found.end {
        End::Whole | End::Torn(_) if found.records == 0 && !same => {
            if let End::Torn(bytes) = found.end {
                repairs.push(Repair::Cut { segment: path.clone(), offset: 0, bytes });
            }
            fs::remove_file(&path)?;
            Ok(None)
        }
        End::Whole | End::Torn(_) => {
            let file = OpenOptions::new().append(true).open(&path)?;
            if let End::Torn(bytes) = found.end {
                file.set_len(found.good)?;
                repairs.push(Repair::Cut { segment: path, offset: found.good, bytes });
            }
            let next_seq = found.next_seq();
            Ok(Some(Last { next_seq, chain: found.chain, file: same.then_some(file), begun }))
        }
        End::Broken { seq, damage, last } => {
            repairs.push(Repair::Damaged { segment: path, offset: found.good, seq, damage });
            let (chain, last_seq) = last.unwrap_or((found.chain, seq.saturating_sub(1)));
            // No number is ever given twice, nor one that stands before this segment.
            let next_seq = last_seq.max(seq.saturating_sub(1)).max(first_seq).saturating_add(1);
            Ok(Some(Last { next_seq, chain, file: None, begun }))
        }
    }
}
