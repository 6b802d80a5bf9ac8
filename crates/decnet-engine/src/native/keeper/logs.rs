//! The log sockets of the fleet: one pair per decky and service. Both ends are kept, so that neither a new
//! worker nor a new collector loses what is under way.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use decnet_logging::EventSink;
use decnet_logging::collector::CollectorConfig;
use decnet_logging::event::Speaker;
use decnet_logging::socket::SocketSink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::collector::CollectorProcess;
use super::report;
use crate::error::EngineError;

/// The service's name in events of the wire itself: what no service could hear of.
pub(crate) const WIRE: &str = "wire";

/// How long to wait before a collector that cannot be started is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The log sockets and the collector. Shared with the wire's thread.
#[derive(Clone, Debug)]
pub(crate) struct Logs(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    config: CollectorConfig,
    collector: CollectorProcess,
    /// When a collector that could not be started again is tried the next time.
    again: Option<Instant>,
    sources: BTreeMap<(String, String), Source>,
}

#[derive(Debug)]
struct Source {
    speaker: Speaker,
    service: OwnedFd,
    collector: OwnedFd,
}

impl Logs {
    /// Starts a collector.
    pub(crate) fn start(config: CollectorConfig) -> Result<Logs, EngineError> {
        let collector = CollectorProcess::start(&config)?;
        Ok(Logs(Arc::new(Mutex::new(Inner { config, collector, again: None, sources: BTreeMap::new() }))))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the collector writes to.
    pub(crate) fn config(&self) -> CollectorConfig {
        self.inner().config.clone()
    }

    /// A handle to the service's end of its log socket, made now if it is not there.
    pub(crate) fn socket(&self, speaker: &Speaker) -> Result<OwnedFd, EngineError> {
        let failed = |error: std::io::Error| {
            EngineError::system(
                format!("make the log socket of {}/{}", speaker.decky, speaker.service),
                error,
            )
        };
        self.inner().source(speaker).and_then(|source| source.service.try_clone()).map_err(failed)
    }

    /// A way for the keeper itself to speak as the wire of a decky.
    pub(crate) fn wire(&self, speaker: Speaker) -> Option<Arc<dyn EventSink>> {
        let mut inner = self.inner();
        let socket = inner.source(&speaker).and_then(|source| source.service.try_clone()).ok()?;
        Some(Arc::new(SocketSink::new(socket)))
    }

    /// Lets go of every log socket of a decky. What is under way is still read.
    pub(crate) fn forget(&self, decky: &str) {
        self.inner().sources.retain(|(name, _), _| name != decky);
    }

    /// Starts the collector again if it has ended; one that cannot be started is tried again later.
    pub(crate) fn attend(&self, now: Instant) {
        let mut inner = self.inner();
        if inner.again.is_some_and(|due| due > now) || !inner.collector.has_ended() {
            return;
        }
        report::operator("the event collector ended; starting it again");
        inner.again = None;
        let config = inner.config.clone();
        if let Err(error) = inner.begin(config) {
            report::operator(&error.to_string());
            inner.again = Some(now + AGAIN);
        }
    }

    /// When [`Logs::attend`] has something to try again.
    pub(crate) fn next_attempt(&self) -> Option<Instant> {
        self.inner().again
    }

    /// Writes somewhere else from now on. Nobody who speaks notices: what they say meanwhile waits in their
    /// sockets.
    ///
    /// # Errors
    /// The new collector cannot be started; the events go where they went before.
    pub(crate) fn redirect(&self, config: CollectorConfig) -> Result<(), EngineError> {
        let mut inner = self.inner();
        let before = inner.config.clone();
        // One after the other: the new one goes on with the journal of the old one.
        inner.collector.finish();
        inner.again = None;
        inner.begin(config).inspect_err(|_| {
            if let Err(error) = inner.begin(before) {
                report::operator(&error.to_string());
                inner.again = Some(Instant::now() + AGAIN);
            }
        })
    }

    /// A handle that is readable when the collector has ended; none while a next attempt is waited for.
    pub(crate) fn ended(&self) -> Option<OwnedFd> {
        let inner = self.inner();
        if inner.again.is_some() {
            return None;
        }
        inner.collector.ended().try_clone_to_owned().ok()
    }

    /// Lets the collector write everything, and waits for its end.
    pub(crate) fn finish(&self) {
        let mut inner = self.inner();
        inner.sources.clear();
        inner.collector.finish();
    }
}

impl Inner {
    /// Starts a collector and hands every source over to it.
    fn begin(&mut self, config: CollectorConfig) -> Result<(), EngineError> {
        let collector = CollectorProcess::start(&config)?;
        for source in self.sources.values() {
            collector.add(&source.speaker, source.collector.as_fd()).map_err(|error| {
                EngineError::system("hand a log socket to the collector", std::io::Error::other(error))
            })?;
        }
        self.collector = collector;
        self.config = config;
        Ok(())
    }

    fn source(&mut self, speaker: &Speaker) -> std::io::Result<&Source> {
        use std::collections::btree_map::Entry;
        match self.sources.entry((speaker.decky.clone(), speaker.service.clone())) {
            Entry::Occupied(there) => Ok(there.into_mut()),
            Entry::Vacant(vacant) => {
                let (service, collector) =
                    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
                self.collector.add(speaker, collector.as_fd()).map_err(std::io::Error::other)?;
                Ok(vacant.insert(Source { speaker: speaker.clone(), service, collector }))
            }
        }
    }
}
