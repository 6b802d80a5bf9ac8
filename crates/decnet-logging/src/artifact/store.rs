//! The collector's side: hashes what comes, and keeps it once.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::frame::{self, Frame};
use super::index::{Index, each, path_of};
use super::open::{Budgets, Open, Temporary};
use super::{Digest, FILE_LIMIT};
use crate::event::{Body, Report};
use crate::sinks::{Notice, OperatorLog};

/// Where artifacts lie while they come, inside the store: a rename puts a whole one in its place.
const UNDER_WAY: &str = ".under-way";

/// The mark of an event whose artifact is not there.
const NOT_STORED: &str = "artifact_not_stored";

/// Nobody is that slow: an artifact without new bytes for so long (microseconds) is thrown away as soon as
/// anything else happens.
const IDLE: i64 = 3600 * 1_000_000;

/// How much a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Artifacts. Beyond, those go that were given the last time the longest ago.
    pub files: usize,
    /// Bytes of all artifacts; likewise.
    pub bytes: u64,
    /// Bytes of all artifacts under way. Beyond, the one that grows is not kept.
    pub under_way: u64,
    /// Bytes of one source address in a day, UTC (service book, rule 21). Beyond, it is only hashed.
    pub source_day: u64,
    /// Bytes of one service of a decky in a day: also of one that somebody has taken over and that makes up
    /// its sources.
    pub socket_day: u64,
    /// Artifacts under way of one service of a decky. Beyond, the one that is silent the longest goes.
    pub open_of_socket: usize,
    /// Artifacts under way. Likewise.
    pub open: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        StoreLimits {
            files: 100_000,
            bytes: 8192 * MIB,
            under_way: 1024 * MIB,
            source_day: 256 * MIB,
            socket_day: 1024 * MIB,
            open_of_socket: 32,
            open: 256,
        }
    }
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
#[error("open the artifact store {path}: {source}; give this user the right, or free the disk")]
pub struct StoreError {
    /// Its directory.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

/// Keeps artifacts in a directory.
pub struct ArtifactStore {
    directory: PathBuf,
    limits: StoreLimits,
    index: Index,
    open: BTreeMap<(usize, u64), Open>,
    /// Bytes in files under way.
    under_way: u64,
    budgets: Budgets,
    /// For the names of files under way.
    serial: u64,
    /// The directory could not be written the last time.
    failing: bool,
    log: OperatorLog,
}

impl ArtifactStore {
    /// Opens a store, and removes what an earlier collector left unfinished.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(directory: &Path, limits: StoreLimits, log: OperatorLog) -> Result<Self, StoreError> {
        let open = || {
            for left in fs::read_dir(directory.join(UNDER_WAY)).into_iter().flatten() {
                fs::remove_file(left?.path())?;
            }
            match Index::read(directory) {
                // Made with the first artifact: a fleet that was given nothing leaves nothing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index::default()),
                other => other,
            }
        };
        let index = open().map_err(|source| StoreError { path: directory.to_owned(), source })?;
        let mut store = ArtifactStore {
            directory: directory.to_owned(),
            limits,
            index,
            open: BTreeMap::new(),
            under_way: 0,
            budgets: Budgets::default(),
            serial: 0,
            failing: false,
            log,
        };
        store.make_room(0);
        Ok(store)
    }

    /// Takes a datagram of a socket. False: it is no frame.
    pub fn take(&mut self, socket: usize, datagram: &[u8], now: i64) -> bool {
        let Some(frame) = frame::decode(datagram) else { return false };
        match frame {
            Frame::Begin { id, source } => self.begin((socket, id), source, now),
            Frame::Chunk { id, bytes } => self.grow((socket, id), bytes, now),
            Frame::End { id, size } => {
                if let Some(open) = self.remove((socket, id))
                    && open.size == size
                {
                    self.keep(open, now);
                }
            }
            Frame::Abort { id } => {
                self.remove((socket, id));
            }
        }
        true
    }

    /// A socket is gone; what was under way on it will not be finished.
    pub fn closed(&mut self, socket: usize) {
        let ids: Vec<_> = self.open.range((socket, 0)..=(socket, u64::MAX)).map(|(id, _)| *id).collect();
        for id in ids {
            self.remove(id);
        }
    }

    /// Sets what a report says of its artifact to what the store holds: a service does not know, and a
    /// service that somebody has taken over may say anything.
    pub fn settle(&self, report: &mut Report) {
        settle(report, |digest| self.index.contains(digest));
    }

    /// How many artifacts there are, and their bytes.
    pub fn held(&self) -> (usize, u64) {
        (self.index.len(), self.index.bytes())
    }

    fn begin(&mut self, id: (usize, u64), source: IpAddr, now: i64) {
        // A worker that was started again counts from the beginning: the old one's is not finished any more.
        self.remove(id);
        let forgotten = |open: &Open| now.saturating_sub(open.touched) > IDLE;
        let idle: Vec<_> = self.open.iter().filter(|(_, open)| forgotten(open)).map(|(id, _)| *id).collect();
        for id in idle {
            self.remove(id);
        }
        let of_socket = self.open.range((id.0, 0)..=(id.0, u64::MAX));
        if of_socket.clone().count() >= self.limits.open_of_socket {
            let silent = of_socket.min_by_key(|(_, open)| open.touched).map(|(id, _)| *id);
            silent.and_then(|id| self.remove(id));
        } else if self.open.len() >= self.limits.open {
            let silent = self.open.iter().min_by_key(|(_, open)| open.touched).map(|(id, _)| *id);
            silent.and_then(|id| self.remove(id));
        }
        let file = self.temporary().map_err(|error| self.failed(error)).ok();
        self.open.insert(id, Open { file, hash: Sha256::new(), size: 0, source, touched: now });
    }

    fn grow(&mut self, id: (usize, u64), bytes: &[u8], now: i64) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.touched = now;
        open.hash.update(bytes);
        open.size = open.size.saturating_add(bytes.len() as u64);
        let length = bytes.len() as u64;
        let Some(temporary) = &mut open.file else { return };
        let shares = (self.limits.source_day, self.limits.socket_day);
        let fits = open.size <= FILE_LIMIT
            && self.under_way + length <= self.limits.under_way
            && self.budgets.take(open.source, id.0, length, now, shares);
        let written = if fits { temporary.file.write_all(bytes) } else { Ok(()) };
        if fits && written.is_ok() {
            self.under_way += length;
            return;
        }
        self.under_way -= open.size - length;
        open.file = None;
        if let Err(error) = written {
            self.failed(error);
        }
    }

    /// Forgets one under way; its file goes with it unless it is kept.
    fn remove(&mut self, id: (usize, u64)) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if open.file.is_some() {
            self.under_way -= open.size;
        }
        Some(open)
    }

    /// Gives a whole artifact its place.
    fn keep(&mut self, open: Open, now: i64) {
        let digest = Digest(open.hash.finalize().into());
        let path = path_of(&self.directory, digest);
        let Some(mut temporary) = open.file else {
            // Only hashed. If it is here from another time, it was given again now.
            if let Some(size) = self.index.size_of(digest) {
                self.index.insert(digest, size, now);
                let _ = OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .and_then(|file| file.set_modified(time_of(now)));
            }
            return;
        };
        if !self.index.contains(digest) {
            self.make_room(open.size);
        }
        // Over one that is there already, too: it is the same, and this one is surely whole.
        let placed = path
            .parent()
            .map_or(Ok(()), make_directory)
            .and_then(|()| temporary.file.set_modified(time_of(now)))
            .and_then(|()| fs::rename(&temporary.path, &path));
        match placed {
            Ok(()) => {
                temporary.placed = true;
                self.index.insert(digest, open.size, now);
                if std::mem::take(&mut self.failing) {
                    (self.log)(&Notice::ArtifactsRecovered { path: self.directory.clone() });
                }
            }
            Err(error) => self.failed(error),
        }
    }

    /// Removes the oldest until one more of that size fits.
    fn make_room(&mut self, size: u64) {
        let one = usize::from(size > 0);
        while self.index.len() + one > self.limits.files || self.index.bytes() + size > self.limits.bytes {
            let Some(oldest) = self.index.oldest() else { return };
            self.index.remove(oldest);
            match fs::remove_file(path_of(&self.directory, oldest)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => self.failed(error),
                _ => {}
            }
        }
    }

    fn temporary(&mut self) -> io::Result<Temporary> {
        self.serial += 1;
        let path = self.directory.join(UNDER_WAY).join(self.serial.to_string());
        let options = OpenOptions::new().write(true).create_new(true).mode(0o640).clone();
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_directory(&self.directory.join(UNDER_WAY))?;
                options.open(&path)?
            }
            other => other?,
        };
        Ok(Temporary { file, path, placed: false })
    }

    fn failed(&mut self, source: io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            (self.log)(&Notice::ArtifactsFailed { path: self.directory.clone(), source });
        }
    }
}

/// Sets what a report says of its artifact to what is held.
pub(crate) fn settle(report: &mut Report, held: impl Fn(Digest) -> bool) {
    let is_held = |text: &str| Digest::parse(text).is_some_and(&held);
    let lost = match &mut report.body {
        Body::FileUpload { sha256, stored, artifact, .. } => {
            *stored = is_held(sha256);
            *artifact = stored.then(|| sha256.clone());
            false
        }
        Body::Message { artifact, .. } => {
            let lost = artifact.as_deref().is_some_and(|text| !is_held(text));
            if lost {
                *artifact = None;
            }
            lost
        }
        Body::SessionRecorded { artifact, .. } => !is_held(artifact),
        _ => false,
    };
    if lost {
        report.tags.push(NOT_STORED.to_owned());
    }
}

/// The artifacts of a store whose hash begins so, at most `limit` of them.
///
/// # Errors
/// The directory cannot be read.
pub fn find(directory: &Path, prefix: &str, limit: usize) -> io::Result<Vec<(Digest, PathBuf)>> {
    let mut found = Vec::new();
    if let Some(digest) = Digest::parse(prefix) {
        let path = path_of(directory, digest);
        if path.try_exists()? {
            found.push((digest, path));
        }
        return Ok(found);
    }
    match each(directory, |digest, path| {
        if found.len() < limit && digest.to_string().starts_with(prefix) {
            found.push((digest, path.to_owned()));
        }
    }) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            found.sort();
            Ok(found)
        }
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(path)
}

fn time_of(micros: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
