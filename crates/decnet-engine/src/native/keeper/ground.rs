//! What a whole fleet stands on: its namespace, the wire, the zygote.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Stdio};

use decnet_net::observer::Observer;
use decnet_net::wire::Wire;
use decnet_net::{Namespace, links, listening};
use nix::sched::{CloneFlags, unshare};

use super::super::channel::{Channel, Received};
use super::super::internal::ZYGOTE;
use super::super::zygote::News;
use crate::error::{EngineError, Refusal};
use crate::process;

/// The network of a fleet.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The interface on which the deckies are.
    pub(crate) interface: String,
    /// The namespace that holds every decky's addresses and sockets.
    pub(crate) fleet: Namespace,
    /// The way to the LAN.
    pub(crate) wire: Wire,
}

impl Ground {
    /// Makes it.
    pub(crate) fn lay(interface: &str, observer: Box<dyn Observer>) -> Result<Ground, EngineError> {
        let fleet = Namespace::create()?;
        let wire = Wire::start(interface, &fleet, observer)?;
        Ok(Ground { interface: interface.to_owned(), fleet, wire })
    }

    /// Makes addresses local to the fleet's namespace.
    pub(crate) fn claim(&self, addresses: &[Ipv4Addr]) -> Result<(), EngineError> {
        Ok(self.fleet.run(|| links::add_local_addresses(addresses))?)
    }

    /// Gives them up.
    pub(crate) fn release(&self, addresses: &[Ipv4Addr]) -> Result<(), EngineError> {
        Ok(self.fleet.run(|| links::remove_local_addresses(addresses))?)
    }

    /// What really listens.
    pub(crate) fn listening(&self) -> Result<listening::Listening, EngineError> {
        Ok(self.fleet.run(listening::read)?)
    }
}

/// A running zygote.
#[derive(Debug)]
pub(crate) struct Zygote {
    child: Child,
    /// The way to it.
    pub(crate) channel: Channel,
}

impl Zygote {
    /// Starts one, in new namespaces of every kind, and waits until it can fork.
    pub(crate) fn start(empty: &Path) -> Result<Zygote, EngineError> {
        let failed = |error: std::io::Error| EngineError::system("start the zygote", error);
        let (channel, theirs) = Channel::pair().map_err(failed)?;
        let theirs = OwnedFd::from(theirs);
        // A thread that unshares and starts a process there; it ends, the process stays where it was born.
        let child = std::thread::scope(|scope| {
            let started = scope.spawn(|| -> std::io::Result<Child> {
                let spaces = CloneFlags::CLONE_NEWNET
                    | CloneFlags::CLONE_NEWNS
                    | CloneFlags::CLONE_NEWPID
                    | CloneFlags::CLONE_NEWIPC
                    | CloneFlags::CLONE_NEWUTS;
                unshare(spaces)?;
                process::command(process::OURSELVES)
                    .args(["internal", ZYGOTE])
                    .arg(empty)
                    .env_clear()
                    .stdin(Stdio::from(theirs))
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
            });
            started.join().unwrap_or_else(|_| Err(std::io::Error::other("its thread ended early")))
        })
        .map_err(failed)?;
        let zygote = Zygote { child, channel };
        match zygote.channel.receive::<News>().map_err(failed)? {
            Received::Message(News::Up, _) => Ok(zygote),
            Received::Message(News::Failed(message), _) => {
                Err(EngineError::Keeper(Refusal { message: format!("the zygote cannot start: {message}") }))
            }
            _ => Err(EngineError::Keeper(Refusal { message: "the zygote ended early".to_owned() })),
        }
    }

    /// Its process, in the keeper's PID namespace.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Another handle to the way to it.
    pub(crate) fn wake(&self) -> std::os::fd::BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Drop for Zygote {
    /// Ends it, and with it every worker.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
