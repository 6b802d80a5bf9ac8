//! The connection to the Docker daemon.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use bollard::{API_DEFAULT_VERSION, Docker};
use decnet_net::namespace;
use futures_core::Stream;

use crate::error::EngineError;

/// Where the daemon listens unless `DOCKER_HOST` says otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Seconds that one answer of the daemon may take; building images streams, and has an answer at once.
const PATIENCE: u64 = 120;

/// A daemon on this machine.
#[derive(Debug)]
pub(super) struct Daemon {
    /// Its API.
    pub(super) docker: Docker,
    /// Where it listens.
    pub(super) socket: PathBuf,
    runtime: tokio::runtime::Runtime,
}

/// Whether a Docker daemon answers here, and joins its containers to this thread's network.
pub fn answers() -> bool {
    Daemon::connect().is_ok_and(|daemon| daemon.shares_our_network().is_ok())
}

/// The daemon's socket, by the environment.
pub(super) fn socket() -> Result<PathBuf, EngineError> {
    match std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        None => Ok(DEFAULT_SOCKET.into()),
        Some(host) => match host.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Ok(path.into()),
            // A fleet's namespaces and log sockets are on the machine that runs the containers.
            _ => Err(EngineError::NoDocker {
                socket: host,
                why: "a daemon on another machine cannot be used; DOCKER_HOST must be unix:///PATH"
                    .to_owned(),
            }),
        },
    }
}

/// Connects, in whatever runtime the caller is, and agrees on a version of the API.
pub(super) async fn open(socket: &std::path::Path) -> Result<Docker, EngineError> {
    let shown = socket.display().to_string();
    let failed = |why: String| EngineError::NoDocker { socket: shown.clone(), why };
    if !socket.exists() {
        return Err(failed("there is no such socket".to_owned()));
    }
    let docker = Docker::connect_with_unix(&shown, PATIENCE, API_DEFAULT_VERSION)
        .map_err(|error| failed(error.to_string()))?;
    docker.negotiate_version().await.map_err(|error| failed(words(&error)))
}

impl Daemon {
    /// Connects.
    pub(super) fn connect() -> Result<Daemon, EngineError> {
        let socket = socket()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| EngineError::system("start a runtime", error))?;
        let docker = runtime.block_on(open(&socket))?;
        Ok(Daemon { docker, socket, runtime })
    }

    /// Refuses a daemon whose containers would join another network than the one that this thread sees, or
    /// whose processes cannot be seen from here.
    pub(super) fn shares_our_network(&self) -> Result<(), EngineError> {
        let refused = |why: &str| EngineError::NoDocker {
            socket: self.socket.display().to_string(),
            why: why.to_owned(),
        };
        let peer = std::os::unix::net::UnixStream::connect(&self.socket)
            .and_then(|stream| Ok(rustix::net::sockopt::socket_peercred(&stream)?))
            .map_err(|error| refused(&error.to_string()))?;
        let theirs = u32::try_from(peer.pid.as_raw_nonzero().get()).ok().and_then(namespace::number_of);
        let ours = namespace::number_of_this_thread();
        match theirs {
            None => {
                Err(refused("its processes cannot be seen from here: run this beside it, not in a container"))
            }
            theirs if theirs != ours => Err(refused(
                "it is in another network namespace, and its containers would join that one's LAN",
            )),
            Some(_) => Ok(()),
        }
    }

    /// Waits for an answer.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }
}

/// Wraps what the daemon said about `action`.
pub(super) fn said(action: impl Into<String>) -> impl FnOnce(bollard::errors::Error) -> EngineError {
    move |error| EngineError::Docker { action: action.into(), why: words(&error) }
}

/// The daemon's own words, without the library's.
pub(super) fn words(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        error => {
            // The library's outermost error often only says that there was one.
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(inner) = source {
                text = format!("{text}: {inner}");
                source = inner.source();
            }
            text
        }
    }
}

/// Whether the daemon said that there is no such thing, or that it is so already.
pub(super) fn is_moot(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 304 | 404, .. })
}

/// The next item of an answer that comes in pieces.
pub(super) async fn next<S: Stream>(stream: &mut Pin<Box<S>>) -> Option<S::Item> {
    std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
}
