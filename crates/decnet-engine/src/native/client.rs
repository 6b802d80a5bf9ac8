//! The engine as the command line uses it: starts a keeper, talks to it, and cleans up after one.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use decnet_core::Plan;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::control::{Answer, Request};
use super::internal::KEEPER;
use super::run_directory::RunDirectory;
use crate::engine::{Converged, Engine, FleetStatus, Progress, Scope};
use crate::error::{EngineError, Refusal};
use crate::{preflight, process};

/// How long a new keeper may take to listen.
const START: Duration = Duration::from_secs(20);
/// How long a keeper may take to end after it was asked to.
const STOP: Duration = Duration::from_secs(10);
/// How long a keeper may be silent in the middle of a request.
const SILENCE: Duration = Duration::from_secs(60);

/// The native engine of one state directory.
#[derive(Clone, Debug)]
pub struct NativeEngine {
    run: RunDirectory,
}

impl NativeEngine {
    /// For that state directory.
    pub fn new(state: &Path) -> NativeEngine {
        NativeEngine { run: RunDirectory::of(state) }
    }

    /// Where its files are.
    pub fn run_directory(&self) -> &RunDirectory {
        &self.run
    }

    /// Whether a keeper runs here.
    pub fn is_running(&self) -> bool {
        self.run.keeper().is_some()
    }

    /// Starts a keeper in the network namespace of the calling thread, and waits until it listens.
    fn start_keeper(&self) -> Result<(), EngineError> {
        self.run.create()?;
        let path = self.run.log();
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| EngineError::File { path, source })?;
        let errors = log.try_clone().map_err(|error| EngineError::system("duplicate a descriptor", error))?;
        let state = self.run.path();
        let mut command = process::command(process::OURSELVES);
        command
            .args(["internal", KEEPER])
            .arg(state.parent().unwrap_or(&state))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(errors))
            // A group of its own: Ctrl-C in the terminal is for the command, not for the fleet.
            .process_group(0)
            .current_dir("/");
        let mut child =
            command.spawn().map_err(|error| EngineError::system("start the fleet's keeper", error))?;
        // The keeper closes its standard output when it listens, and by ending.
        let mut ready = String::new();
        if let Some(mut output) = child.stdout.take() {
            let _ = output.read_to_string(&mut ready);
        }
        if ready.trim() == super::internal::READY {
            return Ok(());
        }
        let _ = child.wait();
        Err(EngineError::Ended(last_line(&self.run.log())))
    }

    fn ask(&self, request: &Request, progress: &mut dyn FnMut(Progress)) -> Result<Answer, EngineError> {
        let silent = |error: io::Error| EngineError::Silent(error.to_string());
        let mut stream = UnixStream::connect(self.run.control_socket()).map_err(silent)?;
        stream.set_read_timeout(Some(SILENCE)).map_err(silent)?;
        stream.set_write_timeout(Some(SILENCE)).map_err(silent)?;
        let mut question = serde_json::to_vec(request).map_err(|error| silent(error.into()))?;
        question.push(b'\n');
        stream.write_all(&question).map_err(silent)?;
        for line in BufReader::new(stream).lines() {
            match serde_json::from_str(&line.map_err(silent)?).map_err(|error| silent(error.into()))? {
                Answer::Progress(step) => progress(step),
                Answer::Refused(refusal) => return Err(EngineError::Keeper(refusal)),
                answer => return Ok(answer),
            }
        }
        Err(EngineError::Ended(last_line(&self.run.log())))
    }

    /// Waits until the keeper has ended; kills it when it does not.
    fn wait_for_end(&self, pid: u32) {
        let until = Instant::now() + STOP;
        while self.run.keeper() == Some(pid) {
            if Instant::now() > until {
                self.kill(pid);
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills the keeper that holds the lock. The kernel takes the rest away.
    fn kill(&self, pid: u32) {
        let Ok(pid_number) = i32::try_from(pid) else { return };
        let until = Instant::now() + STOP;
        // The lock is asked again right before: a free one means that the number may be somebody else's.
        while self.run.keeper() == Some(pid) && Instant::now() < until {
            let _ = kill(Pid::from_raw(pid_number), Signal::SIGKILL);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The last line of the keeper's log: why it ended.
fn last_line(path: &Path) -> String {
    File::open(path)
        .ok()
        .and_then(|file| {
            BufReader::new(file).lines().map_while(Result::ok).filter(|line| !line.is_empty()).last()
        })
        .unwrap_or_else(|| "it left no word".to_owned())
}

impl Engine for NativeEngine {
    fn converge(&self, plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Result<Converged, EngineError> {
        preflight::native(plan)?;
        let fresh = !self.is_running();
        if fresh {
            // What a killed keeper left: files only.
            self.run.remove()?;
            self.start_keeper()?;
        }
        let answer = self.ask(&Request::Converge(Box::new(plan.clone())), progress);
        match answer {
            Ok(Answer::Converged(converged)) => Ok(converged),
            Ok(_) => Err(EngineError::Silent("its answer fits no question".to_owned())),
            Err(error) => {
                if fresh {
                    let _ = self.teardown(&Scope::All);
                }
                Err(error)
            }
        }
    }

    fn status(&self, plan: &Plan) -> Result<FleetStatus, EngineError> {
        if !self.is_running() {
            return Ok(FleetStatus::down(
                "native",
                plan,
                "the fleet's keeper does not run; deploy again to start it",
            ));
        }
        match self.ask(&Request::Status(Box::new(plan.clone())), &mut |_| {})? {
            Answer::Status(status) => Ok(*status),
            _ => Err(EngineError::Silent("its answer fits no question".to_owned())),
        }
    }

    fn teardown(&self, scope: &Scope) -> Result<Vec<String>, EngineError> {
        let Some(pid) = self.run.keeper() else {
            if *scope == Scope::All {
                self.run.remove()?;
            }
            return Ok(Vec::new());
        };
        let answer = self.ask(&Request::Teardown(scope.clone()), &mut |_| {});
        if *scope != Scope::All {
            return match answer? {
                Answer::TornDown(problems) => Ok(problems),
                _ => {
                    Err(EngineError::Keeper(Refusal { message: "the keeper did not understand".to_owned() }))
                }
            };
        }
        let problems = match answer {
            Ok(Answer::TornDown(problems)) => {
                self.wait_for_end(pid);
                problems
            }
            // It hangs, or died under the question: the kernel cleans up after it.
            _ => {
                self.kill(pid);
                Vec::new()
            }
        };
        let started = Instant::now();
        while self.is_running() && started.elapsed() < START {
            std::thread::sleep(Duration::from_millis(2));
        }
        if let Some(pid) = self.run.keeper() {
            return Err(EngineError::Silent(format!("process {pid} cannot be ended")));
        }
        self.run.remove()?;
        Ok(problems)
    }
}
