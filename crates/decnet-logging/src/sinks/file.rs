//! A file of RFC 5424 lines: `--log-file`.

use std::io;
use std::path::Path;

use super::lines::LineFile;
use super::{OperatorLog, Sink};
use crate::event::Event;
use crate::syslog;

/// Appends RFC 5424 lines to a file that others may rotate.
pub struct SyslogFile {
    lines: LineFile,
    line: String,
}

impl SyslogFile {
    /// Opens or makes the file, mode 0640.
    ///
    /// # Errors
    /// Its directory does not exist, or this user may not write there.
    pub fn open(path: &Path, log: OperatorLog) -> io::Result<Self> {
        Ok(SyslogFile { lines: LineFile::open(path, log)?, line: String::new() })
    }
}

impl Sink for SyslogFile {
    fn write(&mut self, event: &Event) {
        self.line.clear();
        syslog::encode_into(event, &mut self.line);
        let line = self.line.as_bytes();
        self.lines.push(|out| {
            out.extend_from_slice(line);
            true
        });
    }

    fn flush(&mut self) -> bool {
        self.lines.flush()
    }

    fn take_dropped(&mut self) -> u64 {
        self.lines.take_dropped()
    }
}
