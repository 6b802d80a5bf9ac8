//! What this machine lacks to carry a fleet, each with its remedy.
//!
//! Drivers are tried in namespaces that are thrown away; the LAN is asked only whether somebody else uses
//! an address that is ours.

use std::net::Ipv4Addr;

use decnet_core::Plan;
use decnet_net::drivers::Driver;
use decnet_net::facts::{self, Nic};
use decnet_net::links;
use decnet_net::probe::{ArpProber, Prober};
use decnet_net::sys::PacketSocket;
use serde::{Deserialize, Serialize};

use crate::docker;
use crate::preflight::is_root;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Some deployments cannot be made.
    Limited,
    /// No deployment can be made.
    Missing,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Verdict::Good => "good",
            Verdict::Limited => "limited",
            Verdict::Missing => "missing",
        })
    }
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub subject: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn good(subject: &str, found: impl Into<String>) -> Finding {
        Finding { subject: subject.to_owned(), verdict: Verdict::Good, found: found.into(), remedy: None }
    }

    fn bad(subject: &str, verdict: Verdict, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { subject: subject.to_owned(), verdict, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Looks at everything, on the named interface or the one with the default route. `deployed` is the fleet
/// that this machine carries, and whether it runs.
pub fn examine(interface: Option<&str>, deployed: Option<(&Plan, bool)>) -> Vec<Finding> {
    let mut findings = vec![rights()];
    findings.extend(Driver::ALL.map(driver));
    findings.extend(docker::examine());
    match facts::nic(interface) {
        Ok(nic) => findings.extend(network(&nic, deployed)),
        Err(error) => findings.push(Finding::bad(
            "interface",
            Verdict::Missing,
            error.to_string(),
            "name the LAN's interface with --interface",
        )),
    }
    findings
}

fn rights() -> Finding {
    if is_root() {
        Finding::good("rights", "root")
    } else {
        Finding::bad(
            "rights",
            Verdict::Missing,
            "an ordinary user: what follows was tried without rights",
            "run it with sudo; `decnet lab` needs no rights",
        )
    }
}

fn driver(driver: Driver) -> Finding {
    let subject = format!("kernel: {}", driver.module());
    let (verdict, without) = match driver {
        Driver::Veth => (Verdict::Limited, "`decnet lab` cannot be used"),
        Driver::Macvlan => (Verdict::Limited, "the Docker engine needs --ipvlan"),
        Driver::Ipvlan => (Verdict::Limited, "--ipvlan, and with it Wi-Fi, cannot be used"),
        Driver::Tun => (Verdict::Limited, "the native engine cannot be used"),
        Driver::Nftables => {
            (Verdict::Limited, "the Docker engine cannot keep deckies from asking, and refuses")
        }
    };
    match driver.try_out() {
        Ok(()) => Finding::good(&subject, "works"),
        Err(error) => Finding::bad(
            &subject,
            verdict,
            format!("{error}: {without}"),
            format!("`modprobe {0}`, or a kernel with {0}", driver.module()),
        ),
    }
}

fn network(nic: &Nic, deployed: Option<(&Plan, bool)>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let subject = format!("interface {}", nic.name);
    let kind = if nic.wireless { "Wi-Fi" } else { "wired" };
    let address = nic.address.map_or_else(|| "without an address".to_owned(), |net| net.to_string());
    findings.push(if !nic.up {
        Finding::bad(&subject, Verdict::Missing, "down", format!("`ip link set {} up`", nic.name))
    } else if nic.wireless {
        Finding::bad(
            &subject,
            Verdict::Limited,
            format!("Wi-Fi, {address}: access points refuse foreign MAC addresses"),
            "deploy with --engine docker --ipvlan, or use a wired interface",
        )
    } else {
        Finding::good(&subject, format!("{kind}, up, {address}"))
    });
    if nic.address.is_none() {
        findings.push(Finding::bad(
            "LAN",
            Verdict::Limited,
            format!("{} has no address to take the LAN from", nic.name),
            "name it with --subnet and --gateway",
        ));
    } else if nic.gateway.is_none() {
        findings.push(Finding::bad(
            "LAN",
            Verdict::Limited,
            "no default route leads over this interface",
            "name the gateway with --gateway",
        ));
    }
    findings.push(frames(nic));
    findings.extend(conflicts(nic, deployed));
    findings
}

/// Whether frames for other MAC addresses than the NIC's can be had at all. Only the one who plugged a
/// virtual NIC in can say whether they arrive.
fn frames(nic: &Nic) -> Finding {
    let opened = links::find(&nic.name).and_then(|link| PacketSocket::open(link.index));
    let hypervisor =
        || std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" hypervisor"));
    match opened {
        Err(error) => Finding::bad(
            "foreign MAC addresses",
            Verdict::Missing,
            error.to_string(),
            "run it with sudo, on an interface that is up",
        ),
        Ok(_) if hypervisor() => Finding::bad(
            "foreign MAC addresses",
            Verdict::Limited,
            "the interface can be listened to; this is a virtual machine, whose switch may drop them",
            "allow promiscuous mode and forged transmits on the virtual switch's port",
        ),
        Ok(_) => Finding::good("foreign MAC addresses", "the interface can be listened to"),
    }
}

/// Whether somebody else answers for an address that is ours.
fn conflicts(nic: &Nic, deployed: Option<(&Plan, bool)>) -> Option<Finding> {
    let mut ours: Vec<Ipv4Addr> = nic.address.iter().map(|net| net.addr()).collect();
    // Deckies that run answer for themselves.
    if let Some((plan, false)) = deployed {
        ours.extend(plan.deckies.iter().map(|decky| decky.address));
    }
    if ours.is_empty() || !nic.up {
        return None;
    }
    Some(match ArpProber::new(&nic.name).in_use(&ours) {
        Ok(taken) if taken.is_empty() => Finding::good("addresses", "nobody else uses them"),
        Ok(taken) => {
            let taken: Vec<String> = taken.iter().map(Ipv4Addr::to_string).collect();
            Finding::bad(
                "addresses",
                Verdict::Limited,
                format!("somebody else answers for {}", taken.join(", ")),
                "give that machine another address, or the deckies another range with --ip-start",
            )
        }
        Err(error) => Finding::bad("addresses", Verdict::Limited, error.to_string(), "run it with sudo"),
    })
}
