//! The files of a running fleet.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use decnet_core::Plan;
use decnet_logging::collector::CollectorConfig;
use decnet_logging::sinks::DeliveryConfig;

use crate::error::EngineError;

/// The directory of the fleet's events in the state directory: a [`decnet_logging::journal`], kept after a
/// teardown.
pub const JOURNAL: &str = "journal";

/// The artifacts of the fleet, in the state directory, kept after a teardown.
const ARTIFACTS_DIRECTORY: &str = "artifacts";

/// How often the collector says that it is alive.
const HEARTBEAT_S: u64 = 60;

/// The directory `run` below the state directory. Everything in it goes with the fleet.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    state: PathBuf,
}

impl RunDirectory {
    /// Below that state directory.
    pub fn of(state: &Path) -> RunDirectory {
        RunDirectory { state: state.to_owned() }
    }

    /// The directory.
    pub fn path(&self) -> PathBuf {
        self.state.join("run")
    }

    /// Where the keeper listens.
    pub fn control_socket(&self) -> PathBuf {
        self.path().join("control")
    }

    /// What the keeper and its helpers have to say to the operator.
    pub fn log(&self) -> PathBuf {
        self.path().join("keeper.log")
    }

    /// An empty directory on which the zygote mounts its empty root.
    pub fn empty(&self) -> PathBuf {
        self.path().join("empty")
    }

    /// The journal of the fleet's events.
    pub fn events(&self) -> PathBuf {
        self.state.join(JOURNAL)
    }

    /// What the fleet's collector does, whichever engine starts it.
    pub fn collector(&self, plan: &Plan) -> CollectorConfig {
        CollectorConfig {
            deliveries: DeliveryConfig::of(&plan.logging),
            artifacts: Some(self.artifacts()),
            heartbeat_s: Some(HEARTBEAT_S),
            ..CollectorConfig::new(&plan.fleet, self.events())
        }
    }

    /// What intruders gave to the fleet, kept by hash.
    pub fn artifacts(&self) -> PathBuf {
        self.state.join(ARTIFACTS_DIRECTORY)
    }

    fn lock_file(&self) -> PathBuf {
        self.path().join("lock")
    }

    /// Makes the directory, for this user alone.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(&self) -> Result<(), EngineError> {
        for path in [self.path(), self.empty()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| EngineError::File { path, source })?;
        }
        Ok(())
    }

    /// Takes the keeper's lock and writes its process id. The lock lasts as long as the file is open: it
    /// cannot outlive the keeper, so whoever finds it free knows that there is none.
    ///
    /// # Errors
    /// Another keeper has it.
    pub fn lock(&self) -> Result<File, EngineError> {
        let path = self.lock_file();
        let failed = |source| EngineError::File { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EngineError::Silent("another keeper runs here".to_owned()));
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(file)
    }

    /// The process id of the keeper, while there is one.
    pub fn keeper(&self) -> Option<u32> {
        let mut file = OpenOptions::new().read(true).write(true).open(self.lock_file()).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).ok()?;
                text.trim().parse().ok()
            }
            _ => None,
        }
    }

    /// Removes the directory. One that is not there is no error.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Result<(), EngineError> {
        match fs::remove_dir_all(self.path()) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(EngineError::File { path: self.path(), source })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_tells_who_keeps() {
        let state = tempfile::tempdir().unwrap();
        let run = RunDirectory::of(state.path());
        assert_eq!(run.keeper(), None);
        run.create().unwrap();
        let lock = run.lock().unwrap();
        assert_eq!(run.keeper(), Some(std::process::id()));
        assert!(run.lock().is_err());
        drop(lock);
        assert_eq!(run.keeper(), None);
        run.remove().unwrap();
        run.remove().unwrap();
    }
}
