//! Up to which event every datagram has been taken from its socket: the file `taken` of the journal.
//!
//! Its first line is that event's number. After a collector was killed, a line follows for each source whose
//! socket may still hold what is in the journal already, until the next collector has thrown that away; see
//! `source.rs`. Every step of that can be cut off by another kill and done again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is left in a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Left {
    /// Of what was looked at, the oldest datagrams, with so many bytes, are in the journal; fewer if fewer are
    /// there.
    Journaled(u64),
    /// What was looked at is being thrown away, until so many bytes of it remain.
    Until(u64),
}

/// Decky and service.
type Name = (String, String);

#[derive(Debug)]
pub(super) struct Taken {
    path: PathBuf,
    file: File,
    left: BTreeMap<Name, Left>,
}

impl Taken {
    /// What an earlier collector left: the mark, if there is one, and the sources.
    pub(super) fn read(path: &Path) -> (Option<u64>, BTreeMap<Name, Left>) {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut lines = text.lines();
        let mark = lines.next().and_then(|line| line.parse().ok());
        (mark, lines.filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Begins with a mark and what is left in the sockets.
    pub(super) fn create(path: PathBuf, seq: u64, left: BTreeMap<Name, Left>) -> io::Result<Taken> {
        let file = write(&path, seq, &left)?;
        Ok(Taken { path, file, left })
    }

    /// Moves the mark, in place: so few bytes at once are there or not. If it cannot be written, what a killed
    /// collector leaves behind may become an event twice.
    pub(super) fn mark(&self, seq: u64) {
        let _ = self.file.write_all_at(line(seq).as_bytes(), 0);
    }

    /// A source is back, and of what it holds `seen` bytes were looked at: how many of them are to remain.
    pub(super) fn begin(&mut self, seq: u64, name: &Name, seen: u64) -> u64 {
        let until = match self.left.get(name) {
            None => return seen,
            Some(Left::Until(until)) => return (*until).min(seen),
            Some(Left::Journaled(bytes)) => seen.saturating_sub(*bytes),
        };
        self.left.insert(name.clone(), Left::Until(until));
        self.store(seq);
        until
    }

    /// It holds nothing any more that is in the journal.
    pub(super) fn end(&mut self, seq: u64, name: &Name) {
        if self.left.remove(name).is_some() {
            self.store(seq);
        }
    }

    fn store(&mut self, seq: u64) {
        if let Ok(file) = write(&self.path, seq, &self.left) {
            self.file = file;
        }
    }
}

fn line(seq: u64) -> String {
    format!("{seq:020}\n")
}

/// Writes the whole file or nothing.
fn write(path: &Path, seq: u64, left: &BTreeMap<Name, Left>) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut text = line(seq).into_bytes();
    for entry in left {
        serde_json::to_writer(&mut text, &entry)?;
        text.push(b'\n');
    }
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o640).open(&fresh)?;
    file.write_all(&text)?;
    fs::rename(fresh, path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_can_be_done_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        let name = |name: &str| (name.to_owned(), "redis".to_owned());
        let left = BTreeMap::from([(name("a"), Left::Journaled(30)), (name("b"), Left::Journaled(30))]);
        let mut taken = Taken::create(path.clone(), 7, left.clone()).unwrap();
        assert_eq!(Taken::read(&path), (Some(7), left));
        assert_eq!(taken.begin(7, &name("other"), 5), 5, "nothing of it is in the journal");
        assert_eq!(taken.begin(7, &name("a"), 20), 0, "a part was taken before");
        assert_eq!(taken.begin(7, &name("b"), 50), 20, "a part was not written");
        // Killed when 10 of the 30 were thrown away: the goal stays.
        let (mark, left) = Taken::read(&path);
        let mut taken = Taken::create(path.clone(), mark.unwrap(), left).unwrap();
        assert_eq!(taken.begin(7, &name("b"), 40), 20);
        taken.end(7, &name("b"));
        taken.mark(9);
        let (mark, left) = Taken::read(&path);
        assert_eq!((mark, left), (Some(9), BTreeMap::from([(name("a"), Left::Until(0))])));
        assert_eq!(taken.begin(9, &name("b"), 40), 40, "and is not aimed at twice");
    }
}
