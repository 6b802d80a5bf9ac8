//! The collector's process, and the keeper's hold on it.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::Arc;

use decnet_logging::PeekOffset;
use decnet_logging::collector::{Collector, CollectorConfig, Reopen};
use decnet_logging::control::{ControlError, ControlSender};
use decnet_logging::event::Speaker;
use nix::sys::signal::{SigSet, Signal};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::super::internal::{COLLECTOR, READY};
use super::members::refused;
use super::report;
use crate::error::EngineError;
use crate::process;
use crate::sys;

/// The collector's life. Its control socket is its standard input; it ends when that does, with every event
/// written.
pub(crate) fn run(config: &OsStr) -> u8 {
    // Before there is any other thread: SIGHUP is only ever heard by the one that waits for it.
    let _ = hangup().thread_set_mask();
    let config: CollectorConfig = match serde_json::from_slice(config.as_encoded_bytes()) {
        Ok(config) => config,
        Err(error) => {
            report::operator(&format!("the collector's configuration cannot be read: {error}"));
            return 2;
        }
    };
    let log = Arc::new(|notice: &decnet_logging::sinks::Notice| report::operator(&notice.to_string()));
    let begun = std::io::stdin().as_fd().try_clone_to_owned().map_err(|error| error.to_string()).and_then(
        |control| {
            let collector = Collector::new(&config, log).map_err(|error| error.to_string())?;
            let peek = PeekOffset { get: sys::peek_offset, set: sys::set_peek_offset };
            Ok((collector.with_peek_offset(peek), control))
        },
    );
    let (mut collector, control) = match begun {
        Ok(begun) => begun,
        Err(message) => {
            say(&message);
            return 1;
        }
    };
    hear_hangup(collector.reopen());
    say(READY);
    match collector.run(control) {
        Ok(()) => 0,
        Err(error) => {
            report::operator(&format!("the collector ended: {error}"));
            1
        }
    }
}

fn hangup() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGHUP);
    signals
}

/// SIGHUP: another program has rotated a file, and every delivery opens its own anew.
fn hear_hangup(reopen: Reopen) {
    let wait = move || {
        while hangup().wait().is_ok() {
            reopen.reopen();
        }
    };
    if let Err(error) = std::thread::Builder::new().name("hangup".into()).spawn(wait) {
        report::operator(&format!("SIGHUP is not heard: {error}"));
    }
}

/// Tells the keeper, in one line, whether there is a collector. The standard output is for nothing else.
fn say(word: &str) {
    let mut output = std::io::stdout();
    // A keeper that is gone needs no word.
    let _ = writeln!(output, "{word}").and_then(|()| output.flush());
}

/// A running collector.
#[derive(Debug)]
pub(crate) struct CollectorProcess {
    child: Child,
    control: Option<ControlSender>,
    ended: OwnedFd,
}

impl CollectorProcess {
    /// Starts one, and waits until it has opened what it writes to.
    pub(crate) fn start(config: &CollectorConfig) -> Result<CollectorProcess, EngineError> {
        let failed = |error: std::io::Error| EngineError::system("start the event collector", error);
        let (control, theirs) = ControlSender::pair().map_err(failed)?;
        let config = serde_json::to_string(config).map_err(|error| failed(error.into()))?;
        let mut child = process::command(process::OURSELVES)
            .args([OsString::from("internal"), COLLECTOR.into(), config.into()])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut word = String::new();
        if let Some(output) = child.stdout.take() {
            let _ = BufReader::new(output).read_line(&mut word);
        }
        if word.trim_end() != READY {
            let _ = child.wait();
            let why = if word.is_empty() { "it ended early" } else { word.trim_end() };
            return Err(refused(format!("the event collector cannot start: {why}")));
        }
        let ended = Pid::from_raw(child.id().cast_signed())
            .ok_or_else(|| failed(std::io::Error::other("it has no process id")))
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).map_err(|error| failed(error.into())))?;
        Ok(CollectorProcess { child, control: Some(control), ended })
    }

    /// Hands a source over.
    pub(crate) fn add(&self, speaker: &Speaker, source: BorrowedFd<'_>) -> Result<(), ControlError> {
        match &self.control {
            Some(control) => control.add(speaker, source),
            None => Ok(()),
        }
    }

    /// Readable when it has ended.
    pub(crate) fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Lets it write what it has, and waits for its end.
    pub(crate) fn finish(&mut self) {
        self.control = None;
        let _ = self.child.wait();
    }
}
