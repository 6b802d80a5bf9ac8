//! How far a delivery has come, on disk: `cursors/NAME` in the journal's directory holds the number of the
//! last event that has arrived.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::segment;

/// One delivery's cursor.
#[derive(Debug)]
pub(crate) struct Cursor {
    path: PathBuf,
    fresh: PathBuf,
    seq: u64,
    stored: Option<u64>,
}

impl Cursor {
    /// The cursor of that name. A delivery that had none begins behind `last`: what happened before somebody
    /// named it is not sent to it. A file that cannot be read makes it begin with the oldest event: twice is
    /// better than never.
    pub(crate) fn open(directory: &Path, name: &str, last: u64) -> io::Result<Cursor> {
        let directory = segment::cursors(directory);
        fs::create_dir_all(&directory)?;
        let path = directory.join(name);
        let (seq, stored) = match fs::read_to_string(&path) {
            Ok(text) => match text.trim_end().parse() {
                Ok(seq) => (seq, Some(seq)),
                Err(_) => (0, None),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => (last, None),
            Err(error) => return Err(error),
        };
        let fresh = directory.join(format!("{name}.new"));
        let mut cursor = Cursor { path, fresh, seq, stored };
        cursor.store()?;
        Ok(cursor)
    }

    /// The number of the last event that has arrived.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Moves on, in memory; [`Cursor::store`] writes it.
    pub(crate) fn advance(&mut self, seq: u64) {
        self.seq = self.seq.max(seq);
    }

    /// Writes it whole or not at all, if it has moved.
    pub(crate) fn store(&mut self) -> io::Result<()> {
        if self.stored != Some(self.seq) {
            fs::write(&self.fresh, format!("{}\n", self.seq))?;
            fs::rename(&self.fresh, &self.path)?;
            self.stored = Some(self.seq);
        }
        Ok(())
    }

    /// Every cursor of a journal: name and number.
    pub(super) fn all(directory: &Path) -> Vec<(String, u64)> {
        let Ok(entries) = fs::read_dir(segment::cursors(directory)) else { return Vec::new() };
        let mut found: Vec<(String, u64)> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let seq = fs::read_to_string(entry.path()).ok()?.trim_end().parse().ok()?;
                (!name.ends_with(".new")).then_some((name, seq))
            })
            .collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_found_again_where_it_was_left() {
        let directory = tempfile::tempdir().unwrap();
        let mut cursor = Cursor::open(directory.path(), "file", 7).unwrap();
        assert_eq!(cursor.seq(), 7, "a new delivery begins with what comes");
        cursor.advance(9);
        assert_eq!(Cursor::open(directory.path(), "file", 20).unwrap().seq(), 7, "not stored");
        cursor.store().unwrap();
        assert_eq!(Cursor::open(directory.path(), "file", 20).unwrap().seq(), 9);
        fs::write(directory.path().join("cursors/file"), "nine").unwrap();
        assert_eq!(Cursor::open(directory.path(), "file", 20).unwrap().seq(), 0);
        assert_eq!(Cursor::all(directory.path()), [("file".to_owned(), 0)]);
    }
}
