//! `decnet deploy`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use decnet_core::diagnostic::has_errors;
use decnet_core::plan::{EngineChoice, LogTransport};
use decnet_core::resolve::log_targets;
use decnet_core::state::{self, State, StateDir};
use decnet_core::{Catalogue, Diagnostic, HostFacts, Origin, Plan, Request, ResolveOptions, resolve};
use decnet_engine::docker::{self, DockerEngine};
use decnet_engine::native::NativeEngine;
use decnet_engine::{Converged, Engine, preflight};
use decnet_logging::sinks::trust;
use decnet_logging::target;
use decnet_net::facts;
use decnet_net::probe::{ArpProber, Prober};
use serde::Serialize;

use super::plan_view::{plan_line, plan_table};
use super::{catalogue_of_all, compose};
use crate::arguments::{Deploy, Mode};
use crate::config;
use crate::failure::Failure;
use crate::output::{Outcome, Report, json};
use crate::personas;
use crate::terminal::Terminal;

/// How long a log target may take to answer before the deployment goes on without its answer.
const TARGET_PATIENCE: Duration = Duration::from_secs(2);
/// Rounds of asking the LAN for taken addresses: each round moves deckies away from those that answered.
const PROBE_ROUNDS: usize = 16;

/// Deploys, or shows what would be deployed.
pub(crate) fn run(arguments: &Deploy, state: &Path, terminal: &Terminal) -> Result<Outcome, Failure> {
    if arguments.dry_run {
        return dry_run(arguments, state, terminal);
    }
    Ok(Outcome::done(deploy(arguments, state, terminal)?))
}

/// A finished deployment.
#[derive(Serialize)]
pub(crate) struct Deployed {
    engine: state::Engine,
    pub(crate) plan: Plan,
    changes: Converged,
    diagnostics: Vec<Diagnostic>,
    warnings: Vec<String>,
}

/// Makes the fleet real, on the network of the calling thread.
pub(crate) fn deploy(arguments: &Deploy, path: &Path, terminal: &Terminal) -> Result<Deployed, Failure> {
    if arguments.mode == Mode::Swarm {
        return Err(Failure::Failed(
            "swarm mode is not in this version; deploy with --mode unihost".to_owned(),
        ));
    }
    let (mut request, mut found) = config::request(arguments)?;
    config::anchor_files(&mut request, arguments.config.as_deref())?;
    config::join(&mut found, decnet_engine::files::examine(&request));
    let directory = StateDir::open(path)?;
    let previous = directory.load()?;
    let seed = previous.as_ref().map_or_else(fresh_seed, |state| Ok(state.plan.seed))?;
    let mut host = host_facts(&request)?;
    let options = ResolveOptions { seed, previous: previous.as_ref().map(|state| &state.plan) };
    let native = NativeEngine::new(path);
    let docker =
        DockerEngine::new(path, compose::platform(&catalogue_of_all())).rebuilding(arguments.no_cache);
    // Ours that are up answer for themselves; they are no conflict.
    let ours: Vec<Ipv4Addr> = match (&previous, native.is_running() || docker.is_deployed()) {
        (Some(state), true) => state.plan.deckies.iter().map(|decky| decky.address).collect(),
        _ => Vec::new(),
    };
    let catalogue = personas::catalogue(&request, arguments.config.as_deref(), &mut found);
    let (plan, more) = settle(&request, &catalogue, &mut host, &options, &ours, !has_errors(&found))?;
    check_log_targets(&request, &mut found);
    config::join(&mut found, more);
    let Some(plan) = plan.filter(|_| !has_errors(&found)) else { return Err(Failure::Request(found)) };
    terminal.diagnose(&found);
    let chosen = choose_engine(plan.engine, previous.as_ref(), terminal)?;
    let engine: &dyn Engine = match chosen {
        state::Engine::Native => {
            preflight::native(&plan)?;
            &native
        }
        state::Engine::Docker => {
            preflight::docker(&plan)?;
            &docker
        }
    };
    let mut warnings = probe_log_targets(&plan, terminal);

    // Before anything is made, so that a crash leaves a state by which teardown finds it.
    let mut state = State::new(plan.clone(), chosen);
    if chosen == state::Engine::Docker {
        state.compose_file = Some(docker.compose_file());
    }
    directory.save(&state)?;
    let mut bar = terminal.bar();
    let converged = engine.converge(&plan, &mut |step| bar.step(step));
    bar.clear();
    for warning in docker.take_warnings() {
        terminal.warn(&warning);
        warnings.push(warning);
    }
    let changes = match converged {
        Ok(changes) => changes,
        Err(error) => {
            // The engine went back to what was; so does the state.
            match &previous {
                Some(previous) => directory.save(previous)?,
                None => directory.remove()?,
            }
            return Err(error.into());
        }
    };
    state.settled = true;
    directory.save(&state)?;
    Ok(Deployed { engine: chosen, plan, changes, diagnostics: found, warnings })
}

/// Resolves, asks the LAN whether the addresses are free, and resolves again without those that are not.
fn settle(
    request: &Request,
    catalogue: &Catalogue,
    host: &mut HostFacts,
    options: &ResolveOptions<'_>,
    ours: &[Ipv4Addr],
    sound: bool,
) -> Result<(Option<Plan>, Vec<Diagnostic>), Failure> {
    for _ in 0..PROBE_ROUNDS {
        let (plan, found) = resolve(request, host, catalogue, options);
        let (true, Some(planned)) = (sound, &plan) else { return Ok((plan, found)) };
        let Some(interface) = &planned.network.interface else { return Ok((plan, found)) };
        let candidates: Vec<Ipv4Addr> = planned
            .deckies
            .iter()
            .map(|decky| decky.address)
            .filter(|address| !ours.contains(address))
            .collect();
        let taken = ArpProber::new(interface).in_use(&candidates)?;
        if taken.is_subset(&host.in_use) {
            return Ok((plan, found));
        }
        host.in_use.extend(taken);
    }
    Err(Failure::Failed(
        "the LAN keeps answering for every address tried; give a free range with --ip-start".to_owned(),
    ))
}

/// What this machine's network is, as far as the request does not say it.
fn host_facts(request: &Request) -> Result<HostFacts, Failure> {
    let general = &request.general;
    let named = general.interface.as_ref().map(|name| name.value.as_str());
    let nic = facts::nic(named)?;
    Ok(HostFacts {
        interface: Some(nic.name),
        subnet: nic.address.map(|address| address.trunc()),
        gateway: nic.gateway,
        address: nic.address.map(|address| address.addr()),
        in_use: Default::default(),
        wireless: nic.wireless,
    })
}

/// What runs the fleet: what was asked for, else what runs it already, else Docker where it answers.
fn choose_engine(
    wish: EngineChoice,
    previous: Option<&State>,
    terminal: &Terminal,
) -> Result<state::Engine, Failure> {
    let deployed = previous.map(|state| state.engine);
    let chosen = match (wish, deployed) {
        (EngineChoice::Native, _) => state::Engine::Native,
        (EngineChoice::Docker, _) => state::Engine::Docker,
        (EngineChoice::Auto, Some(deployed)) => deployed,
        (EngineChoice::Auto, None) if preflight::is_root() && docker::answers() => state::Engine::Docker,
        (EngineChoice::Auto, None) => state::Engine::Native,
    };
    match deployed.filter(|deployed| *deployed != chosen) {
        Some(deployed) => Err(Failure::Failed(format!(
            "the fleet is run by the {deployed} engine; take it away first (`decnet teardown --all`), or \
             deploy with --engine {deployed}"
        ))),
        None => {
            if wish == EngineChoice::Auto && terminal.verbose() > 0 {
                terminal.note(&format!("engine: {chosen}"));
            }
            Ok(chosen)
        }
    }
}

/// Asks the log targets whether they are there, all at once. One that is silent or not trusted stops
/// nothing.
fn probe_log_targets(plan: &Plan, terminal: &Terminal) -> Vec<String> {
    let probes = target::probe_all(&plan.logging.targets, TARGET_PATIENCE);
    let warnings: Vec<String> = probes.iter().filter_map(|probe| probe.warning(true)).collect();
    for warning in &warnings {
        terminal.warn(warning);
    }
    warnings
}

/// Reads the files that TLS targets name. A deployment whose log can never leave is refused, at the place
/// where the target is written.
fn check_log_targets(request: &Request, found: &mut Vec<Diagnostic>) {
    // What is wrong with their text was found in resolving.
    for (target, origin) in log_targets(request, &mut Vec::new()) {
        if target.transport == LogTransport::Tls
            && let Err(error) = trust::client(&target)
        {
            found.push(Diagnostic::error("general.log-target", origin, error.to_string()));
        }
    }
}

/// A number for a fleet that was given none, from the kernel.
fn fresh_seed() -> Result<u64, Failure> {
    let entropy = decnet_services::entropy::Entropy::system();
    let entropy = entropy.map_err(|_| Failure::Failed("the system has no randomness to give".to_owned()))?;
    // Small enough to be typed again.
    Ok(u64::from_be_bytes(entropy.bytes()) % 1_000_000_000_000)
}

#[derive(Serialize)]
struct DryRun {
    plan: Plan,
    compose_file: PathBuf,
    diagnostics: Vec<Diagnostic>,
}

/// Resolves and renders; needs no rights, no Docker and, with a subnet, no NIC.
fn dry_run(arguments: &Deploy, state: &Path, terminal: &Terminal) -> Result<Outcome, Failure> {
    let (mut request, mut found) = config::request(arguments)?;
    config::anchor_files(&mut request, arguments.config.as_deref())?;
    config::join(&mut found, decnet_engine::files::examine(&request));
    let host = match &request.general.net {
        Some(_) => HostFacts::default(),
        // A NIC that cannot be found is no reason to stop: the resolver says what is missing then, and this
        // why.
        None => host_facts(&request).unwrap_or_else(|failure| {
            let origin = request.general.interface.as_ref().map(|name| name.origin.clone());
            let message = failure.to_string();
            let origin = origin.unwrap_or(Origin::Program);
            found.push(Diagnostic::warning("network.undetected", origin, message));
            HostFacts::default()
        }),
    };
    // What is deployed keeps its machines, as it will when this is deployed. Who may not read the state has
    // deployed nothing.
    let previous = state::peek(state).unwrap_or_default();
    let seed = previous.as_ref().map_or_else(fresh_seed, |state| Ok(state.plan.seed))?;
    let options = ResolveOptions { seed, previous: previous.as_ref().map(|state| &state.plan) };
    let catalogue = personas::catalogue(&request, arguments.config.as_deref(), &mut found);
    let (plan, more) = resolve(&request, &host, &catalogue, &options);
    config::join(&mut found, more);
    let Some(plan) = plan.filter(|_| !has_errors(&found)) else { return Err(Failure::Request(found)) };
    terminal.diagnose(&found);
    let compose_file = super::compose::write(&plan, &arguments.compose_dir)?;
    Ok(Outcome::done(DryRun { plan, compose_file, diagnostics: found }))
}

impl Report for DryRun {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        format!(
            "{}{}\nthe compose file is {}; nothing was started\n",
            plan_table(&self.plan),
            plan_line(&self.plan),
            self.compose_file.display()
        )
    }
}

impl Report for Deployed {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let Converged { started, restarted, stopped, unchanged } = &self.changes;
        format!(
            "{}{}\n{} engine: {} started, {} replaced, {} stopped, {} unchanged\n",
            plan_table(&self.plan),
            plan_line(&self.plan),
            self.engine,
            started.len(),
            restarted.len(),
            stopped.len(),
            unchanged.len()
        )
    }
}
