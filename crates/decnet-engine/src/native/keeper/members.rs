//! One decky as the keeper holds it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use decnet_core::plan::Decky;
use decnet_core::service::{Port, Transport};
use decnet_fingerprint::{Facts, Machine, Persona, Stack};
use decnet_logging::event::Speaker;
use decnet_net::{NetError, wire};

use super::handed::Handed;
use crate::error::EngineError;
use crate::listen;

/// A worker that lived this long is started again at once.
const STEADY: Duration = Duration::from_secs(30);
/// The longest wait before a worker is started again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Early ends in a row after which a worker is started again at once: an intruder who ends one must not see a
/// port slow down. More are a crash loop, and wait longer and longer.
const AT_ONCE: u32 = 4;

/// A listening or bound socket of a decky.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) service: String,
    pub(crate) port: Port,
    pub(crate) socket: OwnedFd,
}

/// The decky's process.
#[derive(Debug)]
pub(crate) enum Worker {
    /// Asked for; it has not said that it serves.
    Starting { id: u64 },
    /// It serves.
    Serving { id: u64, pid: i32, since: Instant },
    /// It ended, and is started again then.
    Waiting { until: Instant },
    /// It cannot be started.
    Broken { reason: String },
}

/// A decky and its files, on the way in.
#[derive(Clone, Debug)]
pub(crate) struct Coming {
    pub(crate) decky: Decky,
    pub(crate) files: Vec<Handed>,
}

/// A decky of the fleet.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) fleet: String,
    pub(crate) decky: Decky,
    /// How its packets look.
    facts: Facts,
    pub(crate) slots: Vec<Slot>,
    /// The files that its services show.
    pub(crate) files: Vec<Handed>,
    pub(crate) worker: Worker,
    /// The user id of its worker.
    pub(crate) user: u32,
    pub(crate) restarts: u64,
    /// How often in a row it ended young.
    setbacks: u32,
    pub(crate) last_end: Option<String>,
}

impl Member {
    /// Opens its ports. To be called in the fleet's namespace, where its address is local.
    pub(crate) fn open(fleet: &str, coming: Coming, user: u32) -> Result<Member, NetError> {
        let Coming { decky, files } = coming;
        let facts = facts(&decky)?;
        let mut slots = Vec::new();
        for (service, port) in decky.open_ports() {
            let socket = listen::open(decky.address, port).map_err(|error| {
                NetError::system(format!("open port {port} of {} ({})", decky.name, service.slug), error)
            })?;
            slots.push(Slot { service: service.slug.clone(), port, socket });
        }
        Ok(Member {
            fleet: fleet.to_owned(),
            decky,
            facts,
            slots,
            files,
            worker: Worker::Broken { reason: "not started yet".to_owned() },
            user,
            restarts: 0,
            setbacks: 0,
            last_end: None,
        })
    }

    /// Who speaks on the log socket of one of its services.
    pub(crate) fn speaker(&self, service: &str) -> Speaker {
        Speaker {
            fleet: self.fleet.clone(),
            decky: self.decky.name.clone(),
            hostname: self.decky.identity.names.hostname.clone(),
            service: service.to_owned(),
        }
    }

    /// As the wire knows it.
    pub(crate) fn host(&self) -> wire::Host {
        let mut open: Vec<(Transport, u16)> =
            self.slots.iter().map(|slot| (slot.port.transport, slot.port.number)).collect();
        open.sort_unstable();
        let persona = persona(&self.decky, self.facts.clone(), &open);
        wire::Host { address: self.decky.address, mac: self.decky.mac, open, persona }
    }

    /// The number of the worker that starts or serves.
    pub(crate) fn worker_id(&self) -> Option<u64> {
        match self.worker {
            Worker::Starting { id } | Worker::Serving { id, .. } => Some(id),
            Worker::Waiting { .. } | Worker::Broken { .. } => None,
        }
    }

    /// Its worker ended: decides when it is started again.
    pub(crate) fn ended(&mut self, how: String, now: Instant) {
        let steady =
            matches!(self.worker, Worker::Serving { since, .. } if now.duration_since(since) >= STEADY);
        self.setbacks = if steady { 0 } else { self.setbacks + 1 };
        let wait = match self.setbacks.checked_sub(AT_ONCE) {
            None | Some(0) => Duration::ZERO,
            Some(more) => Duration::from_millis(25).saturating_mul(1 << more.min(10)).min(LONGEST_WAIT),
        };
        self.last_end = Some(how);
        self.restarts += 1;
        self.worker = Worker::Waiting { until: now + wait };
    }
}

/// How the packets of a decky look: by the user's own file, or by that of the program.
fn facts(decky: &Decky) -> Result<Facts, NetError> {
    let slug = &decky.os_persona;
    let refused = |why: String| {
        NetError::system(
            format!("read the packet persona `{slug}` of {}", decky.name),
            std::io::Error::other(why),
        )
    };
    let text = decky
        .os_facts
        .as_deref()
        .or_else(|| decnet_fingerprint::builtin(slug))
        .ok_or_else(|| refused("there is none of that name".to_owned()))?;
    Facts::parse(text).map_err(|error| refused(error.to_string()))
}

/// What makes the packets of a decky those of the system that it claims.
fn persona(decky: &Decky, facts: Facts, open: &[(Transport, u16)]) -> Box<dyn Persona> {
    let ports = |transport| open.iter().filter(move |(its, _)| *its == transport).map(|(_, port)| *port);
    let identity = decky.identity.clone();
    Box::new(Stack::new(
        facts,
        Machine {
            address: decky.address,
            tcp_ports: ports(Transport::Tcp).collect(),
            udp_ports: ports(Transport::Udp).collect(),
            clock_offset_ms: identity.times.clock_offset_ms,
            seed: identity.draw(&["packets"]).number(),
            boots: Box::new(move |now| identity.booted_at(now)),
        },
    ))
}

/// Opens the ports of several deckies, all or none.
pub(crate) fn open_all(
    fleet: &str,
    deckies: impl IntoIterator<Item = (Coming, u32)>,
) -> Result<Vec<Member>, NetError> {
    deckies.into_iter().map(|(decky, user)| Member::open(fleet, decky, user)).collect()
}

/// Wraps a worker's end in words.
pub(crate) fn end_in_words(signal: Option<i32>, code: Option<i32>) -> String {
    match (signal.map(nix::sys::signal::Signal::try_from), code) {
        (Some(Ok(signal)), _) => format!("ended by {signal}"),
        (_, Some(code)) => format!("ended with exit code {code}"),
        _ => "ended".to_owned(),
    }
}

/// What a worker does when it reaches for a system call that leads out.
pub(crate) const VIOLATION: i32 = nix::sys::signal::Signal::SIGSYS as i32;

/// Turns a failed step into the engine's error.
pub(crate) fn refused(message: impl Into<String>) -> EngineError {
    EngineError::Keeper(crate::error::Refusal { message: message.into() })
}
