//! The network that the deckies join: MACVLAN or IPvlan on the LAN's interface.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{Ipam, IpamConfig, Network as Found, NetworkCreateRequest};
use bollard::query_parameters::InspectNetworkOptions;
use decnet_compose::layout;
use decnet_core::Plan;
use decnet_core::plan::{Attachment, Network};

use super::daemon::{is_moot, said, words};
use crate::error::EngineError;

/// How the network that is there compares with what the plan needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is none.
    Missing,
    /// It is as it has to be.
    Fits,
    /// It is ours, and differs: it can be made anew once our own containers have left it.
    Outdated(String),
}

/// Compares. A network that is not ours, or that others use, is never touched and never used in silence.
///
/// # Errors
/// [`EngineError::ForeignNetwork`].
pub(super) async fn look(docker: &Docker, plan: &Plan) -> Result<Standing, EngineError> {
    let Some(found) = find(docker).await? else { return Ok(Standing::Missing) };
    let difference = difference(&found, &plan.network);
    let owner = found.labels.as_ref().and_then(|labels| labels.get(layout::LABEL_FLEET));
    let foreign = |difference: String, remedy: &str| EngineError::ForeignNetwork {
        name: layout::LAN_NETWORK.to_owned(),
        difference,
        remedy: remedy.to_owned(),
    };
    match (difference, owner) {
        (_, None) => Err(foreign(
            "it was not made by this program".to_owned(),
            "remove it (`docker network rm decnet_lan`) and deploy again",
        )),
        (None, Some(_)) => Ok(Standing::Fits),
        (Some(difference), Some(owner)) if *owner != plan.fleet => Err(foreign(
            format!("it belongs to the fleet {owner}, and {difference}"),
            "tear that fleet down first, or deploy both on one network",
        )),
        (Some(difference), Some(_)) => Ok(Standing::Outdated(difference)),
    }
}

async fn find(docker: &Docker) -> Result<Option<Found>, EngineError> {
    match docker.inspect_network(layout::LAN_NETWORK, None::<InspectNetworkOptions>).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_moot(&error) => Ok(None),
        Err(error) => Err(said(format!("look at the network {}", layout::LAN_NETWORK))(error)),
    }
}

const fn driver(attachment: Attachment) -> &'static str {
    match attachment {
        Attachment::Macvlan => "macvlan",
        Attachment::Ipvlan => "ipvlan",
    }
}

/// The first thing in which it differs.
fn difference(found: &Found, wanted: &Network) -> Option<String> {
    let config = found.ipam.as_ref().and_then(|ipam| ipam.config.as_ref()?.first());
    let option = |name: &str| found.options.as_ref().and_then(|options| options.get(name).cloned());
    let checks = [
        ("its driver", found.driver.clone(), driver(wanted.attachment).to_owned()),
        ("its subnet", config.and_then(|config| config.subnet.clone()), wanted.subnet.to_string()),
        ("its gateway", config.and_then(|config| config.gateway.clone()), wanted.gateway.to_string()),
        ("its interface", option("parent"), wanted.interface.clone().unwrap_or_default()),
    ];
    checks.into_iter().find_map(|(what, is, should)| {
        let is = is.unwrap_or_else(|| "not set".to_owned());
        (is != should).then(|| format!("{what} is {is} where the plan says {should}"))
    })
}

/// Makes it.
pub(super) async fn make(docker: &Docker, plan: &Plan) -> Result<(), EngineError> {
    let network = &plan.network;
    let interface = network.interface.clone().ok_or(EngineError::NoInterface)?;
    let mut options = HashMap::from([("parent".to_owned(), interface.clone())]);
    if network.attachment == Attachment::Ipvlan {
        options.insert("ipvlan_mode".to_owned(), "l2".to_owned());
    }
    let pool = IpamConfig {
        subnet: Some(network.subnet.to_string()),
        gateway: Some(network.gateway.to_string()),
        ..Default::default()
    };
    let request = NetworkCreateRequest {
        name: layout::LAN_NETWORK.to_owned(),
        driver: Some(driver(network.attachment).to_owned()),
        ipam: Some(Ipam { config: Some(vec![pool]), ..Default::default() }),
        options: Some(options),
        labels: Some(HashMap::from([(layout::LABEL_FLEET.to_owned(), plan.fleet.clone())])),
        ..Default::default()
    };
    match docker.create_network(request).await {
        Ok(_) => Ok(()),
        Err(error) => Err(EngineError::Docker {
            action: format!("make the network {} on {interface}", layout::LAN_NETWORK),
            why: explained(words(&error), &interface),
        }),
    }
}

/// The daemon's words where they mislead.
fn explained(said: String, interface: &str) -> String {
    if said.contains("invalid subinterface vlan name") {
        format!(
            "the Docker daemon sees no interface `{interface}`; name one of the machine's own with --interface"
        )
    } else if said.contains("already using parent interface") {
        format!("{said}; Docker allows one such network for each interface: remove that one first")
    } else if said.contains("Pool overlaps") {
        format!("another Docker network covers the same addresses ({said}); `docker network ls` lists them")
    } else {
        said
    }
}

/// Removes it, unless it is somebody else's or somebody is still on it. Returns what is in the way.
pub(super) async fn remove(docker: &Docker, fleet: &str) -> Option<String> {
    let found = match find(docker).await {
        Ok(Some(found)) => found,
        Ok(None) => return None,
        Err(error) => return Some(error.to_string()),
    };
    let owner = found.labels.as_ref().and_then(|labels| labels.get(layout::LABEL_FLEET));
    // Another fleet on the same LAN goes on using it; whoever leaves last takes it away.
    let in_use = found.containers.as_ref().is_some_and(|containers| !containers.is_empty());
    if owner.is_none() || in_use {
        return (owner.is_some_and(|owner| owner == fleet) && in_use)
            .then(|| format!("network {}: other containers are still on it", layout::LAN_NETWORK));
    }
    match docker.remove_network(layout::LAN_NETWORK).await {
        Err(error) if !is_moot(&error) => Some(format!("network {}: {}", layout::LAN_NETWORK, words(&error))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Network {
        Network {
            interface: Some("eth0".into()),
            subnet: "198.51.100.0/24".parse().unwrap(),
            gateway: "198.51.100.1".parse().unwrap(),
            host: None,
            attachment: Attachment::Macvlan,
        }
    }

    fn found() -> Found {
        let pool = IpamConfig {
            subnet: Some("198.51.100.0/24".into()),
            gateway: Some("198.51.100.1".into()),
            ..Default::default()
        };
        Found {
            driver: Some("macvlan".into()),
            ipam: Some(Ipam { config: Some(vec![pool]), ..Default::default() }),
            options: Some(HashMap::from([("parent".into(), "eth0".into())])),
            ..Default::default()
        }
    }

    #[test]
    fn a_difference_is_named() {
        assert_eq!(difference(&found(), &wanted()), None);
        let mut other = wanted();
        other.interface = Some("eth1".into());
        assert_eq!(difference(&found(), &other).unwrap(), "its interface is eth0 where the plan says eth1");
        other = wanted();
        other.attachment = Attachment::Ipvlan;
        assert_eq!(difference(&found(), &other).unwrap(), "its driver is macvlan where the plan says ipvlan");
        assert_eq!(
            difference(&Found::default(), &wanted()).unwrap(),
            "its driver is not set where the plan says macvlan"
        );
    }

    #[test]
    fn misleading_words_are_explained() {
        let said =
            explained("invalid subinterface vlan name wlan9, example formatting is eth0.10".into(), "wlan9");
        assert!(said.contains("no interface `wlan9`"), "{said}");
    }
}
