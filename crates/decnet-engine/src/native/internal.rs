//! The processes of the native engine, started as `decnet internal NAME …` by one another. They are no
//! interface: their arguments may change with any version.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{keeper, zygote};

/// The keeper's name.
pub(crate) const KEEPER: &str = "keeper";
/// The zygote's.
pub(crate) const ZYGOTE: &str = "zygote";
/// The collector's.
pub(crate) const COLLECTOR: &str = "collector";

/// What the keeper writes to its standard output when it listens.
pub(crate) const READY: &str = "ready";

/// Becomes one of the engine's processes. Returns the process's exit code: 2 where there is none of that
/// name.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    let name = arguments.next().unwrap_or_default();
    match (name.to_str(), arguments.next(), arguments.next()) {
        (Some(KEEPER), Some(state), None) => keeper::run(&PathBuf::from(state)),
        (Some(ZYGOTE), Some(empty), None) => zygote::run(&PathBuf::from(empty)),
        (Some(COLLECTOR), Some(config), None) => keeper::collector::run(&config),
        _ => 2,
    }
}
