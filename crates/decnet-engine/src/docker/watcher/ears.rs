//! The log sockets that have names, and the collector behind them.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use decnet_compose::layout;
use decnet_logging::collector::CollectorConfig;
use decnet_logging::event::Speaker;
use decnet_logging::socket::SocketSink;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::control::Watch;
use super::super::files::NOBODY;
use super::{News, has_ended};
use crate::error::EngineError;
use crate::native::keeper::collector::CollectorProcess;
use crate::native::keeper::report;
use crate::sys;

/// Connections at once for one service: its process, and the next one while the last is not gone. Whoever
/// took a service over gets no more.
const CONNECTIONS: usize = 4;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 8;

/// Everything that is heard.
pub(super) struct Ears {
    news: mpsc::Sender<News>,
    listeners: BTreeMap<PathBuf, (Speaker, JoinHandle<()>)>,
    config: Option<CollectorConfig>,
    collector: Option<CollectorProcess>,
    /// The collector's ends, kept so that a new collector can have them.
    sources: Vec<(Speaker, OwnedFd)>,
}

impl Ears {
    /// Nothing is heard.
    pub(super) fn new(news: mpsc::Sender<News>) -> Ears {
        Ears { news, listeners: BTreeMap::new(), config: None, collector: None, sources: Vec::new() }
    }

    /// Listens where it is told, and nowhere else.
    pub(super) fn listen(&mut self, watch: &Watch) -> Result<(), EngineError> {
        if let Some(config) = &watch.collector
            && (self.collector.is_none() || self.config.as_ref() != Some(config))
        {
            self.redirect(config)?;
        }
        let wanted: BTreeMap<PathBuf, &Speaker> =
            watch.sockets.iter().map(|(speaker, directory)| (directory.clone(), speaker)).collect();
        self.listeners.retain(|directory, (speaker, task)| {
            let keep = wanted.get(directory) == Some(&&*speaker)
                && directory.join(layout::LOG_SOCKET).exists()
                && !task.is_finished();
            if !keep {
                task.abort();
            }
            keep
        });
        for (directory, speaker) in wanted {
            if self.listeners.contains_key(&directory) {
                continue;
            }
            let socket = open(&directory)
                .map_err(|source| EngineError::File { path: directory.join(layout::LOG_SOCKET), source })?;
            let socket = sys::readiness(socket)
                .map_err(|error| EngineError::system("wait for a log socket", error))?;
            let task = tokio::spawn(accept(socket, speaker.clone(), self.news.clone()));
            self.listeners.insert(directory, (speaker.clone(), task));
        }
        Ok(())
    }

    /// Writes somewhere else from now on. What is said meanwhile waits in the sockets.
    fn redirect(&mut self, config: &CollectorConfig) -> Result<(), EngineError> {
        let before = self.collector.take().and_then(|mut collector| {
            // One after the other: the numbers of the new one go on from the last line of the old one.
            collector.finish();
            self.config.clone()
        });
        let begun = self.begin(config);
        if begun.is_err()
            && let Some(before) = before
            && let Err(error) = self.begin(&before)
        {
            report::operator(&error.to_string());
        }
        begun
    }

    fn begin(&mut self, config: &CollectorConfig) -> Result<(), EngineError> {
        let collector = CollectorProcess::start(config)?;
        for (speaker, source) in &self.sources {
            if let Err(error) = collector.add(speaker, source.as_fd()) {
                report::operator(&error.to_string());
            }
        }
        self.collector = Some(collector);
        self.config = Some(config.clone());
        Ok(())
    }

    /// Takes in a connection of a service.
    pub(super) fn connected(&mut self, speaker: Speaker, socket: OwnedFd) {
        // One whose service has gone may still hold what it said last; the collector has its own handle.
        self.sources.retain(|(_, source)| !has_ended(source));
        let others = self.sources.iter().filter(|(known, _)| *known == speaker).count();
        if others >= CONNECTIONS {
            report::operator(&format!(
                "{}/{} connects to its log socket more than {CONNECTIONS} times; refused",
                speaker.decky, speaker.service
            ));
            return;
        }
        self.add(speaker, socket);
    }

    fn add(&mut self, speaker: Speaker, socket: OwnedFd) {
        if let Some(collector) = &self.collector
            && let Err(error) = collector.add(&speaker, socket.as_fd())
        {
            report::operator(&error.to_string());
        }
        self.sources.push((speaker, socket));
    }

    /// A way for the watcher itself to speak for a service that cannot.
    pub(super) fn speak_as(&mut self, speaker: &Speaker) -> std::io::Result<Arc<SocketSink>> {
        let (sink, collector) = SocketSink::pair()?;
        self.add(speaker.clone(), collector);
        Ok(Arc::new(sink))
    }

    /// Starts the collector again if it has ended.
    pub(super) fn look(&mut self) {
        if self.collector.as_mut().is_some_and(CollectorProcess::has_ended) {
            report::operator("the event collector ended; starting it again");
            if let Some(config) = self.config.clone()
                && let Err(error) = self.begin(&config)
            {
                // Tried again with the next look, as the one that is held has still ended.
                report::operator(&error.to_string());
            }
        }
        self.sources.retain(|(_, source)| !has_ended(source));
    }

    /// Listens no more, and lets the collector write what it has.
    pub(super) fn finish(&mut self) {
        for (directory, (_, task)) in std::mem::take(&mut self.listeners) {
            task.abort();
            let _ = std::fs::remove_file(directory.join(layout::LOG_SOCKET));
        }
        self.sources.clear();
        if let Some(mut collector) = self.collector.take() {
            collector.finish();
        }
    }
}

/// Listens in a directory, whose path may be longer than the address of a socket.
fn open(directory: &Path) -> std::io::Result<OwnedFd> {
    let handle = std::fs::File::open(directory)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd())).join(layout::LOG_SOCKET);
    let _ = std::fs::remove_file(&short);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(&short)?)?;
    // Services may write to it, and nobody else on the host.
    std::os::unix::fs::chown(&short, None, Some(NOBODY))?;
    std::fs::set_permissions(&short, std::fs::Permissions::from_mode(0o660))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Takes in connections for as long as it is let.
async fn accept(listener: AsyncFd<OwnedFd>, speaker: Speaker, news: mpsc::Sender<News>) {
    loop {
        let Ok(mut ready) = listener.readable().await else { return };
        let accepted = ready.try_io(|listener| {
            accept_with(listener.get_ref(), SocketFlags::CLOEXEC).map_err(std::io::Error::from)
        });
        match accepted {
            Ok(Ok(socket)) => {
                if news.send(News::Connected(speaker.clone(), socket)).await.is_err() {
                    return;
                }
            }
            // No descriptors are left for a moment, or the service has changed its mind.
            Ok(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            Err(_would_block) => {}
        }
    }
}
