//! What runs, read back from each decky's own namespace and compared with the plan.

use std::time::{Duration, Instant};

use decnet_compose::{Platform, layout};
use decnet_core::Plan;
use decnet_core::plan::{Attachment, Decky};
use decnet_net::listening::Listening;
use decnet_net::{Namespace, NetError, links, listening, namespace};

use super::containers::{self, Container, Which};
use super::daemon::Daemon;
use super::sysctls;
use crate::engine::{Phase, Progress};
use crate::error::EngineError;

/// How long all services may take to listen, beyond 300 ms for each container.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);
/// Differences that an error names.
const NAMED: usize = 6;

/// Compares every decky, and waits for its services to listen.
///
/// # Errors
/// [`EngineError::Differs`] with every difference.
pub(super) fn verify(
    daemon: &Daemon,
    plan: &Plan,
    platform: &Platform,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), EngineError> {
    let total = plan.deckies.len();
    let count: usize = plan.deckies.iter().map(|decky| decky.services.len() + 2).sum();
    let until =
        Instant::now() + PATIENCE + Duration::from_millis(300) * u32::try_from(count).unwrap_or(u32::MAX);
    let mut waiting: Vec<&Decky> = plan.deckies.iter().collect();
    loop {
        let all = daemon.wait(containers::list(&daemon.docker, Which::Fleet(&plan.fleet)))?;
        let mut differences = Vec::new();
        waiting.retain(|decky| {
            let mine: Vec<&Container> =
                all.iter().filter(|container| container.decky == decky.name).collect();
            let found = compare(plan, decky, platform, &mine);
            differences.extend(found.iter().map(|difference| format!("{}: {difference}", decky.name)));
            !found.is_empty()
        });
        progress(Progress { phase: Phase::Verify, done: total - waiting.len(), total });
        if waiting.is_empty() {
            return Ok(());
        }
        if Instant::now() > until {
            let more = differences.len().saturating_sub(NAMED);
            differences.truncate(NAMED);
            if more > 0 {
                differences.push(format!("and {more} more"));
            }
            let broken = all.iter().filter(|container| container.pid.is_none()).take(NAMED);
            for container in
                broken.filter(|container| waiting.iter().any(|decky| decky.name == container.decky))
            {
                if let Some(word) = daemon.wait(containers::last_word(&daemon.docker, &container.id)) {
                    differences.push(format!("{} says: {word}", container.name));
                }
            }
            return Err(EngineError::Differs(differences));
        }
        std::thread::sleep(LOOK);
    }
}

/// What a namespace is like.
struct Inside {
    links: Vec<(links::Link, Option<std::net::Ipv4Addr>)>,
    settings: Vec<(String, String)>,
    listening: Listening,
}

/// Every way in which a decky is not as planned.
fn compare(plan: &Plan, decky: &Decky, platform: &Platform, mine: &[&Container]) -> Vec<String> {
    let Some(base) = mine.iter().find(|container| container.role == layout::ROLE_BASE) else {
        return vec!["it has no base container".to_owned()];
    };
    let Some(pid) = base.pid else { return vec![format!("its base is {}", base.end())] };
    let mut found = Vec::new();
    let home = namespace::number_of(pid);
    let guard =
        mine.iter().filter(|container| container.role == layout::ROLE_GUARD).map(|guard| (*guard, "guard"));
    let services = mine.iter().filter_map(|container| Some((*container, container.service.as_deref()?)));
    for (container, name) in guard.chain(services) {
        match container.namespace() {
            None => found.push(format!("its {name} is {}", container.end())),
            namespace if namespace != home => found.push(format!("its {name} is in another namespace")),
            _ => {}
        }
    }
    let wanted = platform.sysctls.get(&decky.identity.os.family);
    let inside = Namespace::of_process(pid).and_then(|namespace| namespace.run(|| look(wanted)));
    let hostname = namespace::hostname_of(pid);
    match (inside, hostname) {
        (Ok(inside), Ok(hostname)) => {
            let planned = &decky.identity.names.hostname;
            if hostname != *planned {
                found.push(format!("its host name is {hostname} where the plan says {planned}"));
            }
            found.extend(inside.differences(plan, decky, wanted));
        }
        (Err(error), _) | (_, Err(error)) => found.push(error.to_string()),
    }
    found
}

fn look(wanted: Option<&decnet_compose::Sysctls>) -> Result<Inside, NetError> {
    let mut found = Vec::new();
    for link in links::list()?.into_iter().filter(|link| !link.loopback && link.up) {
        let address = links::address_of(link.index)?.map(|net| net.addr());
        found.push((link, address));
    }
    let settings = wanted
        .into_iter()
        .flatten()
        .map(|(name, _)| {
            let value = std::fs::read_to_string(format!("/proc/sys/{}", sysctls::path(name)));
            (name.clone(), value.unwrap_or_default())
        })
        .collect();
    Ok(Inside { links: found, settings, listening: listening::read()? })
}

impl Inside {
    fn differences(
        &self,
        plan: &Plan,
        decky: &Decky,
        wanted: Option<&decnet_compose::Sysctls>,
    ) -> Vec<String> {
        let mut found = Vec::new();
        match self.links.iter().find(|(_, address)| *address == Some(decky.address)) {
            None => {
                let has: Vec<String> = self
                    .links
                    .iter()
                    .map(|(link, address)| match address {
                        Some(address) => format!("{} has {address}", link.name),
                        None => format!("{} has none", link.name),
                    })
                    .collect();
                let has = if has.is_empty() { "it has no network".to_owned() } else { has.join(", ") };
                found.push(format!("its address is not {}: {has}", decky.address));
            }
            Some((link, _)) if plan.network.attachment == Attachment::Macvlan => {
                if link.mac != Some(decky.mac) {
                    let is = link.mac.map_or_else(|| "missing".to_owned(), |mac| mac.to_string());
                    found.push(format!("its MAC address is {is} where the plan says {}", decky.mac));
                }
            }
            Some(_) => {}
        }
        for (name, is) in &self.settings {
            let should = wanted.and_then(|wanted| wanted.get(name)).map(String::as_str).unwrap_or_default();
            // Triples are separated by tabs where the kernel prints them.
            if !is.split_whitespace().eq(should.split_whitespace()) {
                found.push(format!("{name} is {} where the plan says {should}", is.trim()));
            }
        }
        for (service, port) in decky.open_ports() {
            if !is_open(&self.listening, decky, port) {
                found.push(format!("port {port} of {} is closed", service.slug));
            }
        }
        found
    }
}

/// Whether a port answers on the decky's address.
pub(super) fn is_open(listening: &Listening, decky: &Decky, port: decnet_core::service::Port) -> bool {
    [decky.address, std::net::Ipv4Addr::UNSPECIFIED]
        .into_iter()
        .any(|address| listening.contains(&(address, port.transport, port.number)))
}
