//! Files on their way to a worker: packed into memory that nobody can change any more, and handed over as
//! a descriptor. All deckies that show the same folder share it.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use decnet_core::Plan;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::error::EngineError;
use crate::files;

/// What one key of a decky was handed.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) service: String,
    pub(crate) key: String,
    pub(crate) content: Arc<Content>,
}

/// Packed files.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) descriptor: OwnedFd,
    /// Tells one content from another, so that a changed file starts its decky again.
    mark: u64,
}

impl PartialEq for Handed {
    fn eq(&self, other: &Handed) -> bool {
        (&self.service, &self.key, self.content.mark) == (&other.service, &other.key, other.content.mark)
    }
}

/// Reads everything that a plan's deckies show, each path once; by the decky's name.
pub(crate) fn gather(plan: &Plan) -> Result<BTreeMap<String, Vec<Handed>>, EngineError> {
    let mut read: BTreeMap<PathBuf, Arc<Content>> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for decky in &plan.deckies {
        let mut own = Vec::new();
        for (service, key, path) in files::wanted(decky) {
            let content = match read.get(&path) {
                Some(content) => Arc::clone(content),
                None => {
                    let content = Arc::new(seal(&files::read(&path)?)?);
                    read.insert(path, Arc::clone(&content));
                    content
                }
            };
            own.push(Handed { service, key, content });
        }
        if !own.is_empty() {
            all.insert(decky.name.clone(), own);
        }
    }
    Ok(all)
}

fn seal(bytes: &[u8]) -> Result<Content, EngineError> {
    let failed = |error: std::io::Error| EngineError::system("keep files for the deckies", error);
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create("files", flags).map_err(|error| failed(error.into()))?);
    file.write_all(bytes).map_err(failed)?;
    let seals =
        SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).map_err(|error| failed(error.into()))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(Content { descriptor: file.into(), mark: hasher.finish() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_are_the_same_and_stay_so() {
        let content = seal(b"abc").unwrap();
        let mut file = File::from(content.descriptor.try_clone().unwrap());
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(0).is_err());
        let handed = |bytes: &[u8]| Handed {
            service: "http".into(),
            key: "files".into(),
            content: Arc::new(seal(bytes).unwrap()),
        };
        assert_eq!(handed(b"a"), handed(b"a"));
        assert_ne!(handed(b"a"), handed(b"b"));
    }
}
