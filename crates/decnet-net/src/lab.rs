//! A LAN in a box: two private network namespaces joined by a cable, with no way out.
//!
//! One is the *host*, whose NIC a fleet joins; the other is the *attacker*. Nothing in either can reach
//! the machine's own network, and both go with the last handle to them.

use std::net::Ipv4Addr;

use decnet_core::MacAddress;
use ipnet::Ipv4Net;

use crate::error::NetError;
use crate::links;
use crate::namespace::Namespace;

/// The NIC in the host's namespace.
pub const HOST_INTERFACE: &str = "eth0";
/// The NIC in the attacker's namespace.
pub const ATTACKER_INTERFACE: &str = "eth0";

/// What the LAN looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The LAN.
    pub subnet: Ipv4Net,
    /// The host's address, which is also everybody's gateway.
    pub host: Ipv4Addr,
    /// The attacker's address.
    pub attacker: Ipv4Addr,
}

impl Default for Layout {
    /// 198.51.100.0/24, which no real LAN has (RFC 5737).
    fn default() -> Self {
        let address = |last| Ipv4Addr::new(198, 51, 100, last);
        Layout { subnet: Ipv4Net::new_assert(address(0), 24), host: address(1), attacker: address(2) }
    }
}

impl Layout {
    /// A LAN of that size: host and attacker have its first two addresses.
    ///
    /// # Errors
    /// The LAN has no room for two hosts.
    pub fn on(subnet: Ipv4Net) -> Result<Layout, NetError> {
        let mut hosts = subnet.hosts();
        match (subnet.prefix_len() <= 29).then(|| (hosts.next(), hosts.next())) {
            Some((Some(host), Some(attacker))) => Ok(Layout { subnet, host, attacker }),
            _ => Err(NetError::OffLan(subnet.network())),
        }
    }
}

/// A LAN in a box.
#[derive(Debug)]
pub struct Lab {
    /// Where the fleet's engine runs.
    pub host: Namespace,
    /// Where the attacker sits.
    pub attacker: Namespace,
    /// What it looks like.
    pub layout: Layout,
}

impl Lab {
    /// Builds it.
    ///
    /// # Errors
    /// Missing rights (a user namespace gives them), or a kernel without veth.
    pub fn build(layout: Layout) -> Result<Lab, NetError> {
        let host = Namespace::create()?;
        let attacker = Namespace::create()?;
        let prefix = layout.subnet.prefix_len();
        attacker.run(quiet)?;
        host.run(|| {
            quiet()?;
            // Made under a passing name: both ends would be called eth0 in one namespace for a moment.
            links::add_veth(HOST_INTERFACE, "cable", &attacker)?;
            links::add_address(HOST_INTERFACE, layout.host, prefix)?;
            links::set_up("lo")?;
            links::set_up(HOST_INTERFACE)
        })?;
        attacker.run(|| {
            links::rename("cable", ATTACKER_INTERFACE)?;
            links::set_mac(ATTACKER_INTERFACE, MacAddress([0x00, 0x1b, 0x21, 0x5e, 0x10, 0x02]))?;
            links::add_address(ATTACKER_INTERFACE, layout.attacker, prefix)?;
            links::set_up("lo")?;
            links::set_up(ATTACKER_INTERFACE)
        })?;
        host.run(|| links::add_gateway(layout.attacker))?;
        attacker.run(|| links::add_gateway(layout.host))?;
        Ok(Lab { host, attacker, layout })
    }
}

/// No IPv6 chatter on the cable.
fn quiet() -> Result<(), NetError> {
    for scope in ["all", "default"] {
        // A kernel without IPv6 has nothing to turn off.
        let _ = links::sysctl(&format!("net/ipv6/conf/{scope}/disable_ipv6"), "1");
    }
    Ok(())
}
