//! What a store holds: by hash, and by age.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Digest;

/// Every artifact of a directory. Some 150 bytes each.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: BTreeMap<Digest, Entry>,
    /// Oldest first.
    by_age: BTreeSet<(i64, Digest)>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    size: u64,
    /// When it was given the last time: microseconds since 1970-01-01 UTC.
    seen: i64,
}

/// Where an artifact lies: `ab/cdef…`, so that no directory grows beyond a few hundred entries.
pub(super) fn path_of(directory: &Path, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    let (first, rest) = name.split_at(2);
    directory.join(first).join(rest)
}

impl Index {
    /// Reads what a directory holds. What is not named as an artifact is left alone.
    pub(super) fn read(directory: &Path) -> io::Result<Index> {
        let mut index = Index::default();
        each(directory, |digest, path| {
            // One that an operator has just removed is no reason to fail.
            if let Ok(meta) = fs::symlink_metadata(path)
                && meta.is_file()
            {
                index.insert(digest, meta.len(), meta.mtime() * 1_000_000 + meta.mtime_nsec() / 1000);
            }
        })?;
        Ok(index)
    }

    pub(super) fn contains(&self, digest: Digest) -> bool {
        self.entries.contains_key(&digest)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn insert(&mut self, digest: Digest, size: u64, seen: i64) {
        self.remove(digest);
        self.entries.insert(digest, Entry { size, seen });
        self.by_age.insert((seen, digest));
        self.bytes += size;
    }

    pub(super) fn remove(&mut self, digest: Digest) {
        if let Some(entry) = self.entries.remove(&digest) {
            self.by_age.remove(&(entry.seen, digest));
            self.bytes -= entry.size;
        }
    }

    /// The size of one that is there.
    pub(super) fn size_of(&self, digest: Digest) -> Option<u64> {
        self.entries.get(&digest).map(|entry| entry.size)
    }

    pub(super) fn oldest(&self) -> Option<Digest> {
        self.by_age.first().map(|(_, digest)| *digest)
    }
}

/// Every file that is named as an artifact, in no order.
pub(super) fn each(directory: &Path, mut told: impl FnMut(Digest, &Path)) -> io::Result<()> {
    for first in fs::read_dir(directory)? {
        let first = first?;
        let Some(prefix) = first.file_name().to_str().map(str::to_owned) else { continue };
        if prefix.len() != 2 || !first.file_type()?.is_dir() {
            continue;
        }
        for rest in fs::read_dir(first.path())? {
            let rest = rest?;
            let name = rest.file_name();
            let digest = name.to_str().and_then(|rest| Digest::parse(&format!("{prefix}{rest}")));
            if let Some(digest) = digest {
                told(digest, &rest.path());
            }
        }
    }
    Ok(())
}
