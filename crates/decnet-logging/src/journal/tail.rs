//! Reading the journal from some event on, also while it grows, is rotated and loses its oldest segments.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::record::{Header, Record, split};
use super::{LINE_LIMIT, segment};

/// Tries to open a segment that another process may be removing.
const ATTEMPTS: usize = 16;

/// A place in a journal.
#[derive(Debug)]
pub(crate) struct Tail {
    directory: PathBuf,
    /// The number of the event that is wanted next; a later one if it is not there any more.
    next: u64,
    open: Option<Open>,
    unreadable: u64,
}

#[derive(Debug)]
struct Open {
    first_seq: u64,
    file: BufReader<File>,
    line: Vec<u8>,
    /// Where the line begins.
    start: u64,
}

/// What the end of a segment is followed by.
enum Next {
    Nothing,
    Segment(u64),
    /// The journal was taken away and begun anew.
    Anew,
}

impl Tail {
    /// Before event `next`.
    pub(crate) fn new(directory: &Path, next: u64) -> Tail {
        Tail { directory: directory.to_owned(), next, open: None, unreadable: 0 }
    }

    /// The number that is wanted next.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next
    }

    /// Lines that were neither header nor event.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Goes to another event.
    pub(crate) fn seek(&mut self, next: u64) {
        if next != self.next {
            self.next = next;
            self.open = None;
        }
    }

    /// Goes on to the next event. False if there is none at present.
    ///
    /// # Errors
    /// The directory or a segment cannot be read.
    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        let mut attempts = 0;
        loop {
            let Some(open) = &mut self.open else {
                match self.choose() {
                    Ok(true) => continue,
                    Ok(false) => return Ok(false),
                    Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS => {
                        attempts += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            };
            if open.read_line()? {
                match split(&open.line).map(|(_, rest)| (Record::read(rest), rest)) {
                    Some((Some(record), _)) if record.seq >= self.next => {
                        self.next = record.seq.saturating_add(1);
                        return Ok(true);
                    }
                    Some((Some(_), _)) => {}
                    Some((None, rest)) if Header::read(rest).is_some() => {}
                    _ => self.unreadable += 1,
                }
                continue;
            }
            match open.followed_by(&self.directory)? {
                Next::Nothing => return Ok(false),
                Next::Segment(first_seq) => {
                    // Between the two looks this segment may have got its last lines.
                    if open.has_more()? {
                        continue;
                    }
                    self.unreadable += u64::from(open.is_torn()?);
                    match Open::new(&self.directory, first_seq) {
                        Ok(open) => self.open = Some(open),
                        // Removed meanwhile: the oldest that is there goes on.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => self.open = None,
                        Err(error) => return Err(error),
                    }
                }
                Next::Anew => {
                    self.open = None;
                    self.next = 0;
                }
            }
        }
    }

    /// The event that [`Tail::advance`] came to.
    pub(crate) fn record(&self) -> Option<Record<'_>> {
        self.open.as_ref().and_then(|open| Record::read(split(&open.line)?.1))
    }

    /// Opens the segment that holds what is wanted, or the first one behind it. False if there is none.
    fn choose(&mut self) -> io::Result<bool> {
        let segments = match segment::list(&self.directory) {
            Ok(segments) => segments,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let holding = segments.iter().rev().find(|first_seq| **first_seq <= self.next);
        let Some(first_seq) = holding.or(segments.first()) else { return Ok(false) };
        self.open = Some(Open::new(&self.directory, *first_seq)?);
        Ok(true)
    }
}

impl Open {
    fn new(directory: &Path, first_seq: u64) -> io::Result<Open> {
        let file = File::open(segment::path(directory, first_seq))?;
        let file = BufReader::with_capacity(64 * 1024, file);
        Ok(Open { first_seq, file, line: Vec::new(), start: 0 })
    }

    /// Reads a line, without its line feed. False if there is no whole one: what there is of it is read anew
    /// the next time, since it may be cut off and written over.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let count = (&mut self.file).take(LINE_LIMIT as u64).read_until(b'\n', &mut self.line)?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if count < LINE_LIMIT {
            self.line.clear();
            if count > 0 {
                self.file.seek(SeekFrom::Start(self.start))?;
            }
            return Ok(false);
        }
        self.start += count as u64;
        Ok(true)
    }

    fn followed_by(&self, directory: &Path) -> io::Result<Next> {
        let segments = match segment::list(directory) {
            Ok(segments) => segments,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Next::Nothing),
            Err(error) => return Err(error),
        };
        if let Some(later) = segments.iter().find(|first_seq| **first_seq > self.first_seq) {
            return Ok(Next::Segment(*later));
        }
        let removed = self.file.get_ref().metadata()?.nlink() == 0;
        Ok(if removed && !segments.is_empty() { Next::Anew } else { Next::Nothing })
    }

    /// Whether a whole line is there by now.
    fn has_more(&mut self) -> io::Result<bool> {
        if !self.read_line()? {
            return Ok(false);
        }
        self.start -= self.line.len() as u64 + 1;
        self.file.seek(SeekFrom::Start(self.start))?;
        Ok(true)
    }

    /// Whether the segment ends in the middle of a line.
    fn is_torn(&self) -> io::Result<bool> {
        Ok(self.file.get_ref().metadata()?.len() > self.start)
    }
}
