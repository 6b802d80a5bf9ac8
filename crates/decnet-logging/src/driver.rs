//! Driving a delivery: a thread, a cursor, patience.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::event::Event;
use crate::journal::{Cursor, Progress, Tail};
use crate::sinks::{Delivery, DeliveryError, Notice, OperatorLog};

/// Events that are handed over at once.
const BATCH_EVENTS: usize = 512;

/// Bytes of their JSON; one event more fits behind it.
const BATCH_BYTES: usize = 256 * 1024;

/// How long one hand-over may block.
const PATIENCE: Duration = Duration::from_secs(1);

/// How soon a delivery that took nothing is asked again.
const AGAIN: Duration = Duration::from_millis(50);

/// How often a delivery is asked what has arrived, while that is less than what it took.
const UNSETTLED: Duration = Duration::from_millis(500);

/// How often the cursor is written while events flow; at rest it always is.
const STORE: Duration = Duration::from_millis(50);

/// The first wait after an error, and the longest. Each is twice the one before, and by chance up to a half
/// shorter, so that a hundred collectors do not come back to a server at the same moment.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long deliveries may go on after the end; what is left then waits in the journal for the next start.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// From the deliveries' threads to the collector: what was lost before it could be delivered.
#[derive(Debug)]
pub(crate) struct Losses {
    counts: Mutex<Vec<(String, u64)>>,
    wake: std::os::fd::OwnedFd,
}

impl Losses {
    pub(crate) fn new() -> io::Result<Losses> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Losses { counts: Mutex::default(), wake })
    }

    /// Readable when there is something to take.
    pub(crate) fn wake(&self) -> &std::os::fd::OwnedFd {
        &self.wake
    }

    fn add(&self, delivery: &str, count: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // One entry for each delivery: it cannot grow.
        match counts.iter_mut().find(|(name, _)| name == delivery) {
            Some((_, sum)) => *sum += count,
            None => counts.push((delivery.to_owned(), count)),
        }
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// What was lost since the last call, by delivery.
    pub(crate) fn take(&self) -> Vec<(String, u64)> {
        let _ = rustix::io::read(&self.wake, &mut [0_u8; 8]);
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A running delivery.
#[derive(Debug)]
pub(crate) struct Driver {
    arrived: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    /// Starts the thread.
    ///
    /// # Errors
    /// The cursor cannot be written, or there are too many threads.
    pub(crate) fn start(
        mut delivery: Box<dyn Delivery>,
        directory: &Path,
        progress: Arc<Progress>,
        losses: Arc<Losses>,
        log: OperatorLog,
    ) -> io::Result<Driver> {
        let name = file_name(delivery.name());
        let last = progress.last();
        let mut cursor = Cursor::open(directory, &name, last)?;
        // A file knows by its last line what has arrived, also where the cursor was not written any more.
        // More than there is belongs to another journal's life.
        if let Some(settled) = delivery.settled().filter(|settled| *settled <= last) {
            cursor.advance(settled);
        }
        let arrived = Arc::new(AtomicU64::new(cursor.seq()));
        let mut worker = Worker {
            tail: Tail::new(directory, cursor.seq() + 1),
            name,
            delivery,
            cursor,
            stored: Instant::now(),
            arrived: arrived.clone(),
            progress,
            losses,
            log,
            failing: false,
            wait: FIRST_WAIT,
        };
        let thread = std::thread::Builder::new()
            .name(format!("deliver-{}", worker.name))
            .spawn(move || worker.run())?;
        Ok(Driver { arrived, thread: Some(thread) })
    }

    /// The number of the last event that has arrived.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Acquire)
    }

    /// Whether its thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Driver {
    /// Waits for its end, which whoever owns the journal's progress has announced.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A name that is safe as a file's.
fn file_name(name: &str) -> String {
    let safe =
        |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) { c } else { '_' };
    let name: String = name.chars().map(safe).collect();
    name.trim_start_matches('.').to_owned()
}

/// What the thread works with.
struct Worker {
    name: String,
    delivery: Box<dyn Delivery>,
    tail: Tail,
    cursor: Cursor,
    stored: Instant,
    arrived: Arc<AtomicU64>,
    progress: Arc<Progress>,
    losses: Arc<Losses>,
    log: OperatorLog,
    failing: bool,
    wait: Duration,
}

impl Worker {
    fn run(&mut self) {
        let mut batch: Vec<Event> = Vec::new();
        let mut taken = 0;
        let mut deadline: Option<Instant> = None;
        let mut reopens = self.progress.reopens();
        loop {
            if self.progress.has_ended() {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + LAST_WORDS);
                let done = taken == batch.len() && self.tail.next_seq() > self.progress.last();
                let settled = self.cursor.seq() + 1 >= self.tail.next_seq();
                if (done && settled) || self.failing || Instant::now() >= deadline {
                    break;
                }
            }
            if reopens != self.progress.reopens() {
                reopens = self.progress.reopens();
                self.delivery.reopen();
            }
            if taken == batch.len() {
                batch.clear();
                taken = 0;
                if !self.fill(&mut batch) {
                    self.settle(true);
                    if self.progress.has_ended() {
                        break;
                    }
                    self.progress.pause(AGAIN);
                }
            }
            if batch.is_empty() {
                self.settle(true);
                let next = self.tail.next_seq();
                let limit = (self.cursor.seq() + 1 < next).then_some(UNSETTLED);
                // What was found wrong while it was asked what has arrived, it tells when it is handed
                // something; without this the last events before a pause would stay lost with a connection.
                if limit.is_some()
                    && let Err(error) = self.delivery.deliver(&[], PATIENCE)
                {
                    self.failed(error);
                    continue;
                }
                if limit.is_some() && self.progress.has_ended() {
                    std::thread::sleep(AGAIN);
                } else {
                    self.progress.wait_for(next, reopens, limit);
                }
                continue;
            }
            match self.delivery.deliver(&batch[taken..], PATIENCE) {
                Ok(count) => {
                    taken += count.min(batch.len() - taken);
                    if count > 0 {
                        self.succeeded();
                    } else {
                        self.progress.pause(AGAIN);
                    }
                    self.settle(false);
                }
                Err(error) => {
                    batch.clear();
                    taken = 0;
                    self.failed(error);
                }
            }
        }
        self.settle(true);
    }

    fn succeeded(&mut self) {
        self.wait = FIRST_WAIT;
        if std::mem::take(&mut self.failing) {
            (self.log)(&Notice::DeliveryRecovered { delivery: self.name.clone() });
        }
    }

    fn back_off(&mut self) {
        use std::hash::{BuildHasher, RandomState};
        let whole = self.wait.as_micros() as u64;
        let shorter = RandomState::new().hash_one(self.cursor.seq()) % (whole / 2 + 1);
        self.progress.pause(Duration::from_micros(whole - shorter));
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    /// Begins anew behind what has arrived, after a wait.
    fn failed(&mut self, error: DeliveryError) {
        if !std::mem::replace(&mut self.failing, true) {
            (self.log)(&Notice::DeliveryFailed { delivery: self.name.clone(), error });
        }
        self.settle(true);
        self.tail.seek(self.cursor.seq() + 1);
        self.back_off();
    }

    /// Asks what has arrived, and moves the cursor there.
    fn settle(&mut self, store: bool) {
        if let Some(seq) = self.delivery.settled() {
            self.cursor.advance(seq.min(self.tail.next_seq().saturating_sub(1)));
            self.arrived.store(self.cursor.seq(), Ordering::Release);
        }
        if store || self.stored.elapsed() >= STORE {
            // One that cannot be written makes events come twice after a restart. The disk that refuses it
            // refuses the journal too, and that is told.
            let _ = self.cursor.store();
            self.stored = Instant::now();
        }
    }

    /// Reads the next events. False if there is something to wait for: the journal does not give what it must
    /// have, or a gap comes next and what stands before it has not arrived.
    fn fill(&mut self, batch: &mut Vec<Event>) -> bool {
        let last = self.progress.last();
        let mut bytes = 0;
        while self.tail.next_seq() <= last && batch.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            let expected = self.tail.next_seq();
            match self.tail.advance() {
                Ok(true) => {}
                // Taken away by somebody. What is written next begins a segment, and the gap is seen then.
                Ok(false) => return !batch.is_empty(),
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        let place = "the journal".to_owned();
                        let error = crate::sinks::DeliveryError { place, source: error };
                        (self.log)(&Notice::DeliveryFailed { delivery: self.name.clone(), error });
                    }
                    return !batch.is_empty();
                }
            }
            let Some(record) = self.tail.record() else { continue };
            let seq = record.seq;
            bytes += record.json.len();
            let event = match self.progress.recent.get(seq) {
                Some(event) => Some(Event::clone(&event)),
                None => serde_json::from_slice(record.json).ok(),
            };
            let found = if event.is_some() { seq } else { seq.saturating_add(1) };
            if expected < found && !self.missed(expected, found) {
                self.tail.seek(expected);
                return !batch.is_empty();
            }
            batch.extend(event);
        }
        true
    }

    /// Counts what was wanted and is not there: from `expected` up to before `found`. The cursor passes, so
    /// that neither an error nor a restart counts it again. False while something before it is under way.
    fn missed(&mut self, expected: u64, found: u64) -> bool {
        if self.cursor.seq().saturating_add(1) != expected {
            return false;
        }
        let count = found - expected;
        self.losses.add(&self.name, count);
        (self.log)(&Notice::DeliveryLost { delivery: self.name.clone(), count });
        self.cursor.advance(found - 1);
        let _ = self.cursor.store();
        self.arrived.store(self.cursor.seq(), Ordering::Release);
        true
    }
}
