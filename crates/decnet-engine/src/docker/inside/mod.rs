//! What our binary does inside a container of a decky.
//!
//! Everything here may be read by somebody who took the container over: no word of it tells what it is.

pub(super) mod guard;
pub(super) mod serve;

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use decnet_compose::layout;
use decnet_core::plan::Decky;
use decnet_logging::ReconnectingSink;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Idles until it is asked to end: for bases whose image has no `sleep`.
pub(super) fn idle() -> u8 {
    let ended = Ends::new().and_then(|ends| ends.within(None));
    u8::from(ended.is_err())
}

/// The requests to end. Process 1 of a container would not hear of them otherwise.
struct Ends(SignalFd);

impl Ends {
    /// To be called before there is a second thread.
    fn new() -> Result<Ends, String> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGTERM);
        mask.add(Signal::SIGINT);
        mask.thread_block()
            .and_then(|()| SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC))
            .map(Ends)
            .map_err(|error| format!("wait for signals: {error}"))
    }

    /// Whether one comes within that time; without a time it is waited for.
    fn within(&self, time: Option<Duration>) -> Result<bool, String> {
        let timeout = time.map_or(PollTimeout::NONE, |time| {
            PollTimeout::try_from(time.as_millis()).unwrap_or(PollTimeout::MAX)
        });
        loop {
            match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(format!("wait for signals: {error}")),
            }
        }
    }
}

/// What the container is told about its host.
fn host() -> Result<Decky, String> {
    let text = std::fs::read(layout::HOST_FILE).map_err(|error| format!("{}: {error}", layout::HOST_FILE))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", layout::HOST_FILE))
}

/// The way out for what happens.
fn log() -> ReconnectingSink {
    ReconnectingSink::new(&Path::new(layout::LOG_DIRECTORY).join(layout::LOG_SOCKET))
}

/// Says why it ends, to the operator, who reads it with `docker logs`.
fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}
