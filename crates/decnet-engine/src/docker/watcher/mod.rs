//! The watcher: the one process of ours that lives as long as a fleet of containers.
//!
//! One thread. It listens on the log sockets and hands every connection to the collector, reads what custom
//! services print, follows Docker's events, and mends deckies. Docker holds everything else: a watcher that
//! ends takes nothing away, and the next one goes on from `watch.json`.

mod ears;
mod health;
mod link;
mod mend;
mod printers;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::Path;
use std::time::Duration;

use decnet_logging::event::Speaker;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::control::{Answer, Question, Watch};
use super::record::Place;
use crate::error::{EngineError, Refusal};
use crate::native::RunDirectory;
use crate::native::keeper::{raise_descriptor_limit, report, say_ready};
use crate::sys;
use ears::Ears;
use health::Health;
use mend::Mender;
use printers::Printers;

pub(super) use health::HEALTH_FILE;
pub(super) use link::Link;

/// How often it is looked whether the collector still runs.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of the longest question: the sockets of ten thousand deckies.
const QUESTION_BYTES: u64 = 64 << 20;
/// Messages that may wait for the main loop.
const WAITING: usize = 1024;

/// What the tasks tell the main loop.
pub(super) enum News {
    /// A service has connected to its log socket.
    Connected(Speaker, OwnedFd),
    /// Something happened to a container.
    Container(mend::Happening),
    /// The daemon's events are followed from now on: what happened before is unknown.
    Following,
    /// A decky was looked after.
    Mended(String),
    /// A client asks; a deployment lasts until the receiver of the answer is told of its end.
    Asked(Question, oneshot::Sender<Answer>),
    /// A deployment has ended.
    Deployed,
}

/// The watcher's life.
pub(super) fn run(state: &Path) -> u8 {
    let run = RunDirectory::of(state);
    match watch(&run, &Place::of(state)) {
        Ok(()) => 0,
        Err(error) => {
            report::operator(&error.to_string());
            1
        }
    }
}

fn watch(run: &RunDirectory, place: &Place) -> Result<(), EngineError> {
    raise_descriptor_limit();
    let _lock = run.lock()?;
    let path = run.control_socket();
    // Whoever holds the lock is the only one: a socket that is there was left by a dead one.
    let _ = fs::remove_file(&path);
    let listener = StdUnixListener::bind(&path).map_err(|source| EngineError::File { path, source })?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGTERM);
    let signals = mask
        .thread_block()
        .and_then(|()| SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC))
        .map_err(|error| EngineError::system("hear signals", error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| EngineError::system("start a runtime", error))?;
    runtime.block_on(async {
        let failed = |error: std::io::Error| EngineError::system("hear clients", error);
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = UnixListener::from_std(listener).map_err(failed)?;
        let signals = signals.as_fd().try_clone_to_owned().and_then(sys::readiness).map_err(failed)?;
        let (news, heard) = mpsc::channel(WAITING);
        let mut watcher = Watcher::new(place.clone(), news.clone())?;
        tokio::spawn(admit(listener, news));
        say_ready()?;
        watcher.live(heard, signals).await;
        Ok(())
    })
}

struct Watcher {
    place: Place,
    watch: Watch,
    ears: Ears,
    printers: Printers,
    mender: Mender,
    health: Health,
    /// Deployments under way.
    deployments: usize,
    /// Those of them that have not begun.
    waiting: Vec<(Box<Watch>, oneshot::Sender<Answer>)>,
}

impl Watcher {
    fn new(place: Place, news: mpsc::Sender<News>) -> Result<Watcher, EngineError> {
        let watch: Watch = fs::read(watch_file(&place))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let mut watcher = Watcher {
            ears: Ears::new(news.clone()),
            printers: Printers::default(),
            mender: Mender::new(news)?,
            health: Health::new(place.health()),
            place,
            watch: Watch::default(),
            deployments: 0,
            waiting: Vec::new(),
        };
        if !watch.fleet.is_empty() {
            watcher.attend_to(watch)?;
        }
        Ok(watcher)
    }

    async fn live(&mut self, mut heard: mpsc::Receiver<News>, signals: AsyncFd<OwnedFd>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = signals.readable() => break,
                _ = look.tick() => self.ears.look(),
                news = heard.recv() => match news {
                    None => break,
                    Some(News::Asked(Question::End, answer)) => {
                        self.finish();
                        let _ = answer.send(Answer::Done);
                        // The answer is written by another task.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        return;
                    }
                    Some(news) => self.take_in(news),
                },
            }
        }
        self.finish();
    }

    fn take_in(&mut self, news: News) {
        match news {
            News::Connected(speaker, socket) => self.ears.connected(speaker, socket),
            News::Container(happening) => {
                self.health.happened(&self.watch.fleet, &happening);
                if happening.concerns_us() {
                    self.mend(happening.decky);
                }
            }
            News::Following => self.mend_all(),
            News::Mended(decky) => {
                if self.mender.mended(&decky) {
                    self.mend(decky);
                }
                self.let_deploy();
            }
            News::Asked(Question::Deploying(watch), answer) => {
                self.deployments += 1;
                self.waiting.push((watch, answer));
                self.let_deploy();
            }
            News::Asked(Question::End, _) => {}
            News::Deployed => {
                self.deployments = self.deployments.saturating_sub(1);
                self.mend_all();
            }
        }
    }

    /// Lets deployments begin that wait until nothing is being mended: both move containers.
    fn let_deploy(&mut self) {
        if !self.mender.is_idle() {
            return;
        }
        for (watch, answer) in std::mem::take(&mut self.waiting) {
            let said = match self.attend_to(*watch) {
                Ok(()) => Answer::Done,
                Err(error) => {
                    self.deployments = self.deployments.saturating_sub(1);
                    Answer::Refused(Refusal { message: error.to_string() })
                }
            };
            // A client that is gone already: its deployment has ended, and its task says so.
            let _ = answer.send(said);
        }
    }

    /// Hears and follows these from now on.
    fn attend_to(&mut self, watch: Watch) -> Result<(), EngineError> {
        self.ears.listen(&watch)?;
        if watch.fleet != self.watch.fleet {
            self.mender.follow(&watch.fleet);
        }
        if watch != self.watch {
            let text = serde_json::to_vec(&watch).map_err(|error| {
                EngineError::system("remember what to watch", std::io::Error::from(error))
            })?;
            super::files::directory(&self.place.folder(), 0o700)?;
            super::files::put(&watch_file(&self.place), &text, 0o600)?;
        }
        self.printers.follow(&watch, &mut self.ears);
        self.watch = watch;
        Ok(())
    }

    fn mend(&mut self, decky: String) {
        if self.deployments == 0 {
            self.mender.mend(&self.watch.fleet, decky);
        }
    }

    fn mend_all(&mut self) {
        let deckies: BTreeSet<String> =
            self.watch.sockets.iter().map(|(speaker, _)| speaker.decky.clone()).collect();
        for decky in deckies {
            self.mend(decky);
        }
    }

    /// Lets the collector write everything.
    fn finish(&mut self) {
        self.printers.end();
        self.ears.finish();
    }
}

fn watch_file(place: &Place) -> std::path::PathBuf {
    place.folder().join("watch.json")
}

/// Takes in clients.
async fn admit(listener: UnixListener, news: mpsc::Sender<News>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(answer(stream, news.clone()));
            }
            // No descriptors are left for a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Answers one client, and waits for its end where it deploys.
async fn answer(stream: UnixStream, news: mpsc::Sender<News>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(QUESTION_BYTES));
    let mut line = Vec::new();
    let Ok(1..) = reader.read_until(b'\n', &mut line).await else { return };
    let question: Question = match serde_json::from_slice(&line) {
        Ok(question) => question,
        Err(error) => {
            let message = format!("the watcher cannot read the request: {error}");
            send(&mut writer, &Answer::Refused(Refusal { message })).await;
            return;
        }
    };
    let (tell, told) = oneshot::channel();
    if news.send(News::Asked(question, tell)).await.is_err() {
        return;
    }
    let Ok(answer) = told.await else { return };
    let deploys = matches!(answer, Answer::Done);
    send(&mut writer, &answer).await;
    if deploys {
        // Whatever comes: its end is what counts.
        let mut rest = [0; 64];
        while matches!(reader.read(&mut rest).await, Ok(1..)) {}
        let _ = news.send(News::Deployed).await;
    }
}

async fn send(writer: &mut (impl tokio::io::AsyncWrite + Unpin), answer: &Answer) {
    if let Ok(mut line) = serde_json::to_vec(answer) {
        line.push(b'\n');
        // A client that is gone needs no answer.
        let _ = writer.write_all(&line).await;
    }
}

/// Whether the other side of a socket has gone.
fn has_ended(socket: &OwnedFd) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLHUP)];
    matches!(poll(&mut polled, PollTimeout::ZERO), Ok(1..))
        && polled[0]
            .revents()
            .is_some_and(|events| events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
}

/// Appends a line to a file, for this user alone.
fn append(path: &Path, line: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?.write_all(line)
}
