//! The one place that starts processes.
#![allow(clippy::disallowed_methods, reason = "the rest of the workspace goes through here")]

use std::ffi::OsStr;
use std::process::Command;

/// This very binary, also when its file was replaced or removed since it was started.
pub(crate) const OURSELVES: &str = "/proc/self/exe";

/// A command that is yet to be started.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}
