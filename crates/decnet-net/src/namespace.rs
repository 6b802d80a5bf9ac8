//! Network namespaces, each worked in by threads of its own.
//!
//! A thread that enters a namespace never comes back: it does its work there and ends. So no early return
//! can strand a thread in the wrong namespace.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::error::NetError;

/// A network namespace, alive as long as the value (or a process or socket in it) is.
#[derive(Debug)]
pub struct Namespace(OwnedFd);

impl Namespace {
    /// Makes a new, empty namespace.
    ///
    /// # Errors
    /// Missing rights (`CAP_SYS_ADMIN`), or the bound `user.max_net_namespaces`.
    pub fn create() -> Result<Namespace, NetError> {
        on_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|error| NetError::system("make a network namespace", error))?;
            Namespace::current()
        })
    }

    /// The calling thread's namespace.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn current() -> Result<Namespace, NetError> {
        let file = File::open("/proc/thread-self/ns/net")
            .map_err(|error| NetError::system("open the thread's network namespace", error))?;
        Ok(Namespace(file.into()))
    }

    /// The namespace of a process.
    ///
    /// # Errors
    /// The process is gone, or may not be looked at.
    pub fn of_process(pid: u32) -> Result<Namespace, NetError> {
        let path = format!("/proc/{pid}/ns/net");
        let file = File::open(&path).map_err(|error| NetError::system(format!("open {path}"), error))?;
        Ok(Namespace(file.into()))
    }

    /// Another handle to the same namespace.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn try_clone(&self) -> Result<Namespace, NetError> {
        let fd =
            self.0.try_clone().map_err(|error| NetError::system("duplicate a namespace handle", error))?;
        Ok(Namespace(fd))
    }

    /// Moves the calling thread into this namespace, for good. Children that it starts begin there.
    ///
    /// # Errors
    /// Missing rights.
    pub fn enter(&self) -> Result<(), NetError> {
        setns(&self.0, CloneFlags::CLONE_NEWNET)
            .map_err(|error| NetError::system("enter a network namespace", error))
    }

    /// Does `work` in this namespace, on a thread of its own.
    ///
    /// # Errors
    /// The namespace cannot be entered, or what `work` says.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T, NetError> + Send) -> Result<T, NetError> {
        on_thread(|| {
            self.enter()?;
            work()
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The host name that the processes in a process's UTS namespace see.
///
/// # Errors
/// The process is gone, or rights are missing.
pub fn hostname_of(pid: u32) -> Result<String, NetError> {
    let path = format!("/proc/{pid}/ns/uts");
    let file = File::open(&path).map_err(|error| NetError::system(format!("open {path}"), error))?;
    on_thread(|| {
        // Apart from the process's other threads, which must not see another name.
        unshare(CloneFlags::CLONE_FS)
            .and_then(|()| setns(&file, CloneFlags::CLONE_NEWUTS))
            .map_err(|error| NetError::system("enter a UTS namespace", error))?;
        let name =
            nix::unistd::gethostname().map_err(|error| NetError::system("read the host name", error))?;
        Ok(name.to_string_lossy().into_owned())
    })
}

/// Which network namespace a process is in: equal numbers are one namespace. `None` where the process is
/// gone.
pub fn number_of(pid: u32) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|metadata| metadata.ino())
}

/// The same of the calling thread.
pub fn number_of_this_thread() -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/thread-self/ns/net").ok().map(|metadata| metadata.ino())
}

/// Runs `work` on a new thread and waits for it.
fn on_thread<T: Send>(work: impl FnOnce() -> Result<T, NetError> + Send) -> Result<T, NetError> {
    thread::scope(|scope| scope.spawn(work).join().map_err(|_| NetError::Thread)?)
}
