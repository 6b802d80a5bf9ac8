//! `[general]`: network, logging, engine, seed, domain.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{hosts, logging, words};
use crate::diagnostic::{Diagnostic, Level, Origin};
use crate::facts::HostFacts;
use crate::plan::{Attachment, EngineChoice, Logging, Network};
use crate::request::{Request, Text};
use crate::service::parse_bool;

/// Everything that holds for the whole fleet.
#[derive(Debug)]
pub(super) struct General {
    pub(super) seed: u64,
    /// Absent where the LAN is not known; there is an error then.
    pub(super) network: Option<Network>,
    pub(super) engine: EngineChoice,
    pub(super) logging: Logging,
    /// The user's domain.
    pub(super) domain: Option<String>,
    /// `--ip-start`, where it lies inside the LAN.
    pub(super) ip_start: Option<(Ipv4Addr, Origin)>,
}

/// A LAN smaller than this has no room beside its gateway: two addresses for hosts.
const LONGEST_PREFIX: u8 = 30;

pub(super) fn resolve(
    request: &Request,
    facts: &HostFacts,
    seed: u64,
    diagnostics: &mut Vec<Diagnostic>,
) -> General {
    let general = &request.general;
    let network = network(request, facts, diagnostics);
    let ip_start = request.ip_start.as_ref().and_then(|text| ip_start(text, network.as_ref(), diagnostics));
    let engine = general.engine.as_ref().and_then(|text| engine(text, diagnostics));
    let logging = logging::resolve(request, diagnostics);
    General {
        seed: general.seed.as_ref().and_then(|text| number(text, diagnostics)).unwrap_or(seed),
        network,
        engine: engine.unwrap_or_default(),
        logging,
        domain: general.domain.as_ref().and_then(|text| domain(text, diagnostics)),
        ip_start,
    }
}

fn number(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<u64> {
    let parsed = text.value.trim().parse().ok();
    if parsed.is_none() {
        let message = format!("seed `{}` is not a whole number from 0 to {}", text.value, u64::MAX);
        diagnostics.push(Diagnostic::error("general.seed", text.origin.clone(), message));
    }
    parsed
}

fn engine(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<EngineChoice> {
    let word = words::whole(text);
    let parsed = word.text.parse().ok();
    if parsed.is_none() {
        let known = ["auto", "docker", "native"];
        diagnostics.push(words::unknown("general.engine", "engine", &word, known.into_iter()));
    }
    parsed
}

fn domain(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let domain = text.value.trim().trim_end_matches('.').to_ascii_lowercase();
    if let Some(flaw) = hosts::domain_flaw(&domain) {
        let message = format!("domain `{}` {flaw}", text.value);
        diagnostics.push(Diagnostic::error("general.domain", text.origin.clone(), message));
        return None;
    }
    hosts::warn_tell("domain", &domain, &text.origin, diagnostics);
    Some(domain)
}

fn network(request: &Request, facts: &HostFacts, diagnostics: &mut Vec<Diagnostic>) -> Option<Network> {
    let general = &request.general;
    let interface = match &general.interface {
        Some(text) => interface(text, diagnostics),
        None => facts.interface.clone(),
    };
    let attachment = attachment(general.ipvlan.as_ref(), interface.as_deref(), facts, diagnostics);
    let explicit = match &general.net {
        Some(text) => Some((subnet(text, diagnostics)?, text.origin.clone())),
        None => None,
    };
    if let (Some((subnet, origin)), Some(detected)) = (&explicit, facts.subnet)
        && !subnet.contains(&detected.network())
        && !detected.contains(&subnet.network())
    {
        let nic = interface.as_deref().unwrap_or("the NIC");
        let message = format!("{subnet} is not the network of {nic}, which is {detected}");
        diagnostics.push(
            Diagnostic::warning("network.not-local", origin.clone(), message)
                .help("deckies of another network are reached only if its gateway stands on this LAN"),
        );
    }
    let subnet = match (&explicit, facts.subnet) {
        (Some((subnet, _)), _) => *subnet,
        (None, Some(detected)) => {
            let detected = detected.trunc();
            note(diagnostics, format!("no `net` is given; {detected} was detected"));
            detected
        }
        (None, None) => {
            diagnostics.push(
                Diagnostic::error(
                    "network.missing",
                    Origin::Program,
                    "the LAN is neither given nor detected",
                )
                .help("write `net = 192.168.1.0/24` in `[general]` or use --subnet"),
            );
            // The values that need no network are judged all the same.
            if let Some(text) = &general.gw {
                let _ = gateway_address(text, diagnostics);
            }
            return None;
        }
    };
    let gateway = match &general.gw {
        Some(text) => gateway(text, subnet, diagnostics)?,
        None => match facts.gateway.filter(|gateway| is_host(subnet, *gateway)) {
            Some(detected) => {
                note(diagnostics, format!("no `gw` is given; {detected} was detected"));
                detected
            }
            None => {
                let assumed = Ipv4Addr::from(u32::from(subnet.network()).wrapping_add(1));
                note(diagnostics, format!("no `gw` is given or detected; {assumed} is assumed"));
                assumed
            }
        },
    };
    let host = facts.address.filter(|address| subnet.contains(address));
    Some(Network { interface, subnet, gateway, host, attachment })
}

fn note(diagnostics: &mut Vec<Diagnostic>, message: String) {
    diagnostics.push(Diagnostic::new(Level::Note, "network.detected", Origin::Program, message));
}

/// A NIC's name as the kernel allows it: at most 15 bytes, no slash, no white space.
fn interface(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let name = text.value.trim();
    let fine = (1..=15).contains(&name.len())
        && ![".", ".."].contains(&name)
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if fine {
        return Some(name.to_owned());
    }
    let message = format!("`{name}` cannot be the name of a network interface");
    diagnostics.push(
        Diagnostic::error("general.interface", text.origin.clone(), message)
            .help("at most 15 characters, no slash and no white space"),
    );
    None
}

fn attachment(
    text: Option<&Text>,
    interface: Option<&str>,
    facts: &HostFacts,
    diagnostics: &mut Vec<Diagnostic>,
) -> Attachment {
    let chosen = text.and_then(|text| {
        let parsed = parse_bool(&text.value);
        if parsed.is_none() {
            let message = format!("ipvlan is `{}`, which is neither yes nor no", text.value);
            diagnostics.push(Diagnostic::error("general.ipvlan", text.origin.clone(), message));
        }
        parsed
    });
    if chosen == Some(true) {
        return Attachment::Ipvlan;
    }
    if facts.wireless {
        let nic = interface.unwrap_or("the NIC");
        let origin = text.map_or(Origin::Program, |text| text.origin.clone());
        let message = format!("{nic} is wireless: access points drop the MAC addresses of deckies");
        diagnostics.push(
            Diagnostic::warning("network.wireless", origin, message).help(
                "use --ipvlan or write `ipvlan = yes` in `[general]`: all share the NIC's address then",
            ),
        );
    }
    Attachment::Macvlan
}

fn subnet(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<Ipv4Net> {
    let value = text.value.trim();
    let mut error = |code, message: String, help: &str| {
        diagnostics.push(Diagnostic::error(code, text.origin.clone(), message).help(help));
    };
    let Ok(net) = value.parse::<Ipv4Net>() else {
        let help = if value.contains(':') { "only IPv4 is supported" } else { "such as 192.168.1.0/24" };
        error("network.net", format!("net `{value}` is not an IPv4 network in CIDR form"), help);
        return None;
    };
    if net.prefix_len() > LONGEST_PREFIX {
        error("network.too-small", format!("net {net} has no room for deckies"), "use /30 or wider");
        return None;
    }
    let network = net.trunc();
    let first = network.network();
    if first.is_loopback() || first.is_multicast() || first.octets()[0] == 0 || first.octets()[0] >= 240 {
        error(
            "network.net",
            format!("net {network} is no network that hosts live in"),
            "such as 192.168.1.0/24",
        );
        return None;
    }
    if net.addr() != network.addr() {
        let message = format!("net {net} names a host; {network} is taken");
        diagnostics.push(Diagnostic::warning("network.host-bits", text.origin.clone(), message));
    }
    Some(network)
}

fn gateway_address(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<Ipv4Addr> {
    let parsed = text.value.trim().parse().ok();
    if parsed.is_none() {
        let message = format!("gw `{}` is not an IPv4 address", text.value);
        diagnostics.push(Diagnostic::error("network.gw", text.origin.clone(), message));
    }
    parsed
}

fn gateway(text: &Text, subnet: Ipv4Net, diagnostics: &mut Vec<Diagnostic>) -> Option<Ipv4Addr> {
    let gateway = gateway_address(text, diagnostics)?;
    if is_host(subnet, gateway) {
        return Some(gateway);
    }
    let what = if subnet.contains(&gateway) { "no host address of" } else { "outside" };
    let message = format!("gw {gateway} is {what} {subnet}");
    let (first, last) = host_range(subnet);
    diagnostics.push(
        Diagnostic::error("network.gw-outside", text.origin.clone(), message)
            .help(format!("an address from {first} to {last}")),
    );
    None
}

fn ip_start(
    text: &Text,
    network: Option<&Network>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(Ipv4Addr, Origin)> {
    let value = text.value.trim();
    let Ok(start) = value.parse::<Ipv4Addr>() else {
        let message = format!("first address `{value}` is not an IPv4 address");
        diagnostics.push(Diagnostic::error("network.ip-start", text.origin.clone(), message));
        return None;
    };
    let subnet = network?.subnet;
    if !subnet.contains(&start) {
        let (first, last) = host_range(subnet);
        diagnostics.push(
            Diagnostic::error(
                "network.ip-start-outside",
                text.origin.clone(),
                format!("first address {start} is outside {subnet}"),
            )
            .help(format!("an address from {first} to {last}")),
        );
        return None;
    }
    Some((start, text.origin.clone()))
}

/// The first and last address of a LAN that a host may have.
pub(super) fn host_range(subnet: Ipv4Net) -> (Ipv4Addr, Ipv4Addr) {
    let first = u32::from(subnet.network()).saturating_add(1);
    let last = u32::from(subnet.broadcast()).saturating_sub(1);
    (Ipv4Addr::from(first), Ipv4Addr::from(last))
}

fn is_host(subnet: Ipv4Net, address: Ipv4Addr) -> bool {
    let (first, last) = host_range(subnet);
    (first..=last).contains(&address)
}
