//! The collector: hears every service, adds who, when and in which order, and writes to the sinks.
//!
//! One thread, one epoll, no timer while nothing happens but the heartbeat's. Which socket a report came in on says who speaks;
//! time, sequence number and severity are made here. Whatever a report says beyond the vocabulary of
//! [`Report`] is dropped unread.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use decnet_core::plan::{LogTarget, LogTransport};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{RecvFlags, recv};
use serde::{Deserialize, Serialize};

use crate::artifact::{self, ArtifactStore, StoreError, StoreLimits, frame};
use crate::control::{self, Message};
use crate::duties::Duties;
use crate::event::{Body, Event, Report, SCHEMA, Speaker};
use crate::heartbeat::Standing;
use crate::reader::last_seq;
use crate::sinks::{
    self, DeliveryConfig, Direct, JsonFile, Notice, OpenError, OperatorLog, Sink, SyslogFile, UdpSink,
};
use crate::socket::DATAGRAM_LIMIT;
use crate::text::shown;

/// Reports taken from one source before the others have their turn.
const TURN: usize = 64;

/// Reports taken from one source at the end; a socket's buffer holds fewer.
const LAST_TURN: usize = 4096;

/// Ready sources in one batch.
const BATCH: usize = 256;

/// How soon a sink with something left is tried again.
const RETRY: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The longest wait for a duty: microseconds.
const DUTY_LONGEST: i64 = 60 * 1_000_000;

/// The service's name in events of the packet carrier, which is no service of a decky.
const WIRE: &str = "wire";

/// The control socket's mark in epoll; sources have their index.
const CONTROL: u64 = u64::MAX;

/// What the collector writes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectorConfig {
    /// The fleet, for events of the collector itself.
    pub fleet: String,
    /// A file of JSON lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_file: Option<PathBuf>,
    /// A file of RFC 5424 lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syslog_file: Option<PathBuf>,
    /// A syslog server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<LogTarget>,
    /// The directory that artifacts are kept in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<PathBuf>,
    /// Seconds between heartbeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_s: Option<u64>,
    /// Every way out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<DeliveryConfig>,
}

/// Why there is no collector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectorError {
    /// A file cannot be opened: make its directory, or give this user the right.
    #[error("open the event file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// There is no place for artifacts.
    #[error(transparent)]
    Artifacts(#[from] StoreError),
    /// A way out cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// epoll failed: too many open files, or no memory in the kernel.
    #[error("wait for log sockets: {0}")]
    Wait(io::Error),
    /// A source cannot be waited for.
    #[error("listen to the log socket of {decky}/{service}: {source}")]
    Add {
        /// The decky.
        decky: String,
        /// The service.
        service: String,
        /// The cause.
        source: io::Error,
    },
}

/// One service of one decky.
struct Source {
    speaker: Speaker,
    socket: OwnedFd,
}

/// Hears sources and writes to sinks.
pub struct Collector {
    epoll: OwnedFd,
    sources: Vec<Option<Source>>,
    /// Indices in `sources` that are free.
    free: Vec<usize>,
    sinks: Vec<Box<dyn Sink>>,
    /// The speaker of the collector's own events.
    own: Speaker,
    next_seq: u64,
    clock: Box<dyn Fn() -> i64 + Send>,
    log: OperatorLog,
    /// Where datagrams are received; one byte more than allowed, to see that one was longer.
    buffer: Vec<u8>,
    /// A sink has something left.
    unflushed: bool,
    /// Where artifacts are kept.
    artifacts: Option<ArtifactStore>,
    /// What it says of itself, and when.
    duties: Duties,
    /// Events since it began, and those of them that are known to be lost.
    events: u64,
    dropped: u64,
}

impl Collector {
    /// A collector with the sinks of a configuration. Sequence numbers go on from the last whole line of its
    /// files. A target that cannot be reached or has no address is a notice, not an error: the files go on.
    ///
    /// # Errors
    /// A file cannot be opened; see [`CollectorError`].
    pub fn new(config: &CollectorConfig, log: OperatorLog) -> Result<Self, CollectorError> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        let mut last = 0;
        for path in config.json_file.iter().chain(&config.syslog_file) {
            let failed = |source| CollectorError::File { path: path.clone(), source };
            last = last.max(last_seq(path).map_err(failed)?.unwrap_or(0));
        }
        if let Some(path) = &config.json_file {
            let failed = |source| CollectorError::File { path: path.clone(), source };
            sinks.push(Box::new(JsonFile::open(path, log.clone()).map_err(failed)?));
        }
        if let Some(path) = &config.syslog_file {
            let failed = |source| CollectorError::File { path: path.clone(), source };
            sinks.push(Box::new(SyslogFile::open(path, log.clone()).map_err(failed)?));
        }
        match &config.target {
            Some(target) if target.transport == LogTransport::Udp => {
                sinks.push(Box::new(UdpSink::new(target.clone(), log.clone())));
            }
            Some(target) => log(&Notice::TransportUnsupported(target.clone())),
            None => {}
        }
        for delivery in &config.deliveries {
            sinks.push(Box::new(Direct::new(sinks::open(delivery, log.clone())?, log.clone())));
        }
        let mut collector = Self::with_sinks(&config.fleet, sinks, last + 1, log.clone())?;
        collector.duties = Duties::new(config.heartbeat_s);
        if let Some(directory) = &config.artifacts {
            collector.artifacts = Some(ArtifactStore::open(directory, StoreLimits::default(), log)?);
        }
        Ok(collector)
    }

    /// A collector with sinks of the caller's own, whose first event has the number `next_seq`.
    ///
    /// # Errors
    /// [`CollectorError::Wait`].
    pub fn with_sinks(
        fleet: &str,
        sinks: Vec<Box<dyn Sink>>,
        next_seq: u64,
        log: OperatorLog,
    ) -> Result<Self, CollectorError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(wait_error)?;
        Ok(Collector {
            epoll,
            sources: Vec::new(),
            free: Vec::new(),
            sinks,
            own: Speaker {
                fleet: fleet.to_owned(),
                decky: "collector".to_owned(),
                hostname: "collector".to_owned(),
                service: "collector".to_owned(),
            },
            next_seq,
            clock: Box::new(now),
            log,
            buffer: vec![0; DATAGRAM_LIMIT + 1],
            unflushed: false,
            artifacts: None,
            duties: Duties::default(),
            events: 0,
            dropped: 0,
        })
    }

    /// Another clock: microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> i64 + Send + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// How many sources there are.
    pub fn sources(&self) -> usize {
        self.sources.len() - self.free.len()
    }

    /// Hears one more source: the collector's end of a [`crate::socket::SocketSink`]. It is closed when the
    /// service's end is.
    ///
    /// # Errors
    /// [`CollectorError::Add`].
    pub fn add(&mut self, speaker: Speaker, socket: OwnedFd) -> Result<(), CollectorError> {
        let index = self.free.last().copied().unwrap_or(self.sources.len());
        let data = epoll::EventData::new_u64(index as u64);
        if let Err(error) = epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN) {
            let Speaker { decky, service, .. } = speaker;
            return Err(CollectorError::Add { decky, service, source: error.into() });
        }
        let source = Some(Source { speaker, socket });
        match self.free.pop() {
            Some(index) => self.sources[index] = source,
            None => self.sources.push(source),
        }
        Ok(())
    }

    /// Works until the keeper closes its end of the control socket; then takes what the sources still hold,
    /// writes it and returns.
    ///
    /// # Errors
    /// [`CollectorError::Wait`].
    pub fn run(&mut self, control: OwnedFd) -> Result<(), CollectorError> {
        let data = epoll::EventData::new_u64(CONTROL);
        epoll::add(&self.epoll, &control, data, epoll::EventFlags::IN).map_err(wait_error)?;
        while self.wait(Some(&control), None)? {}
        self.drain();
        // Duties: the last words.
        let reports = self.duties.finish(&self.standing());
        self.say(reports);
        self.flush();
        Ok(())
    }

    /// Waits for reports, writes one batch and returns; at the latest after `timeout`. For programs that
    /// have a loop of their own.
    ///
    /// # Errors
    /// [`CollectorError::Wait`].
    pub fn turn(&mut self, timeout: Option<Duration>) -> Result<(), CollectorError> {
        self.wait(None, timeout).map(|_| ())
    }

    /// Takes what the sources hold at this moment and writes it, without waiting for more.
    pub fn drain(&mut self) {
        for index in 0..self.sources.len() {
            self.hear(index, LAST_TURN);
        }
        self.flush();
    }

    /// One batch. False when the control socket has ended.
    fn wait(&mut self, control: Option<&OwnedFd>, timeout: Option<Duration>) -> Result<bool, CollectorError> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let timeout = match (timeout, self.unflushed) {
            (Some(timeout), true) => Some(timeout.min(RETRY)),
            (None, true) => Some(RETRY),
            (timeout, false) => timeout,
        };
        let timeout = [timeout, self.duty()].into_iter().flatten().min();
        let mut ready = Vec::with_capacity(BATCH);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(true),
            Err(error) => return Err(wait_error(error)),
        }
        let mut open = true;
        for event in ready {
            match (control, event.data.u64()) {
                (Some(control), CONTROL) => open = self.hear_control(control),
                (_, index) => self.hear(index as usize, TURN),
            }
        }
        // Duties: what is due by now.
        let now = (self.clock)();
        if self.duties.next_due(now).is_some_and(|due| due <= now) {
            let reports = self.duties.tick(now, &self.standing());
            self.say(reports);
        }
        self.flush();
        Ok(open)
    }

    /// Duties: how long until the next one. Never long, so that a clock that is set does not matter.
    fn duty(&self) -> Option<Timespec> {
        let now = (self.clock)();
        let wait = self.duties.next_due(now)?.saturating_sub(now).clamp(0, DUTY_LONGEST);
        // A wait that ends a microsecond too early would end again and again.
        Timespec::try_from(Duration::from_micros(wait.unsigned_abs() + 1000)).ok()
    }

    /// Duties: how things stand.
    fn standing(&self) -> Standing {
        let services = || self.sources.iter().flatten().filter(|source| source.speaker.service != WIRE);
        let deckies: BTreeSet<&str> = services().map(|source| source.speaker.decky.as_str()).collect();
        Standing {
            deckies: deckies.len() as u64,
            services: services().count() as u64,
            events: self.events,
            dropped: self.dropped,
            next_seq: self.next_seq,
        }
    }

    /// Duties: writes what the collector itself has to say.
    fn say(&mut self, reports: Vec<Report>) {
        for report in reports {
            self.write(self.own.clone(), report);
        }
    }

    /// Takes what the keeper says. False at the end.
    fn hear_control(&mut self, control: &OwnedFd) -> bool {
        loop {
            match control::receive(control.as_fd()) {
                Ok(Message::Add(speaker, socket)) => {
                    let (decky, service) = (speaker.decky.clone(), speaker.service.clone());
                    if let Err(CollectorError::Add { source, .. }) = self.add(speaker, socket) {
                        (self.log)(&Notice::SourceFailed { decky, service, source });
                    }
                }
                Ok(Message::Empty) => return true,
                Ok(Message::End) => return false,
                Ok(Message::Unreadable(why)) => (self.log)(&Notice::ControlUnreadable(why)),
                Err(error) => {
                    (self.log)(&Notice::ControlFailed(error));
                    return false;
                }
            }
        }
    }

    /// Takes up to `limit` reports of a source.
    fn hear(&mut self, index: usize, limit: usize) {
        for _ in 0..limit {
            let Some(Some(source)) = self.sources.get(index) else { return };
            // recv takes no ancillary data: descriptors that came along are closed by the kernel.
            match recv(&source.socket, &mut self.buffer[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                Ok((_, 0)) if is_at_end(&source.socket) => return self.remove(index),
                Ok((_, length)) => {
                    let datagram = &self.buffer[..length.min(self.buffer.len())];
                    // Artifacts: without a store they are let go.
                    if frame::is_frame(datagram) {
                        let taken = match &mut self.artifacts {
                            Some(store) => store.take(index, datagram, (self.clock)()),
                            None => frame::decode(datagram).is_some(),
                        };
                        if taken {
                            continue;
                        }
                    }
                    let mut report = read(datagram, length);
                    self.settle(&mut report);
                    let speaker = source.speaker.clone();
                    self.write(speaker, report);
                }
                Err(Errno::AGAIN) => return,
                // The service died with something unread of ours, which there never is; the reports that it
                // sent before are still there.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(error) => {
                    let Speaker { decky, service, .. } = source.speaker.clone();
                    (self.log)(&Notice::SourceFailed { decky, service, source: error.into() });
                    return self.remove(index);
                }
            }
        }
    }

    fn remove(&mut self, index: usize) {
        if let Some(source) = self.sources.get_mut(index).and_then(Option::take) {
            // Not left to the closing: while any process holds a copy, epoll would tell of it for ever.
            let _ = epoll::delete(&self.epoll, &source.socket);
            self.free.push(index);
            if let Some(store) = &mut self.artifacts {
                store.closed(index);
            }
        }
    }

    /// Artifacts: what is held is known here alone.
    fn settle(&self, report: &mut Report) {
        match &self.artifacts {
            Some(store) => store.settle(report),
            None => artifact::settle(report, |_| false),
        }
    }

    /// Makes an event of a report and gives it to every sink.
    fn write(&mut self, speaker: Speaker, report: Report) {
        let event = Event {
            schema: SCHEMA,
            ts: (self.clock)(),
            seq: self.next_seq,
            speaker,
            severity: report.body.severity(),
            report,
        };
        self.next_seq += 1;
        // Duties: they see every event.
        self.events += 1;
        if let Body::EventsDropped { count } = &event.report.body {
            self.dropped = self.dropped.saturating_add(*count);
        }
        self.duties.observe(&event);
        for sink in &mut self.sinks {
            sink.write(&event);
        }
    }

    fn flush(&mut self) {
        self.unflushed = false;
        let mut dropped = 0;
        for sink in &mut self.sinks {
            self.unflushed |= !sink.flush();
            dropped += sink.take_dropped();
        }
        if dropped > 0 {
            let report = Report::without_conversation(Body::EventsDropped { count: dropped });
            self.write(self.own.clone(), report);
            for sink in &mut self.sinks {
                self.unflushed |= !sink.flush();
            }
        }
    }
}

/// Whether nothing came because the service has closed, and not because it sent an empty datagram: then its
/// end is still there, or there is more behind.
fn is_at_end(socket: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::empty())];
    // An error of poll says nothing about the peer: the source stays, and is looked at again.
    let closed = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
        && polled[0].revents().contains(PollFlags::HUP);
    closed && ioctl_fionread(socket).is_ok_and(|waiting| waiting == 0)
}

/// The report in a datagram; what is none becomes an event of its own.
fn read(datagram: &[u8], length: usize) -> Report {
    let message = if length > DATAGRAM_LIMIT {
        format!("a datagram of {length} bytes; at most {DATAGRAM_LIMIT} are taken")
    } else {
        match serde_json::from_slice::<Report>(datagram) {
            Ok(report) => return report,
            Err(error) => shown(&error.to_string(), 200).to_string(),
        }
    };
    let mut report = Report::without_conversation(Body::EventsInvalid { message }).with_raw(datagram);
    report.raw_len = Some(length as u64);
    report
}

fn wait_error(error: Errno) -> CollectorError {
    CollectorError::Wait(error.into())
}

/// Microseconds since 1970-01-01 UTC; 0 for a clock that stands before.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_micros()).ok())
        .unwrap_or(0)
}
