//! A file of RFC 5424 lines: `--log-file`.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::lines::LineFile;
use super::{Delivery, DeliveryError};
use crate::event::Event;
use crate::syslog;

/// Appends RFC 5424 lines to a file that others may rotate.
pub struct SyslogFile {
    lines: LineFile,
}

impl SyslogFile {
    /// Opens or makes the file, mode 0640.
    ///
    /// # Errors
    /// Its directory does not exist, or this user may not write there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(SyslogFile { lines: LineFile::open(path)? })
    }
}

impl Delivery for SyslogFile {
    fn name(&self) -> &str {
        "syslog-file"
    }

    fn deliver(&mut self, events: &[Event], _patience: Duration) -> Result<usize, DeliveryError> {
        self.lines.deliver(events, |event, out| out.extend_from_slice(syslog::encode(event).as_bytes()))
    }

    fn settled(&mut self) -> Option<u64> {
        self.lines.settled()
    }

    fn reopen(&mut self) {
        self.lines.close();
    }
}
