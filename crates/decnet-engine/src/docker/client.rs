//! The engine as the command line uses it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use decnet_compose::{Platform, Rendered, layout};
use decnet_core::Plan;
use decnet_core::plan::Attachment;
use decnet_logging::event::Speaker;
use decnet_net::drivers::Driver;

use super::compose::Compose;
use super::containers::{self, Container, Which};
use super::control::Watch;
use super::daemon::Daemon;
use super::network::{self, Standing};
use super::record::{Place, Record, short_hash};
use super::watcher::Link;
use super::{context, files, images, status, sysctls, teardown, verify};
use crate::engine::{Converged, Engine, FleetStatus, Health, Phase, Progress, Scope};
use crate::error::EngineError;
use crate::native::RunDirectory;
use crate::native::keeper::logs::WIRE;
use crate::preflight;

/// The Docker engine of one state directory.
#[derive(Debug)]
pub struct DockerEngine {
    state: PathBuf,
    platform: Platform,
    anew: bool,
    warnings: RefCell<Vec<String>>,
}

impl DockerEngine {
    /// For that state directory, with containers made of that.
    pub fn new(state: &Path, platform: Platform) -> DockerEngine {
        DockerEngine { state: state.to_owned(), platform, anew: false, warnings: RefCell::default() }
    }

    /// Builds every image again, whatever is there.
    #[must_use]
    pub fn rebuilding(mut self, anew: bool) -> DockerEngine {
        self.anew = anew;
        self
    }

    /// What the operator should know about the last deployment.
    pub fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// The compose file of what is deployed.
    pub fn compose_file(&self) -> PathBuf {
        self.place().compose_file()
    }

    /// Whether containers of the fleet may be running, so that their addresses are no conflict.
    pub fn is_deployed(&self) -> bool {
        self.place().load().is_some()
    }

    fn place(&self) -> Place {
        Place::of(&self.state)
    }

    fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }
}

/// What the watcher hears of a deployment.
pub(super) fn watch(place: &Place, record: &Record, rendered: &Rendered) -> Watch {
    let plan = &record.plan;
    let speaker = |decky: &str, service: &str| Speaker {
        fleet: plan.fleet.clone(),
        decky: decky.to_owned(),
        hostname: plan.decky(decky).map(|decky| decky.identity.names.hostname.clone()).unwrap_or_default(),
        service: service.to_owned(),
    };
    let sockets = rendered.deckies.iter().flat_map(|files| {
        files
            .log_directories
            .iter()
            .map(|log| (speaker(&files.decky, log.service.as_deref().unwrap_or(WIRE)), log.path.clone()))
    });
    let printers = plan.deckies.iter().flat_map(|decky| {
        let customs = decky.services.iter().filter(|service| service.custom);
        customs.map(|service| speaker(&decky.name, &service.slug))
    });
    Watch {
        fleet: plan.fleet.clone(),
        collector: Some(RunDirectory::of(&place.state()).collector(plan)),
        sockets: sockets.collect(),
        printers: printers.collect(),
        health: place.health(),
    }
}

/// The parts of a deployment.
struct Deployment<'a> {
    daemon: &'a Daemon,
    compose: &'a Compose,
    place: &'a Place,
    link: &'a Link,
    binary: &'a [u8],
    anew: bool,
}

impl Deployment<'_> {
    /// Makes what runs equal to the record.
    fn make(
        &self,
        record: &mut Record,
        standing: Standing,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), EngineError> {
        let rendered = record.render(self.place)?;
        files::write(self.place, &rendered, self.binary)?;
        let _deployment = self.link.deploying(watch(self.place, record, &rendered))?;
        let docker = &self.daemon.docker;
        self.daemon.wait(images::build(docker, &rendered.contexts, self.binary, self.anew, progress))?;
        record.settled = false;
        self.place.save(record)?;
        if let Standing::Outdated(_) = standing {
            let fleet = self.list(&record.plan.fleet)?;
            let total = fleet.len();
            let mut tell = |done| progress(Progress { phase: Phase::Stop, done, total });
            let problems = self.daemon.wait(containers::remove(docker, &fleet, &mut tell));
            if let Some(problem) = problems
                .into_iter()
                .chain(self.daemon.wait(network::remove(docker, &record.plan.fleet)))
                .next()
            {
                return Err(EngineError::Docker {
                    action: format!("replace the network {}", layout::LAN_NETWORK),
                    why: problem,
                });
            }
        }
        if standing != Standing::Fits {
            self.daemon.wait(network::make(docker, &record.plan))?;
        }
        let total: usize = record.plan.deckies.iter().map(|decky| decky.services.len() + 2).sum();
        let fleet = record.plan.fleet.clone();
        self.compose.up(self.place, &rendered.project, self.daemon, &mut || {
            let done = self.daemon.wait(containers::running(docker, Which::Fleet(&fleet))).unwrap_or(0);
            progress(Progress { phase: Phase::Start, done: done.min(total), total });
        })?;
        verify::verify(self.daemon, &record.plan, &record.platform, progress)?;
        record.settled = true;
        self.place.save(record)?;
        files::sweep(self.place, &rendered);
        self.remove_old_images(&rendered);
        Ok(())
    }

    fn list(&self, fleet: &str) -> Result<Vec<Container>, EngineError> {
        self.daemon.wait(containers::list(&self.daemon.docker, Which::Fleet(fleet)))
    }

    /// What no container uses any more.
    fn remove_old_images(&self, rendered: &Rendered) {
        let current: BTreeSet<&str> =
            rendered.contexts.iter().map(|context| context.image.as_str()).collect();
        let old: Vec<String> = self
            .daemon
            .wait(images::ours(&self.daemon.docker))
            .into_iter()
            .filter(|image| !current.contains(image.as_str()))
            .collect();
        // One that is kept costs room, and nothing else; the next deployment or teardown tries again.
        let _ = self.daemon.wait(images::remove(&self.daemon.docker, &old));
    }

    /// Back to what was: what was settled before is brought up again, and where nothing was, nothing stays.
    fn roll_back(&self, previous: Option<Record>) -> Result<(), EngineError> {
        match previous.filter(|previous| previous.settled) {
            None => {
                let problems = teardown::all(self.place, self.link)?;
                match problems.is_empty() {
                    true => Ok(()),
                    false => Err(EngineError::Docker {
                        action: "take back what was started".to_owned(),
                        why: problems.join("; "),
                    }),
                }
            }
            Some(mut previous) => {
                let standing = self.daemon.wait(network::look(&self.daemon.docker, &previous.plan))?;
                self.make(&mut previous, standing, &mut |_| {})
            }
        }
    }
}

/// The containers of every decky.
fn by_decky(all: &[Container]) -> BTreeMap<String, BTreeSet<String>> {
    let mut deckies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for container in all {
        deckies.entry(container.decky.clone()).or_default().insert(container.id.clone());
    }
    deckies
}

/// What changed between two looks.
fn changes(before: &[Container], after: &[Container]) -> Converged {
    let (before, after) = (by_decky(before), by_decky(after));
    let mut converged = Converged::default();
    for (decky, containers) in &after {
        match before.get(decky) {
            None => converged.started.push(decky.clone()),
            Some(earlier) if earlier == containers => converged.unchanged.push(decky.clone()),
            Some(_) => converged.restarted.push(decky.clone()),
        }
    }
    converged.stopped = before.into_keys().filter(|decky| !after.contains_key(decky)).collect();
    converged
}

impl Engine for DockerEngine {
    fn converge(&self, plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Result<Converged, EngineError> {
        preflight::docker(plan)?;
        let total = plan.deckies.len();
        progress(Progress { phase: Phase::Ground, done: 0, total });
        let daemon = Daemon::connect()?;
        daemon.shares_our_network()?;
        let place = self.place();
        let link = Link::of(&self.state);
        super::compose::end_left_over(&place);
        let binary = context::ourselves()?;
        let tag = format!("{}-{}", env!("CARGO_PKG_VERSION"), short_hash(&binary));
        let previous = place.load();
        let standing = daemon.wait(network::look(&daemon.docker, plan))?;

        let same = |previous: &Record| {
            previous.settled && previous.plan == *plan && previous.tag == tag && !self.anew
        };
        if previous.as_ref().is_some_and(same) && standing == Standing::Fits && link.is_running() {
            let now = self.status(plan)?;
            if now.health == Health::Up {
                let unchanged = now.deckies.into_iter().map(|decky| decky.name).collect();
                return Ok(Converged { unchanged, ..Converged::default() });
            }
        }

        let compose = Compose::find()?;
        // Docker makes an IPvlan network also where the kernel has none, and fails with every container.
        let device = match plan.network.attachment {
            Attachment::Macvlan => Driver::Macvlan,
            Attachment::Ipvlan => Driver::Ipvlan,
        };
        for driver in [device, Driver::Nftables] {
            driver.try_out().map_err(|source| EngineError::NoDriver { driver: driver.module(), source })?;
        }
        let mut platform = self.platform.clone();
        for name in sysctls::retain_supported(&mut platform) {
            self.warn(format!("this kernel has no {name} in a network namespace; the deckies go without it"));
        }
        let warnings = daemon.wait(images::provide(&daemon.docker, plan, &mut platform, progress))?;
        warnings.into_iter().for_each(|warning| self.warn(warning));
        if let Standing::Outdated(difference) = &standing {
            self.warn(format!(
                "the network {} is made anew, and every decky with it: {difference}",
                layout::LAN_NETWORK
            ));
        }
        let before = daemon.wait(containers::list(&daemon.docker, Which::Fleet(&plan.fleet)))?;
        link.start()?;
        let deployment = Deployment {
            daemon: &daemon,
            compose: &compose,
            place: &place,
            link: &link,
            binary: &binary,
            anew: self.anew,
        };
        let mut record = Record { plan: plan.clone(), platform, tag, settled: false };
        match deployment.make(&mut record, standing, progress) {
            Ok(()) => Ok(changes(&before, &deployment.list(&plan.fleet)?)),
            Err(error) => {
                if let Err(second) = deployment.roll_back(previous) {
                    self.warn(format!(
                        "rolling back: {second}; `decnet teardown --all` takes everything away"
                    ));
                }
                Err(error)
            }
        }
    }

    fn status(&self, plan: &Plan) -> Result<FleetStatus, EngineError> {
        let daemon = Daemon::connect()?;
        let all = daemon.wait(containers::list(&daemon.docker, Which::Fleet(&plan.fleet)))?;
        let mut problems = Vec::new();
        if !Link::of(&self.state).is_running() {
            problems.push(
                "the fleet's watcher does not run: events wait in the containers, and nothing is mended; deploy \
                 again to start it"
                    .to_owned(),
            );
        }
        Ok(status::of(plan, &all, problems))
    }

    fn teardown(&self, scope: &Scope) -> Result<Vec<String>, EngineError> {
        let (place, link) = (self.place(), Link::of(&self.state));
        match scope {
            Scope::All => teardown::all(&place, &link),
            Scope::Deckies(names) => teardown::some(&place, &link, names),
        }
    }
}
