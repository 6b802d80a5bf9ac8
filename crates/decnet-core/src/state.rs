//! What is deployed, remembered between runs: the plan, and what really runs it.
//!
//! The state directory holds two files: `state.json`, and `lock`, which one program at a time holds while
//! it changes anything. `state.json` is replaced in one step, so that whoever reads it, at whatever moment
//! the machine stops, finds the old state or the new one and never half of one. It holds the seeds of all
//! identities, which an attacker could recognise the deckies by, so only its owner may read it.
//!
//! ```
//! # fn main() -> Result<(), decnet_core::state::StateError> {
//! # let temporary = tempfile::tempdir().unwrap();
//! # let path = temporary.path().join("decnet");
//! use decnet_core::state::StateDir;
//!
//! let directory = StateDir::open(&path)?; // locked until it is dropped
//! assert!(directory.load()?.is_none(), "nothing is deployed");
//! # Ok(())
//! # }
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// The version of `state.json`. A reader refuses what is newer.
pub const VERSION: u32 = 1;

const STATE_FILE: &str = "state.json";
const LOCK_FILE: &str = "lock";
const TEMPORARY_PREFIX: &str = ".state.json.";

/// What runs a deployed fleet; unlike [`crate::plan::EngineChoice`] it leaves nothing to be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Docker.
    Docker,
    /// Namespaces of our own.
    Native,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Engine::Docker => "docker",
            Engine::Native => "native",
        })
    }
}

/// How many machines a fleet stands on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// This one.
    #[default]
    Unihost,
    /// The nodes of a Docker Swarm.
    Swarm,
}

/// What is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// [`VERSION`].
    pub version: u32,
    /// What runs it.
    pub engine: Engine,
    /// Where.
    #[serde(default)]
    pub mode: Mode,
    /// Whether the last deployment came to its end. False while one is under way and after one that was
    /// cut off: then more or less may run than the plan says, and only asking the engine tells.
    pub settled: bool,
    /// The compose file that was brought up, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose_file: Option<PathBuf>,
    /// The fleet.
    pub plan: Plan,
}

impl State {
    /// The state of a deployment that begins: of the present version, not settled, on one machine and
    /// without a compose file.
    pub fn new(plan: Plan, engine: Engine) -> State {
        State { version: VERSION, engine, mode: Mode::Unihost, settled: false, compose_file: None, plan }
    }
}

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The directory cannot be made or looked at.
    #[error(
        "cannot use the state directory {}: {source}; run as a user who may write there, or name another with --state-dir",
        path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may write to the directory, and so could make us tear down or start what they like.
    #[error(
        "the state directory {} has mode {mode:04o}, so that others may write to it; run `chmod 700 {}`, or name another with --state-dir",
        path.display(), path.display()
    )]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another program holds the lock.
    #[error(
        "the state in {} is in use{}; wait until that has ended",
        path.display(), holder.map(|pid| format!(" by process {pid}")).unwrap_or_default()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process that holds the lock, where it wrote its id down.
        holder: Option<u32>,
    },
    /// A file cannot be read.
    #[error(
        "cannot read {}: {source}; run as the user who deployed the fleet, or name another directory with --state-dir",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written or removed. The state that was there before still stands.
    #[error("cannot write {}: {source}; the earlier state is unchanged", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state is of a later version of DECNET.
    #[error(
        "{} is of version {found}, and this program knows versions up to {known}; use the program that deployed the fleet, or a newer one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The latest that is known here.
        known: u32,
    },
    /// The file is not what [`StateDir::save`] writes.
    #[error(
        "{} cannot be understood: {source}; restore it from a copy, or remove it and tear down with --all",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// A state directory that this program alone may change, until the value is dropped.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Locked; closing it unlocks.
    _lock: File,
}

impl StateDir {
    /// Makes the directory if there is none (mode 0700), locks it, and clears away what an interrupted
    /// [`StateDir::save`] left.
    ///
    /// # Errors
    /// [`StateError::Directory`], [`StateError::Exposed`], and [`StateError::Locked`] at once rather than
    /// waiting.
    pub fn open(path: impl Into<PathBuf>) -> Result<StateDir, StateError> {
        let path = path.into();
        let failed = |source| StateError::Directory { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        let mode = fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(StateError::Exposed { path, mode });
        }
        let lock = lock(&path)?;
        let directory = StateDir { path, _lock: lock };
        directory.clear_temporaries()?;
        Ok(directory)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state, if anything is deployed.
    ///
    /// # Errors
    /// [`StateError::Read`], [`StateError::Newer`], [`StateError::Malformed`].
    pub fn load(&self) -> Result<Option<State>, StateError> {
        peek(&self.path)
    }

    /// Replaces the state in one step, and returns when it is on disk.
    ///
    /// # Errors
    /// [`StateError::Write`]; what was saved before still stands.
    pub fn save(&self, state: &State) -> Result<(), StateError> {
        let target = self.path.join(STATE_FILE);
        let temporary = self.path.join(format!("{TEMPORARY_PREFIX}{}", std::process::id()));
        let written = write_new(&temporary, state)
            .and_then(|()| fs::rename(&temporary, &target))
            .and_then(|()| sync_directory(&self.path));
        written.map_err(|source| {
            // Best effort: the next `open` clears it away too.
            let _ = fs::remove_file(&temporary);
            StateError::Write { path: target, source }
        })
    }

    /// Forgets the state. It is no error if there is none.
    ///
    /// # Errors
    /// [`StateError::Write`].
    pub fn remove(&self) -> Result<(), StateError> {
        let path = self.path.join(STATE_FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other
                .and_then(|()| sync_directory(&self.path))
                .map_err(|source| StateError::Write { path, source }),
        }
    }

    /// Removes temporary files: whoever wrote them held the lock that is ours now, so none is in use.
    fn clear_temporaries(&self) -> Result<(), StateError> {
        let failed = |source| StateError::Directory { path: self.path.clone(), source };
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Reads the state without the lock, for those who only look. Nothing is made if there is none.
///
/// # Errors
/// [`StateError::Read`], [`StateError::Newer`], [`StateError::Malformed`].
pub fn peek(directory: &Path) -> Result<Option<State>, StateError> {
    let path = directory.join(STATE_FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Read { path, source }),
    };
    // The versions come first: a newer file may have any shape.
    #[derive(Deserialize)]
    struct Versions {
        version: u32,
        #[serde(default)]
        plan: PlanVersion,
    }
    #[derive(Default, Deserialize)]
    struct PlanVersion {
        #[serde(default)]
        version: u32,
    }
    let read = |source| StateError::Malformed { path: path.clone(), source };
    let versions: Versions = serde_json::from_slice(&text).map_err(read)?;
    for (found, known) in [(versions.version, VERSION), (versions.plan.version, crate::plan::VERSION)] {
        if found > known {
            return Err(StateError::Newer { path, found, known });
        }
    }
    serde_json::from_slice(&text).map(Some).map_err(read)
}

fn lock(directory: &Path) -> Result<File, StateError> {
    let path = directory.join(LOCK_FILE);
    let failed = |source| StateError::Directory { path: directory.to_owned(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // A process id has ten digits at most; whatever else stands there is not ours.
            let mut text = String::new();
            let holder = match file.take(16).read_to_string(&mut text) {
                Ok(_) => text.trim().parse().ok(),
                Err(_) => None,
            };
            return Err(StateError::Locked { path: directory.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(file)
}

fn write_new(path: &Path, state: &State) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(state)?;
    text.push(b'\n');
    // Left by an earlier `save` of this very process that failed half-way.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&text)?;
    file.sync_all()
}

/// Makes a rename or removal in the directory last through a power cut.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
