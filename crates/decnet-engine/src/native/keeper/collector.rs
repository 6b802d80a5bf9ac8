//! The collector's process, and the keeper's hold on it.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::Arc;

use decnet_logging::collector::{Collector, CollectorConfig};
use decnet_logging::control::{ControlError, ControlSender};
use decnet_logging::event::Speaker;
use nix::sys::signal::SigSet;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::super::internal::COLLECTOR;
use super::report;
use crate::error::EngineError;
use crate::process;

/// The collector's life. Its control socket is its standard input; it ends when that does, with every event
/// written.
pub(crate) fn run(config: &OsStr) -> u8 {
    let _ = SigSet::empty().thread_set_mask();
    let config: CollectorConfig = match serde_json::from_slice(config.as_encoded_bytes()) {
        Ok(config) => config,
        Err(error) => {
            report::operator(&format!("the collector's configuration cannot be read: {error}"));
            return 2;
        }
    };
    let log = Arc::new(|notice: &decnet_logging::sinks::Notice| report::operator(&notice.to_string()));
    let ended = std::io::stdin().as_fd().try_clone_to_owned().map_err(|error| error.to_string()).and_then(
        |control| {
            let mut collector = Collector::new(&config, log).map_err(|error| error.to_string())?;
            collector.run(control).map_err(|error| error.to_string())
        },
    );
    match ended {
        Ok(()) => 0,
        Err(message) => {
            report::operator(&format!("the collector ended: {message}"));
            1
        }
    }
}

/// A running collector.
#[derive(Debug)]
pub(crate) struct CollectorProcess {
    child: Child,
    control: Option<ControlSender>,
    ended: OwnedFd,
}

impl CollectorProcess {
    /// Starts one.
    pub(crate) fn start(config: &CollectorConfig) -> Result<CollectorProcess, EngineError> {
        let failed = |error: std::io::Error| EngineError::system("start the event collector", error);
        let (control, theirs) = ControlSender::pair().map_err(failed)?;
        let config = serde_json::to_string(config).map_err(|error| failed(error.into()))?;
        let child = process::command(process::OURSELVES)
            .args([OsString::from("internal"), COLLECTOR.into(), config.into()])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
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
