//! What must hold before a plan can be deployed.

use std::collections::BTreeSet;

use decnet_core::Plan;

use crate::error::EngineError;

/// Refuses a plan with services that have no server yet, naming each.
///
/// # Errors
/// [`EngineError::NoServer`].
pub fn servers(plan: &Plan) -> Result<(), EngineError> {
    let missing: BTreeSet<&str> = plan
        .deckies
        .iter()
        .flat_map(|decky| &decky.services)
        .filter(|service| !service.custom)
        .map(|service| service.slug.as_str())
        .filter(|slug| !decnet_services::find(slug).is_some_and(decnet_services::Service::is_served))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(EngineError::NoServer(missing.into_iter().map(str::to_owned).collect()))
    }
}

/// Refuses what only Docker can run.
///
/// # Errors
/// [`EngineError::NeedsDocker`], [`EngineError::Ipvlan`], [`EngineError::NoInterface`].
pub fn native(plan: &Plan) -> Result<(), EngineError> {
    let custom: BTreeSet<&str> = plan
        .deckies
        .iter()
        .flat_map(|decky| &decky.services)
        .filter(|service| service.custom)
        .map(|service| service.slug.as_str())
        .collect();
    if !custom.is_empty() {
        return Err(EngineError::NeedsDocker(custom.into_iter().map(str::to_owned).collect()));
    }
    if plan.network.attachment == decnet_core::plan::Attachment::Ipvlan {
        return Err(EngineError::Ipvlan);
    }
    if plan.network.interface.is_none() {
        return Err(EngineError::NoInterface);
    }
    servers(plan)
}

/// Refuses what the Docker engine cannot do here.
///
/// # Errors
/// [`EngineError::NotRoot`], [`EngineError::NoInterface`], [`EngineError::NoServer`].
pub fn docker(plan: &Plan) -> Result<(), EngineError> {
    if !is_root() {
        return Err(EngineError::NotRoot);
    }
    if plan.network.interface.is_none() {
        return Err(EngineError::NoInterface);
    }
    servers(plan)
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
