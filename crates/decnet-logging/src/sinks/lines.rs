//! A file of lines that others may rotate, fill up or take away.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::DeliveryError;
use crate::event::Event;
use crate::reader::last_seq;

/// Mode of a new file: the owner writes, the group may read. There are credentials in it.
const MODE: u32 = 0o640;

/// Appends lines. The file is reopened when its path leads to another file (rotation by rename) or to none;
/// truncation in place (copytruncate) needs nothing, since every write appends.
pub(super) struct LineFile {
    path: PathBuf,
    file: Option<File>,
    /// Device and inode of `file`.
    id: (u64, u64),
    /// The file ends in the middle of a line: it must not swallow the next one.
    torn: bool,
    lines: Vec<u8>,
    settled: Option<u64>,
}

impl LineFile {
    /// Opens or makes the file. What is in it has arrived.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = LineFile {
            path: path.to_owned(),
            file: None,
            id: (0, 0),
            torn: false,
            lines: Vec::new(),
            settled: None,
        };
        file.reopen()?;
        // A device or a pipe has no last line to look for.
        if path.metadata()?.is_file() {
            file.settled = last_seq(path)?;
        }
        Ok(file)
    }

    pub(super) fn settled(&self) -> Option<u64> {
        self.settled
    }

    /// Lets go of the file; the path leads to the next one.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Writes all of them, a line each.
    pub(super) fn deliver(
        &mut self,
        events: &[Event],
        encode: impl Fn(&Event, &mut Vec<u8>),
    ) -> Result<usize, DeliveryError> {
        self.write(events, encode)
            .map_err(|source| DeliveryError { place: self.path.display().to_string(), source })
    }

    fn write(&mut self, events: &[Event], encode: impl Fn(&Event, &mut Vec<u8>)) -> io::Result<usize> {
        if !self.is_current() {
            self.reopen()?;
        }
        self.lines.clear();
        if self.torn {
            self.lines.push(b'\n');
        }
        for event in events {
            encode(event, &mut self.lines);
            self.lines.push(b'\n');
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let mut written = 0;
        while written < self.lines.len() {
            match file.write(&self.lines[written..]) {
                Ok(count @ 1..) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => {
                    // The lines that are whole have arrived.
                    let part = &self.lines[usize::from(self.torn).min(written)..written];
                    let whole = part.iter().filter(|b| **b == b'\n').count();
                    self.settled = whole.checked_sub(1).map_or(self.settled, |last| Some(events[last].seq));
                    self.torn = self.lines[..written].last().map_or(self.torn, |last| *last != b'\n');
                    return Err(other.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into()));
                }
            }
        }
        self.torn = false;
        self.settled = events.last().map_or(self.settled, |event| Some(event.seq));
        Ok(events.len())
    }

    /// Whether the path still leads to the open file.
    fn is_current(&self) -> bool {
        self.file.is_some()
            && std::fs::metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.id)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(MODE);
        let file = match options.clone().create_new(true).open(&self.path) {
            Ok(file) => {
                // Past the umask, which may deny the group what the mode gives it.
                file.set_permissions(Permissions::from_mode(MODE))?;
                file
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(&self.path)?,
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        self.torn = false;
        if meta.is_file() && meta.len() > 0 {
            let mut last = [0];
            file.read_exact_at(&mut last, meta.len() - 1)?;
            self.torn = last != *b"\n";
        }
        self.id = (meta.dev(), meta.ino());
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::event::{Body, Report, SCHEMA, Severity, Speaker};
    use crate::sinks::{Delivery, JsonFile};

    fn event(seq: u64) -> Event {
        let name = || "x".to_owned();
        Event {
            schema: SCHEMA,
            ts: 0,
            seq,
            speaker: Speaker { fleet: name(), decky: name(), hostname: name(), service: name() },
            severity: Severity::Info,
            report: Report::without_conversation(Body::ConnectionOpened),
        }
    }

    fn give(file: &mut JsonFile, seq: u64) -> Result<usize, DeliveryError> {
        file.deliver(&[event(seq)], Duration::ZERO)
    }

    fn numbers(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().filter_map(|line| Some(serde_json::from_str::<Event>(line).ok()?.seq)).collect()
    }

    #[test]
    fn a_new_file_is_for_owner_and_group() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        let _file = JsonFile::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    }

    #[test]
    fn rotated_torn_and_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("events"), directory.path().join("events.1"));
        fs::write(&path, "torn").unwrap();
        let mut file = JsonFile::open(&path).unwrap();
        assert_eq!(file.settled(), None);
        assert_eq!(give(&mut file, 1).unwrap(), 1);
        assert!(fs::read_to_string(&path).unwrap().starts_with("torn\n{"));
        fs::rename(&path, &old).unwrap();
        give(&mut file, 2).unwrap();
        assert_eq!((numbers(&old), numbers(&path)), (vec![1], vec![2]));
        assert_eq!(JsonFile::open(&path).unwrap().settled(), Some(2));
    }

    #[test]
    fn a_full_disk_settles_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        // Every write to this device fails as on a full disk.
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut file = JsonFile::open(&path).unwrap();
        assert!(give(&mut file, 1).unwrap_err().to_string().contains("No space left"));
        assert_eq!(file.settled(), None);
        fs::remove_file(&path).unwrap();
        give(&mut file, 1).unwrap();
        assert_eq!((numbers(&path), file.settled()), (vec![1], Some(1)));
    }
}
