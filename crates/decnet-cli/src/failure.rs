//! Why a command failed, in one message, and the exit code that goes with it.

use std::path::Path;

use decnet_core::Diagnostic;
use decnet_core::state::StateError;
use decnet_engine::EngineError;
use decnet_net::NetError;

/// Exit codes (SPEC section 2).
pub(crate) mod exit {
    /// Done.
    pub(crate) const DONE: u8 = 0;
    /// Failed.
    pub(crate) const FAILED: u8 = 1;
    /// Wrong usage or invalid config.
    pub(crate) const USAGE: u8 = 2;
    /// Partly done.
    pub(crate) const PARTLY: u8 = 3;

    /// All of them, in words for help and documents.
    pub(crate) const MEANINGS: [(u8, &str); 4] = [
        (DONE, "done"),
        (FAILED, "failed"),
        (USAGE, "wrong usage or invalid config"),
        (PARTLY, "partly done; the answer says what is missing"),
    ];
}

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request or config is wrong; the diagnostics say where.
    Request(Vec<Diagnostic>),
    /// The command line is wrong.
    Usage(String),
    /// It could not be done.
    Failed(String),
}

impl Failure {
    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Failure::Request(_) | Failure::Usage(_) => exit::USAGE,
            Failure::Failed(_) => exit::FAILED,
        }
    }

    /// A file that cannot be used.
    pub(crate) fn file(action: &str, path: &Path, error: &std::io::Error) -> Failure {
        Failure::Failed(format!("cannot {action} {}: {error}", path.display()))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Request(found) => {
                let lines: Vec<String> = found.iter().map(Diagnostic::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Failure::Usage(message) | Failure::Failed(message) => f.write_str(message),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Failure::Failed(error.to_string())
    }
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        Failure::Failed(error.to_string())
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Failure::Failed(error.to_string())
    }
}
