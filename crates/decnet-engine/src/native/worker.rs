//! A worker: one decky's services, in a process that has nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use decnet_core::service::Transport;
use decnet_logging::EventSink;
use decnet_logging::socket::SocketSink;
use decnet_services::files::{Folder, Packed};
use decnet_services::host::Host;
use decnet_services::run::{Bound, Socket, start};
use nix::sys::signal::SigSet;
use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::sandbox::{Confinement, Filters, confine};
use super::zygote::Spawn;

/// A worker's one word to the keeper, said before it hears the first byte of an intruder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// It serves.
    Ready {
        /// Its number.
        id: u64,
        /// Its process in the zygote's namespace.
        pid: i32,
        /// What holds it.
        confinement: Confinement,
    },
    /// It cannot.
    Failed {
        /// Its number.
        id: u64,
        /// Why.
        message: String,
    },
}

/// The worker's life, right after the fork. Never returns. `zygotes` are the descriptors that the fork
/// copied and that only the zygote may have.
pub(crate) fn run(
    spawn: Spawn,
    descriptors: Vec<OwnedFd>,
    zygotes: &[BorrowedFd<'_>],
    filters: &Filters,
) -> ! {
    for descriptor in zygotes {
        // Their owners are further up the stack, which this process never returns to.
        let _ = nix::unistd::close(descriptor.as_raw_fd());
    }
    let code = match serve(spawn, descriptors, filters) {
        Ok(()) => 0,
        Err(()) => 1,
    };
    std::process::exit(code)
}

fn serve(spawn: Spawn, descriptors: Vec<OwnedFd>, filters: &Filters) -> Result<(), ()> {
    let id = spawn.id;
    let mut descriptors = descriptors.into_iter();
    let notices = Channel::new(descriptors.next().ok_or(())?);
    let failed = |message: String| {
        let _ = notices.send(&Notice::Failed { id, message }, &[]);
    };
    let sinks: Vec<(String, Arc<dyn EventSink>)> = spawn
        .logs
        .into_iter()
        .zip(descriptors.by_ref())
        .map(|(service, socket)| (service, Arc::new(SocketSink::new(socket)) as Arc<dyn EventSink>))
        .collect();
    let sockets: Vec<Bound> = spawn
        .sockets
        .into_iter()
        .zip(descriptors.by_ref())
        .map(|((service, port), socket)| {
            let socket = match port.transport {
                Transport::Tcp => Socket::Tcp(TcpListener::from(socket)),
                Transport::Udp => Socket::Udp(UdpSocket::from(socket)),
            };
            Bound { service, port, socket }
        })
        .collect();
    let mut files = BTreeMap::new();
    for (name, descriptor) in spawn.files.into_iter().zip(descriptors) {
        match Folder::open(Arc::new(Sealed(File::from(descriptor)))) {
            Ok(folder) => files.insert(name, folder),
            Err(error) => {
                return failed_with(failed, format!("read the files of {}.{}: {error}", name.0, name.1));
            }
        };
    }
    let host = match Host::with_files(spawn.decky, files) {
        Ok(host) => host,
        Err(_) => return failed_with(failed, "the system has no randomness to give"),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed_with(failed, format!("start a runtime: {error}")),
    };
    let started = {
        let _inside = runtime.enter();
        start(&host, sockets, |service| {
            match sinks.iter().find(|(name, _)| name == service) {
                Some((_, sink)) => Arc::clone(sink),
                // The keeper sends a log socket for every service of a socket.
                None => Arc::new(Nowhere),
            }
        })
    };
    if let Err(error) = started {
        return failed_with(failed, error.to_string());
    }
    if SigSet::empty().thread_set_mask().is_err() {
        return failed_with(failed, "the zygote's signal mask cannot be lifted");
    }
    match confine(spawn.user, filters) {
        Ok(confinement) => {
            let pid = nix::unistd::getpid().as_raw();
            notices.send(&Notice::Ready { id, pid, confinement }, &[]).map_err(drop)?;
        }
        Err(error) => return failed_with(failed, error),
    }
    drop(notices);
    runtime.block_on(std::future::pending::<()>());
    Ok(())
}

fn failed_with(failed: impl Fn(String), message: impl Into<String>) -> Result<(), ()> {
    failed(message.into());
    Err(())
}

/// Packed files behind a descriptor. It was opened by the keeper; nothing can be opened here.
struct Sealed(File);

impl Packed for Sealed {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        FileExt::read_exact_at(&self.0, buffer, offset)
    }
}

/// A sink for a service that has none.
struct Nowhere;

impl EventSink for Nowhere {
    fn emit(&self, _: decnet_logging::Report) {}
}
