//! The fleet: what runs, and how it comes to be what the plan says.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use decnet_core::Plan;
use decnet_logging::collector::CollectorConfig;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::run_directory::RunDirectory;
use super::ground::Ground;
use super::handed::{Handed, gather};
use super::logs::Logs;
use super::members::{Coming, Member, VIOLATION, Worker, open_all, refused};
use super::observer::Observations;
use super::report;
use super::workers::{Happening, Workers};
use crate::engine::{Converged, DeckyStatus, FleetStatus, Health, Phase, Progress, ServiceStatus};
use crate::error::EngineError;

/// How long all the workers of a deployment may take to serve, beyond 50 ms for each.
const PATIENCE: Duration = Duration::from_secs(20);
/// User ids of workers begin here: far above what distributions and directory services hand out.
const FIRST_USER: u32 = 0x7300_0000;

/// The fleet of one keeper.
#[derive(Debug)]
pub(crate) struct Fleet {
    run: RunDirectory,
    /// There once the first plan came.
    parts: Option<Parts>,
    members: BTreeMap<String, Member>,
    next_user: u32,
}

/// What the members stand on.
#[derive(Debug)]
struct Parts {
    ground: Ground,
    workers: Workers,
    logs: Logs,
    /// Readable when the collector has ended.
    collector_ended: Option<OwnedFd>,
    observations: Observations,
}

/// How the members must change.
#[derive(Debug, Default)]
struct Difference {
    new: Vec<Coming>,
    changed: Vec<Coming>,
    gone: Vec<String>,
    unchanged: Vec<String>,
}

impl Fleet {
    /// Nothing runs.
    pub(crate) fn new(run: RunDirectory) -> Fleet {
        Fleet { run, parts: None, members: BTreeMap::new(), next_user: FIRST_USER }
    }

    /// What to wait on, beside clients and signals.
    pub(crate) fn sources(&self) -> Vec<BorrowedFd<'_>> {
        let Some(parts) = &self.parts else { return Vec::new() };
        let mut sources: Vec<BorrowedFd<'_>> = parts.workers.sources().collect();
        sources.extend(parts.collector_ended.as_ref().map(AsFd::as_fd));
        sources
    }

    /// When the next worker or helper is to be started again.
    pub(crate) fn next_restart(&self) -> Option<Instant> {
        let members = self.members.values().filter_map(|member| match member.worker {
            Worker::Waiting { until } => Some(until),
            _ => None,
        });
        let helpers = self
            .parts
            .iter()
            .flat_map(|parts| [parts.workers.next_attempt(), parts.logs.next_attempt()])
            .flatten();
        members.chain(helpers).min()
    }

    /// Takes in what happened, and starts again what has to be.
    pub(crate) fn attend(&mut self) {
        let Some(parts) = &mut self.parts else { return };
        let now = Instant::now();
        let happenings = parts.workers.attend(&mut self.members, now);
        note_ends(happenings, &self.members, &parts.observations);
        if parts.collector_ended.as_ref().is_none_or(readable) {
            parts.logs.attend(now);
            parts.collector_ended = parts.logs.ended();
        }
        for member in self.members.values_mut() {
            if matches!(member.worker, Worker::Waiting { until } if until <= now)
                && let Err(error) = parts.workers.spawn(member, &parts.logs)
            {
                report::operator(&error.to_string());
                member.ended(error.to_string(), now);
            }
        }
    }

    /// Makes what runs equal to the plan.
    pub(crate) fn converge(
        &mut self,
        plan: Plan,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Converged, EngineError> {
        let total = plan.deckies.len();
        // Before anything is changed: what cannot be read must not cost a fleet that runs.
        let mut files = gather(&plan)?;
        tell(Progress { phase: Phase::Ground, done: 0, total });
        let logged = self.parts.as_ref().map(|parts| parts.logs.config());
        if let Err(error) = self.lay_ground(&plan) {
            self.restore_logs(logged);
            return Err(error);
        }
        let difference = self.compare(&plan, &mut files);
        let mut converged = Converged {
            unchanged: difference.unchanged,
            stopped: difference.gone.clone(),
            started: difference.new.iter().map(|coming| coming.decky.name.clone()).collect(),
            restarted: difference.changed.iter().map(|coming| coming.decky.name.clone()).collect(),
        };
        converged.started.sort_unstable();
        // What goes and what changes leaves first: its address may be another's from now on.
        let mut leaving = difference.gone;
        leaving.extend(converged.restarted.iter().cloned());
        tell(Progress { phase: Phase::Stop, done: 0, total: leaving.len() });
        let left = self.take_out(&leaving);
        let mut coming = difference.new;
        coming.extend(difference.changed);
        match self.bring_in(&plan.fleet, coming, tell) {
            Ok(()) => Ok(converged),
            Err(error) => {
                // Back to what was: what this call started is gone already, what it stopped returns.
                self.restore_logs(logged);
                if let Err(second) = self.bring_in(&plan.fleet, left, &mut |_| {}) {
                    report::operator(&format!("rolling back: {second}"));
                }
                Err(error)
            }
        }
    }

    /// Makes what all members stand on.
    fn lay_ground(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let interface = plan.network.interface.as_deref().ok_or(EngineError::NoInterface)?;
        let config = self.run.collector(plan);
        let Some(parts) = &mut self.parts else {
            let logs = Logs::start(config)?;
            let observations = Observations::new(logs.clone());
            let ground = Ground::lay(interface, Box::new(observations.clone()))?;
            let workers = Workers::start(self.run.empty())?;
            let collector_ended = logs.ended();
            self.parts = Some(Parts { ground, workers, logs, collector_ended, observations });
            return Ok(());
        };
        if parts.logs.config() != config {
            let redirected = parts.logs.redirect(config);
            parts.collector_ended = parts.logs.ended();
            redirected?;
        }
        if parts.ground.interface != interface || !parts.ground.wire.is_running() {
            // On another network all members begin anew. First the new ground: without it the old one stays.
            let ground = Ground::lay(interface, Box::new(parts.observations.clone()))?;
            let all: Vec<String> = self.members.keys().cloned().collect();
            self.take_out(&all);
            if let Some(parts) = &mut self.parts {
                parts.ground = ground;
            }
        }
        Ok(())
    }

    /// Opens the files and servers that events go to anew, as after another program has rotated a file. What
    /// services say meanwhile waits in their sockets.
    pub(crate) fn reopen_logs(&mut self) {
        let Some(parts) = &mut self.parts else { return };
        if let Err(error) = parts.logs.redirect(parts.logs.config()) {
            report::operator(&format!("opening the logs anew: {error}"));
        }
        parts.collector_ended = parts.logs.ended();
    }

    /// Sends the events back to where they went before a deployment that failed.
    fn restore_logs(&mut self, config: Option<CollectorConfig>) {
        let (Some(parts), Some(config)) = (&mut self.parts, config) else { return };
        if parts.logs.config() != config {
            if let Err(error) = parts.logs.redirect(config) {
                report::operator(&format!("rolling back: {error}"));
            }
            parts.collector_ended = parts.logs.ended();
        }
    }

    fn compare(&self, plan: &Plan, files: &mut BTreeMap<String, Vec<Handed>>) -> Difference {
        let mut difference = Difference::default();
        for decky in &plan.deckies {
            let coming =
                Coming { decky: decky.clone(), files: files.remove(&decky.name).unwrap_or_default() };
            match self.members.get(&decky.name) {
                None => difference.new.push(coming),
                Some(member)
                    if member.decky == *decky
                        && member.files == coming.files
                        && member.fleet == plan.fleet
                        && !matches!(member.worker, Worker::Broken { .. }) =>
                {
                    difference.unchanged.push(decky.name.clone());
                }
                Some(_) => difference.changed.push(coming),
            }
        }
        difference.gone = self.members.keys().filter(|name| plan.decky(name).is_none()).cloned().collect();
        difference
    }

    /// Takes members off the LAN and ends them; returns what they were.
    fn take_out(&mut self, names: &[String]) -> Vec<Coming> {
        let Some(parts) = &mut self.parts else { return Vec::new() };
        let members: Vec<Member> = names.iter().filter_map(|name| self.members.remove(name)).collect();
        if members.is_empty() {
            return Vec::new();
        }
        let addresses: Vec<Ipv4Addr> = members.iter().map(|member| member.decky.address).collect();
        parts.ground.wire.remove(addresses.clone());
        parts.ground.wire.settle();
        let happenings = parts.workers.end(&members, &mut self.members);
        note_ends(happenings, &self.members, &parts.observations);
        for member in &members {
            parts.observations.forget(member.decky.address);
            parts.logs.forget(&member.decky.name);
        }
        if let Err(error) = parts.ground.release(&addresses) {
            report::operator(&error.to_string());
        }
        members.into_iter().map(|member| Coming { decky: member.decky, files: member.files }).collect()
    }

    /// Starts deckies and puts them on the LAN: all, or none.
    fn bring_in(
        &mut self,
        fleet: &str,
        deckies: Vec<Coming>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), EngineError> {
        let total = deckies.len();
        if total == 0 {
            return Ok(());
        }
        let names: Vec<String> = deckies.iter().map(|coming| coming.decky.name.clone()).collect();
        let result = self.start_all(fleet, deckies, total, tell);
        if result.is_err() {
            self.take_out(&names);
        }
        result
    }

    fn start_all(
        &mut self,
        fleet: &str,
        deckies: Vec<Coming>,
        total: usize,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), EngineError> {
        let Some(parts) = &mut self.parts else { return Err(EngineError::NoInterface) };
        tell(Progress { phase: Phase::Listen, done: 0, total });
        let mut addresses: Vec<Ipv4Addr> = deckies.iter().map(|coming| coming.decky.address).collect();
        addresses.sort_unstable();
        parts.ground.claim(&addresses)?;
        let mut numbered = Vec::with_capacity(total);
        for decky in deckies {
            numbered.push((decky, self.next_user));
            self.next_user = self.next_user.checked_add(1).unwrap_or(FIRST_USER);
        }
        let opened = match parts.ground.fleet.run(|| open_all(fleet, numbered)) {
            Ok(opened) => opened,
            Err(error) => {
                // The members are not there yet, so their addresses are given up here.
                let _ = parts.ground.release(&addresses);
                return Err(error.into());
            }
        };
        let mut pending: Vec<String> = Vec::with_capacity(total);
        for member in opened {
            pending.push(member.decky.name.clone());
            self.members.insert(member.decky.name.clone(), member);
        }
        tell(Progress { phase: Phase::Start, done: 0, total });
        for name in &pending {
            let Some(member) = self.members.get_mut(name) else { continue };
            parts.workers.spawn(member, &parts.logs)?;
            // Hearing as we go keeps the way back from filling up.
            let happenings = parts.workers.attend(&mut self.members, Instant::now());
            note_ends(happenings, &self.members, &parts.observations);
        }
        self.await_serving(pending, total, tell)?;
        let Some(parts) = &self.parts else { return Err(EngineError::NoInterface) };
        tell(Progress { phase: Phase::Join, done: 0, total });
        let joins = |member: &&Member| addresses.binary_search(&member.decky.address).is_ok();
        let joining: Vec<&Member> = self.members.values().filter(joins).collect();
        for member in &joining {
            parts.observations.know(member);
        }
        parts.ground.wire.add(joining.into_iter().map(Member::host).collect());
        parts.ground.wire.settle();
        tell(Progress { phase: Phase::Join, done: total, total });
        Ok(())
    }

    fn await_serving(
        &mut self,
        mut pending: Vec<String>,
        total: usize,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), EngineError> {
        let until =
            Instant::now() + PATIENCE + Duration::from_millis(50) * u32::try_from(total).unwrap_or(u32::MAX);
        loop {
            self.attend();
            let mut failure = None;
            pending.retain(|name| match self.members.get(name).map(|member| &member.worker) {
                Some(Worker::Serving { .. }) => false,
                Some(Worker::Broken { reason }) => {
                    failure.get_or_insert(format!("{name} cannot be started: {reason}"));
                    true
                }
                _ => true,
            });
            if let Some(failure) = failure {
                return Err(refused(failure));
            }
            tell(Progress { phase: Phase::Start, done: total - pending.len(), total });
            if pending.is_empty() {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let some: Vec<&str> = pending.iter().take(5).map(String::as_str).collect();
                return Err(refused(format!(
                    "{} of {total} deckies do not start: {}",
                    pending.len(),
                    some.join(", ")
                )));
            }
            let wait = self
                .next_restart()
                .map_or(left, |due| left.min(due.saturating_duration_since(Instant::now())));
            let timeout = PollTimeout::try_from(wait.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            let mut polled: Vec<PollFd<'_>> =
                self.sources().into_iter().map(|source| PollFd::new(source, PollFlags::POLLIN)).collect();
            match poll(&mut polled, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(EngineError::system("wait for workers", error)),
            }
        }
    }

    /// Takes single deckies away.
    pub(crate) fn remove(&mut self, names: &[String]) -> Vec<String> {
        self.take_out(names);
        Vec::new()
    }

    /// Takes everything away. The collector writes what it has first.
    pub(crate) fn dissolve(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        let Parts { ground, workers, logs, observations, .. } = parts;
        // The wire first: the deckies are off the LAN before anything about them changes.
        drop(ground);
        drop(workers);
        self.members.clear();
        observations.forget_all();
        logs.finish();
    }

    /// What really runs, compared with the plan.
    pub(crate) fn status(&mut self, plan: &Plan) -> FleetStatus {
        self.attend();
        let Some(parts) = &self.parts else {
            return FleetStatus::down("native", plan, "nothing was deployed since the keeper started");
        };
        let mut problems = Vec::new();
        let listening = match parts.ground.listening() {
            Ok(listening) => listening,
            Err(error) => {
                problems.push(error.to_string());
                Default::default()
            }
        };
        let wire = parts.ground.wire.is_running();
        if !wire {
            problems.push(format!("the wire on {} has ended; deploy again", parts.ground.interface));
        }
        let pids = parts.workers.host_pids();
        let mut deckies = Vec::with_capacity(plan.deckies.len());
        for planned in &plan.deckies {
            let member = self.members.get(&planned.name);
            let (serving, pid, reason) = match member.map(|member| &member.worker) {
                Some(Worker::Serving { pid, .. }) => (Health::Up, pids.get(pid).copied(), None),
                Some(Worker::Starting { .. } | Worker::Waiting { .. }) => {
                    (Health::Degraded, None, member.and_then(|member| member.last_end.clone()))
                }
                Some(Worker::Broken { reason }) => (Health::Down, None, Some(reason.clone())),
                None => (Health::Down, None, Some("it does not run".to_owned())),
            };
            let services: Vec<ServiceStatus> = planned
                .services
                .iter()
                .map(|service| {
                    let open = service
                        .ports
                        .iter()
                        .filter(|port| listening.contains(&(planned.address, port.transport, port.number)))
                        .count();
                    let health = match (serving, open) {
                        (Health::Down, _) => Health::Down,
                        (_, open) if open < service.ports.len() => Health::Degraded,
                        (health, _) => health,
                    };
                    ServiceStatus { slug: service.slug.clone(), ports: service.ports.clone(), health }
                })
                .collect();
            let worst = services.iter().map(|service| service.health).max().unwrap_or(serving).max(serving);
            deckies.push(DeckyStatus {
                name: planned.name.clone(),
                address: planned.address,
                mac: planned.mac,
                hostname: planned.identity.names.hostname.clone(),
                os: planned.identity.os.name.clone(),
                health: if wire { worst } else { Health::Down },
                services,
                restarts: member.map_or(0, |member| member.restarts),
                pid,
                reason,
            });
        }
        let all_down = deckies.iter().all(|decky| decky.health == Health::Down);
        let all_up = deckies.iter().all(|decky| decky.health == Health::Up);
        let health = match (all_up && problems.is_empty(), all_down) {
            (true, _) => Health::Up,
            (false, true) => Health::Down,
            (false, false) => Health::Degraded,
        };
        FleetStatus { engine: "native".to_owned(), fleet: plan.fleet.clone(), health, problems, deckies }
    }
}

/// Tells the operator, and the log where a worker reached for what it must not.
fn note_ends(happenings: Vec<Happening>, members: &BTreeMap<String, Member>, observations: &Observations) {
    for happening in happenings {
        match happening {
            Happening::AllEnded => {}
            Happening::Ended { decky, how, signal } => {
                report::operator(&format!("the worker of {decky} {how}"));
                if signal == Some(VIOLATION)
                    && let Some(member) = members.get(&decky)
                {
                    observations.violated(member);
                }
            }
        }
    }
}

fn readable(descriptor: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut polled, PollTimeout::ZERO), Ok(1..))
}
