//! Writing a plan as a compose file and its build contexts.

use std::path::{Path, PathBuf};

use decnet_core::Plan;

use crate::failure::Failure;

/// Writes them below `directory`; returns the compose file.
pub(crate) fn write(_plan: &Plan, directory: &Path) -> Result<PathBuf, Failure> {
    Ok(directory.join("compose.yaml"))
}
