//! Which address each decky has.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use super::general::{General, host_range};
use super::groups::Group;
use super::members::Members;
use crate::diagnostic::{Diagnostic, Origin};
use crate::facts::HostFacts;
use crate::plan::Network;

/// An address for every member: the user's, else the one of the plan before, else the next free one. Where
/// there is an error, some have none.
pub(super) fn assign(
    groups: &[Group<'_>],
    members: &Members<'_>,
    general: &General,
    facts: &HostFacts,
    redeployed: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Option<Ipv4Addr>> {
    let mut addresses: Vec<Option<Ipv4Addr>> = vec![None; members.list.len()];
    let explicit = explicit(groups, general.network.as_ref(), diagnostics);
    let Some(network) = &general.network else { return addresses };
    let mut taken: HashSet<Ipv4Addr> = explicit.keys().copied().collect();
    taken.insert(network.gateway);
    taken.extend(network.host);
    let (first, last) = host_range(network.subnet);

    for (address, member) in addresses.iter_mut().zip(&members.list) {
        let group = &groups[member.group];
        if let Some((wanted, origin)) = &group.ip {
            *address = Some(*wanted);
            // Our own decky answers at the address that it already has.
            let own = member.previous.is_some_and(|before| before.address == *wanted);
            if facts.in_use.contains(wanted) && !own {
                let message = format!("ip {wanted} of `{}` is in use: something answers there", group.name());
                diagnostics.push(Diagnostic::warning("address.in-use", origin.clone(), message));
            }
        } else if let Some(before) = member.previous
            && redeployed
            && (first..=last).contains(&before.address)
            && taken.insert(before.address)
        {
            *address = Some(before.address);
        }
    }

    let start = general.ip_start.as_ref().map_or(first, |(start, _)| (*start).max(first));
    let mut next = u32::from(start);
    let mut missing = 0usize;
    for address in addresses.iter_mut().filter(|address| address.is_none()) {
        *address = loop {
            let candidate = Ipv4Addr::from(next);
            if candidate > last {
                break None;
            }
            next += 1;
            if !facts.in_use.contains(&candidate) && taken.insert(candidate) {
                break Some(candidate);
            }
        };
        missing += usize::from(address.is_none());
    }
    // More deckies than the LAN has room for have been told where they were asked for.
    let told = diagnostics.iter().any(|diagnostic| diagnostic.code == "amount.too-many");
    if missing > 0 && !told {
        let subnet = network.subnet;
        let origin = match &general.ip_start {
            Some((_, origin)) => origin.clone(),
            None => groups.last().map_or(Origin::Program, |group| group.origin().clone()),
        };
        let busy = facts.in_use.iter().filter(|address| subnet.contains(*address)).count();
        let message = format!(
            "{missing} of {} deckies find no free address from {start} on in {subnet}",
            members.list.len()
        );
        let mut help = "ask for fewer deckies, a wider network or a lower first address".to_owned();
        if busy > 0 {
            let are = if busy == 1 { "address is" } else { "addresses are" };
            help.push_str(&format!("; {busy} {are} in use by others"));
        }
        diagnostics.push(Diagnostic::error("network.exhausted", origin, message).help(help));
    }
    addresses
}

/// The addresses that the user chose, judged.
fn explicit<'g>(
    groups: &'g [Group<'_>],
    network: Option<&Network>,
    diagnostics: &mut Vec<Diagnostic>,
) -> HashMap<Ipv4Addr, &'g Origin> {
    let mut explicit: HashMap<Ipv4Addr, &'g Origin> = HashMap::new();
    for group in groups {
        let Some((address, origin)) = &group.ip else { continue };
        if let Some(network) = network
            && let Some((code, flaw)) = flaw(*address, network)
        {
            let message = format!("ip {address} of `{}` {flaw}", group.name());
            let (first, last) = host_range(network.subnet);
            diagnostics.push(
                Diagnostic::error(code, origin.clone(), message)
                    .help(format!("another address from {first} to {last}")),
            );
        }
        if let Some(before) = explicit.insert(*address, origin) {
            let message = format!("ip {address} is taken twice");
            diagnostics.push(
                Diagnostic::error("address.duplicate", origin.clone(), message)
                    .related(before.clone(), "the first one"),
            );
        }
    }
    explicit
}

/// Why no decky can have an address, if so.
fn flaw(address: Ipv4Addr, network: &Network) -> Option<(&'static str, String)> {
    let subnet = network.subnet;
    if !subnet.contains(&address) {
        return Some(("address.outside", format!("is outside {subnet}")));
    }
    if address == subnet.network() {
        return Some(("address.network", format!("is the network address of {subnet}")));
    }
    if address == subnet.broadcast() {
        return Some(("address.broadcast", format!("is the broadcast address of {subnet}")));
    }
    if address == network.gateway {
        return Some(("address.gateway", "is that of the gateway".to_owned()));
    }
    if Some(address) == network.host {
        return Some(("address.host", "is that of this machine".to_owned()));
    }
    None
}
