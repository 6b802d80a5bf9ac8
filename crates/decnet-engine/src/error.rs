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
    /// No Docker daemon.
    #[error(
        "no Docker daemon answers at {socket}: {why}; start it, name another socket in DOCKER_HOST, or deploy with --engine native"
    )]
    NoDocker {
        /// The socket.
        socket: String,
        /// What was tried and failed.
        why: String,
    },
    /// The daemon said no.
    #[error("{action}: {why}")]
    Docker {
        /// What was tried.
        action: String,
        /// What the daemon said.
        why: String,
    },
    /// The Docker engine enters the network namespaces of its containers.
    #[error(
        "the Docker engine looks into the deckies' network namespaces, which needs root; run it with sudo"
    )]
    NotRoot,
    /// The network of that name is not the fleet's, or not as it has to be.
    #[error("the Docker network `{name}` is there already, but {difference}; {remedy}")]
    ForeignNetwork {
        /// Its name.
        name: String,
        /// How it differs.
        difference: String,
        /// What to do.
        remedy: String,
    },
    /// What runs is not what was planned.
    #[error("the fleet runs, but not as planned: {}", .0.join("; "))]
    Differs(Vec<String>),
    /// The kernel lacks a driver.
    #[error(
        "this kernel does not have {driver} ({source}); load it (`modprobe {driver}`) or use another kernel; `decnet doctor` tries all"
    )]
    NoDriver {
        /// Its name.
        driver: &'static str,
        /// What the kernel said.
        source: NetError,
    },
    /// There is no compose.
    #[error(
        "neither `docker compose` nor `docker-compose` is here; install Docker's compose plugin or the package docker-compose"
    )]
    NoCompose,
    /// Compose failed.
    #[error("{command} failed: {said}")]
    Compose {
        /// The command.
        command: String,
        /// The end of what it said.
        said: String,
    },
    /// A plan that cannot be rendered.
    #[error(transparent)]
    Render(#[from] decnet_compose::Error),
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
