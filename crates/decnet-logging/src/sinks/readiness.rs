//! Waiting for sockets, with an end.

use std::io;
use std::time::Duration;

use rustix::event::{PollFd, Timespec, poll};

/// Waits until one of `what` is ready, at most `patience`. True if one is.
pub(super) fn wait_for(what: &[PollFd<'_>], patience: Duration) -> io::Result<bool> {
    let mut what = what.to_vec();
    // A duration that no timespec holds is longer than anybody waits.
    let timeout = Timespec::try_from(patience).unwrap_or(Timespec { tv_sec: 60, tv_nsec: 0 });
    match poll(&mut what, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
