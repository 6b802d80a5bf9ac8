//! A file of lines that others may rotate, fill up or take away.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Notice, OperatorLog};

/// Mode of a new file: the owner writes, the group may read. There are credentials in it.
const MODE: u32 = 0o640;

/// Bytes of lines that wait while the file cannot be written.
pub(super) const WAITING_LIMIT: usize = 16 * 1024 * 1024;

/// Appends lines. The file is reopened when its path leads to another file (rotation by rename) or to none;
/// truncation in place (copytruncate) needs nothing, since every write appends.
pub(super) struct LineFile {
    path: PathBuf,
    file: Option<File>,
    /// Device and inode of `file`.
    id: (u64, u64),
    /// Whole lines; the first `written` bytes are in the file already.
    waiting: Vec<u8>,
    written: usize,
    dropped: u64,
    failing: bool,
    log: OperatorLog,
}

impl LineFile {
    /// Opens or makes the file.
    pub(super) fn open(path: &Path, log: OperatorLog) -> io::Result<Self> {
        let mut lines = LineFile {
            path: path.to_owned(),
            file: None,
            id: (0, 0),
            waiting: Vec::new(),
            written: 0,
            dropped: 0,
            failing: false,
            log,
        };
        lines.reopen()?;
        Ok(lines)
    }

    /// Takes a line without its line feed. `encode` appends it to what waits.
    pub(super) fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> bool) {
        let start = self.waiting.len();
        let encoded = encode(&mut self.waiting);
        self.waiting.push(b'\n');
        if !encoded || self.waiting.len() > WAITING_LIMIT {
            self.waiting.truncate(start);
            self.dropped += 1;
        }
    }

    /// Writes what waits. False if something is left.
    pub(super) fn flush(&mut self) -> bool {
        if self.waiting.is_empty() && !self.failing {
            return true;
        }
        match self.write_out() {
            Ok(()) => {
                if self.failing {
                    self.failing = false;
                    (self.log)(&Notice::FileRecovered { path: self.path.clone(), dropped: self.dropped });
                }
                true
            }
            Err(source) => {
                if !self.failing {
                    self.failing = true;
                    let waiting = self.waiting.len() - self.written;
                    (self.log)(&Notice::FileFailed { path: self.path.clone(), waiting, source });
                }
                false
            }
        }
    }

    /// Lines lost since the last call; 0 while the file cannot be written.
    pub(super) fn take_dropped(&mut self) -> u64 {
        if self.failing { 0 } else { std::mem::take(&mut self.dropped) }
    }

    fn write_out(&mut self) -> io::Result<()> {
        if !self.is_current() {
            self.reopen()?;
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        while self.written < self.waiting.len() {
            match file.write(&self.waiting[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.waiting.clear();
        self.written = 0;
        // A burst must not hold its memory for ever.
        self.waiting.shrink_to(1024 * 1024);
        Ok(())
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
        // A line that was half written to the file before begins anew in this one.
        let whole = self.waiting[..self.written].iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        self.waiting.drain(..whole);
        self.written = 0;
        if meta.is_file() && meta.len() > 0 {
            let mut last = [0];
            file.read_exact_at(&mut last, meta.len() - 1)?;
            // A torn last line, of a crash: it must not swallow the next one.
            if last != *b"\n" {
                self.waiting.insert(0, b'\n');
            }
        }
        self.id = (meta.dev(), meta.ino());
        self.file = Some(file);
        Ok(())
    }
}

impl Drop for LineFile {
    fn drop(&mut self) {
        if !self.flush() {
            let bytes = self.waiting.len() - self.written;
            (self.log)(&Notice::FileLost { path: self.path.clone(), bytes });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use super::*;

    fn log() -> (OperatorLog, Arc<Mutex<Vec<String>>>) {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let kept = notices.clone();
        (Arc::new(move |notice: &Notice| kept.lock().unwrap().push(notice.to_string())), notices)
    }

    fn push(lines: &mut LineFile, text: &str) {
        lines.push(|out| {
            out.extend_from_slice(text.as_bytes());
            true
        });
    }

    #[test]
    fn a_new_file_is_for_owner_and_group() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        let _lines = LineFile::open(&path, log().0).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    }

    #[test]
    fn a_rotated_file_is_left_and_a_new_one_made() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("events"), dir.path().join("events.1"));
        let mut lines = LineFile::open(&path, log().0).unwrap();
        push(&mut lines, "one");
        assert!(lines.flush());
        fs::rename(&path, &old).unwrap();
        push(&mut lines, "two");
        assert!(lines.flush());
        assert_eq!(fs::read_to_string(old).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        fs::write(&path, "").unwrap();
        push(&mut lines, "three");
        assert!(lines.flush());
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn a_torn_line_does_not_swallow_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        fs::write(&path, "whole\nto").unwrap();
        let mut lines = LineFile::open(&path, log().0).unwrap();
        push(&mut lines, "next");
        assert!(lines.flush());
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole\nto\nnext\n");
    }

    #[test]
    fn what_cannot_be_written_waits_and_the_operator_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("logs");
        fs::create_dir(&place).unwrap();
        let path = place.join("events");
        let (log, notices) = log();
        let mut lines = LineFile::open(&path, log).unwrap();
        fs::remove_dir_all(&place).unwrap();
        push(&mut lines, "one");
        assert!(!lines.flush());
        push(&mut lines, "two");
        assert!(!lines.flush());
        assert_eq!(notices.lock().unwrap().len(), 1);
        fs::create_dir(&place).unwrap();
        assert!(lines.flush());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(notices.lock().unwrap().len(), 2);
        assert!(notices.lock().unwrap()[1].ends_with("again; 0 were lost"));
    }

    #[test]
    fn a_full_disk_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        // Every write to this device fails as on a full disk.
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let (log, notices) = log();
        let mut lines = LineFile::open(&path, log).unwrap();
        push(&mut lines, "one");
        assert!(!lines.flush());
        assert!(notices.lock().unwrap()[0].contains("No space left on device"));
        fs::remove_file(&path).unwrap();
        assert!(lines.flush());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        drop(lines);
        assert_eq!(notices.lock().unwrap().len(), 2);
    }

    #[test]
    fn what_is_lost_at_the_end_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("logs");
        fs::create_dir(&place).unwrap();
        let (log, notices) = log();
        let mut lines = LineFile::open(&place.join("events"), log).unwrap();
        fs::remove_dir_all(&place).unwrap();
        push(&mut lines, "one");
        drop(lines);
        assert!(notices.lock().unwrap()[1].starts_with("4 bytes of events could not be written"));
    }

    #[test]
    fn waiting_lines_are_bounded_and_the_loss_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("logs");
        fs::create_dir(&place).unwrap();
        let mut lines = LineFile::open(&place.join("events"), log().0).unwrap();
        fs::remove_dir_all(&place).unwrap();
        let text = "x".repeat(1024 * 1024 - 1);
        for _ in 0..20 {
            push(&mut lines, &text);
            assert!(!lines.flush());
        }
        assert_eq!(lines.waiting.len(), WAITING_LIMIT);
        assert_eq!(lines.take_dropped(), 0, "nobody could be told yet");
        fs::create_dir(&place).unwrap();
        assert!(lines.flush());
        assert_eq!(lines.take_dropped(), 4);
    }

    #[test]
    fn a_half_written_line_begins_anew_in_the_next_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        let mut lines = LineFile::open(&path, log().0).unwrap();
        push(&mut lines, "one");
        push(&mut lines, "two");
        // As after a disk that was full in the middle of the second line.
        lines.written = "one\nt".len();
        fs::rename(&path, dir.path().join("events.1")).unwrap();
        assert!(lines.flush());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }
}
