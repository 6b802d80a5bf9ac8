//! The collector: hears every service, adds who, when and in which order, and writes it to the journal.
//!
//! One thread, one epoll, no timer while nothing happens. Which socket a report came in on says who speaks;
//! time, sequence number and severity are made here. Whatever a report says beyond the vocabulary of
//! [`Report`] is dropped unread. Every way out ([`Delivery`]) has a thread and a place in the journal of its
//! own: none of them can delay this one.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::artifact::{self, ArtifactStore, StoreError, StoreLimits, frame};
use crate::control::{self, Message};
use crate::driver::{Driver, Losses};
use crate::duties::Duties;
use crate::event::{Body, Event, Report, SCHEMA, Speaker};
use crate::heartbeat::Standing;
use crate::journal::{Journal, JournalConfig, JournalError, Progress};
use crate::json;
use crate::sinks::{self, Delivery, DeliveryConfig, Notice, OpenError, OperatorLog};
use crate::socket::DATAGRAM_LIMIT;
use crate::source::{Heard, PeekOffset, Source};
use crate::text::shown;

/// Reports taken from one source before the others have their turn.
const TURN: usize = 64;

/// Reports taken from one source at the end; a socket's buffer holds fewer.
const LAST_TURN: usize = 4096;

/// Ready sources in one batch.
const BATCH: usize = 256;

/// How soon a journal that could not be written is tried again.
const RETRY: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The control socket's mark in epoll; sources have their index.
const CONTROL: u64 = u64::MAX;

/// The longest wait for a duty, in microseconds.
const DUTY_LONGEST: i64 = 60_000_000;

/// The service's name of the wire, which is no service.
const WIRE: &str = "wire";

/// The mark of the deliveries' threads.
const LOSSES: u64 = u64::MAX - 1;

/// Where the collector writes, and the ways out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectorConfig {
    /// The fleet, for events of the collector itself.
    pub fleet: String,
    /// Every event, first of all.
    pub journal: JournalConfig,
    /// Every way out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<DeliveryConfig>,
    /// The directory that artifacts are kept in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<PathBuf>,
    /// Seconds between heartbeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_s: Option<u64>,
}

impl CollectorConfig {
    /// A journal with the usual bounds, no way out of it, no artifacts and no heartbeat.
    pub fn new(fleet: impl Into<String>, journal: impl Into<PathBuf>) -> Self {
        CollectorConfig {
            fleet: fleet.into(),
            journal: JournalConfig::new(journal),
            deliveries: Vec::new(),
            artifacts: None,
            heartbeat_s: None,
        }
    }
}

/// Why there is no collector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectorError {
    /// There is no journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no place for artifacts.
    #[error(transparent)]
    Artifacts(#[from] StoreError),
    /// A way out cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A way out cannot be begun.
    #[error("begin delivery `{delivery}`: {source}")]
    Delivery {
        /// Its name.
        delivery: String,
        /// The cause.
        source: io::Error,
    },
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

/// Asks every delivery to open anew what it has open: after another program has rotated a file. For a thread
/// that hears of SIGHUP.
#[derive(Clone, Debug)]
pub struct Reopen(Arc<Progress>);

impl Reopen {
    /// Asks.
    pub fn reopen(&self) {
        self.0.reopen();
    }
}

/// Hears sources and writes the journal.
pub struct Collector {
    epoll: OwnedFd,
    sources: Vec<Option<Source>>,
    /// Indices in `sources` that are free.
    free: Vec<usize>,
    /// Sources of which something is written, or about to be, that is yet to be taken from the socket.
    seen: Vec<usize>,
    journal: Journal,
    drivers: Vec<Driver>,
    losses: Arc<Losses>,
    /// The speaker of the collector's own events.
    own: Speaker,
    clock: Box<dyn Fn() -> i64 + Send>,
    peek: Option<PeekOffset>,
    log: OperatorLog,
    /// Where datagrams are received; one byte more than allowed, to see that one was longer.
    buffer: Vec<u8>,
    /// Where artifacts are kept.
    artifacts: Option<ArtifactStore>,
    /// What it says of itself, and when.
    duties: Duties,
    /// Events since it began, and those of them that are known to be lost.
    events: u64,
    dropped: u64,
}

impl Collector {
    /// A collector with the ways out of a configuration. Sequence numbers go on from the journal. A target
    /// that cannot be reached or has no address is a notice, not an error: its events wait in the journal.
    ///
    /// # Errors
    /// The journal or a file cannot be opened; see [`CollectorError`].
    pub fn new(config: &CollectorConfig, log: OperatorLog) -> Result<Self, CollectorError> {
        let open = |delivery| sinks::open(delivery, log.clone());
        let deliveries = config.deliveries.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        Self::with_deliveries(config, deliveries, log)
    }

    /// A collector with ways out of the caller's own, and the configuration's journal.
    ///
    /// # Errors
    /// The journal cannot be opened; see [`CollectorError`].
    pub fn with_deliveries(
        config: &CollectorConfig,
        deliveries: Vec<Box<dyn Delivery>>,
        log: OperatorLog,
    ) -> Result<Self, CollectorError> {
        let (journal, repairs) = Journal::open(&config.journal, &config.fleet, now())?;
        for repair in repairs {
            log(&Notice::JournalRepaired(repair));
        }
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(wait_error)?;
        let losses = Arc::new(Losses::new().map_err(CollectorError::Wait)?);
        let data = epoll::EventData::new_u64(LOSSES);
        epoll::add(&epoll, losses.wake(), data, epoll::EventFlags::IN).map_err(wait_error)?;
        let mut collector = Collector {
            epoll,
            sources: Vec::new(),
            free: Vec::new(),
            seen: Vec::new(),
            journal,
            drivers: Vec::new(),
            losses,
            own: Speaker {
                fleet: config.fleet.clone(),
                decky: "collector".to_owned(),
                hostname: "collector".to_owned(),
                service: "collector".to_owned(),
            },
            clock: Box::new(now),
            peek: None,
            log,
            buffer: vec![0; DATAGRAM_LIMIT + 1],
            artifacts: None,
            duties: Duties::new(config.heartbeat_s),
            events: 0,
            dropped: 0,
        };
        if let Some(directory) = &config.artifacts {
            let store = ArtifactStore::open(directory, StoreLimits::default(), collector.log.clone())?;
            collector.artifacts = Some(store);
        }
        for delivery in deliveries {
            let name = delivery.name().to_owned();
            let driver = Driver::start(
                delivery,
                &config.journal.directory,
                collector.journal.progress(),
                collector.losses.clone(),
                collector.log.clone(),
            );
            let failed = |source| CollectorError::Delivery { delivery: name, source };
            collector.drivers.push(driver.map_err(failed)?);
        }
        Ok(collector)
    }

    /// Another clock: microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> i64 + Send + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Looks at datagrams and takes them only when they are written: so a collector that is killed loses and
    /// doubles nothing, provided that somebody else holds the sockets.
    #[must_use]
    pub fn with_peek_offset(mut self, peek: PeekOffset) -> Self {
        self.peek = Some(peek);
        self
    }

    /// How many sources there are.
    pub fn sources(&self) -> usize {
        self.sources.len() - self.free.len()
    }

    /// A handle by which the operator's wish to open files anew reaches the deliveries.
    pub fn reopen(&self) -> Reopen {
        Reopen(self.journal.progress())
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
        let peeks = self.prepare(&speaker, &socket);
        let source = Some(Source::new(speaker, socket, peeks));
        match self.free.pop() {
            Some(index) => self.sources[index] = source,
            None => self.sources.push(source),
        }
        Ok(())
    }

    /// Makes a socket ready to be looked into. False where that cannot be.
    fn prepare(&mut self, speaker: &Speaker, socket: &OwnedFd) -> bool {
        let (decky, service) = (&speaker.decky, &speaker.service);
        let journal = std::cell::RefCell::new(&mut self.journal);
        match self.peek {
            Some(peek) => peek.prepare(
                socket,
                |seen| journal.borrow_mut().begin_discard(decky, service, seen),
                || journal.borrow_mut().end_discard(decky, service),
            ),
            None => {
                self.journal.end_discard(decky, service);
                false
            }
        }
    }

    /// Works until the keeper closes its end of the control socket; then takes what the sources still hold,
    /// writes it, gives the deliveries a few seconds and returns.
    ///
    /// # Errors
    /// [`CollectorError::Wait`].
    pub fn run(&mut self, control: OwnedFd) -> Result<(), CollectorError> {
        let data = epoll::EventData::new_u64(CONTROL);
        epoll::add(&self.epoll, &control, data, epoll::EventFlags::IN).map_err(wait_error)?;
        while self.wait(Some(&control), None)? {}
        self.drain();
        let reports = self.duties.finish(&self.standing());
        self.say(reports);
        self.flush();
        self.journal.progress().end();
        // What the last of them lost is told too.
        while !self.drivers.iter().all(Driver::has_ended) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.drivers.clear();
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

    /// Waits until every delivery has brought everything to its place. False if that takes longer.
    pub fn settle(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let last = self.journal.progress().last();
        while self.drivers.iter().any(|driver| driver.arrived() < last) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// One batch. False when the control socket has ended.
    fn wait(&mut self, control: Option<&OwnedFd>, timeout: Option<Duration>) -> Result<bool, CollectorError> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let timeout = match (timeout, self.journal.is_waiting()) {
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
                (_, LOSSES) => {}
                (_, index) => self.hear(index as usize, TURN),
            }
        }
        let now = (self.clock)();
        if self.duties.next_due(now).is_some_and(|due| due <= now) {
            let reports = self.duties.tick(now, &self.standing());
            self.say(reports);
        }
        self.flush();
        Ok(open)
    }

    /// How long until the next duty. Never long, so that a clock that is set does not matter.
    fn duty(&self) -> Option<Timespec> {
        let now = (self.clock)();
        let wait = self.duties.next_due(now)?.saturating_sub(now).clamp(0, DUTY_LONGEST);
        // A wait that ends a microsecond too early would end again and again.
        Timespec::try_from(Duration::from_micros(wait.unsigned_abs() + 1000)).ok()
    }

    /// How things stand.
    fn standing(&self) -> Standing {
        let services = || self.sources.iter().flatten().filter(|source| source.speaker.service != WIRE);
        let deckies: BTreeSet<&str> = services().map(|source| source.speaker.decky.as_str()).collect();
        Standing {
            deckies: deckies.len() as u64,
            services: services().count() as u64,
            events: self.events,
            dropped: self.dropped,
            next_seq: self.journal.next_seq(),
        }
    }

    /// Writes what the collector itself has to say.
    fn say(&mut self, reports: Vec<Report>) {
        for report in reports {
            let speaker = self.own.clone();
            self.record(0, speaker, report);
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
            let Some(Some(source)) = self.sources.get_mut(index) else { return };
            let was_open = source.is_open();
            match source.hear(&mut self.buffer) {
                Ok(Heard::Datagram(length)) => {
                    if source.is_open() && !was_open {
                        self.seen.push(index);
                    }
                    let datagram = &self.buffer[..length.min(self.buffer.len())];
                    // Without a store artifacts are let go.
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
                    // What is held is known here alone.
                    match &self.artifacts {
                        Some(store) => store.settle(&mut report),
                        None => artifact::settle(&mut report, |_| false),
                    }
                    let speaker = std::mem::take(&mut source.speaker);
                    let speaker = self.record(length as u64, speaker, report);
                    if let Some(Some(source)) = self.sources.get_mut(index) {
                        source.speaker = speaker;
                    }
                    if self.journal.has_a_batch() {
                        self.commit();
                    }
                }
                // First what it said is written; the end comes again.
                Ok(Heard::End) if was_open => return,
                Ok(Heard::End) => return self.remove(index),
                Ok(Heard::Nothing) => return,
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
            let _ = epoll::delete(&self.epoll, source.socket());
            self.seen.retain(|seen| *seen != index);
            self.free.push(index);
            if let Some(store) = &mut self.artifacts {
                store.closed(index);
            }
        }
    }

    /// Makes an event of a report that came in so many bytes. Gives the speaker back.
    fn record(&mut self, bytes: u64, speaker: Speaker, report: Report) -> Speaker {
        let severity = report.body.severity();
        let mut event = Event { schema: SCHEMA, ts: (self.clock)(), seq: 0, speaker, severity, report };
        let mut length = 0;
        let written = self.journal.append(event.ts, bytes, |seq, out| {
            event.seq = seq;
            let before = out.len();
            let encoded = json::encode_into(&event, out).is_ok();
            length = out.len() - before;
            encoded
        });
        self.events += 1;
        if let Body::EventsDropped { count, delivery: None } = &event.report.body {
            self.dropped = self.dropped.saturating_add(*count);
        }
        self.duties.observe(&event);
        if !written || self.drivers.is_empty() {
            return event.speaker;
        }
        let speaker = event.speaker.clone();
        self.journal.progress().recent.push(event, length);
        speaker
    }

    /// Writes the batch, with what was lost meanwhile.
    fn flush(&mut self) {
        for (delivery, count) in self.losses.take() {
            self.tell_dropped(count, Some(delivery));
        }
        self.commit();
        let dropped = self.journal.take_dropped();
        if dropped > 0 {
            self.tell_dropped(dropped, None);
            self.commit();
        }
    }

    fn tell_dropped(&mut self, count: u64, delivery: Option<String>) {
        let report = Report::without_conversation(Body::EventsDropped { count, delivery });
        self.say(vec![report]);
    }

    /// Writes what waits, and takes from the sockets what is written. What cannot be written is taken too, and
    /// stays in memory as long as there is room: a service must not stand still for our disk.
    fn commit(&mut self) {
        let failing = self.journal.is_failing();
        match self.journal.commit() {
            Ok(()) if failing => {
                (self.log)(&Notice::JournalRecovered { dropped: self.journal.dropped() });
            }
            Err(source) if !failing => {
                (self.log)(&Notice::JournalFailed { waiting: self.journal.waiting_bytes(), source });
            }
            _ => {}
        }
        if self.seen.is_empty() {
            return;
        }
        for index in std::mem::take(&mut self.seen) {
            if let Some(Some(source)) = self.sources.get_mut(index) {
                source.take_seen();
            }
        }
        self.journal.mark_taken();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.commit();
        if self.journal.is_waiting() {
            (self.log)(&Notice::JournalLost { bytes: self.journal.waiting_bytes() });
        }
        self.journal.progress().end();
    }
}

/// The report in a datagram; what is none becomes an event of its own. The first byte tells the kind: `{`, a
/// report.
fn read(datagram: &[u8], length: usize) -> Report {
    let message = match datagram.first() {
        _ if length > DATAGRAM_LIMIT => {
            format!("a datagram of {length} bytes; at most {DATAGRAM_LIMIT} are taken")
        }
        Some(b'{') => match serde_json::from_slice::<Report>(datagram) {
            Ok(report) => return report,
            Err(error) => shown(&error.to_string(), 200).to_string(),
        },
        Some(kind) => format!("a datagram of unknown kind {kind}"),
        None => "an empty datagram".to_owned(),
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
