//! Files of the machine that deploys, as a service gets them: read before the service starts, packed into
//! one run of bytes, and never changed.
//!
//! A service has no file system. Whoever starts it reads what a persona key of kind
//! [`KeyKind::Path`](decnet_core::service::KeyKind::Path) names, and hands the bytes over as a [`Folder`]
//! in [`Host::files`](crate::host::Host::files).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Most files of one folder.
pub const FILES: usize = 4096;
/// Most bytes of one file.
pub const FILE_BYTES: u64 = 16 << 20;
/// Most bytes of all files of one folder.
pub const TOTAL_BYTES: u64 = 64 << 20;
/// Most bytes of the table in front of the files: paths of 200 bytes, and their numbers.
const TABLE_BYTES: u64 = 1 << 20;

/// Where packed bytes are: in memory, or in a file that only its descriptor leads to.
pub trait Packed: Send + Sync {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// The bytes are not there.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Packed for Vec<u8> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = from.checked_add(buffer.len()).and_then(|to| self.get(from..to));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A file before it is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loose {
    /// Its path below the folder, divided by slashes; its bare name where the key names a single file.
    pub path: String,
    /// When it was changed, microseconds since 1970-01-01 UTC.
    pub modified: i64,
    /// What it holds.
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Entry {
    offset: u64,
    size: u64,
    modified: i64,
}

/// The files of a folder, by path.
#[derive(Clone)]
pub struct Folder {
    entries: BTreeMap<String, Entry>,
    /// Every folder above a file, without slashes at its ends; the top is the empty text.
    folders: BTreeSet<String>,
    packed: Arc<dyn Packed>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("files", &self.entries.len()).finish_non_exhaustive()
    }
}

/// Packs files: the length of a table as eight bytes, the table as JSON, and the files.
///
/// # Errors
/// The paths are so many and long that the table is beyond its bound.
pub fn pack(files: &[Loose]) -> io::Result<Vec<u8>> {
    let mut offset = 0;
    let mut table = BTreeMap::new();
    for file in files {
        let size = file.bytes.len() as u64;
        table.insert(file.path.as_str(), Entry { offset, size, modified: file.modified });
        offset += size;
    }
    let table = serde_json::to_vec(&table)?;
    if table.len() as u64 > TABLE_BYTES {
        return Err(io::Error::other("the paths of the files are too long"));
    }
    let mut bytes = (table.len() as u64).to_be_bytes().to_vec();
    bytes.extend(table);
    for file in files {
        bytes.extend_from_slice(&file.bytes);
    }
    Ok(bytes)
}

impl Folder {
    /// Reads the table in front of packed files.
    ///
    /// # Errors
    /// The bytes are not what [`pack`] makes.
    pub fn open(packed: Arc<dyn Packed>) -> io::Result<Folder> {
        let mut length = [0; 8];
        packed.read_exact_at(&mut length, 0)?;
        let length = u64::from_be_bytes(length);
        if length > TABLE_BYTES {
            return Err(io::Error::other("the table of the files is too long"));
        }
        let mut table = vec![0; length as usize];
        packed.read_exact_at(&mut table, 8)?;
        let mut entries: BTreeMap<String, Entry> = serde_json::from_slice(&table)?;
        let mut folders = BTreeSet::from([String::new()]);
        for (path, entry) in &mut entries {
            entry.offset = entry.offset.saturating_add(8 + length);
            if entry.size > FILE_BYTES {
                return Err(io::Error::other("a file is too large"));
            }
            folders.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
        }
        Ok(Folder { entries, folders, packed })
    }

    /// A file; none where there is none of that path.
    pub fn read(&self, path: &str) -> Option<Loose> {
        let entry = self.entries.get(path)?;
        let mut bytes = vec![0; entry.size as usize];
        self.packed.read_exact_at(&mut bytes, entry.offset).ok()?;
        Some(Loose { path: path.to_owned(), modified: entry.modified, bytes })
    }

    /// Whether files are below that path, which has no slash at its ends.
    pub fn is_folder(&self, path: &str) -> bool {
        self.folders.contains(path)
    }

    /// The paths, sorted, with sizes in bytes and times of change in microseconds since 1970.
    pub fn list(&self) -> impl Iterator<Item = (&str, u64, i64)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry.size, entry.modified))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn loose(path: &str, bytes: &[u8]) -> Loose {
        Loose { path: path.to_owned(), modified: 7, bytes: bytes.to_vec() }
    }

    #[test]
    fn what_is_packed_is_read_again() {
        let files = [loose("a.txt", b"one"), loose("b/c/d", b""), loose("b/e", b"three")];
        let folder = Folder::open(Arc::new(pack(&files).unwrap())).unwrap();
        for file in &files {
            assert_eq!(folder.read(&file.path).as_ref(), Some(file));
        }
        assert_eq!(folder.read("b"), None);
        assert!(folder.is_folder("") && folder.is_folder("b") && folder.is_folder("b/c"));
        assert!(!folder.is_folder("a.txt"));
        assert_eq!(folder.list().map(|(path, size, _)| (path, size)).last(), Some(("b/e", 5)));
    }

    #[test]
    fn the_table_is_bounded() {
        let files: Vec<Loose> =
            (0..FILES).map(|at| loose(&format!("{at}{}", "x".repeat(300)), b"")).collect();
        assert!(pack(&files).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_opened_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64), length in 0u8..60) {
            let mut packed = vec![0, 0, 0, 0, 0, 0, 0, length];
            packed.extend(bytes);
            let _ = Folder::open(Arc::new(packed));
        }
    }
}
