//! The engines' own processes, started as `decnet internal NAME …`: by one another, and in containers. They
//! are no interface: their names and arguments may change with any version.

use std::ffi::OsString;

use crate::{docker, native};

/// Becomes one of the engines' processes. Returns the process's exit code: 2 where there is none of that
/// name.
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = arguments.collect();
    docker::internal(&words).unwrap_or_else(|| native::internal::run(words.into_iter()))
}
