//! The zygote: forks a worker per decky.
//!
//! It is the first process of its own PID namespace and sits in empty network, mount, IPC and UTS
//! namespaces from its first instruction on, so a worker is born there. Workers share its memory until they
//! write to it: the program's tables, relocations and heap cost once, not once per decky.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use decnet_core::plan::Decky;
use decnet_core::service::Port;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, dup2_stdin, pivot_root, sethostname};
use serde::{Deserialize, Serialize};

use super::channel::{Channel, Received};
use super::sandbox::{self, Filters};
use super::worker;
use crate::sys;

/// From the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Fork a worker.
    Spawn(Box<Spawn>),
    /// End the worker of that number, also one that has not said yet that it serves.
    End(u64),
}

/// Fork a worker. Its descriptors follow in this order: the channel for its one notice,
/// the log socket of each service of `logs`, the sockets of `sockets`, the packed files of `files`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Spawn {
    /// The worker's number; never used again.
    pub(crate) id: u64,
    /// The user id it becomes.
    pub(crate) user: u32,
    /// The decky it is.
    pub(crate) decky: Decky,
    /// The services that report.
    pub(crate) logs: Vec<String>,
    /// The services and ports of the sockets.
    pub(crate) sockets: Vec<(String, Port)>,
    /// The services and keys that are handed files.
    #[serde(default)]
    pub(crate) files: Vec<(String, String)>,
}

/// To the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum News {
    /// Workers can be had.
    Up,
    /// There can be no workers.
    Failed(String),
    /// A worker ended.
    Exited {
        /// Its number.
        id: u64,
        /// The signal that ended it.
        signal: Option<i32>,
        /// Its exit code.
        code: Option<i32>,
    },
    /// A worker could not be forked.
    Refused {
        /// Its number.
        id: u64,
        /// Why.
        message: String,
    },
}

/// The zygote's life. Its channel is its standard input, and the only thing that ties it to the keeper: a
/// parent-death signal would follow the thread that started it, which is gone by now.
pub(crate) fn run(empty: &Path) -> u8 {
    let Ok(channel) = std::io::stdin().as_fd().try_clone_to_owned() else { return 1 };
    let channel = Channel::new(channel);
    match prepare(empty) {
        Ok((filters, children)) => {
            if channel.send(&News::Up, &[]).is_err() {
                return 0;
            }
            serve(&channel, &filters, &children)
        }
        Err(message) => {
            let _ = channel.send(&News::Failed(message), &[]);
            1
        }
    }
}

/// Leaves everything behind and warms up what workers will share.
fn prepare(empty: &Path) -> Result<(Filters, SignalFd), String> {
    let null = File::open("/dev/null").map_err(|error| format!("open /dev/null: {error}"))?;
    dup2_stdin(&null).map_err(|error| format!("close the standard input: {error}"))?;
    // A panic in a worker is reported as an event; its text belongs nowhere else.
    std::panic::set_hook(Box::new(|_| {}));
    sandbox::note_user_namespace();
    let filters = Filters::compile()?;
    let _ = decnet_services::registry();
    decnet_services::entropy::Entropy::system()
        .map_err(|_| "the system has no randomness to give".to_owned())?;
    sethostname("localhost").map_err(|error| format!("name the host: {error}"))?;
    leave_file_system(empty).map_err(|error| format!("leave the file system: {error}"))?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_set_mask().map_err(|error| format!("hold back signals: {error}"))?;
    let children = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(|error| format!("hear of ended workers: {error}"))?;
    Ok((filters, children))
}

/// Makes an empty read-only directory the root.
fn leave_file_system(empty: &Path) -> Result<(), Errno> {
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("none"), empty, Some("tmpfs"), flags, Some("size=4k,mode=555"))?;
    chdir(empty)?;
    // The old root is put on top of the new one, and taken away.
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    mount(NONE, "/", NONE, flags | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, NONE)
}

/// The number of each worker that runs. By it the keeper knows one that ended before it said anything.
type Workers = BTreeMap<Pid, u64>;

fn serve(channel: &Channel, filters: &Filters, children: &SignalFd) -> u8 {
    let mut workers = Workers::new();
    loop {
        let mut polled = [
            PollFd::new(channel.as_fd(), PollFlags::POLLIN),
            PollFd::new(children.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
        while let Ok(Some(_)) = children.read_signal() {}
        if reap(channel, &mut workers).is_err() {
            return 0;
        }
        match channel.try_receive::<Order>() {
            Ok(Received::Message(Order::Spawn(spawn), descriptors)) => {
                if fork(channel, children, filters, &mut workers, *spawn, descriptors).is_err() {
                    return 0;
                }
            }
            Ok(Received::Message(Order::End(id), _)) => {
                // A child that was not waited for keeps its number: it is nobody else's.
                for (pid, _) in workers.iter().filter(|(_, worker)| **worker == id) {
                    let _ = kill(*pid, Signal::SIGKILL);
                }
            }
            Ok(Received::Empty) => {}
            // The keeper is gone: as the first process of the namespace, ending ends every worker.
            Ok(Received::End) | Err(_) => return 0,
        }
    }
}

/// Forks a worker. An error means that the keeper is gone.
fn fork(
    channel: &Channel,
    children: &SignalFd,
    filters: &Filters,
    workers: &mut Workers,
    spawn: Spawn,
    descriptors: Vec<OwnedFd>,
) -> std::io::Result<()> {
    match sys::fork_single_threaded() {
        Ok(Some(child)) => {
            workers.insert(child, spawn.id);
            Ok(())
        }
        Ok(None) => worker::run(spawn, descriptors, &[channel.as_fd(), children.as_fd()], filters),
        Err(error) => channel.send(&News::Refused { id: spawn.id, message: format!("fork: {error}") }, &[]),
    }
}

/// Tells of every worker that ended. An error means that the keeper is gone.
fn reap(channel: &Channel, workers: &mut Workers) -> std::io::Result<()> {
    loop {
        let (pid, signal, code) = match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, None, Some(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Some(signal as i32), None),
            Ok(WaitStatus::StillAlive) | Err(_) => return Ok(()),
            Ok(_) => continue,
        };
        // What is no worker of ours was left to the first process of the namespace by one.
        if let Some(id) = workers.remove(&pid) {
            channel.send(&News::Exited { id, signal, code }, &[])?;
        }
    }
}
