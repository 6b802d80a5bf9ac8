//! What the engine deployed, remembered beside the compose file: what a rollback returns to, and by which a
//! deployment that changes nothing is recognised.

use std::fs;
use std::path::{Path, PathBuf};

use decnet_compose::{Options, Platform, Rendered, layout};
use decnet_core::Plan;
use serde::{Deserialize, Serialize};

use super::files::put;
use crate::error::EngineError;

/// The folder below the state directory.
const FOLDER: &str = "docker";

/// Where things are.
#[derive(Clone, Debug)]
pub(super) struct Place {
    state: PathBuf,
}

/// A deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// What was deployed.
    pub(super) plan: Plan,
    /// Of what.
    pub(super) platform: Platform,
    /// The tag of the images of our binary.
    pub(super) tag: String,
    /// Whether the deployment came to its end.
    pub(super) settled: bool,
}

impl Place {
    /// Below that state directory.
    pub(super) fn of(state: &Path) -> Place {
        // Compose and the daemon are told whole paths.
        let state = fs::canonicalize(state)
            .or_else(|_| std::path::absolute(state))
            .unwrap_or_else(|_| state.to_owned());
        Place { state }
    }

    /// The state directory.
    pub(super) fn state(&self) -> PathBuf {
        self.state.clone()
    }

    /// The folder of the compose file and the build contexts.
    pub(super) fn folder(&self) -> PathBuf {
        self.state.join(FOLDER)
    }

    /// The compose file.
    pub(super) fn compose_file(&self) -> PathBuf {
        self.folder().join("compose.yaml")
    }

    fn file(&self) -> PathBuf {
        self.folder().join("deployment.json")
    }

    /// Where the process id of a running compose stands.
    pub(super) fn compose_process(&self) -> PathBuf {
        self.folder().join("compose.pid")
    }

    /// Where what the watcher saw of containers goes: not into the events, which are about intruders.
    pub(super) fn health(&self) -> PathBuf {
        self.state.join(super::watcher::HEALTH_FILE)
    }

    /// The directory of host files and log sockets. Its name is visible inside the containers: a state
    /// directory that would give the product away has its mounts elsewhere. It outlives a reboot, because the
    /// daemon starts containers only whose mounts are there.
    pub(super) fn guests(&self) -> PathBuf {
        let text = self.state.to_string_lossy().to_ascii_lowercase();
        if ["decnet", "decky", "honeypot"].iter().any(|word| text.contains(word)) {
            Path::new("/var/lib/guests").join(short_hash(text.as_bytes()))
        } else {
            self.state.join("guests")
        }
    }

    /// The earlier deployment; none where there was none, or where it cannot be understood.
    pub(super) fn load(&self) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.file()).ok()?).ok()
    }

    /// Remembers a deployment.
    pub(super) fn save(&self, record: &Record) -> Result<(), EngineError> {
        let text = serde_json::to_vec(record)
            .map_err(|error| EngineError::system("remember the deployment", std::io::Error::from(error)))?;
        put(&self.file(), &text, 0o600)
    }

    /// Removes everything but what the operator reads.
    pub(super) fn remove(&self) -> Vec<String> {
        let guests = self.guests();
        let mut problems = Vec::new();
        for path in [self.folder(), guests.clone()] {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    problems.push(format!("{}: {error}", path.display()));
                }
                _ => {}
            }
        }
        if guests.starts_with("/var/lib/guests") {
            // Another fleet may be in it still.
            let _ = fs::remove_dir("/var/lib/guests");
        }
        problems
    }
}

impl Record {
    /// Renders it.
    pub(super) fn render(&self, place: &Place) -> Result<Rendered, EngineError> {
        let options = Options {
            run_directory: place.guests(),
            tag: self.tag.clone(),
            lan_network: layout::LAN_NETWORK.to_owned(),
        };
        Ok(decnet_compose::render(&self.plan, &self.platform, &options)?)
    }
}

/// The first digits of a SHA-256: enough to tell builds apart.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
