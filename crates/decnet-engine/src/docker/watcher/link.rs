//! The command line's way to the watcher: starting it, and speaking with it.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::WATCHER;
use super::super::control::{Answer, Question, Watch};
use crate::error::{EngineError, Refusal};
use crate::native::RunDirectory;
use crate::process;

/// How long a watcher may take to answer: it may have to start a collector.
const SILENCE: Duration = Duration::from_secs(30);
/// How long it may take to end.
const STOP: Duration = Duration::from_secs(10);

/// The watcher of a state directory.
#[derive(Clone, Debug)]
pub(in super::super) struct Link {
    run: RunDirectory,
    state: PathBuf,
}

/// A deployment that the watcher knows of; dropped, it has ended.
#[derive(Debug)]
#[must_use]
pub(in super::super) struct Deployment {
    _stream: UnixStream,
}

impl Link {
    pub(in super::super) fn of(state: &Path) -> Link {
        Link { run: RunDirectory::of(state), state: state.to_owned() }
    }

    /// Whether one runs.
    pub(in super::super) fn is_running(&self) -> bool {
        self.run.keeper().is_some()
    }

    /// Starts one, unless one runs, and waits until it listens.
    pub(in super::super) fn start(&self) -> Result<(), EngineError> {
        if self.is_running() {
            return Ok(());
        }
        // What a killed one left: files only.
        self.run.remove()?;
        self.run.create()?;
        let path = self.run.log();
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| EngineError::File { path: path.clone(), source })?;
        let failed = |error| EngineError::system("start the fleet's watcher", error);
        let mut child = process::command(process::OURSELVES)
            .args(["internal", WATCHER])
            .arg(&self.state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            // A group of its own: Ctrl-C in the terminal is for the command, not for the fleet.
            .process_group(0)
            .current_dir("/")
            .spawn()
            .map_err(failed)?;
        // It closes its standard output when it listens, and by ending.
        let mut ready = String::new();
        if let Some(mut output) = child.stdout.take() {
            let _ = output.read_to_string(&mut ready);
        }
        if !ready.is_empty() {
            return Ok(());
        }
        let _ = child.wait();
        let why = std::fs::read_to_string(&path).unwrap_or_default();
        let why = why.lines().rev().find(|line| !line.is_empty()).unwrap_or("it left no word");
        Err(EngineError::Keeper(Refusal { message: format!("the fleet's watcher cannot start: {why}") }))
    }

    /// Tells it of a deployment.
    pub(in super::super) fn deploying(&self, watch: Watch) -> Result<Deployment, EngineError> {
        let stream = self.ask(&Question::Deploying(Box::new(watch)))?;
        Ok(Deployment { _stream: stream })
    }

    fn ask(&self, question: &Question) -> Result<UnixStream, EngineError> {
        let silent = |error: std::io::Error| {
            EngineError::Keeper(Refusal {
                message: format!(
                    "the fleet's watcher does not answer: {error}; `decnet teardown --all` ends it"
                ),
            })
        };
        let mut stream = UnixStream::connect(self.run.control_socket()).map_err(silent)?;
        stream.set_read_timeout(Some(SILENCE)).map_err(silent)?;
        stream.set_write_timeout(Some(SILENCE)).map_err(silent)?;
        let mut line = serde_json::to_vec(question).map_err(|error| silent(error.into()))?;
        line.push(b'\n');
        stream.write_all(&line).map_err(silent)?;
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer).map_err(silent)?;
        match serde_json::from_str(&answer).map_err(|error| silent(error.into()))? {
            Answer::Done => Ok(stream),
            Answer::Refused(refusal) => Err(EngineError::Keeper(refusal)),
        }
    }

    /// Ends it, after it has written every event, and removes its files.
    pub(in super::super) fn end(&self) -> Result<(), EngineError> {
        if let Some(pid) = self.run.keeper() {
            // One that does not answer is killed.
            let asked = self.ask(&Question::End).is_ok();
            let mut until = Instant::now() + if asked { STOP } else { Duration::ZERO };
            let mut killed = false;
            while self.run.keeper() == Some(pid) {
                if Instant::now() > until {
                    if killed {
                        return Err(EngineError::Silent(format!("process {pid} cannot be ended")));
                    }
                    if let Ok(pid) = i32::try_from(pid) {
                        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                    }
                    killed = true;
                    until = Instant::now() + STOP;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.run.remove()
    }
}
