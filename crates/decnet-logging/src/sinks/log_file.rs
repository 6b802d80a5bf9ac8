//! A file of events: RFC 5424 lines, JSON lines, or JSON lines of the Elastic Common Schema.
//!
//! What a write to the file has taken counts as arrived: it outlives this process, not a loss of power.
//! Others may rename, remove or truncate the file at any time; this delivery may put it aside itself.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use decnet_core::plan::{LogFile, LogForm, Rotation};

use super::delivery::{Delivery, DeliveryError};
use super::{Notice, OperatorLog, ecs};
use crate::event::Event;
use crate::reader::{last_seq, parse_line};
use crate::{json, syslog};

/// Mode of a new file: the owner writes, the group may read. There are credentials in it.
const MODE: u32 = 0o640;

/// Bytes gathered before they are written; one event more may be in it.
const CHUNK: usize = 256 * 1024;

/// Appends events to a file.
pub struct FileDelivery {
    name: String,
    form: LogForm,
    path: PathBuf,
    rotation: Rotation,
    open: Option<Open>,
    /// Lines that are not written yet, and the sequence number and end of each.
    lines: Vec<u8>,
    ends: Vec<(u64, usize)>,
    settled: Option<u64>,
    /// The operator was told that rotating fails.
    told: bool,
    log: OperatorLog,
    clock: fn() -> SystemTime,
}

/// The open file.
struct Open {
    file: File,
    /// Device and inode.
    id: (u64, u64),
    /// A regular file; others (a pipe, a terminal) have neither size nor age.
    regular: bool,
    size: u64,
    born: SystemTime,
    /// It ends in the middle of a line, which must not swallow the next one.
    torn: bool,
}

impl FileDelivery {
    /// Opens or makes the file, mode 0640.
    ///
    /// # Errors
    /// Its directory does not exist, or this user may not write there.
    pub fn open(name: String, file: &LogFile, rotation: Rotation, log: OperatorLog) -> io::Result<Self> {
        let mut delivery = FileDelivery {
            name,
            form: file.form,
            path: file.path.clone(),
            rotation,
            open: None,
            lines: Vec::new(),
            ends: Vec::new(),
            settled: None,
            told: false,
            log,
            clock: SystemTime::now,
        };
        let open = Open::at(&delivery.path, delivery.clock)?;
        // The file itself knows best what has arrived in it, also where a killed process could not say so. A
        // pipe has no end to look at.
        if open.regular {
            let sequence: fn(&str) -> Option<u64> = match file.form {
                LogForm::Ecs => ecs::sequence,
                LogForm::Json | LogForm::Syslog => |line| parse_line(line).map(|event| event.seq),
            };
            delivery.settled = last_seq(&delivery.path, sequence)?;
        }
        delivery.open = Some(open);
        Ok(delivery)
    }

    /// Writes events until `deadline`; gives how many, also beside an error.
    fn write(&mut self, events: &[Event], deadline: Instant) -> (usize, io::Result<()>) {
        let mut written = 0;
        if let Err(error) = self.follow() {
            return (0, Err(error));
        }
        for event in events {
            let start = self.lines.len();
            self.encode(event);
            let length = (self.lines.len() - start) as u64;
            let due = self.is_due(start as u64, length);
            if due || start >= CHUNK {
                // The line just made stays for the next chunk.
                let line = self.lines.split_off(start);
                let (count, result) = self.put();
                written += count;
                if let Err(error) = result {
                    return (written, Err(error));
                }
                if due {
                    self.rotate();
                }
                self.lines.extend_from_slice(&line);
            }
            self.ends.push((event.seq, self.lines.len()));
            if Instant::now() >= deadline {
                break;
            }
        }
        let (count, result) = self.put();
        (written + count, result)
    }

    /// Appends an event's line to those that wait.
    fn encode(&mut self, event: &Event) {
        let encoded = match self.form {
            LogForm::Syslog => {
                self.lines.extend_from_slice(syslog::encode(event).as_bytes());
                Ok(())
            }
            LogForm::Json => json::encode_into(event, &mut self.lines),
            LogForm::Ecs => ecs::encode_into(event, &mut self.lines),
        };
        // None of this crate's events is refused; if one were, an empty line would stand for it.
        debug_assert!(encoded.is_ok(), "an event is JSON: {encoded:?}");
        self.lines.push(b'\n');
    }

    /// Writes the lines that wait; gives how many are in the file as a whole. None is left waiting.
    fn put(&mut self) -> (usize, io::Result<()>) {
        let result = match &mut self.open {
            Some(open) => open.append(&self.lines),
            None => (0, Err(io::ErrorKind::NotFound.into())),
        };
        let (bytes, result) = result;
        let whole = self.ends.partition_point(|(_, end)| *end <= bytes);
        if let Some((seq, end)) = whole.checked_sub(1).map(|last| self.ends[last]) {
            self.settled = Some(seq);
            if result.is_err()
                && let Some(open) = &mut self.open
            {
                open.take_back(bytes - end);
            }
        } else if result.is_err()
            && let Some(open) = &mut self.open
        {
            open.take_back(bytes);
        }
        self.lines.clear();
        // A burst must not hold its memory for ever.
        self.lines.shrink_to(2 * CHUNK);
        self.ends.clear();
        (whole, result)
    }

    /// Opens anew where the path leads to another file than the open one, or to none.
    fn follow(&mut self) -> io::Result<()> {
        if let (Some(open), Ok(meta)) = (&mut self.open, fs::metadata(&self.path))
            && (meta.dev(), meta.ino()) == open.id
        {
            // Smaller after somebody's copytruncate.
            open.size = meta.len();
            return Ok(());
        }
        self.open = None;
        self.open = Some(Open::at(&self.path, self.clock)?);
        Ok(())
    }

    /// Whether the file must be put aside before a line of `length` bytes goes behind `waiting` others.
    fn is_due(&self, waiting: u64, length: u64) -> bool {
        let Some(open) = &self.open else { return false };
        if !open.regular || open.size + waiting == 0 {
            return false;
        }
        let too_long = self.rotation.size.is_some_and(|limit| open.size + waiting + length > limit);
        let too_old = self.rotation.age.is_some_and(|limit| {
            // A clock that was set back makes nothing old.
            (self.clock)().duration_since(open.born).is_ok_and(|age| age >= Duration::from_secs(limit))
        });
        too_long || too_old
    }

    /// Puts the file aside. Where that fails, the operator is told once and events go on into the old file.
    fn rotate(&mut self) {
        let result = self.shift().and_then(|()| {
            if let Some(open) = self.open.take() {
                // The events in it are settled already; now they outlive also a loss of power.
                let _ = open.file.sync_data();
            }
            self.open = Some(Open::at(&self.path, self.clock)?);
            Ok(())
        });
        match result {
            Ok(()) => self.told = false,
            Err(source) => {
                if !std::mem::replace(&mut self.told, true) {
                    (self.log)(&Notice::RotationFailed { path: self.path.clone(), source });
                }
            }
        }
    }

    /// FILE to FILE.1, that to FILE.2, and so on; what is past the last one kept goes.
    fn shift(&self) -> io::Result<()> {
        // Where the path is a link, the file that it leads to is put aside, beside itself.
        let path = fs::canonicalize(&self.path)?;
        let keep = self.rotation.keep;
        let mut surplus = keep;
        while surplus <= keep + Rotation::LARGEST_KEEP && fs::remove_file(numbered(&path, surplus)).is_ok() {
            surplus += 1;
        }
        for number in (1..keep).rev() {
            match fs::rename(numbered(&path, number), numbered(&path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&path, numbered(&path, 1))
    }
}

/// The name of a file that was put aside.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

impl Open {
    fn at(path: &Path, clock: fn() -> SystemTime) -> io::Result<Open> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(MODE);
        let file = match options.clone().create_new(true).open(path) {
            Ok(file) => {
                // Past the umask, which may deny the group what the mode gives it.
                file.set_permissions(Permissions::from_mode(MODE))?;
                file
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path)?,
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        let mut torn = false;
        if meta.is_file() && meta.len() > 0 {
            let mut last = [0];
            file.read_exact_at(&mut last, meta.len() - 1)?;
            torn = last != *b"\n";
        }
        Ok(Open {
            id: (meta.dev(), meta.ino()),
            regular: meta.is_file(),
            size: meta.len(),
            // Not every file system knows when a file was made.
            born: meta.created().unwrap_or_else(|_| clock()),
            torn,
            file,
        })
    }

    /// Appends; gives how many bytes were written, also beside an error.
    fn append(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        if self.torn && !bytes.is_empty() {
            match self.file.write_all(b"\n") {
                Ok(()) => self.torn = false,
                Err(error) => return (0, Err(error)),
            }
            self.size += 1;
        }
        let mut written = 0;
        let result = loop {
            if written == bytes.len() {
                break Ok(());
            }
            match self.file.write(&bytes[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.size += written as u64;
        (written, result)
    }

    /// Takes back the last bytes, the beginning of a line that found no room; it comes again as a whole.
    fn take_back(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let bytes = bytes as u64;
        // Only where nobody else has changed the file meanwhile.
        let ours = self.regular && self.file.metadata().is_ok_and(|meta| meta.len() == self.size);
        if ours && self.file.set_len(self.size - bytes).is_ok() {
            self.size -= bytes;
        } else {
            self.torn = true;
        }
    }
}

impl Delivery for FileDelivery {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&mut self, events: &[Event], patience: Duration) -> Result<usize, DeliveryError> {
        match self.write(events, Instant::now() + patience) {
            (0, Err(source)) => {
                Err(DeliveryError { place: format!("event file {}", self.path.display()), source })
            }
            (written, _) => Ok(written),
        }
    }

    fn settled(&mut self) -> Option<u64> {
        self.settled
    }

    fn reopen(&mut self) {
        // Opened again with the next event.
        self.open = None;
    }
}

#[cfg(test)]
#[path = "log_file_tests.rs"]
mod tests;
