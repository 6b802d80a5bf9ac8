//! The calls that no safe crate wraps. All unsafe code of this crate stands here.
#![allow(unsafe_code, reason = "fork, a socket option, tokio's descriptors: each block says why")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

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

/// The size of a socket option that is an `int`; `socklen_t` holds it.
const INT_LENGTH: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

/// Sets `SO_PEEK_OFF` (socket(7)): where the next look (`MSG_PEEK`) begins. A negative one switches it off.
///
/// # Errors
/// A socket of a kind, or a system, that has none.
pub(crate) fn set_peek_offset(socket: BorrowedFd<'_>, offset: i32) -> io::Result<()> {
    // SAFETY: the pointer leads to an int that lives over the call, and the length is that of an int.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            (&raw const offset).cast(),
            INT_LENGTH,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The present `SO_PEEK_OFF`; negative where it is switched off.
///
/// # Errors
/// A socket of a kind, or a system, that has none.
pub(crate) fn peek_offset(socket: BorrowedFd<'_>) -> io::Result<i32> {
    let mut offset: libc::c_int = -1;
    let mut length = INT_LENGTH;
    // SAFETY: both pointers lead to values that live over the call, and the length is that of the int.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            (&raw mut offset).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(offset) } else { Err(io::Error::last_os_error()) }
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
