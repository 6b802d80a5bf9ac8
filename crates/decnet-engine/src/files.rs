//! The files of this machine that deckies show: read here, because a worker has no file system.
//!
//! A plan holds only their paths. Whoever makes a plan real reads what is there at that moment.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use decnet_core::plan::Decky;
use decnet_core::service::KeyKind;
use decnet_core::{Diagnostic, Request};
use decnet_services::files::{FILE_BYTES, FILES, Loose, TOTAL_BYTES, pack};

/// Folders within folders; more is a mistake.
const DEPTH: usize = 32;

/// Files that cannot be handed to a decky.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// They cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a path from the root.
    #[error("{} is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// Too many of them.
    #[error("{} holds more than {FILES} files; name a smaller folder", .0.display())]
    TooMany(PathBuf),
    /// One of them is too large.
    #[error("{} is larger than {} MiB; leave it out", .0.display(), FILE_BYTES >> 20)]
    FileTooLarge(PathBuf),
    /// All together are too large.
    #[error("{} holds more than {} MiB; name a smaller folder", .0.display(), TOTAL_BYTES >> 20)]
    TooLarge(PathBuf),
    /// Too deep.
    #[error("{} lies more than {DEPTH} folders deep; name a flatter folder", .0.display())]
    TooDeep(PathBuf),
    /// A link that leads out, or to a folder.
    #[error("{} is a link to a folder or out of the folder; put the file itself there", .0.display())]
    Link(PathBuf),
    /// Neither file nor folder.
    #[error("{} is neither a file nor a folder; leave it out", .0.display())]
    Special(PathBuf),
    /// A name that no service could show.
    #[error("{} has a name that is not UTF-8; rename it", .0.display())]
    Name(PathBuf),
}

/// Reads a folder with all below it, or a single file, and packs it for a worker.
///
/// # Errors
/// See [`FilesError`].
pub fn read(path: &Path) -> Result<Vec<u8>, FilesError> {
    if !path.is_absolute() {
        return Err(FilesError::Relative(path.to_owned()));
    }
    let root = fs::canonicalize(path).map_err(|error| unreadable(path, error))?;
    let mut walk = Walk { root: root.clone(), files: Vec::new(), total: 0 };
    let kind = fs::metadata(&root).map_err(|error| unreadable(path, error))?;
    if kind.is_dir() {
        walk.folder(&root, "", 0)?;
    } else {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| FilesError::Name(path.to_owned()))?;
        walk.file(&root, name.to_owned())?;
    }
    walk.files.sort_by(|one, other| one.path.cmp(&other.path));
    pack(&walk.files).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, source: io::Error) -> FilesError {
    FilesError::Unreadable { path: path.to_owned(), source }
}

struct Walk {
    root: PathBuf,
    files: Vec<Loose>,
    total: u64,
}

impl Walk {
    fn folder(&mut self, folder: &Path, below: &str, depth: usize) -> Result<(), FilesError> {
        if depth > DEPTH {
            return Err(FilesError::TooDeep(folder.to_owned()));
        }
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let entry = entry.map_err(|error| unreadable(folder, error))?;
            let path = entry.path();
            let name = entry.file_name().into_string().map_err(|_| FilesError::Name(path.clone()))?;
            let shown = if below.is_empty() { name } else { format!("{below}/{name}") };
            let kind = entry.file_type().map_err(|error| unreadable(&path, error))?;
            if kind.is_dir() {
                self.folder(&path, &shown, depth + 1)?;
            } else if kind.is_symlink() {
                let target = fs::canonicalize(&path).map_err(|error| unreadable(&path, error))?;
                if !target.starts_with(&self.root) || target.is_dir() {
                    return Err(FilesError::Link(path));
                }
                self.file(&target, shown)?;
            } else {
                self.file(&path, shown)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, shown: String) -> Result<(), FilesError> {
        if self.files.len() >= FILES {
            return Err(FilesError::TooMany(self.root.clone()));
        }
        // A pipe must not hold the deployment up, so what it is is asked first.
        let kind = fs::symlink_metadata(path).map_err(|error| unreadable(path, error))?;
        if !kind.is_file() {
            return Err(FilesError::Special(path.to_owned()));
        }
        let file: File = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| unreadable(path, error))?;
        let facts = file.metadata().map_err(|error| unreadable(path, error))?;
        if !facts.is_file() {
            return Err(FilesError::Special(path.to_owned()));
        }
        // It may grow while it is read.
        let mut bytes = Vec::new();
        file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
        let size = bytes.len() as u64;
        if size > FILE_BYTES {
            return Err(FilesError::FileTooLarge(path.to_owned()));
        }
        self.total += size;
        if self.total > TOTAL_BYTES {
            return Err(FilesError::TooLarge(self.root.clone()));
        }
        let modified = facts.mtime().saturating_mul(1_000_000).saturating_add(facts.mtime_nsec() / 1000);
        self.files.push(Loose { path: shown, modified, bytes });
        Ok(())
    }
}

fn takes_path(service: &str, key: &str) -> bool {
    decnet_services::find(service)
        .and_then(|service| service.descriptor.key(key))
        .is_some_and(|key| key.kind == KeyKind::Path)
}

/// The paths that a decky's services are to be handed: service, key, path.
pub fn wanted(decky: &Decky) -> Vec<(String, String, PathBuf)> {
    decky
        .services
        .iter()
        .flat_map(|service| {
            service
                .persona
                .iter()
                .filter(|(key, value)| !value.trim().is_empty() && takes_path(&service.slug, key))
                .map(|(key, value)| (service.slug.clone(), key.clone(), PathBuf::from(value.trim())))
        })
        .collect()
}

/// Makes the paths of a request absolute: below `base` where they came from a config file there.
pub fn anchor(request: &mut Request, base: &Path) {
    for section in &mut request.personas {
        let service = section.service.value.clone();
        for (key, value) in &mut section.entries {
            let path = Path::new(value.value.trim());
            if takes_path(&service, &key.value) && !value.value.trim().is_empty() && path.is_relative() {
                value.value = base.join(path).display().to_string();
            }
        }
    }
}

/// Looks at every path of a request, and says what is wrong with it and where it stands. Each is read as
/// it would be for a deployment.
pub fn examine(request: &Request) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for section in &request.personas {
        for (key, value) in &section.entries {
            let path = value.value.trim();
            if path.is_empty() || !takes_path(&section.service.value, &key.value) {
                continue;
            }
            let flaw = seen
                .entry(path.to_owned())
                .or_insert_with(|| read(Path::new(path)).err().map(|error| error.to_string()));
            if let Some(flaw) = flaw {
                let message = format!("{}.{}: {flaw}", section.service.value, key.value);
                diagnostics.push(Diagnostic::error("persona.files", value.origin.clone(), message));
            }
        }
    }
    diagnostics
}

#[cfg(test)]
mod tests {
    use super::*;
    use decnet_services::files::Folder;
    use std::os::unix::fs::symlink;
    use std::sync::Arc;

    fn folder(path: &Path) -> Result<Vec<String>, FilesError> {
        let folder = Folder::open(Arc::new(read(path)?)).unwrap();
        Ok(folder.list().map(|(path, ..)| path.to_owned()).collect())
    }

    #[test]
    fn a_folder_is_read_with_what_is_below_it() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a/b")).unwrap();
        fs::write(place.path().join("a/b/c.txt"), "c").unwrap();
        fs::write(place.path().join("d.txt"), "d").unwrap();
        symlink("a/b/c.txt", place.path().join("e.txt")).unwrap();
        assert_eq!(folder(place.path()).unwrap(), ["a/b/c.txt", "d.txt", "e.txt"]);
        assert_eq!(folder(&place.path().join("d.txt")).unwrap(), ["d.txt"]);
        assert!(matches!(folder(&place.path().join("x")), Err(FilesError::Unreadable { .. })));
        assert!(matches!(folder(Path::new("x")), Err(FilesError::Relative(_))));
    }

    #[test]
    fn nothing_leads_out_and_nothing_blocks() {
        let place = tempfile::tempdir().unwrap();
        symlink("/etc/passwd", place.path().join("p")).unwrap();
        assert!(matches!(folder(place.path()), Err(FilesError::Link(_))));
        fs::remove_file(place.path().join("p")).unwrap();
        symlink(".", place.path().join("p")).unwrap();
        assert!(matches!(folder(place.path()), Err(FilesError::Link(_))));
        fs::remove_file(place.path().join("p")).unwrap();
        nix::unistd::mkfifo(&place.path().join("p"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(folder(place.path()), Err(FilesError::Special(_))));
    }

    #[test]
    fn number_size_and_depth_are_bounded() {
        let place = tempfile::tempdir().unwrap();
        let large = place.path().join("large");
        File::create(&large).unwrap().set_len(FILE_BYTES + 1).unwrap();
        assert!(matches!(folder(place.path()), Err(FilesError::FileTooLarge(_))));
        fs::remove_file(&large).unwrap();
        for number in 0..TOTAL_BYTES / FILE_BYTES + 1 {
            File::create(place.path().join(number.to_string())).unwrap().set_len(FILE_BYTES).unwrap();
        }
        assert!(matches!(folder(place.path()), Err(FilesError::TooLarge(_))));
        let many = tempfile::tempdir().unwrap();
        for number in 0..=FILES {
            File::create(many.path().join(number.to_string())).unwrap();
        }
        assert!(matches!(folder(many.path()), Err(FilesError::TooMany(_))));
        let deep = tempfile::tempdir().unwrap();
        fs::create_dir_all(deep.path().join("a/".repeat(DEPTH + 2))).unwrap();
        assert!(matches!(folder(deep.path()), Err(FilesError::TooDeep(_))));
    }
}
