//! The keeper: the one privileged process of a fleet.
//!
//! One thread, one loop: it hears the command line (control socket), the zygote, new workers and the end of
//! its helpers. The wire has a thread of its own. Everything that must survive a worker is a descriptor held
//! here.

pub(crate) mod collector;
mod fleet;
mod ground;
mod handed;
pub(crate) mod logs;
mod members;
mod observer;
pub(crate) mod report;
mod workers;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::dup2_stdout;

use super::control::{Answer, Request};
use super::internal::READY;
use super::run_directory::RunDirectory;
use crate::engine::Scope;
use crate::error::{EngineError, Refusal};
use fleet::Fleet;

/// How long a client may take to ask its question.
const QUESTION: Duration = Duration::from_secs(5);
/// Bytes of the longest question: a plan for ten thousand deckies.
const QUESTION_BYTES: u64 = 256 << 20;

/// The keeper's life.
pub(crate) fn run(state: &Path) -> u8 {
    match keep(&RunDirectory::of(state)) {
        Ok(()) => 0,
        Err(error) => {
            report::operator(&error.to_string());
            1
        }
    }
}

fn keep(run: &RunDirectory) -> Result<(), EngineError> {
    raise_descriptor_limit();
    let _lock = run.lock()?;
    let path = run.control_socket();
    // Whoever holds the lock is the only keeper: a socket that is there was left by a dead one.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).map_err(|source| EngineError::File { path, source })?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGTERM);
    mask.add(Signal::SIGHUP);
    mask.thread_block().map_err(|error| EngineError::system("hold back signals", error))?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(|error| EngineError::system("hear signals", error))?;
    say_ready()?;
    let mut fleet = Fleet::new(run.clone());
    loop {
        let woken = wait(&listener, &signals, &fleet)?;
        fleet.attend();
        while woken.signal
            && let Ok(Some(signal)) = signals.read_signal()
        {
            // Hanging up means what it means to every daemon: open the logs anew. All else is the end.
            if signal.ssi_signo == Signal::SIGHUP as u32 {
                fleet.reopen_logs();
                continue;
            }
            fleet.dissolve();
            return Ok(());
        }
        if woken.client
            && let Ok((stream, _)) = listener.accept()
            && answer(&mut fleet, &stream)
        {
            fleet.dissolve();
            let _ = send(&stream, &Answer::TornDown(Vec::new()));
            return Ok(());
        }
    }
}

struct Woken {
    client: bool,
    signal: bool,
}

/// Sleeps until somebody has something to say, or a worker is to be started again.
fn wait(listener: &UnixListener, signals: &SignalFd, fleet: &Fleet) -> Result<Woken, EngineError> {
    let timeout = match fleet.next_restart() {
        None => PollTimeout::NONE,
        Some(due) => {
            let left = due.saturating_duration_since(Instant::now()).as_millis() + 1;
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        }
    };
    let mut polled = vec![
        PollFd::new(listener.as_fd(), PollFlags::POLLIN),
        PollFd::new(signals.as_fd(), PollFlags::POLLIN),
    ];
    polled.extend(fleet.sources().into_iter().map(|source| PollFd::new(source, PollFlags::POLLIN)));
    match poll(&mut polled, timeout) {
        Ok(_) => {
            Ok(Woken { client: polled[0].any().unwrap_or(false), signal: polled[1].any().unwrap_or(false) })
        }
        Err(Errno::EINTR) => Ok(Woken { client: false, signal: false }),
        Err(error) => Err(EngineError::system("wait for events", error)),
    }
}

/// Answers one client. `true`: it asked for the end, and is answered when that is done.
fn answer(fleet: &mut Fleet, stream: &UnixStream) -> bool {
    let request = match read(stream) {
        Ok(request) => request,
        Err(error) => {
            let message = format!("the keeper cannot read the request: {error}");
            let _ = send(stream, &Answer::Refused(Refusal { message }));
            return false;
        }
    };
    let answer = match request {
        Request::Converge(plan) => {
            let mut tell = |step| {
                let _ = send(stream, &Answer::Progress(step));
            };
            match fleet.converge(*plan, &mut tell) {
                Ok(converged) => Answer::Converged(converged),
                Err(error) => Answer::Refused(Refusal { message: error.to_string() }),
            }
        }
        Request::Status(plan) => Answer::Status(Box::new(fleet.status(&plan))),
        Request::Teardown(Scope::All) => return true,
        Request::Teardown(Scope::Deckies(names)) => Answer::TornDown(fleet.remove(&names)),
    };
    let _ = send(stream, &answer);
    false
}

fn read(stream: &UnixStream) -> std::io::Result<Request> {
    use std::io::Read as _;
    stream.set_read_timeout(Some(QUESTION))?;
    stream.set_write_timeout(Some(QUESTION))?;
    let mut line = Vec::new();
    BufReader::new(stream).take(QUESTION_BYTES).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

fn send(mut stream: &UnixStream, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Tells whoever started us that we listen, and lets go of the standard output.
pub(crate) fn say_ready() -> Result<(), EngineError> {
    let failed = |error: std::io::Error| EngineError::system("say that the keeper listens", error);
    let mut output = std::io::stdout();
    writeln!(output, "{READY}").and_then(|()| output.flush()).map_err(failed)?;
    let null = OwnedFd::from(fs::File::options().write(true).open("/dev/null").map_err(failed)?);
    dup2_stdout(&null).map_err(|error| failed(error.into()))
}

/// A thousand deckies need some ten thousand descriptors.
pub(crate) fn raise_descriptor_limit() {
    /// As many as the system gives one process, by default (`fs.nr_open`).
    const MOST: u64 = 1 << 20;
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && setrlimit(Resource::RLIMIT_NOFILE, MOST.max(hard), MOST.max(hard)).is_err()
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
