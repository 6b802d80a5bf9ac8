//! A file of JSON lines: what `decnet events` reads first.

use std::io;
use std::path::Path;

use super::lines::LineFile;
use super::{OperatorLog, Sink};
use crate::event::Event;
use crate::json;

/// Appends one JSON object per event to a file that others may rotate.
pub struct JsonFile {
    lines: LineFile,
}

impl JsonFile {
    /// Opens or makes the file, mode 0640.
    ///
    /// # Errors
    /// Its directory does not exist, or this user may not write there.
    pub fn open(path: &Path, log: OperatorLog) -> io::Result<Self> {
        Ok(JsonFile { lines: LineFile::open(path, log)? })
    }
}

impl Sink for JsonFile {
    fn write(&mut self, event: &Event) {
        self.lines.push(|out| json::encode_into(event, out).is_ok());
    }

    fn flush(&mut self) -> bool {
        self.lines.flush()
    }

    fn take_dropped(&mut self) -> u64 {
        self.lines.take_dropped()
    }
}
