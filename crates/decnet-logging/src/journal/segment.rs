//! The files of a journal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What follows the number in a segment's name.
const SUFFIX: &str = ".journal";

/// Up to which number every event's datagram has been taken from its socket.
const TAKEN: &str = "taken";

/// Where the deliveries' cursors are.
const CURSORS: &str = "cursors";

/// The path of the segment that begins with an event.
pub(super) fn path(directory: &Path, first_seq: u64) -> PathBuf {
    directory.join(format!("{first_seq:020}{SUFFIX}"))
}

pub(super) fn taken(directory: &Path) -> PathBuf {
    directory.join(TAKEN)
}

pub(super) fn cursors(directory: &Path) -> PathBuf {
    directory.join(CURSORS)
}

/// The first numbers of all segments, in order. Nothing else that lies there is touched.
pub(super) fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(number) = number.filter(|number| number.len() == 20).and_then(|text| text.parse().ok()) {
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}
