//! Writing the journal: one `write` for every batch.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::recent::Recent;
use super::record::{self, Hash, Header};
use super::sync::Syncer;
use super::taken::Taken;
use super::{JournalConfig, segment};
use crate::json;

/// Mode of a segment: the owner writes, the group may read. There are credentials in it.
const MODE: u32 = 0o640;

/// Bytes that wait in memory while the disk takes none; past it events are dropped and counted.
pub(crate) const WAITING_LIMIT: usize = 4 * 1024 * 1024;

/// Bytes after which a batch is written, however many more reports wait. A line more fits behind it.
pub(crate) const BATCH_BYTES: usize = 512 * 1024;

/// What a buffer keeps when it is empty: a burst must not hold its memory for ever.
const KEPT: usize = 1024 * 1024;

/// After which a segment ends even if it is small, so that a quiet journal can lose its old ones too:
/// microseconds.
const SEGMENT_AGE: i64 = 86_400_000_000;

/// How far the journal is written: what the deliveries wait for.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: Mutex<ProgressState>,
    changed: Condvar,
    /// The newest events.
    pub(crate) recent: Recent,
}

#[derive(Debug, Default)]
struct ProgressState {
    last: u64,
    /// How often the operator asked to open files anew.
    reopens: u64,
    ended: bool,
}

impl Progress {
    /// With everything up to that number written.
    pub(super) fn starting_at(last: u64) -> Progress {
        Progress {
            state: Mutex::new(ProgressState { last, reopens: 0, ended: false }),
            changed: Condvar::new(),
            recent: Recent::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, ProgressState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the last event that is written.
    pub(crate) fn last(&self) -> u64 {
        self.state().last
    }

    fn advance(&self, last: u64) {
        self.state().last = last;
        self.changed.notify_all();
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// Whether nothing more comes.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// How often the operator asked to open files anew.
    pub(crate) fn reopens(&self) -> u64 {
        self.state().reopens
    }

    /// The operator asks to open files anew.
    pub(crate) fn reopen(&self) {
        self.state().reopens += 1;
        self.changed.notify_all();
    }

    /// Waits until event `next` is written, at the longest so long, or for ever; or until the end, or until
    /// the operator asks more often than `reopens` times.
    pub(crate) fn wait_for(&self, next: u64, reopens: u64, limit: Option<Duration>) {
        let waits = |state: &mut ProgressState| state.last < next && state.reopens == reopens && !state.ended;
        match limit {
            Some(limit) => drop(self.changed.wait_timeout_while(self.state(), limit, waits)),
            None => drop(self.changed.wait_while(self.state(), waits)),
        }
    }

    /// Waits so long, or until the end.
    pub(crate) fn pause(&self, limit: Duration) {
        drop(self.changed.wait_timeout_while(self.state(), limit, |state| !state.ended));
    }
}

/// A segment that is there.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) first_seq: u64,
    pub(super) bytes: u64,
}

/// The journal of one collector.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(super) config: JournalConfig,
    pub(super) fleet: String,
    /// The segment that is written; none before the first event and after one that is broken.
    pub(super) file: Option<Arc<File>>,
    /// All of them, the written one last.
    pub(super) segments: VecDeque<Segment>,
    /// When the written one was begun: microseconds since 1970-01-01 UTC.
    pub(super) begun: i64,
    /// The hash of the last line, written or not.
    pub(super) chain: Hash,
    pub(super) next_seq: u64,
    /// Lines that are yet to be written, but for the first `written` bytes.
    pub(super) waiting: Vec<u8>,
    pub(super) written: usize,
    /// Lost while nothing could be written.
    pub(super) dropped: u64,
    pub(super) failing: bool,
    /// Up to where every datagram has been taken from its socket.
    pub(super) taken: Taken,
    pub(super) syncer: Syncer,
    pub(super) progress: Arc<Progress>,
}

impl Journal {
    /// The number of the next event.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The number of the last event, written or waiting.
    pub(crate) fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// How far it is written.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Whether as much waits as one write takes, and can be written as far as is known.
    pub(crate) fn has_a_batch(&self) -> bool {
        !self.failing && self.waiting.len() - self.written >= BATCH_BYTES
    }

    /// Whether something waits.
    pub(crate) fn is_waiting(&self) -> bool {
        self.written < self.waiting.len()
    }

    /// Bytes that wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.len() - self.written
    }

    /// Whether the last write failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing
    }

    /// Events lost for want of memory, and not yet told.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Events lost for want of memory since the last call; 0 while nothing can be written.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        if self.failing { 0 } else { std::mem::take(&mut self.dropped) }
    }

    /// A source is back, and an earlier collector had looked at so many bytes in its socket: how many of them
    /// are not in the journal. The others, which are the oldest, are to be thrown away.
    pub(crate) fn begin_discard(&mut self, decky: &str, service: &str, seen: u64) -> u64 {
        let last = self.last_seq();
        self.taken.begin(last, &(decky.to_owned(), service.to_owned()), seen)
    }

    /// They are, or the socket is another one.
    pub(crate) fn end_discard(&mut self, decky: &str, service: &str) {
        let last = self.last_seq();
        self.taken.end(last, &(decky.to_owned(), service.to_owned()));
    }

    /// Before a batch: begins a segment where one is needed, and lets the oldest go.
    fn prepare(&mut self, now: i64) {
        if self.is_waiting() {
            return;
        }
        let (full, empty) = match self.segments.back() {
            Some(segment) => (segment.bytes >= self.config.segment_bytes, segment.first_seq == self.next_seq),
            None => (true, false),
        };
        let old = now.saturating_sub(self.begun) > SEGMENT_AGE;
        let gone = match &self.file {
            // Somebody has removed the file: what would be written there is lost with it.
            Some(file) => file.metadata().is_ok_and(|meta| meta.nlink() == 0),
            None => true,
        };
        if gone || ((full || old) && !empty) {
            self.begin(now);
            self.forget(now);
        }
    }

    /// Begins a segment: its header waits, and its file is made when that is written.
    fn begin(&mut self, now: i64) {
        if let Some(before) = self.file.take() {
            self.syncer.wrote(&before);
        }
        let header = Header {
            journal: Header::VERSION,
            fleet: self.fleet.clone(),
            first_seq: self.next_seq,
            previous: self.chain,
        };
        let hash =
            record::append(&mut self.waiting, &self.chain, |out| json::encode_into(&header, out).is_ok());
        debug_assert!(hash.is_some(), "a header is JSON");
        self.chain = hash.unwrap_or(self.chain);
        self.segments.retain(|segment| segment.first_seq != self.next_seq);
        self.segments.push_back(Segment { first_seq: self.next_seq, bytes: 0 });
        self.begun = now;
    }

    /// Makes the file of the last segment.
    fn create(&self) -> io::Result<Arc<File>> {
        let Some(segment) = self.segments.back() else { return Err(io::ErrorKind::NotFound.into()) };
        fs::create_dir_all(&self.config.directory)?;
        let path = segment::path(&self.config.directory, segment.first_seq);
        // Appending: nothing that is there is ever overwritten, whatever else writes there.
        let file = OpenOptions::new().append(true).create_new(true).mode(MODE).open(&path)?;
        // Past the umask, which may deny the group what the mode gives it.
        file.set_permissions(Permissions::from_mode(MODE))?;
        // The directory too must be on the disk, or the file has no name after a crash.
        if let Ok(directory) = File::open(&self.config.directory) {
            self.syncer.wrote(&Arc::new(directory));
        }
        Ok(Arc::new(file))
    }

    /// Removes the oldest segments while the journal is larger or older than it may be. Deliveries that
    /// still wanted them count what they miss.
    fn forget(&mut self, now: i64) {
        let mut bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        // The one to come is counted as if it were full, or the bound would be passed by its size.
        bytes = bytes.saturating_add(self.config.segment_bytes);
        // The segment before the one that is begun stays until that holds an event: from it the numbers and the
        // chain go on after a crash.
        while self.segments.len() > 2 {
            let Some(oldest) = self.segments.front() else { return };
            let path = segment::path(&self.config.directory, oldest.first_seq);
            let changed = fs::metadata(&path).map_or(0, |meta| meta.mtime());
            let age = (now / 1_000_000).saturating_sub(changed);
            let too_old = u64::try_from(age).is_ok_and(|age| age > self.config.seconds);
            if bytes <= self.config.bytes && !too_old {
                return;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return,
                _ => {}
            }
            bytes -= oldest.bytes;
            self.segments.pop_front();
        }
    }

    /// Takes one event, made of a datagram of so many bytes: `encode` appends its JSON, given its number. False
    /// if it was dropped: nothing can be written, and as much waits as may.
    pub(crate) fn append(
        &mut self,
        time: i64,
        bytes: u64,
        encode: impl FnOnce(u64, &mut Vec<u8>) -> bool,
    ) -> bool {
        self.prepare(time);
        if self.failing && self.waiting_bytes() >= WAITING_LIMIT {
            self.dropped += 1;
            return false;
        }
        let seq = self.next_seq;
        let hash = record::append(&mut self.waiting, &self.chain, |out| {
            // Into a vector nothing fails.
            let _ = write!(out, "{seq} {time} {bytes} ");
            encode(seq, out)
        });
        match hash {
            Some(hash) => {
                self.chain = hash;
                self.next_seq += 1;
                true
            }
            None => {
                self.dropped += 1;
                false
            }
        }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The disk is full or broken. What waits is kept: call again within a second or so.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if !self.is_waiting() {
            return Ok(());
        }
        let result = self.write_out();
        self.failing = result.is_err();
        result
    }

    fn write_out(&mut self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.create()?,
        };
        self.file = Some(file.clone());
        while self.written < self.waiting.len() {
            match (&*file).write(&self.waiting[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count;
                    if let Some(segment) = self.segments.back_mut() {
                        segment.bytes += count as u64;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.syncer.wrote(&file);
        self.waiting.clear();
        self.waiting.shrink_to(KEPT);
        self.written = 0;
        self.progress.advance(self.next_seq - 1);
        Ok(())
    }

    /// Says that the datagrams of every event so far have been taken from their sockets.
    pub(crate) fn mark_taken(&mut self) {
        self.taken.mark(self.last_seq());
    }
}
