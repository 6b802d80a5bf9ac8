//! The files of a fleet on its host: compose file, build contexts, and what is mounted into containers.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use decnet_compose::{BINARY_MODE, Rendered};

use super::record::Place;
use crate::error::EngineError;

/// The group that services run as, by [`decnet_compose::layout::UNPRIVILEGED`].
pub(super) const NOBODY: u32 = 65534;

/// Writes everything that must be there before the containers start. What is there already and the same is
/// left alone: containers hold it.
pub(super) fn write(place: &Place, rendered: &Rendered, binary: &[u8]) -> Result<(), EngineError> {
    directory(&place.folder(), 0o700)?;
    put(&place.compose_file(), rendered.compose.as_bytes(), 0o600)?;
    for context in &rendered.contexts {
        let folder = place.folder().join(&context.directory);
        directory(&folder, 0o700)?;
        put(&folder.join("Dockerfile"), context.dockerfile.as_bytes(), 0o600)?;
        for name in context.files() {
            put(&folder.join(name), binary, BINARY_MODE)?;
        }
    }
    directory(&place.guests(), 0o711)?;
    for decky in &rendered.deckies {
        directory(&decky.directory, 0o711)?;
        // The containers' user may read it; on the host nobody else does.
        put(&decky.host_file, decky.host_file_text.as_bytes(), 0o440)?;
        owned_by_guests(&decky.host_file)?;
        for log in &decky.log_directories {
            directory(&log.path, 0o750)?;
            owned_by_guests(&log.path)?;
        }
    }
    Ok(())
}

/// Removes the mounts of deckies that are no more.
pub(super) fn sweep(place: &Place, rendered: &Rendered) {
    let wanted: BTreeSet<&Path> = rendered.deckies.iter().map(|decky| decky.directory.as_path()).collect();
    for entry in fs::read_dir(place.guests()).into_iter().flatten().flatten() {
        if !wanted.contains(entry.path().as_path()) {
            // What is left over costs nothing, and the next deployment tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let contexts: BTreeSet<_> =
        rendered.contexts.iter().map(|context| place.folder().join(&context.directory)).collect();
    for entry in fs::read_dir(place.folder().join("images")).into_iter().flatten().flatten() {
        if !contexts.contains(&place.folder().join("./images").join(entry.file_name())) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Makes a directory with exactly that mode; its parents are for the owner alone unless they are there.
pub(super) fn directory(path: &Path, mode: u32) -> Result<(), EngineError> {
    let failed = |source| EngineError::File { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)
}

fn owned_by_guests(path: &Path) -> Result<(), EngineError> {
    std::os::unix::fs::chown(path, None, Some(NOBODY))
        .map_err(|source| EngineError::File { path: path.to_owned(), source })
}

/// Replaces a file in one step, unless it has that content already.
pub(super) fn put(path: &Path, content: &[u8], mode: u32) -> Result<(), EngineError> {
    let failed = |source| EngineError::File { path: path.to_owned(), source };
    if fs::read(path).is_ok_and(|now| now == content) {
        return Ok(());
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = Path::new(&name);
    let _ = fs::remove_file(temporary);
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(temporary)
        .and_then(|mut file| file.write_all(content))
        // Whatever the process's mask took away.
        .and_then(|()| fs::set_permissions(temporary, Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(temporary, path))
        .map_err(failed)
}
