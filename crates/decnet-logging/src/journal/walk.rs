//! Through one segment, line by line, with every hash computed anew.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

use super::LINE_LIMIT;
use super::record::{Hash, Header, Record, split};

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "damage")]
#[non_exhaustive]
pub enum Damage {
    /// The line is none of a journal: cut, overwritten or put there.
    #[error("the line is no record of a journal")]
    Unreadable,
    /// The line or the one before it was changed, or one between them was taken out.
    #[error("the hash does not fit: this line or the one before it was changed, or one between was removed")]
    Hash,
    /// The numbers do not go on.
    #[error("event {found} stands where {expected} belongs")]
    Order {
        /// The number that belongs here.
        expected: u64,
        /// The number that is here.
        found: u64,
    },
    /// The file's name says another first number than its header.
    #[error("the header is that of the segment that begins with event {found}: the file was renamed")]
    Renamed {
        /// The number in the header.
        found: u64,
    },
    /// The segment before this one is missing, or is not the one that this one was begun after.
    #[error("events {expected} to {} are missing: a segment was removed", found.saturating_sub(1))]
    Missing {
        /// The number that belongs here.
        expected: u64,
        /// The number that is here.
        found: u64,
    },
    /// The header goes on from another hash than the segment before ends with.
    #[error("the segment does not go on from the end of the one before it: one of them was replaced or cut")]
    Replaced,
    /// A segment that others follow ends in the middle of a line.
    #[error("the segment ends in the middle of a line, and is not the last")]
    Torn,
}

/// Where a segment's first line must go on from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) chain: Hash,
    pub(super) next_seq: u64,
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With the last line feed.
    Whole,
    /// In something that is no line, and nothing follows that is one: so many bytes.
    Torn(u64),
    /// At a line that is not what was written. The walk went on to see what else there is: the last line that
    /// looks like one, from which a new segment can go on.
    Broken { seq: u64, damage: Damage, last: Option<(Hash, u64)> },
}

/// What a segment holds, up to the first line that is not what was written.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) header: Option<Header>,
    /// The hash of the last good line.
    pub(super) chain: Hash,
    pub(super) records: u64,
    /// Number and time of the first and the last event.
    pub(super) first: Option<(u64, i64)>,
    pub(super) last: Option<(u64, i64)>,
    /// Bytes of good lines.
    pub(super) good: u64,
    pub(super) end: End,
}

impl Walk {
    /// The number that belongs after the last good line.
    pub(super) fn next_seq(&self) -> u64 {
        match (&self.last, &self.header) {
            (Some((seq, _)), _) => seq.saturating_add(1),
            (None, Some(header)) => header.first_seq,
            (None, None) => 0,
        }
    }
}

/// Walks through a segment whose name says that it begins with `first_seq`.
pub(super) fn walk(
    path: &Path,
    first_seq: u64,
    link: Option<Link>,
    mut each: impl FnMut(Option<&Record<'_>>, &Hash),
) -> io::Result<Walk> {
    let mut lines = Lines::open(path)?;
    let mut walk = Walk {
        header: None,
        chain: link.map_or(Hash::ZERO, |link| link.chain),
        records: 0,
        first: None,
        last: None,
        good: 0,
        end: End::Whole,
    };
    while lines.advance()? {
        let checked = match &walk.header {
            None => header(&lines, first_seq, link).map(|(hash, header)| {
                each(None, &hash);
                walk.header = Some(header);
                hash
            }),
            Some(_) => record(&lines, &walk).map(|(hash, record)| {
                each(Some(&record), &hash);
                walk.records += 1;
                walk.last = Some((record.seq, record.time));
                walk.first = walk.first.or(walk.last);
                hash
            }),
        };
        match checked {
            Ok(hash) => {
                walk.chain = hash;
                walk.good = lines.offset;
            }
            Err(damage) => {
                let seq = if walk.header.is_some() { walk.next_seq() } else { first_seq };
                walk.end = beyond(&mut lines, walk.good, seq, damage)?;
                break;
            }
        }
    }
    Ok(walk)
}

fn header(lines: &Lines, first_seq: u64, link: Option<Link>) -> Result<(Hash, Header), Damage> {
    let (hash, rest) = lines.split().ok_or(Damage::Unreadable)?;
    let header = Header::read(rest).ok_or(Damage::Unreadable)?;
    if header.first_seq != first_seq {
        return Err(Damage::Renamed { found: header.first_seq });
    }
    if Hash::of(&header.previous, rest) != hash {
        return Err(Damage::Hash);
    }
    match link {
        Some(link) if link.next_seq != first_seq => {
            Err(Damage::Missing { expected: link.next_seq, found: first_seq })
        }
        Some(link) if link.chain != header.previous => Err(Damage::Replaced),
        _ => Ok((hash, header)),
    }
}

fn record<'a>(lines: &'a Lines, walk: &Walk) -> Result<(Hash, Record<'a>), Damage> {
    let (hash, rest) = lines.split().ok_or(Damage::Unreadable)?;
    let record = Record::read(rest).ok_or(Damage::Unreadable)?;
    if Hash::of(&walk.chain, rest) != hash {
        return Err(Damage::Hash);
    }
    let expected = walk.next_seq();
    if record.seq != expected {
        return Err(Damage::Order { expected, found: record.seq });
    }
    Ok((hash, record))
}

/// What comes from the bad line on. A crash leaves something that is no line, and nothing behind it.
fn beyond(lines: &mut Lines, good: u64, seq: u64, damage: Damage) -> io::Result<End> {
    let mut last = None;
    loop {
        if let Some((hash, record)) = lines.split().and_then(|(hash, rest)| Some((hash, Record::read(rest)?)))
            // What a dying machine did not write in time is read as zeros.
            && lines.line.iter().all(|b| *b >= b' ')
        {
            last = Some((hash, record.seq));
        }
        if !lines.advance()? {
            break;
        }
    }
    // A header that does not fit is a line all the same, even where no event follows.
    let torn = last.is_none() && damage == Damage::Unreadable;
    Ok(if torn { End::Torn(lines.offset - good) } else { End::Broken { seq, damage, last } })
}

/// The lines of a file; memory is bounded whatever it holds.
struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
    /// The line has its line feed and is not longer than any of ours.
    whole: bool,
    /// Bytes read.
    offset: u64,
}

impl Lines {
    fn open(path: &Path) -> io::Result<Lines> {
        let file = BufReader::with_capacity(256 * 1024, File::open(path)?);
        Ok(Lines { file, line: Vec::new(), whole: false, offset: 0 })
    }

    /// Reads the next line. False at the end of the file.
    fn advance(&mut self) -> io::Result<bool> {
        self.line.clear();
        let limit = LINE_LIMIT as u64;
        let count = io::Read::take(&mut self.file, limit).read_until(b'\n', &mut self.line)?;
        self.offset += count as u64;
        self.whole = self.line.last() == Some(&b'\n');
        if self.whole {
            self.line.pop();
        }
        Ok(count > 0)
    }

    fn split(&self) -> Option<(Hash, &[u8])> {
        split(&self.line).filter(|_| self.whole)
    }
}
