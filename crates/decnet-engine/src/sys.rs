//! The calls that no safe crate wraps. All unsafe code of this crate stands here.
#![allow(unsafe_code, reason = "fork, and descriptors in tokio; each block says why it is sound")]

use std::os::fd::OwnedFd;

use nix::unistd::{ForkResult, fork};

/// Splits this process in two. `None` in the child.
///
/// The caller must be the only thread of its process. Then the child holds no lock that a vanished thread
/// had taken, and may go on like any program.
///
/// # Errors
/// The system has no room for another process.
pub(crate) fn fork_single_threaded() -> nix::Result<Option<nix::unistd::Pid>> {
    // SAFETY: there is no other thread (the caller's duty; the zygote starts none), so nothing in the child
    // is left half done.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// A descriptor whose readiness tokio waits for. To be called in a runtime.
///
/// # Errors
/// It cannot be waited for.
pub(crate) fn readiness(descriptor: OwnedFd) -> std::io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names one open descriptor for as long as it lives, and the `AsyncFd` owns it: nobody
    // else can close it or put another in its place.
    unsafe { tokio::io::unix::AsyncFd::register(descriptor) }.map_err(std::io::Error::from)
}
