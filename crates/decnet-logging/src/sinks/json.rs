//! A file of JSON lines.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::lines::LineFile;
use super::{Delivery, DeliveryError};
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
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(JsonFile { lines: LineFile::open(path)? })
    }
}

impl Delivery for JsonFile {
    fn name(&self) -> &str {
        "json-file"
    }

    fn deliver(&mut self, events: &[Event], _patience: Duration) -> Result<usize, DeliveryError> {
        // Into a vector nothing fails, and an event is JSON.
        self.lines.deliver(events, |event, out| drop(json::encode_into(event, out)))
    }

    fn settled(&mut self) -> Option<u64> {
        self.lines.settled()
    }

    fn reopen(&mut self) {
        self.lines.close();
    }
}
