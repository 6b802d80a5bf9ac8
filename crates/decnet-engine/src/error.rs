//! What can go wrong while a plan is made real, and what to do.

use std::io;
use std::path::PathBuf;

use decnet_net::NetError;
use serde::{Deserialize, Serialize};

/// A failure of an engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Services without a server.
    #[error("no server yet for {}; leave {} out, or use --dry-run to render the plan", .0.join(", "), if .0.len() == 1 { "it" } else { "them" })]
    NoServer(Vec<String>),
    /// Services of the user's own, which are Docker images.
    #[error("{} {} Docker images; deploy with --engine docker", .0.join(", "), if .0.len() == 1 { "runs" } else { "run" })]
    NeedsDocker(Vec<String>),
    /// The plan names no interface.
    #[error("the plan names no network interface; name one with --interface")]
    NoInterface,
    /// The plan wants one MAC address for all, which this engine cannot do.
    #[error(
        "the native engine gives every decky its own MAC address, which Wi-Fi refuses; use a wired interface, or --engine docker with --ipvlan"
    )]
    Ipvlan,
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A system call or file.
    #[error("{action}: {source}")]
    System {
        /// What was tried.
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the run directory.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Files that a decky is to show.
    #[error(transparent)]
    Files(#[from] crate::files::FilesError),
    /// The fleet's keeper said no.
    #[error("{0}")]
    Keeper(Refusal),
    /// The fleet's keeper does not answer.
    #[error("the fleet's keeper does not answer: {0}; `decnet teardown --all` ends it")]
    Silent(String),
    /// The keeper ended before it was ready.
    #[error("the fleet's keeper ended before it was ready: {0}")]
    Ended(String),
}

/// Why the keeper refused, as it says it over its control socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refusal {
    /// The whole message.
    pub message: String,
}

impl EngineError {
    /// Wraps what a system call said.
    pub fn system(action: impl Into<String>, source: impl Into<io::Error>) -> EngineError {
        EngineError::System { action: action.into(), source: source.into() }
    }
}
