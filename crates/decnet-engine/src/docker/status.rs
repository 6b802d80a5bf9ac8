//! What really runs: containers, the namespaces they are in, and what listens there.

use decnet_compose::layout;
use decnet_core::Plan;
use decnet_core::plan::Decky;
use decnet_net::listening::{self, Listening};
use decnet_net::{Namespace, namespace};

use super::containers::Container;
use super::verify::is_open;
use crate::engine::{DeckyStatus, FleetStatus, Health, ServiceStatus};

/// The status of a fleet with these containers.
pub(super) fn of(plan: &Plan, all: &[Container], mut problems: Vec<String>) -> FleetStatus {
    let deckies: Vec<DeckyStatus> = plan
        .deckies
        .iter()
        .map(|decky| {
            let mine: Vec<&Container> =
                all.iter().filter(|container| container.decky == decky.name).collect();
            of_decky(decky, &mine)
        })
        .collect();
    let strangers: Vec<&str> = all
        .iter()
        .filter(|container| plan.decky(&container.decky).is_none())
        .map(|container| container.name.as_str())
        .collect();
    if !strangers.is_empty() {
        problems.push(format!("not in the plan: {}; deploy again", strangers.join(", ")));
    }
    let all_down = deckies.iter().all(|decky| decky.health == Health::Down);
    let all_up = deckies.iter().all(|decky| decky.health == Health::Up);
    let health = match (all_up && problems.is_empty(), all_down) {
        (true, _) => Health::Up,
        (false, true) => Health::Down,
        (false, false) => Health::Degraded,
    };
    FleetStatus { engine: "docker".to_owned(), fleet: plan.fleet.clone(), health, problems, deckies }
}

fn of_decky(decky: &Decky, mine: &[&Container]) -> DeckyStatus {
    let base = mine.iter().find(|container| container.role == layout::ROLE_BASE);
    let pid = base.and_then(|base| base.pid);
    let home = pid.and_then(namespace::number_of);
    let listening = pid.map(|pid| {
        Namespace::of_process(pid).and_then(|namespace| namespace.run(listening::read)).unwrap_or_default()
    });
    let mut reasons = Vec::new();
    match base {
        None => reasons.push("it has no base container".to_owned()),
        Some(base) if pid.is_none() => reasons.push(format!("its base is {}", base.end())),
        Some(_) => {}
    }
    let guard = mine.iter().find(|container| container.role == layout::ROLE_GUARD);
    let mut is_guarded = false;
    match guard.map(|guard| (guard, guard.namespace())) {
        None => reasons.push("it has no guard".to_owned()),
        Some((guard, None)) => reasons.push(format!("its guard is {}", guard.end())),
        Some((_, namespace)) if namespace != home => {
            reasons.push("its guard is in a dead namespace".to_owned())
        }
        Some(_) => is_guarded = true,
    }
    let services: Vec<ServiceStatus> = decky
        .services
        .iter()
        .map(|service| {
            let container = mine.iter().find(|container| container.service.as_deref() == Some(&service.slug));
            let health = match container.map(|container| (container, container.namespace())) {
                None => Health::Down,
                Some((container, None)) => {
                    reasons.push(format!("{} is {}", service.slug, container.end()));
                    Health::Down
                }
                Some((_, namespace)) if namespace != home || home.is_none() => {
                    reasons.push(format!("{} is in a dead namespace", service.slug));
                    Health::Degraded
                }
                Some(_) => open(&service.ports, decky, listening.as_ref()),
            };
            ServiceStatus { slug: service.slug.clone(), ports: service.ports.clone(), health }
        })
        .collect();
    let worst = services.iter().map(|service| service.health).max().unwrap_or(Health::Up);
    let health = match (pid, is_guarded) {
        (None, _) if mine.iter().all(|container| container.pid.is_none()) => Health::Down,
        (None, _) => Health::Degraded,
        (Some(_), true) => worst.min(Health::Degraded),
        (Some(_), false) => Health::Degraded,
    };
    let restarts = mine.iter().map(|container| container.restarts).sum();
    DeckyStatus {
        name: decky.name.clone(),
        address: decky.address,
        mac: decky.mac,
        hostname: decky.identity.names.hostname.clone(),
        os: decky.identity.os.name.clone(),
        health,
        services,
        restarts,
        pid,
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
    }
}

fn open(ports: &[decnet_core::service::Port], decky: &Decky, listening: Option<&Listening>) -> Health {
    let all = listening.is_some_and(|listening| ports.iter().all(|port| is_open(listening, decky, *port)));
    if all { Health::Up } else { Health::Degraded }
}
